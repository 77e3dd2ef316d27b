"""Fast forms of the layers that mixtures are made of, for images on the CPU: same values, same gradients.

What is slow there in torch is known layer by layer: the gradients of depthwise convolutions that are dilated, strided
or five wide, everything whose channels come before its positions, and batch normalisation followed by a scaled sum. So
images are kept with channels last, and

- the input gradient of a depthwise convolution is a depthwise convolution with the flipped kernel,
- the weight gradient of a dilated one is that of a plain one on the four images of even and odd rows and columns,
- that of a kernel five wide is put together from two kernels three wide,
- one of stride 2 is one of stride 1 on these four images,
- a convolution of size 1 is a product of matrices,
- a normalised term is scaled within its normalisation and added in place.

All of them can be differentiated twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from typing_extensions import override

__all__ = [
    "add_normalized",
    "add_normalized_slices",
    "add_scaled",
    "depthwise",
    "fits",
    "norm_relu",
    "pointwise",
]

_LAST = torch.channels_last
_batch_norm = torch.ops.aten.native_batch_norm
_batch_norm_backward = torch.ops.aten.native_batch_norm_backward


def fits(x: Tensor) -> bool:
    """Whether these forms are for `x`: images on the CPU, shape (batch, channels, height, width)."""
    return x.dim() == 4 and x.device.type == "cpu"


# -- normalisation -----------------------------------------------------------------------------------------------------


class _Backward(torch.autograd.Function):
    """What normalisation gives back; differentiated once more, it takes a few passes instead of torch's dozens.

    With x' = (x - mean) r, r the inverse deviation, s the scale and N values a channel, it computes for a gradient g

        to_x = s r (g - mean(g) - x' mean(g x')),    to_scale = sum(g x').
    """

    @staticmethod
    @override
    def forward(
        ctx: Any, gradient: Tensor, x: Tensor, scale: Tensor, mean: Tensor, deviation: Tensor, eps: float
    ) -> tuple[Tensor, Tensor]:
        to_x, to_scale, to_shift = _batch_norm_backward(
            gradient, x, scale, None, None, mean, deviation, True, eps, [True, True, True]
        )
        ctx.save_for_backward(gradient, x, scale, mean, deviation, to_scale, to_shift)
        ctx.eps = eps
        ctx.set_materialize_grads(False)
        return to_x, to_scale

    @staticmethod
    @once_differentiable
    @override
    def backward(ctx: Any, u: Tensor | None, t: Tensor | None) -> tuple[Tensor | None, ...]:
        gradient, x, scale, mean, r, to_scale, to_shift = ctx.saved_tensors
        count = x.numel() // x.shape[1]
        of_t = torch.zeros_like(mean) if t is None else t
        if u is None:
            u = torch.zeros_like(x)
        u = u.contiguous(memory_format=_LAST)
        ones = torch.ones_like(mean)
        projected, u_x, u_sum = _batch_norm_backward(u, x, ones, None, None, mean, r, True, ctx.eps, [True, True, True])
        mean_u, along_u, mean_g, along_g = u_sum / count, u_x / count, to_shift / count, to_scale / count
        both = (u * gradient).sum((0, 2, 3)) - count * (mean_u * mean_g + along_u * along_g)
        # As functions of x' and r: by x' it is h = on_u u + on_g g, by r it is scale · both.
        on_u, on_g = -scale * r * along_g, -scale * r * along_u + of_t
        mean_h, along_h = on_u * mean_u + on_g * mean_g, on_u * along_u + on_g * along_g
        on_x = -r * (r * along_h + scale * both * r * r / count)
        to_x = torch.addcmul(_wide(-r * mean_h - on_x * mean), x, _wide(on_x))
        to_x.addcmul_(u, _wide(r * on_u)).addcmul_(gradient, _wide(r * on_g))
        to_gradient = projected.mul_(_wide(scale))
        if t is not None:
            to_gradient.addcmul_(x, _wide(t * r)).sub_(_wide(t * r * mean))
        return to_gradient, to_x, r * both, None, None, None


def _wide(values: Tensor) -> Tensor:
    """Values of channels as an image of one pixel."""
    return values.view(1, -1, 1, 1)


def _normed_backward(
    gradient: Tensor,
    x: Tensor,
    scale: Tensor | None,
    mean: Tensor,
    deviation: Tensor,
    eps: float,
    wanted: tuple[bool, bool],
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of `x` and `scale`, those that are wanted; in a form of its own where they are differentiated."""
    if torch.is_grad_enabled():
        to_x, to_scale = _Backward.apply(  # type: ignore[no-untyped-call]
            gradient, x, torch.ones_like(mean) if scale is None else scale, mean, deviation, eps
        )
    else:
        to_x, to_scale, _ = _batch_norm_backward(
            gradient, x, scale, None, None, mean, deviation, True, eps, [*wanted, False]
        )
    return to_x if wanted[0] else None, to_scale if wanted[1] else None


class _AddNormalized(torch.autograd.Function):
    @staticmethod
    @override
    def forward(ctx: Any, total: Tensor | None, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        scale = weight.expand(x.shape[1]).contiguous()
        normed, mean, deviation = _batch_norm(x, scale, None, None, None, True, 0.0, eps)
        ctx.save_for_backward(x, weight, mean, deviation)
        ctx.eps = eps
        if total is None:
            return normed  # type: ignore[no-any-return]
        ctx.mark_dirty(total)
        return total.add_(normed)

    @staticmethod
    @override
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        x, weight, mean, deviation = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=_LAST)  # once for all terms of a sum
        scale = weight.expand(x.shape[1]).contiguous()
        wanted = ctx.needs_input_grad[1], ctx.needs_input_grad[2]
        to_x, to_scale = _normed_backward(gradient, x, scale, mean, deviation, ctx.eps, wanted)
        to_weight = None if to_scale is None else to_scale.sum()
        return gradient if ctx.needs_input_grad[0] else None, to_x, to_weight, None


def add_normalized(total: Tensor | None, x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    """`total` plus `weight` times `x` normalised with the statistics of the batch.

    Args:
        total: shape of `x`, changed in place: it must not be needed any more; `None` for zero.
        x: (batch, channels, height, width), two values a channel at least.
        weight: a scalar.
        eps: added to the variance.
    """
    if x.numel() == x.shape[1]:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {tuple(x.shape)}")
    added: Tensor = _AddNormalized.apply(total, x, weight, eps)  # type: ignore[no-untyped-call]
    return added


class _AddNormalizedSlices(torch.autograd.Function):
    @staticmethod
    @override
    def forward(ctx: Any, x: Tensor, scale: Tensor, eps: float, *totals: Tensor) -> tuple[Tensor, ...]:
        normed, mean, deviation = _batch_norm(x, scale, None, None, None, True, 0.0, eps)
        ctx.save_for_backward(x, scale, mean, deviation)
        ctx.eps = eps
        ctx.mark_dirty(*totals)
        return tuple(total.add_(part) for total, part in zip(totals, normed.chunk(len(totals), dim=1), strict=True))

    @staticmethod
    @override
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, mean, deviation = ctx.saved_tensors
        together = torch.cat(gradients, dim=1)
        wanted = ctx.needs_input_grad[0], ctx.needs_input_grad[1]
        to_x, to_scale = _normed_backward(together, x, scale, mean, deviation, ctx.eps, wanted)
        passed = [one if there else None for one, there in zip(gradients, ctx.needs_input_grad[3:], strict=True)]
        return to_x, to_scale, None, *passed


def add_normalized_slices(totals: Sequence[Tensor], x: Tensor, scale: Tensor, eps: float = 1e-5) -> list[Tensor]:
    """To each of `totals`, which are changed in place, its slice of the channels of `x`, normalised and scaled.

    Args:
        totals: (batch, channels, height, width) each; they must not be needed any more.
        x: (batch, len(totals) × channels, height, width).
        scale: a factor for each channel of `x`.
        eps: added to the variance.
    """
    if x.numel() == x.shape[1]:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {tuple(x.shape)}")
    return list(_AddNormalizedSlices.apply(x, scale, eps, *totals))  # type: ignore[no-untyped-call]


class _AddScaled(torch.autograd.Function):
    @staticmethod
    @override
    def forward(ctx: Any, x: Tensor, weights: Tensor, *totals: Tensor | None) -> tuple[Tensor, ...]:
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weights)
        ctx.mark_dirty(*(total for total in totals if total is not None))
        return tuple(
            x * weight if total is None else total.add_(x, alpha=weight)
            for total, weight in zip(totals, weights.tolist(), strict=True)
        )

    @staticmethod
    @override
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weights = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        to_x = to_weights = None
        if wanted[0]:
            to_x = gradients[0] * weights[0]
            for gradient, weight in zip(gradients[1:], weights[1:], strict=True):
                to_x = torch.addcmul(to_x, gradient, weight)
        if wanted[1]:
            to_weights = torch.stack([(gradient * x).sum() for gradient in gradients])
        passed = [one if there else None for one, there in zip(gradients, wanted[2:], strict=True)]
        return to_x, to_weights, *passed


def add_scaled(totals: Sequence[Tensor | None], x: Tensor, weights: Tensor) -> list[Tensor]:
    """To each of `totals` its weight times `x`.

    Args:
        totals: shape of `x` each, changed in place: they must not be needed any more; `None` for zero.
        x: any shape.
        weights: shape (len(totals),).
    """
    return list(_AddScaled.apply(x, weights, *totals))  # type: ignore[no-untyped-call]


class _NormRelu(torch.autograd.Function):
    @staticmethod
    @override
    def forward(ctx: Any, x: Tensor, eps: float) -> Tensor:
        normed, mean, deviation = _batch_norm(x, None, None, None, None, True, 0.0, eps)
        normed.relu_()
        ctx.save_for_backward(x, normed, mean, deviation)
        ctx.eps = eps
        return normed  # type: ignore[no-any-return]

    @staticmethod
    @override
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None]:
        x, normed, mean, deviation = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradient.contiguous(memory_format=_LAST), normed, 0)
        return _normed_backward(gradient, x, None, mean, deviation, ctx.eps, (True, False))[0], None


def norm_relu(x: Tensor, eps: float = 1e-5) -> Tensor:
    """`x` normalised with the statistics of the batch, then its positive part."""
    if x.numel() == x.shape[1]:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {tuple(x.shape)}")
    positive: Tensor = _NormRelu.apply(x, eps)  # type: ignore[no-untyped-call]
    return positive


# -- convolutions ------------------------------------------------------------------------------------------------------


def pointwise(x: Tensor, weight: Tensor) -> Tensor:
    """A convolution of size 1 without bias; `weight` has shape (out_channels, channels, 1, 1)."""
    return F.linear(x.permute(0, 2, 3, 1), weight.flatten(1)).permute(0, 3, 1, 2)


def depthwise(x: Tensor, conv: nn.Conv2d, shared: dict[str, Tensor]) -> Tensor:
    """What a depthwise convolution computes of `x`, whose size it keeps or, with stride 2, halves.

    Args:
        x: (batch, channels, height, width), channels last.
        conv: depthwise, without bias, of odd size, padded so that it keeps the size.
        shared: holds what other convolutions of the same `x` need too.
    """
    weight, dilation, stride = conv.weight, conv.dilation[0], conv.stride[0]
    if stride == 1:
        return _depthwise(x, weight, dilation)
    size = weight.shape[-1]
    if stride != 2 or size > 5 or x.shape[2] % 2 or x.shape[3] % 2:
        plain: Tensor = conv(x)
        return plain
    if dilation == 2:  # it sees every second row and column only
        if "even" not in shared:
            shared["even"] = x[:, :, ::2, ::2].contiguous(memory_format=_LAST)
        return _depthwise(shared["even"], weight, 1)
    if dilation != 1:
        plain = conv(x)
        return plain
    if "phases" not in shared:
        shared["phases"] = _phases_as_channels(x)
    channels, before = x.shape[1], (5 - size) // 2
    after = 6 - size - before
    # Of a kernel put in the middle of 5 × 5, even taps meet even rows and odd taps odd ones.
    taps = F.pad(weight, (before, after, before, after)).view(channels, 3, 2, 3, 2)
    apart = _depthwise(shared["phases"], taps.permute(2, 4, 0, 1, 3).reshape(4 * channels, 1, 3, 3), 1)
    batch, _, height, width = apart.shape
    return apart.permute(0, 2, 3, 1).view(batch, height, width, 4, channels).sum(3).permute(0, 3, 1, 2)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    @override
    def forward(ctx: Any, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        ctx.dilation = dilation
        return _convolved(x, weight, dilation)

    @staticmethod
    @override
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=_LAST)
        to_x = _convolved(gradient, weight.flip(2, 3), ctx.dilation) if ctx.needs_input_grad[0] else None
        to_weight = None
        if ctx.needs_input_grad[1]:
            to_weight = _weight_gradient(x.contiguous(memory_format=_LAST), gradient, weight.shape[-1], ctx.dilation)
        return to_x, to_weight, None


def _depthwise(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    result: Tensor = _Depthwise.apply(x, weight, dilation)  # type: ignore[no-untyped-call]
    return result


def _convolved(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    return F.conv2d(x, weight, None, 1, dilation * (weight.shape[-1] // 2), dilation, x.shape[1])


def _weight_gradient(x: Tensor, gradient: Tensor, size: int, dilation: int) -> Tensor:
    """The gradient of the weights, shape (channels, 1, size, size)."""
    if dilation == 2 and not (x.shape[2] % 2 or x.shape[3] % 2):
        x, gradient, dilation = _phases_as_images(x), _phases_as_images(gradient), 1
    if dilation != 1 or size != 5:
        return _raw_weight_gradient(x, gradient, (size, size), dilation * (size // 2), dilation * (size // 2), dilation)
    # Kernels three wide have a fast way: columns 0..2 and 2..4, each with the gradient shifted to its middle.
    wide = _widened(x, 1, 1)
    left = _raw_weight_gradient(wide, _widened(gradient, 0, 2), (5, 3), 2, 1, 1)
    right = _raw_weight_gradient(wide, _widened(gradient, 2, 0), (5, 3), 2, 1, 1)
    return torch.cat([left, right[..., 1:]], dim=-1)


def _raw_weight_gradient(
    x: Tensor, gradient: Tensor, size: tuple[int, int], padded: int, padded_width: int, dilation: int
) -> Tensor:
    channels = x.shape[1]
    like = gradient.new_empty(channels, 1, *size)
    _, found, _ = torch.ops.aten.convolution_backward(
        gradient, x, like, None, (1, 1), (padded, padded_width), (dilation, dilation), False, (0, 0), channels,
        (False, True, False),
    )  # fmt: skip
    return found  # type: ignore[no-any-return]


def _widened(x: Tensor, left: int, right: int) -> Tensor:
    """With columns of zeros at both sides, channels last."""
    return F.pad(x.permute(0, 2, 3, 1), (0, 0, left, right)).permute(0, 3, 1, 2)


def _phases_as_images(x: Tensor) -> Tensor:
    """(batch, channels, height, width) to (4 batch, channels, height / 2, width / 2): even and odd rows and columns."""
    batch, channels, height, width = x.shape
    apart = x.permute(0, 2, 3, 1).reshape(batch, height // 2, 2, width // 2, 2, channels).permute(2, 4, 0, 1, 3, 5)
    return apart.reshape(4 * batch, height // 2, width // 2, channels).permute(0, 3, 1, 2)


def _phases_as_channels(x: Tensor) -> Tensor:
    """(batch, channels, height, width) to (batch, 4 channels, height / 2, width / 2), one phase after the other."""
    batch, channels, height, width = x.shape
    apart = x.permute(0, 2, 3, 1).reshape(batch, height // 2, 2, width // 2, 2, channels).permute(0, 1, 3, 2, 4, 5)
    return apart.reshape(batch, height // 2, width // 2, 4 * channels).permute(0, 3, 1, 2)
