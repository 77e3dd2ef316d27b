"""Edges of a supernet that apply their operations to a part of the channels.

Xu et al., PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search, ICLR 2020, arXiv:1907.05737,
Sec. 3.2: 1/K of the channels go through the mixed operation, the others bypass it; a channel shuffle (Zhang et al.,
ShuffleNet, CVPR 2018, arXiv:1707.01083) mixes both for the next edge. As in the authors' code the first 1/K are taken,
since the shuffle brings others there; where the operations halve the sizes, the bypass is a maximum over 2 × 2.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from nbnas.errors import SpaceError
from nbnas.networks.mixed_modules import Drawn, Weight
from nbnas.networks.mixed_operation import MixedOperation, Source

__all__ = ["PartialOperation", "mixed_operation", "shuffled"]


class _Bypass(nn.Module):
    """All channels but the first; with stride 2 the maximum over pairs of positions, sizes rounded up."""

    def __init__(self, first: int, stride: int, dims: int) -> None:
        super().__init__()
        self.first = first
        pool = nn.MaxPool1d if dims == 1 else nn.MaxPool2d
        self.pool = nn.Identity() if stride == 1 else pool(stride, stride, ceil_mode=True)

    @override
    def forward(self, x: Tensor) -> Tensor:
        rest: Tensor = self.pool(x[:, self.first :])
        return rest


class PartialOperation(MixedOperation):
    """A mixed operation on the first 1/K of the channels; the others bypass it, weighed by the sum of its weights.

    So a row of weights that sums to an edge's weight weighs the whole edge.

    Args:
        decision, options, stride, dims: as of `MixedOperation`.
        channels: that come in and go out, a multiple of K.
        channel_share: K, above 1.

    Raises:
        SpaceError: K does not divide the channels.
    """

    packs = False

    def __init__(
        self, decision: str, options: Sequence[str], channels: int, stride: int, channel_share: int, *, dims: int
    ) -> None:
        if channels % channel_share:
            raise SpaceError(
                f"channels must be a multiple of channel_share ({channel_share}), got {channels} in the cell of row "
                f"{decision!r}. Make the space with other channels, or lower channel_share"
            )
        self.first = channels // channel_share
        super().__init__(decision, options, self.first, self.first, stride, dims=dims)
        self.groups = channel_share
        self.bypass = _Bypass(self.first, stride, dims)

    @override
    def forward(self, x: Tensor, mixture: Mapping[str, Weight]) -> Tensor:
        source = Source(x)
        total = self.add_to(None, source, mixture[self.decision])
        return torch.zeros_like(self._joined(source, None, 1)) if total is None else total

    @override
    def add_to(
        self, total: Tensor | None, source: Source, weight: Weight, without: Collection[int] = ()
    ) -> Tensor | None:
        if isinstance(weight, tuple) and not weight:
            return total  # an edge that is not there has no bypass either
        shares = weight.shares if isinstance(weight, Drawn) else weight
        edge = len(shares) if isinstance(shares, tuple) else shares.sum()
        mixed = super().add_to(None, source.of_channels(self.first), weight, without)
        joined = self._joined(source, mixed, edge)
        return joined if total is None else total + joined

    def _joined(self, source: Source, mixed: Tensor | None, edge: Tensor | int) -> Tensor:
        rest = source.pooled(self.bypass, f"bypass of {self.first}, {self.bypass.pool}") * edge
        if mixed is None:  # all options are zero
            mixed = rest.new_zeros(len(rest), self.first, *rest.shape[2:])
        return shuffled(torch.cat([mixed, rest], dim=1), self.groups)


def shuffled(x: Tensor, groups: int) -> Tensor:
    """Channels of `groups` equal groups taken in turns: the first of each group, then the second of each, and so on."""
    grouped = x.reshape(len(x), groups, -1, *x.shape[2:])
    return grouped.transpose(1, 2).reshape(x.shape)


def mixed_operation(
    decision: str, options: Sequence[str], channels: int, stride: int, channel_share: int, *, dims: int
) -> MixedOperation:
    """An edge that keeps the number of channels, with operations on 1/`channel_share` of them.

    Raises:
        SpaceError: `channel_share` does not divide the channels.
    """
    if channel_share == 1:
        return MixedOperation(decision, options, channels, channels, stride, dims=dims)
    return PartialOperation(decision, options, channels, stride, channel_share, dims=dims)
