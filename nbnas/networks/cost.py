"""What a network costs: parameters and multiply-adds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["flops", "macs", "parameters"]

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_COUNTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, *_TRANSPOSED)


def parameters(module: nn.Module) -> int:
    """The number of trainable parameters, each counted once."""
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)


def macs(module: nn.Module, input_shape: tuple[int, ...], *, dtype: torch.dtype | None = None) -> int:
    """Multiply-adds of the convolutions and linear layers for one input; each value of a bias added is one.

    It runs the module once on two inputs of zeros and counts `nn.Conv…` and `nn.Linear` modules; what a module computes
    by functions such as `F.conv2d` is not counted. The module stays as it was.

    Args:
        module: takes (batch, *input_shape); it may be on the device `meta`.
        input_shape: the shape of one input.
        dtype: of the inputs; that of the parameters when `None`. Tokens and nodes are `torch.int64`.
    """
    total = 0

    def count(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        nonlocal total
        weight = layer.weight
        assert isinstance(weight, Tensor)
        # Each position (and input of the batch) meets each weight once; those of a transposed one are in its input.
        place = inputs[0] if isinstance(layer, _TRANSPOSED) else output
        channels = place.shape[-1 if isinstance(layer, nn.Linear) else 1]
        total += place.numel() // channels * weight.numel() + (0 if layer.bias is None else output.numel())

    like = next(module.parameters(), None)
    kind = {"dtype": dtype} if like is None else {"dtype": dtype or like.dtype, "device": like.device}
    modes = [(part, part.training) for part in module.modules()]
    hooks = [part.register_forward_hook(count) for part in module.modules() if isinstance(part, _COUNTED)]
    try:
        module.eval()
        with torch.no_grad():
            # Two inputs, since batch statistics of a single value do not exist.
            module(torch.zeros(2, *input_shape, **kind))
    finally:
        for hook in hooks:
            hook.remove()
        for part, mode in modes:
            part.training = mode
    return total // 2


def flops(module: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Floating-point operations for one input: 2 for each multiply-add."""
    return 2 * macs(module, input_shape)
