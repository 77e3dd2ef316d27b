"""The built-in operations: those of NAS-Bench-201, of DARTS, and of the NASNet space (Zoph et al., CVPR 2018)."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from nbnas.networks.layers import FactorizedReduce, Form, Zero, average, batch_norm, convolution, maximum

__all__ = ["BUILT_IN", "relu_conv_norm"]


def relu_conv_norm(kernel: int, in_channels: int, out_channels: int, stride: int, dims: int, form: Form) -> nn.Module:
    """ReLU, convolution, batch normalisation: `nor_conv` of NAS-Bench-201."""
    conv = convolution(in_channels, out_channels, kernel, dims=dims, stride=stride)
    return nn.Sequential(nn.ReLU(), conv, batch_norm(out_channels, dims=dims, form=form))


def _depthwise(
    kernel: int, in_channels: int, out_channels: int, stride: int, dims: int, form: Form, dilation: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        convolution(in_channels, in_channels, kernel, dims=dims, stride=stride, dilation=dilation, groups=in_channels),
        convolution(in_channels, out_channels, 1, dims=dims),
        batch_norm(out_channels, dims=dims, form=form),
    )


def _separable(kernel: int, in_channels: int, out_channels: int, stride: int, dims: int, form: Form) -> nn.Module:
    first = _depthwise(kernel, in_channels, in_channels, stride, dims, form)
    return nn.Sequential(*first, *_depthwise(kernel, in_channels, out_channels, 1, dims, form))


def _dilated(kernel: int, in_channels: int, out_channels: int, stride: int, dims: int, form: Form) -> nn.Module:
    return _depthwise(kernel, in_channels, out_channels, stride, dims, form, dilation=2)


def _factorized(kernel: int, in_channels: int, out_channels: int, stride: int, dims: int, form: Form) -> nn.Module:
    """A convolution along the width, then one along the height; for sequences there is only one to make."""
    if dims == 1:
        return relu_conv_norm(kernel, in_channels, out_channels, stride, dims, form)
    pad = kernel // 2
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(in_channels, out_channels, (1, kernel), (1, stride), (0, pad), bias=False),
        nn.Conv2d(out_channels, out_channels, (kernel, 1), (stride, 1), (pad, 0), bias=False),
        batch_norm(out_channels, dims=dims, form=form),
    )


def _pool(kind: str, kernel: int, in_channels: int, out_channels: int, stride: int, dims: int, form: Form) -> nn.Module:
    pool = (average if kind == "avg" else maximum)(kernel, stride, dims=dims)
    parts: list[nn.Module] = [pool]
    if in_channels != out_channels:  # as NAS-Bench-201 does
        parts.insert(0, relu_conv_norm(1, in_channels, out_channels, 1, dims, form))
    if form == "search":
        parts.append(batch_norm(out_channels, dims=dims, form=form))
    return parts[0] if len(parts) == 1 else nn.Sequential(*parts)


def _skip(in_channels: int, out_channels: int, stride: int, dims: int, form: Form) -> nn.Module:
    if stride > 1:
        return FactorizedReduce(in_channels, out_channels, dims=dims, form=form)
    if in_channels != out_channels:
        return relu_conv_norm(1, in_channels, out_channels, 1, dims, form)
    return nn.Identity()


BUILT_IN: dict[str, Callable[[int, int, int, int, Form], nn.Module]] = {
    "none": lambda _, out_channels, stride, dims, form: Zero(out_channels, stride),
    "skip": _skip,
    "conv_1x1": lambda *how: relu_conv_norm(1, *how),
    "conv_3x3": lambda *how: relu_conv_norm(3, *how),
    "conv_5x5": lambda *how: relu_conv_norm(5, *how),
    "avg_pool_3x3": lambda *how: _pool("avg", 3, *how),
    "max_pool_3x3": lambda *how: _pool("max", 3, *how),
    "sep_conv_3x3": lambda *how: _separable(3, *how),
    "sep_conv_5x5": lambda *how: _separable(5, *how),
    "dil_conv_3x3": lambda *how: _dilated(3, *how),
    "dil_conv_5x5": lambda *how: _dilated(5, *how),
    "sep_conv_7x7": lambda *how: _separable(7, *how),
    "conv_3x1_1x3": lambda *how: _factorized(3, *how),
    "conv_7x1_1x7": lambda *how: _factorized(7, *how),
    "max_pool_5x5": lambda *how: _pool("max", 5, *how),
    "max_pool_7x7": lambda *how: _pool("max", 7, *how),
}
"""What makes each built-in operation, from (in_channels, out_channels, stride, dims, form)."""
