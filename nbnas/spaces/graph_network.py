"""Graph neural networks in which every node takes one earlier node, as NAS-Bench-Graph has them.

Qin, Zhang, Wang, Zhang & Zhu, NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search, NeurIPS 2022 Datasets
and Benchmarks, arXiv:2206.09166, Sec. 3.1 and the published code.

Differs from the paper: it has no relaxed view. Here inputs and operations are mixed, and a node counts as an end with
the probability that no later node takes it, so that one-hot weights are exactly one architecture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from typing_extensions import override

from nbnas.settings import setting
from nbnas.spaces.bound import Bound, Extent
from nbnas.spaces.component import Component, Flow
from nbnas.spaces.decision import Decision, Option
from nbnas.spaces.rooted_tree import canonical_tree, leaves

if TYPE_CHECKING:
    import networkx

__all__ = ["GRAPH_OPERATIONS", "GraphNetwork", "GraphStep", "canonical_steps", "ends"]

GRAPH_OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
"""The operations of NAS-Bench-Graph in its order; what they compute stands in `nbnas.networks.graph_layers`."""


class GraphStep(NamedTuple):
    """How a node is made: an operation on an earlier node; 0 is the input."""

    operation: str
    source: int


def canonical_steps(steps: Sequence[GraphStep]) -> str:
    """One text for all networks that are the same to NAS-Bench-Graph: a tree, such as `x(fc,gcn(gat))`.

    Until nothing changes a skip goes, its children to its parent, if it has a child, or has no sibling, or stands
    directly under the input; other skips at the end stay.

    Args:
        steps: of node 1, 2, ….
    """
    parents = {node: step.source for node, step in enumerate(steps, start=1)}
    skips = [node for node, step in enumerate(steps, start=1) if step.operation == "skip"]
    changed = bool(skips)
    while changed:
        changed = False
        for node in skips:
            parent = parents[node]
            used = [*parents.values()]
            if node in used or used.count(parent) == 1 or parent == 0:
                del parents[node]
                for other, source in parents.items():
                    if source == node:
                        parents[other] = parent
                skips.remove(node)
                changed = True
                break
    number = {0: 0} | {node: place for place, node in enumerate(parents, start=1)}
    labels = ["x", *(steps[node - 1].operation for node in parents)]
    return canonical_tree([number[parent] for parent in parents.values()], labels)


def ends(steps: Sequence[GraphStep]) -> tuple[int, ...]:
    """The nodes that are concatenated: those that none takes, without skips of the input; else the input."""
    copies = {0}
    for node, step in enumerate(steps, start=1):
        if step.operation == "skip" and step.source in copies:
            copies.add(node)
    return tuple(node for node in leaves([step.source for step in steps]) if node not in copies) or (0,)


@dataclass(frozen=True)
class GraphNetwork(Component):
    """Linear layers, nodes that each apply an operation to an earlier one, the ends concatenated, linear layers.

    Before an operation come batch normalisation, ReLU and dropout; skip passes on as it is. Without layers before it
    the first operations are applied to the features themselves.
    """

    kind: ClassVar[str] = "graph_network"
    takes: ClassVar[Flow] = "nodes"

    nodes: int = setting(4, "Nodes, each with one operation.", minimum=1, maximum=8)
    operations: tuple[str, ...] = setting(
        GRAPH_OPERATIONS, "What a node can apply to its input.", options=GRAPH_OPERATIONS
    )
    channels: int = setting(
        64, "Features of each node of the graph between layers.", minimum=1, maximum=4096, open=True
    )
    heads: int = setting(4, "Heads of gat; channels are divided among them.", minimum=1, maximum=64)
    pre: int = setting(1, "Linear layers before; 0: none.", minimum=0, maximum=4)
    post: int = setting(1, "Linear layers after the one that takes the ends.", minimum=0, maximum=4)
    dropout: float = setting(0.5, "Share of features dropped in training.", minimum=0, below=1, open=True)

    @override
    def check(self) -> None:
        if not self.operations or len(set(self.operations)) < len(self.operations):
            self.fail("operations", "names that occur once each")
        if "gat" in self.operations and any(channels % self.heads for channels in self.values("channels")):
            self.fail("channels", f"divisible by heads ({self.heads})", remedy="Change heads, or leave gat out")

    def inner(self) -> range:
        """The nodes besides the input."""
        return range(1, self.nodes + 1)

    @override
    def bound(self, given: Extent) -> Bound:
        width, layers = max(self.values("channels")), self.nodes * len(self.operations)
        wide = max(width, given.channels, given.classes)
        linear = self.pre + self.post + self.nodes + 2
        return Bound((2 * layers + linear) * (wide + 4) * width, 8 * layers + linear, given.classes)

    def steps(self, chosen: Mapping[str, Option]) -> tuple[GraphStep, ...]:
        """How each node is made, in order."""
        return tuple(
            GraphStep(str(chosen[f"node_{node}/operation"]), int(chosen[f"node_{node}/input"])) for node in self.inner()
        )

    @override
    def decisions(self) -> tuple[Decision, ...]:
        found = list(self.own_decisions())
        for node in self.inner():
            found += [
                Decision(f"node_{node}/input", tuple(range(node)), "input", f"node {node}", wiring=True),
                Decision(f"node_{node}/operation", self.operations, "operation", f"node {node}"),
            ]
        return tuple(found)

    @override
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        import networkx

        graph = networkx.DiGraph()
        graph.add_node(0, label="in")
        for node in self.inner():
            graph.add_node(node, label=str(node))
        graph.add_node("out", label="out")
        if chosen is None:
            text = f"{len(self.operations)} options"
            edges = [(source, node, text) for node in self.inner() for source in range(node)]
            last: tuple[int, ...] = tuple(self.inner())
        else:
            steps = self.steps(chosen)
            edges = [(step.source, node, step.operation) for node, step in enumerate(steps, start=1)]
            last = ends(steps)
        for source, node, operation in edges:
            graph.add_edge(source, node, operation=operation, decision=f"node_{node}/operation")
        graph.add_edges_from((node, "out") for node in last)
        return graph

    @override
    def canonical(self, chosen: Mapping[str, Option]) -> str:
        """Equal iff NAS-Bench-Graph has one row for both, and the open fields are equal."""
        return ";".join([canonical_steps(self.steps(chosen)), *(f"{name}={chosen[name]}" for name in self.opened())])

    @override
    def relaxable(self) -> str | None:
        if self.opened():
            name = next(iter(self.opened()))
            return f"field {name!r} is open and cannot be mixed. Close it, or score with nb.evaluators.Training"
        if self.pre == 0 and "skip" in self.operations:
            return (
                "with pre=0 the input has other dimensions than the nodes, so a skip of it cannot be mixed with the "
                "other operations. Take pre=1, or score with nb.evaluators.Training"
            )
        if self.pre == 0:
            return (
                "with pre=0 the input has other dimensions than the nodes, which cannot be mixed with it. "
                "Take pre=1, or score with nb.evaluators.Training"
            )
        return None
