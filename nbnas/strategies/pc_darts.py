"""PC-DARTS: operations see a part of the channels, and edges of a node compete by weights of their own.

Xu, Xie, Zhang, Chen, Qi, Tian & Xiong, PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search,
ICLR 2020, arXiv:1907.05737: Sec. 3.2 (1/K of the channels pass the mixed operation, Eq. 2), Sec. 3.3 (edge
normalisation: beta, softmax over the edges into a node, weighs them, Eq. 3; alpha and beta together decide what is
derived); settings of Sec. 4.2 for CIFAR-10.
Differs from the paper: the first 1/K of the channels pass the operations, not a random part (as in the authors' code: a
shuffle of the channels follows). The cells of NAS-Bench-201, where all edges are kept, are searched the same way: there
beta weighs edges in the search, and has no say in what is derived.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from nbnas.errors import SettingsError
from nbnas.seeds import seed_of
from nbnas.settings import setting
from nbnas.strategies.relaxed import Relaxed, RelaxedSettings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nbnas.networks import Supernet
    from nbnas.spaces import SearchSpace
    from nbnas.tasks.bound import BoundTask

__all__ = ["PcDarts"]

_EDGE = re.compile(r"^(?P<path>.*)edge_(?P<source>\d+)_(?P<target>\d+)$")


class _PcDarts(Relaxed):
    """Rows of `alpha` are those of the space, and for each node `beta/` and its name: one entry an incoming edge."""

    settings: PcDarts

    def __init__(self, settings: PcDarts, space: SearchSpace, supernet: Supernet, *rest: Any) -> None:
        _check_supernet(supernet, settings.channel_share)
        self.edges = _edges_by_node(space)
        super().__init__(settings, space, supernet, *rest)

    @override
    def new_alpha(self) -> torch.nn.ParameterDict:
        import torch

        alpha = super().new_alpha()
        draws = torch.Generator().manual_seed(seed_of(self.seed, "beta"))
        for node, edges in self.edges.items():
            values = 1e-3 * torch.randn(len(edges), generator=draws)
            alpha[f"beta/{node}"] = torch.nn.Parameter(values.to(self.task.device))
        return alpha

    def operations(self) -> dict[str, Tensor]:
        """Row -> softmax of alpha, shape (options,)."""
        return {row.name: self.alpha[row.name].softmax(dim=0) for row in self.space.rows}

    def edge_weights(self) -> dict[str, Tensor]:
        """Row -> the weight of its edge, a scalar: softmax of beta over the edges into one node."""
        weights: dict[str, Tensor] = {}
        for node, edges in self.edges.items():
            weights |= zip(edges, self.alpha[f"beta/{node}"].softmax(dim=0).unbind(), strict=True)
        return weights

    @override
    def mixture(self) -> dict[str, Tensor]:
        # Eq. 3: the sum of a row is the weight of its edge, by which what bypasses the operations is weighed too.
        edges = self.edge_weights()
        return {name: edges[name] * row for name, row in self.operations().items()}

    @override
    def expected_cost(self) -> Tensor:
        shares = self.operations()  # an edge costs the same whatever its weight
        return sum((shares[name] * cost).sum() for name, cost in self.costs.items())  # type: ignore[return-value]


def _edges_by_node(space: SearchSpace) -> dict[str, list[str]]:
    """Node -> the rows of the edges that lead to it, such as `normal/edge_0_3` to `normal/3`."""
    nodes: dict[str, list[str]] = {}
    for row in space.rows:
        if (named := _EDGE.match(row.name)) is not None:
            nodes.setdefault(f"{named['path']}{named['target']}", []).append(row.name)
    return nodes


def _check_supernet(supernet: Supernet, channel_share: int) -> None:
    """Raises `SettingsError` unless each row is an edge between nodes of a cell, of so many channels."""
    from nbnas.networks.mixed_operation import MixedOperation
    from nbnas.networks.partial_channels import PartialOperation

    edges = {module.decision for module in supernet.modules() if isinstance(module, MixedOperation)}
    shares = {module.groups for module in supernet.modules() if isinstance(module, PartialOperation)} or {1}
    if edges != {row.name for row in supernet.space.rows}:
        raise SettingsError(
            f"space must be one of cells whose edges take operations, got {supernet.space.name!r}; in PcDarts. "
            "Take nb.spaces.darts() or nb.spaces.nas_bench_201(), or search this space with Darts",
            field="space",
        )
    if shares != {channel_share}:
        raise SettingsError(
            f"channel_share must be that of the supernet ({max(shares)}), got {channel_share}; in PcDarts. Make the "
            "supernet with make_supernet(...)",
            field="channel_share",
        )


@dataclass(frozen=True)
class PcDarts(RelaxedSettings):
    """Applies the operations to 1/K of the channels, and weighs the edges into each node by a softmax of their own."""

    title: ClassVar[str] = "PC-DARTS"
    loop: ClassVar[type[Relaxed]] = _PcDarts

    alpha_learning_rate: float = setting(6e-4, "Adam's step size for alpha and beta.", above=0, maximum=10)
    w_learning_rate: float = setting(0.1, "SGD's first step size for w; falls by a cosine.", above=0, maximum=10)
    w_learning_rate_end: float = setting(0.0, "SGD's last step size for w.", minimum=0, maximum=10)
    batch: int = setting(256, "Items a batch.", minimum=2, maximum=65536)
    alpha_after: float = setting(0.3, "Share of the epochs in which w alone learns at first.", minimum=0, below=1)
    channel_share: int = setting(
        4, "K: one of so many channels passes the operations; it must divide the channels.", minimum=1, maximum=64
    )

    @override
    def make_supernet(self, space: SearchSpace, task: BoundTask, seed: int) -> Supernet:
        from nbnas.networks import Supernet

        supernet = Supernet(space, task, seed=seed, channel_share=self.channel_share)
        _check_supernet(supernet, self.channel_share)
        return supernet
