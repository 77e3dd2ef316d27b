"""A network of stacked cells, each cell a dense directed graph with one operation an edge.

The skeleton is that of NAS-Bench-201 (Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326): a stem, three stages of
equal cells, between them residual blocks that halve the resolution and double the channels, global pooling, a linear
classifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from nbnas.settings import setting
from nbnas.spaces.bound import Bound, Extent, bound_of_operations
from nbnas.spaces.component import Component
from nbnas.spaces.decision import Decision, Option
from nbnas.spaces.operations import BUILT_IN, check_known

if TYPE_CHECKING:
    import networkx

__all__ = ["CellNetwork"]


@dataclass(frozen=True)
class CellNetwork(Component):
    """One cell, repeated: node 0 is its input, the last its output, and every earlier node feeds every later one."""

    kind: ClassVar[str] = "cell_network"

    nodes: int = setting(4, "Nodes of the cell, input and output included.", minimum=2, maximum=16)
    operations: tuple[str, ...] = setting(
        ("none", "skip", "conv_1x1", "conv_3x3", "avg_pool_3x3"), "What an edge can be."
    )
    channels: int = setting(16, "Channels of the first stage; each stage doubles them.", minimum=1, maximum=4096)
    cells: int = setting(5, "Cells a stage.", minimum=1, maximum=100)
    stages: int = setting(3, "Stages; between two of them the resolution halves.", minimum=1, maximum=8)

    def check(self) -> None:
        if not self.operations:
            self.fail("operations", "at least one operation")
        if len(set(self.operations)) < len(self.operations):
            self.fail("operations", "names that occur once each")
        if len(self.operations) > 64:
            self.fail("operations", "at most 64 names")
        for place, name in enumerate(self.operations):
            check_known(name, f"operations/{place}")

    def edges(self) -> list[tuple[int, int]]:
        """The edges `(source, target)`, ordered by target, then source."""
        return [(source, target) for target in range(1, self.nodes) for source in range(target)]

    def decisions(self) -> tuple[Decision, ...]:
        return tuple(
            Decision(f"edge_{source}_{target}", self.operations, label=f"{source}→{target}", group=f"node {target}")
            for source, target in self.edges()
        )

    @override
    def bound(self, given: Extent) -> Bound:
        channels, edges = self.channels, len(self.edges())
        weights, modules = 9 * given.channels * channels + 2 * channels, 20
        for stage in range(self.stages):
            if stage:  # a residual block
                weights, modules, channels = weights + 60 * channels**2 + 16 * channels, modules + 16, 2 * channels
            inner, parts = bound_of_operations(self.operations, channels, channels)
            weights += self.cells * edges * inner
            modules += self.cells * (edges * (parts + 2) + 3)
        return Bound(weights + 2 * channels + (channels + 1) * given.classes, modules, given.classes)

    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        import networkx

        graph = networkx.DiGraph()
        for node in range(self.nodes):
            graph.add_node(node, label={0: "in", self.nodes - 1: "out"}.get(node, str(node)))
        for source, target in self.edges():
            name = f"edge_{source}_{target}"
            label = f"{len(self.operations)} options" if chosen is None else str(chosen[name])
            graph.add_edge(source, target, operation=label, decision=name)
        return graph

    def canonical(self, chosen: Mapping[str, Option]) -> str:
        """The formal sum of paths from input to output.

        `none` and nodes that are zero vanish, any built-in operation on zero is zero, `skip` is the identity, and sums
        are flattened and sorted as multisets. NAS-Bench-201 has 4,930 such forms.
        """
        terms: list[list[str]] = [["x"]]
        for target in range(1, self.nodes):
            node: list[str] = []
            for source in range(target):
                operation = chosen[f"edge_{source}_{target}"]
                # Of an own operation it is not known that it is zero on zero: it may have a bias.
                if operation == "none" or (not terms[source] and operation in BUILT_IN):
                    continue
                if operation == "skip":
                    node += terms[source]
                else:
                    node.append(f"{operation}({'+'.join(terms[source])})")
            terms.append(sorted(node))
        return "+".join(terms[-1]) or "0"

    def relaxable(self) -> None:
        return None
