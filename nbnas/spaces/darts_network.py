"""Networks of stacked normal and reduction cells with two inputs each, the skeleton of NASNet and DARTS on CIFAR.

Zoph, Vasudevan, Shlens & Le, Learning Transferable Architectures for Scalable Image Recognition, CVPR 2018,
arXiv:1707.07012, and Liu, Simonyan & Yang, DARTS: Differentiable Architecture Search, ICLR 2019, arXiv:1806.09055,
App. A.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from nbnas.settings import setting
from nbnas.spaces.bound import Bound, Extent, bound_of_operations
from nbnas.spaces.cell import Cell
from nbnas.spaces.component import of_part
from nbnas.spaces.decision import Option
from nbnas.spaces.network import Composite

if TYPE_CHECKING:
    import networkx

__all__ = ["DartsNetwork"]


@dataclass(frozen=True)
class DartsNetwork(Composite):
    """A stem, `cells` cells of which those at 1/3 and 2/3 are reduction cells, global pooling, a linear classifier.

    A cell takes the outputs of the two before it. A reduction cell halves the resolution and doubles the channels. All
    normal cells have the same choices, and all reduction cells.
    """

    kind: ClassVar[str] = "darts_network"

    normal: Cell = setting(Cell(), "The cell that keeps the resolution.")  # noqa: RUF009 - it is immutable
    reduction: Cell = setting(Cell(), "The cell that halves the resolution.")  # noqa: RUF009
    channels: int = setting(16, "Channels of a node in the first cells.", minimum=1, maximum=4096, open=True)
    cells: int = setting(8, "Cells in all; the two at 1/3 and 2/3 reduce.", minimum=3, maximum=100, open=True)
    stem_multiplier: int = setting(3, "Channels of the stem, in those of a node.", minimum=1, maximum=16)
    auxiliary: bool = setting(False, "Whether evaluation networks have an auxiliary head after 2/3 of the cells.")
    drop_path: float = setting(
        0.0, "Share of operations left out in training, in evaluation networks.", minimum=0, below=1, open=True
    )

    def reductions(self, cells: int) -> tuple[int, int]:
        """The places of the reduction cells among `cells`."""
        return cells // 3, 2 * cells // 3

    @override
    def bound(self, given: Extent) -> Bound:
        channels, cells = max(self.values("channels")), max(self.values("cells"))
        before_last = last = self.stem_multiplier * channels
        weights, modules = 9 * given.channels * last + 2 * last, 40
        kinds = (self.normal, self.reduction)
        for place in range(cells):
            channels *= 1 + (place in self.reductions(cells))
            inner, parts = max(bound_of_operations(cell.operations, channels, channels) for cell in kinds)
            edges = max(len(cell.edges()) for cell in kinds)
            weights += (before_last + last + 4) * channels + edges * inner
            modules += edges * (parts + 3) + 20
            before_last, last = last, max(cell.nodes for cell in kinds) * channels
        weights += (last + 1) * given.classes
        if self.auxiliary:
            weights += 128 * last + 128 * 768 * 4 + 2 * (128 + 768) + 769 * given.classes
        return Bound(weights, modules, given.classes)

    @override
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.MultiDiGraph:
        import networkx

        joined = networkx.MultiDiGraph()
        for panel in ("normal", "reduction"):
            cell: Cell = getattr(self, panel)
            part = cell.graph(None if chosen is None else of_part(chosen, panel))
            for node, data in part.nodes(data=True):
                joined.add_node(f"{panel}/{node}", panel=panel, **data)
            for source, target, data in part.edges(data=True):
                decision = {"decision": f"{panel}/{data['decision']}"} if "decision" in data else {}
                joined.add_edge(f"{panel}/{source}", f"{panel}/{target}", **{**data, **decision})
        return joined
