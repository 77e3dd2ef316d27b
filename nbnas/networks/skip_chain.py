"""Chains of layers with skip connections, discrete and relaxed: the macro search space of ENAS.

Pham et al., Efficient Neural Architecture Search via Parameter Sharing, ICML 2018, arXiv:1802.03268, Sec. 2.3.
Each operation follows a 1x1 convolution with normalisation and ReLU. After one and two thirds of the layers all outputs
so far are halved, each by its own factorised reduction.

Differs from the paper: skip connections are added to the output of a layer and the sum is normalised, as in the
authors' code (the paper concatenates the inputs of a layer). Layers read the one before whatever its skip connections.
Channels grow at a reduction in form evaluation only, as in the authors' code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from nbnas.networks.layers import Form, average, batch_norm, convolution, maximum
from nbnas.networks.mixed_modules import MixedModules, PlainWeight
from nbnas.networks.operations import make
from nbnas.networks.parts import Chosen, Context, Shape
from nbnas.spaces.skip_chain import SkipChain

__all__ = ["skip_chain"]


def skip_chain(component: SkipChain, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """From (batch, channels, *sizes) to (batch, channels grown, *sizes halved)."""
    made = _SkipChain(component, chosen, shape, context)
    sizes = shape.sizes
    for _ in component.halvings():
        sizes = tuple(-(-size // 2) for size in sizes)
    return made, Shape("map", made.channels, sizes)


class _SkipChain(nn.Module):
    def __init__(self, component: SkipChain, chosen: Chosen, shape: Shape, context: Context) -> None:
        super().__init__()
        self.component, self.path = component, context.path
        self.skips: dict[int, list[int]] | None = None  # of a discrete network: by layer
        if chosen is not None:
            self.skips = {layer: component.skips(layer, chosen) for layer in range(1, component.layers + 1)}
        dims, form, channels = len(shape.sizes), context.form, shape.channels
        self.operations, self.norms, self.halvings = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for layer in range(1, component.layers + 1):
            row = f"layer_{layer}/operation"
            names = component.operations if chosen is None else (str(chosen[row]),)
            options = [_branch(name, channels, dims, form) for name in names]
            key = f"layer_{layer}"
            self.operations[key] = MixedModules(context.path + row, options) if chosen is None else options[0]
            if layer > 1:
                self.norms[key] = batch_norm(channels, dims=dims, form=form)
            if layer in component.halvings():
                grown = channels * (component.growth if form == "evaluation" else 1)
                # The supernet halves all outputs, so networks in form search must have these weights as well.
                read = [source for source in range(layer + 1) if form == "search" or self._read(source, layer)]
                self.halvings[key] = nn.ModuleDict(
                    {f"from_{source}": _Halve(channels, grown, dims=dims, form=form) for source in read}
                )
                channels = grown
        self.channels = channels

    def _read(self, source: int, halving: int) -> bool:
        """Whether the output of a layer is read after the layer `halving`."""
        later = range(halving + 1, self.component.layers + 1)
        return source == halving or self.skips is None or any(source in self.skips[layer] for layer in later)

    @override
    def forward(self, x: Tensor, mixture: Mapping[str, PlainWeight] | None = None) -> Tensor:
        outputs: dict[int, Tensor] = {0: x}
        for layer in range(1, self.component.layers + 1):
            key = f"layer_{layer}"
            operation, before = self.operations[key], outputs[layer - 1]
            total: Tensor = operation(before) if mixture is None else operation(before, mixture)
            if layer > 1:
                for source in self.component.sources(layer):
                    share = self._share(layer, source, mixture)
                    if share is not None:
                        total = total + share * outputs[source]
                total = self.norms[key](total)
            outputs[layer] = total
            if key in self.halvings:
                halvings: Any = self.halvings[key]
                outputs = {
                    source: halvings[f"from_{source}"](value)
                    for source, value in outputs.items()
                    if f"from_{source}" in halvings
                }
        return outputs[self.component.layers]

    def _share(self, layer: int, source: int, mixture: Mapping[str, PlainWeight] | None) -> Tensor | float | None:
        """The weight of a skip connection; `None` where there is none."""
        if mixture is None:
            assert self.skips is not None
            return 1.0 if source in self.skips[layer] else None
        weight = mixture[f"{self.path}layer_{layer}/skip_{source}"]
        if isinstance(weight, tuple):
            return 1.0 if 1 in weight else None
        return weight[1]


def _branch(name: str, channels: int, dims: int, form: Form) -> nn.Module:
    """A 1x1 convolution, then the operation; convolutions are followed by normalisation and ReLU, poolings are not."""

    def normed(*convolutions: nn.Module) -> list[nn.Module]:
        return [*convolutions, batch_norm(channels, dims=dims, form=form), nn.ReLU()]

    first = normed(convolution(channels, channels, 1, dims=dims))
    known = {"conv_3x3": 3, "conv_5x5": 5}
    separable = {"sep_conv_3x3": 3, "sep_conv_5x5": 5}
    if name in known:
        return nn.Sequential(*first, *normed(convolution(channels, channels, known[name], dims=dims)))
    if name in separable:
        depthwise = convolution(channels, channels, separable[name], dims=dims, groups=channels)
        return nn.Sequential(*first, *normed(depthwise, convolution(channels, channels, 1, dims=dims)))
    if name in ("avg_pool_3x3", "max_pool_3x3"):
        return nn.Sequential(*first, (average if name == "avg_pool_3x3" else maximum)(3, 1, dims=dims))
    return nn.Sequential(*first, make(name, channels, channels, 1, dims=dims, form=form))


class _Halve(nn.Module):
    """Factorised reduction without activation: 1x1 convolutions on the even and on the odd positions, normalised."""

    def __init__(self, in_channels: int, out_channels: int, *, dims: int, form: Form) -> None:
        super().__init__()
        self.dims = dims
        shares = [share for share in (out_channels // 2, out_channels - out_channels // 2) if share]
        self.halves = nn.ModuleList(convolution(in_channels, share, 1, dims=dims, stride=2) for share in shares)
        self.norm = batch_norm(out_channels, dims=dims, form=form)

    @override
    def forward(self, x: Tensor) -> Tensor:
        shifted = F.pad(x, (-1, 1) * self.dims)  # the first position goes, a zero comes at the end
        parts = [half(part) for half, part in zip(self.halves, (x, shifted), strict=False)]
        normed: Tensor = self.norm(torch.cat(parts, dim=1))
        return normed
