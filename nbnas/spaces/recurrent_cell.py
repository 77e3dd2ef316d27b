"""A recurrent cell whose wiring and activations are searched.

Liu, Simonyan & Yang, DARTS: Differentiable Architecture Search, ICLR 2019, arXiv:1806.09055, Sec. 3.1.2 and App. A.2,
and Pham, Guan, Zoph, Le & Dean, Efficient Neural Architecture Search via Parameter Sharing, ICML 2018,
arXiv:1802.03268, Sec. 2.1.

Differs from the papers: ENAS has no relaxed view. Here it is the product of the two rows of a node, and a node counts
as unused with the probability that no later one takes it, so that one-hot weights are exactly one architecture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from typing_extensions import override

from nbnas.settings import setting
from nbnas.spaces.bound import Bound, Extent
from nbnas.spaces.component import Component, Flow
from nbnas.spaces.decision import Decision, Option
from nbnas.spaces.ends import ACTIVATIONS
from nbnas.spaces.rooted_tree import canonical_tree, leaves

if TYPE_CHECKING:
    import networkx

__all__ = ["RecurrentCell", "Step"]

_NAMES = ("identity", *ACTIVATIONS)


class Step(NamedTuple):
    """How a node is made: an activation, and the earlier node that it takes."""

    activation: str
    source: int


@dataclass(frozen=True)
class RecurrentCell(Component):
    """Node 0 is made of the input and the last state; each later node of one earlier node, with a gate of its own.

    Every node moves from what it takes towards the activation of a linear map of it: s + sigmoid(c) (f(h) - s). The new
    state is the mean of all nodes but node 0, or of those that no other node takes.
    """

    kind: ClassVar[str] = "recurrent_cell"
    takes: ClassVar[Flow] = "sequence"
    gives: ClassVar[Flow] = "sequence"

    nodes: int = setting(8, "Nodes besides node 0.", minimum=1, maximum=16)
    activations: tuple[str, ...] = setting(
        ("tanh", "relu", "sigmoid", "identity"), "What a node can apply.", options=_NAMES
    )
    first: str = setting("tanh", "Activation of node 0.", options=_NAMES, open=True)
    width: int = setting(64, "Length of the state.", minimum=1, maximum=8192, open=True)
    output: str = setting(
        "mean", "The state is the mean of all nodes, or of those that no other takes.", options=("mean", "mean_unused")
    )
    sharing: str = setting(
        "node",
        "In the supernet a node has one matrix for all inputs, and alpha a row for each edge (node: DARTS); or one for "
        "each, and alpha a row for each decision (edge: ENAS).",
        options=("node", "edge"),
    )
    normalise: bool = setting(
        True, "Whether each node is normalised over the batch in form search, without parameters; DARTS does so."
    )
    dropout: float = setting(
        0.0, "Share of features of input and state dropped in training, the same at all times.", minimum=0, below=1,
        open=True,
    )  # fmt: skip

    @override
    def check(self) -> None:
        if not self.activations or len(set(self.activations)) < len(self.activations):
            self.fail("activations", "names that occur once each")

    def inner(self) -> range:
        """The nodes besides node 0."""
        return range(1, self.nodes + 1)

    @override
    def bound(self, given: Extent) -> Bound:
        width = max(self.values("width"))
        matrices = self.nodes * (self.nodes + 1) // 2 if self.sharing == "edge" else self.nodes
        return Bound(2 * width * (given.channels + width + matrices * width), matrices + self.nodes + 16, width)

    def steps(self, chosen: Mapping[str, Option]) -> tuple[Step, ...]:
        """How each node besides node 0 is made, in order."""
        return tuple(
            Step(str(chosen[f"node_{node}/activation"]), int(chosen[f"node_{node}/input"])) for node in self.inner()
        )

    def chosen(self, steps: tuple[Step, ...]) -> dict[str, Option]:
        """The options by decision that give these steps; the inverse of `steps`."""
        found: dict[str, Option] = {}
        for node, step in enumerate(steps, start=1):
            found |= {f"node_{node}/input": step.source, f"node_{node}/activation": step.activation}
        return found

    # -- the discrete view -------------------------------------------------------------------------------------------

    @override
    def decisions(self) -> tuple[Decision, ...]:
        found = list(self.own_decisions())
        for node in self.inner():
            found += [
                Decision(f"node_{node}/input", tuple(range(node)), "input", f"node {node}", wiring=True),
                Decision(f"node_{node}/activation", self.activations, "activation", f"node {node}"),
            ]
        return tuple(found)

    @override
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        import networkx

        graph = networkx.DiGraph()
        graph.add_node("in", label="x, h")
        for node in range(self.nodes + 1):
            graph.add_node(node, label=str(node))
        graph.add_node("out", label="h")
        first = {"decision": "first"} if "first" in self.opened() else {}
        text = f"{len(self.values('first'))} options" if first and chosen is None else self.fixed(chosen or {}).first
        graph.add_edge("in", 0, operation=text, **first)
        if chosen is None:
            edges = [(source, node, f"{len(self._row())} options") for node in self.inner() for source in range(node)]
            ends = tuple(self.inner())
        else:
            steps = self.steps(chosen)
            edges = [(step.source, node, step.activation) for node, step in enumerate(steps, start=1)]
            ends = self.ends(steps)
        for source, node, operation in edges:
            row = f"edge_{source}_{node}" if self.sharing == "node" else f"node_{node}/activation"
            graph.add_edge(source, node, operation=operation, decision=row)
        graph.add_edges_from((node, "out") for node in ends)
        return graph

    def ends(self, steps: tuple[Step, ...]) -> tuple[int, ...]:
        """The nodes whose mean is the state."""
        return tuple(self.inner()) if self.output == "mean" else leaves([step.source for step in steps])

    @override
    def canonical(self, chosen: Mapping[str, Option]) -> str:
        """The tree of the nodes, which do not have an order: equal iff the cells are the same but for their order."""
        steps = self.steps(chosen)
        own = self.fixed(chosen)
        tree = canonical_tree([step.source for step in steps], [own.first, *(step.activation for step in steps)])
        others = [f"{name}={chosen[name]}" for name in self.opened() if name != "first"]
        return ";".join([tree, *others])

    # -- the relaxed view --------------------------------------------------------------------------------------------

    def _row(self) -> tuple[str, ...]:
        return ("none", *self.activations) if self.sharing == "node" else self.activations

    @override
    def relaxable(self) -> str | None:
        for name in self.opened():
            if name != "first":
                return f"field {name!r} is open and cannot be mixed. Close it, or score with nb.evaluators.Training"
        return None

    @override
    def rows(self) -> tuple[Decision, ...]:
        if self.sharing == "edge":
            return self.decisions()
        edges = tuple(
            Decision(f"edge_{source}_{node}", self._row(), f"{source}→{node}", f"node {node}")
            for node in self.inner()
            for source in range(node)
        )
        return (*self.own_decisions(), *edges)

    @override
    def paths(self, chosen: Mapping[str, Option]) -> dict[str, tuple[Option, ...]]:
        if self.sharing == "edge":
            return super().paths(chosen)
        found: dict[str, tuple[Option, ...]] = {row.name: () for row in self.rows()}
        found |= {name: (chosen[name],) for name in self.opened()}
        for node, step in enumerate(self.steps(chosen), start=1):
            found[f"edge_{step.source}_{node}"] = (step.activation,)
        return found

    @override
    def derive(self, weights: Mapping[str, Mapping[Option, float]]) -> dict[str, Option]:
        """The strongest edge of each node with its strongest activation, `none` excluded (DARTS, Sec. 2.4).

        The strength of an edge is the weight of that activation; of equal ones the earlier counts as stronger.
        """
        if self.sharing == "edge":
            return super().derive(weights)
        steps = []
        for node in self.inner():
            best = [
                (max(weights[f"edge_{source}_{node}"][name] for name in self.activations), -source)
                for source in range(node)
            ]
            source = -max(best)[1]
            row = weights[f"edge_{source}_{node}"]
            steps.append(Step(max(self.activations, key=lambda name, row=row: row[name]), source))  # type: ignore[misc]
        own: dict[str, Option] = {
            row.name: max(row.options, key=lambda option, name=row.name: weights[name][option])  # type: ignore[misc]
            for row in self.own_decisions()
        }
        return own | self.chosen(tuple(steps))
