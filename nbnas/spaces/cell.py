"""A cell with two inputs, as NASNet and DARTS search it: every node sums two operations on earlier nodes.

Zoph, Vasudevan, Shlens & Le, Learning Transferable Architectures for Scalable Image Recognition, CVPR 2018,
arXiv:1707.07012, Sec. 3, and Liu, Simonyan & Yang, DARTS: Differentiable Architecture Search, ICLR 2019,
arXiv:1806.09055, Sec. 2.1 and 2.4.

Differs from the papers: two operations are always added, as in all cells that these papers print, where NASNet also
searches concatenation. With `pairs="any"` the relaxed view, which no paper has, is derived as with `distinct`: two
different edges a node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from typing_extensions import override

from nbnas.settings import setting
from nbnas.spaces.component import Component, Flow
from nbnas.spaces.decision import Decision, Option
from nbnas.spaces.isomorphism import canonical_sums
from nbnas.spaces.operations import check_known

if TYPE_CHECKING:
    import networkx

__all__ = ["INPUTS", "Cell", "Term"]

INPUTS = 2
"""Nodes 0 and 1 are the outputs of the cell before the last one and of the last one."""


class Term(NamedTuple):
    """One of the two summands of a node: an operation on an earlier node."""

    operation: str
    source: int


@dataclass(frozen=True)
class Cell(Component):
    """Nodes 0 and 1 are the inputs; each later node is the sum of two operations on earlier nodes.

    With `distinct` the two are on different nodes (DARTS), with `any` each chooses its own (NASNet). The output is the
    concatenation of all nodes but the inputs, or of those that no other node uses.
    """

    kind: ClassVar[str] = "cell"
    takes: ClassVar[Flow] = "map"
    gives: ClassVar[Flow] = "map"

    nodes: int = setting(4, "Nodes besides the two inputs.", minimum=1, maximum=12)
    operations: tuple[str, ...] = setting(
        (
            "none",
            "max_pool_3x3",
            "avg_pool_3x3",
            "skip",
            "sep_conv_3x3",
            "sep_conv_5x5",
            "dil_conv_3x3",
            "dil_conv_5x5",
        ),
        "What an edge can be; none only in the relaxed view.",
    )
    pairs: str = setting("distinct", "Whether a node takes two different nodes.", options=("distinct", "any"))
    output: str = setting(
        "concat", "What is concatenated: all nodes, or those that no other uses.", options=("concat", "concat_unused")
    )

    @override
    def check(self) -> None:
        if len(set(self.operations)) < len(self.operations):
            self.fail("operations", "names that occur once each")
        if len(self.operations) > 64:
            self.fail("operations", "at most 64 names")
        for place, name in enumerate(self.operations):
            check_known(name, f"operations/{place}")
        if not self.real():
            self.fail("operations", "at least one operation besides none")

    # -- its parts ---------------------------------------------------------------------------------------------------

    def real(self) -> tuple[str, ...]:
        """The operations that an architecture can choose: all but `none`."""
        return tuple(name for name in self.operations if name != "none")

    def inner(self) -> range:
        """The nodes besides the inputs."""
        return range(INPUTS, INPUTS + self.nodes)

    def edges(self) -> list[tuple[int, int]]:
        """All edges `(source, target)` that there can be, ordered by target, then source."""
        return [(source, target) for target in self.inner() for source in range(target)]

    def terms(self, chosen: Mapping[str, Option]) -> dict[int, tuple[Term, Term]]:
        """The two summands of each node."""
        found = {}
        for node in self.inner():
            if self.pairs == "distinct":
                first, second = map(int, str(chosen[f"node_{node}/inputs"]).split(","))
            else:
                first, second = (int(chosen[f"node_{node}/{which}_input"]) for which in ("first", "second"))
            operations = (str(chosen[f"node_{node}/{which}"]) for which in ("first", "second"))
            one, other = operations
            found[node] = (Term(one, first), Term(other, second))
        return found

    def chosen(self, terms: Mapping[int, tuple[Term, Term]]) -> dict[str, Option]:
        """The options by decision that give these summands; the inverse of `terms`, up to the order within a pair.

        Raises:
            SpaceError: with `distinct`, a node takes one node twice.
        """
        found: dict[str, Option] = {}
        for node in self.inner():
            one, other = terms[node]
            if self.pairs == "distinct":
                one, other = sorted((one, other), key=lambda term: term.source)
                if one.source == other.source:
                    self.fail("pairs", f"'any', since node {node} takes node {one.source} twice")
                found[f"node_{node}/inputs"] = f"{one.source},{other.source}"
                found |= {f"node_{node}/first": one.operation, f"node_{node}/second": other.operation}
            else:
                for which, term in (("first", one), ("second", other)):
                    found |= {f"node_{node}/{which}_input": term.source, f"node_{node}/{which}": term.operation}
        return found

    def concatenated(self, chosen: Mapping[str, Option]) -> tuple[int, ...]:
        """The nodes of which the output is made."""
        if self.output == "concat":
            return tuple(self.inner())
        used = {term.source for pair in self.terms(chosen).values() for term in pair}
        return tuple(node for node in self.inner() if node not in used)

    # -- the discrete view -------------------------------------------------------------------------------------------

    @override
    def decisions(self) -> tuple[Decision, ...]:
        found = []
        for node in self.inner():
            name, group = f"node_{node}", f"node {node}"
            operations = {
                which: Decision(f"{name}/{which}", self.real(), f"{which} operation", group)
                for which in ("first", "second")
            }
            if self.pairs == "distinct":
                pairs = tuple(f"{one},{other}" for one, other in combinations(range(node), 2))
                found += [Decision(f"{name}/inputs", pairs, "inputs", group, wiring=True), *operations.values()]
            else:
                for which, operation in operations.items():
                    sources = tuple(range(node))
                    inputs = Decision(f"{name}/{which}_input", sources, f"{which} input", group, wiring=True)
                    found += [inputs, operation]
        return tuple(found)

    @override
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.MultiDiGraph:
        import networkx

        graph = networkx.MultiDiGraph()
        output = INPUTS + self.nodes
        labels = {0: "c_{k-2}", 1: "c_{k-1}", output: "c_{k}"}
        for node in range(output + 1):
            graph.add_node(node, label=labels.get(node, str(node)))
        if chosen is None:
            edges = [(source, target, f"{len(self.operations)} options") for source, target in self.edges()]
            ends: tuple[int, ...] = tuple(self.inner())
        else:
            edges = [(term.source, node, term.operation) for node, pair in self.terms(chosen).items() for term in pair]
            ends = self.concatenated(chosen)
        for source, target, operation in edges:
            graph.add_edge(source, target, operation=operation, decision=f"edge_{source}_{target}")
        graph.add_edges_from((node, output) for node in ends)
        return graph

    @override
    def canonical(self, chosen: Mapping[str, Option]) -> str:
        """The cell with its nodes and the summands of each in a fixed order: equal iff the cells are isomorphic.

        The order of the concatenated nodes does not matter, since the next layer's weights absorb it. Sums through
        `skip` are not opened: equal forms are equal functions, but not always the contrary.
        """
        return canonical_sums(self.terms(chosen), self.concatenated(chosen), INPUTS)

    # -- the relaxed view --------------------------------------------------------------------------------------------

    @override
    def relaxable(self) -> None:
        return None

    @override
    def rows(self) -> tuple[Decision, ...]:
        return tuple(
            Decision(f"edge_{source}_{target}", self.operations, f"{source}→{target}", f"node {target}")
            for source, target in self.edges()
        )

    @override
    def paths(self, chosen: Mapping[str, Option]) -> dict[str, tuple[Option, ...]]:
        found: dict[str, tuple[Option, ...]] = {f"edge_{source}_{target}": () for source, target in self.edges()}
        for node, pair in self.terms(chosen).items():
            for term in pair:
                found[f"edge_{term.source}_{node}"] += (term.operation,)
        return found

    @override
    def derive(self, weights: Mapping[str, Mapping[Option, float]]) -> dict[str, Option]:
        """The two strongest edges of each node, each with its strongest operation, `none` excluded (DARTS, Sec. 2.4).

        The strength of an edge is the weight of that operation; of equal ones the earlier counts as stronger.
        """
        terms: dict[int, tuple[Term, Term]] = {}
        for node in self.inner():
            best = []
            for source in range(node):
                row = weights[f"edge_{source}_{node}"]
                operation = max(self.real(), key=row.__getitem__)
                best.append((row[operation], Term(operation, source)))
            strongest = sorted(best, key=lambda item: -item[0])[:2]
            one, other = sorted((term for _, term in strongest), key=lambda term: term.source)
            terms[node] = (one, other)
        return self.chosen(terms)
