"""How long a module takes for one input, on the machine where it is."""

from __future__ import annotations

import time

import torch
from torch import nn

__all__ = ["milliseconds"]


def milliseconds(module: nn.Module, input_shape: tuple[int, ...], *, repeats: int = 7) -> float:
    """The least time of `repeats` passes of two inputs, halved: noise only adds time.

    Args:
        module: takes (batch, *input_shape); it stays as it was.
        input_shape: the shape of one input.
        repeats: how often it is timed.
    """
    like = next(module.parameters(), None)
    x = torch.zeros(2, *input_shape) if like is None else like.new_zeros(2, *input_shape)
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    times = []
    try:
        with torch.no_grad():
            for _ in range(repeats + 1):  # the first one warms up
                _wait(x.device)
                start = time.perf_counter()
                module(x)
                _wait(x.device)
                times.append(time.perf_counter() - start)
    finally:
        for part, mode in modes:
            part.training = mode
    return 1000 * min(times[1:]) / 2


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
