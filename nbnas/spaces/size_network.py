"""Networks of one fixed cell whose widths are searched: the size search space of NATS-Bench.

Dong et al., NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size, TPAMI 2021, arXiv:2009.00437,
Sec. 3.2: the skeleton of NAS-Bench-201 with an own number of channels for each cell and each residual block.
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
from nbnas.spaces.operations import check_known

if TYPE_CHECKING:
    import networkx

__all__ = ["SizeNetwork"]


@dataclass(frozen=True)
class SizeNetwork(Component):
    """Stem, stages of `cells` equal cells with residual blocks of stride 2 between them, pooling, linear classifier.

    The layers are the cells and the residual blocks in order; the stem has the channels of the first one.
    """

    kind: ClassVar[str] = "size_network"

    widths: tuple[int, ...] = setting((8, 16, 24, 32), "Options for the channels of a layer.", minimum=1, maximum=4096)
    operations: tuple[str, ...] = setting(
        ("conv_3x3",), "Operations of the cell's edges: those into node 1, then those into node 2, and so on."
    )
    cells: int = setting(1, "Cells a stage.", minimum=1, maximum=32)
    stages: int = setting(3, "Stages, each at half the resolution.", minimum=1, maximum=8)

    @override
    def check(self) -> None:
        if not self.widths or list(self.widths) != sorted(set(self.widths)):
            self.fail("widths", "numbers in ascending order")
        for place, name in enumerate(self.operations):
            check_known(name, f"operations/{place}")
        if self.nodes() * (self.nodes() - 1) // 2 != len(self.operations):
            self.fail("operations", "1, 3, 6, 10, … operations, one for each pair of nodes")

    @override
    def bound(self, given: Extent) -> Bound:
        width = max(self.widths)
        inner, parts = bound_of_operations(self.operations, width, width)
        edges = len(self.operations)
        weights = self.stages * (self.cells * (inner + edges * (width + 2) * width) + 20 * width**2 + 12 * width)
        modules = self.stages * (self.cells * (parts + 3 * edges + 3) + 16) + 20
        ends = 9 * given.channels * width + 4 * width + (width + 1) * given.classes
        return Bound(weights + ends, modules, given.classes)

    def nodes(self) -> int:
        """Nodes of the cell, its input included."""
        nodes = 2
        while nodes * (nodes - 1) // 2 < len(self.operations):
            nodes += 1
        return nodes

    def edges(self) -> dict[str, str]:
        """The operation of each edge of the cell, by its name `edge_<source>_<target>`."""
        names = [f"edge_{source}_{target}" for target in range(1, self.nodes()) for source in range(target)]
        return dict(zip(names, self.operations, strict=True))

    def layers(self) -> tuple[bool, ...]:
        """For each layer whether it is a residual block of stride 2 (else a cell)."""
        stage = (False,) * self.cells
        return stage + (True, *stage) * (self.stages - 1)

    @override
    def decisions(self) -> tuple[Decision, ...]:
        return tuple(
            Decision(f"channels_{place}", self.widths, group="channels", ordered=True)
            for place in range(1, len(self.layers()) + 1)
        )

    @override
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        import networkx

        graph = networkx.DiGraph()
        graph.add_node(0, label="in")
        for place, halves in enumerate(self.layers(), start=1):
            name = f"channels_{place}"
            width = f"{self.widths[0]}..{self.widths[-1]}" if chosen is None else str(chosen[name])
            graph.add_node(place, label=str(place))
            graph.add_edge(place - 1, place, operation=f"{'residual, stride 2' if halves else 'cell'}, {width}")
        graph.nodes[len(graph) - 1]["label"] = "out"
        return graph

    @override
    def relaxable(self) -> str | None:
        return (
            "options of a decision are numbers of channels, and feature maps of different channels cannot be summed. "
            "Score its architectures with nb.evaluators.Training, or search operations at given widths: "
            "nb.spaces.nas_bench_201()"
        )
