"""The blocks of mobile networks: inverted residual, depthwise separable convolution, squeeze-and-excitation.

Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018, arXiv:1801.04381. Hu, Shen & Sun,
Squeeze-and-Excitation Networks, CVPR 2018, arXiv:1709.01507. Tan et al., MnasNet, CVPR 2019, arXiv:1807.11626 (width of
squeeze-and-excitation by the channels of the block's input). Zhang et al., ShuffleNet, CVPR 2018, arXiv:1707.01083
(channels are shuffled after a grouped pointwise convolution, as FBNet has them).

Differs from the papers: an inverted residual block of expansion 1 has its first pointwise convolution, as in FBNet
(without it, it is a separable convolution); activations are given, ReLU6 of MobileNetV2 is not among them.
"""

from __future__ import annotations

from torch import Tensor, nn
from typing_extensions import override

from nbnas.networks.activations import ACTIVATIONS
from nbnas.networks.layers import Form, average, batch_norm, convolution

__all__ = ["Residual", "SqueezeExcitation", "conv_block", "inverted_residual", "separable_block"]


def inverted_residual(
    in_channels: int,
    out_channels: int,
    *,
    kernel: int,
    stride: int,
    expansion: int,
    dims: int,
    form: Form,
    squeeze: float = 0.0,
    groups: int = 1,
    activation: str = "relu",
    shortcut: str = "identity",
) -> nn.Module:
    """Pointwise convolution that widens, depthwise one, pointwise one without activation; the input is added.

    Args:
        in_channels, out_channels: at least 1.
        kernel: of the depthwise convolution, odd.
        stride: of the depthwise convolution; sizes are divided by it and rounded up.
        expansion: inner channels per channel of the input.
        dims: number of sizes: 1 for sequences, 2 for images.
        form: see `Form`.
        squeeze: width of squeeze-and-excitation per channel of the input; 0 for none.
        groups: of the pointwise convolutions, where all numbers of channels can be divided by it, else 1.
        activation: see `ACTIVATIONS`.
        shortcut: see `Residual`.
    """
    inner = in_channels * expansion
    if in_channels % groups or out_channels % groups:
        groups = 1
    parts: list[nn.Module] = [
        convolution(in_channels, inner, 1, dims=dims, groups=groups),
        batch_norm(inner, dims=dims, form=form),
        ACTIVATIONS[activation](),
    ]
    if groups > 1:
        parts.append(_Shuffle(groups))
    parts += _depthwise(inner, kernel, stride, activation, dims, form)
    if squeeze:
        parts.append(SqueezeExcitation(inner, max(1, round(in_channels * squeeze)), activation, dims=dims))
    parts += [
        convolution(inner, out_channels, 1, dims=dims, groups=groups),
        batch_norm(out_channels, dims=dims, form=form),
    ]
    return Residual(nn.Sequential(*parts), in_channels, out_channels, stride, shortcut, dims=dims)


def separable_block(
    in_channels: int,
    out_channels: int,
    *,
    kernel: int,
    stride: int,
    dims: int,
    form: Form,
    squeeze: float = 0.0,
    activation: str = "relu",
    shortcut: str = "identity",
) -> nn.Module:
    """Depthwise convolution, then a pointwise one without activation; arguments as in `inverted_residual`."""
    parts = _depthwise(in_channels, kernel, stride, activation, dims, form)
    if squeeze:
        parts.append(SqueezeExcitation(in_channels, max(1, round(in_channels * squeeze)), activation, dims=dims))
    parts += [convolution(in_channels, out_channels, 1, dims=dims), batch_norm(out_channels, dims=dims, form=form)]
    return Residual(nn.Sequential(*parts), in_channels, out_channels, stride, shortcut, dims=dims)


def conv_block(
    in_channels: int,
    out_channels: int,
    *,
    kernel: int,
    stride: int,
    dims: int,
    form: Form,
    squeeze: float = 0.0,
    activation: str = "relu",
    shortcut: str = "identity",
) -> nn.Module:
    """Convolution, normalisation, activation; arguments as in `inverted_residual`."""
    parts: list[nn.Module] = [
        convolution(in_channels, out_channels, kernel, dims=dims, stride=stride),
        batch_norm(out_channels, dims=dims, form=form),
        ACTIVATIONS[activation](),
    ]
    if squeeze:
        parts.append(SqueezeExcitation(out_channels, max(1, round(in_channels * squeeze)), activation, dims=dims))
    return Residual(nn.Sequential(*parts), in_channels, out_channels, stride, shortcut, dims=dims)


def _depthwise(channels: int, kernel: int, stride: int, activation: str, dims: int, form: Form) -> list[nn.Module]:
    return [
        convolution(channels, channels, kernel, dims=dims, stride=stride, groups=channels),
        batch_norm(channels, dims=dims, form=form),
        ACTIVATIONS[activation](),
    ]


class SqueezeExcitation(nn.Module):
    """Weighs each channel by a number in (0, 1), computed from the means of all channels.

    Args:
        channels: of the input.
        width: of the layer in between.
        activation: of that layer, see `ACTIVATIONS`.
        dims: number of sizes.
    """

    def __init__(self, channels: int, width: int, activation: str, *, dims: int) -> None:
        super().__init__()
        kind = nn.Conv1d if dims == 1 else nn.Conv2d
        self.weigh = nn.Sequential(
            kind(channels, width, 1), ACTIVATIONS[activation](), kind(width, channels, 1), nn.Sigmoid()
        )

    @override
    def forward(self, x: Tensor) -> Tensor:
        weighed: Tensor = x * self.weigh(x.mean(dim=tuple(range(2, x.dim())), keepdim=True))
        return weighed


class Residual(nn.Module):
    """What `body` gives, and what the shortcut gives where it fits.

    Args:
        body: from (batch, in_channels, *sizes) to (batch, out_channels, *sizes / stride).
        in_channels, out_channels, stride: what the body does to the shape.
        shortcut: `identity`: the input where the body keeps the shape; `pool`: its average over windows of 3, with the
            stride, where the body keeps the channels; `none`.
        dims: number of sizes.
    """

    def __init__(
        self, body: nn.Module, in_channels: int, out_channels: int, stride: int, shortcut: str, *, dims: int
    ) -> None:
        super().__init__()
        self.body = body
        self.shortcut: nn.Module | None = None
        if shortcut == "pool" and in_channels == out_channels:
            self.shortcut = average(3, stride, dims=dims)
        elif shortcut == "identity" and in_channels == out_channels and stride == 1:
            self.shortcut = nn.Identity()

    @override
    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.body(x)
        return made if self.shortcut is None else made + self.shortcut(x)


class _Shuffle(nn.Module):
    """Takes the channels of the groups in turns, so that each group of the next convolution sees all of them."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    @override
    def forward(self, x: Tensor) -> Tensor:
        batch, channels, *sizes = x.shape
        grouped = x.reshape(batch, self.groups, channels // self.groups, *sizes)
        return grouped.transpose(1, 2).reshape(x.shape)
