"""Dropout behind the skips of a supernet, so that they do not win because they are easy."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from typing_extensions import override

from nbnas.networks.mixed_operation import MixedOperation

__all__ = ["Dropping", "drop_skips"]


@dataclass
class Dropping:
    """How much is dropped now.

    Attributes:
        rate: the share of values that are set to zero in training, in [0, 1); the rest grows, so that the mean stays.
        generator: draws them; on the CPU.
    """

    rate: float
    generator: torch.Generator


class _DroppedSkip(nn.Module):
    def __init__(self, dropping: Dropping) -> None:
        super().__init__()
        self.dropping = dropping

    @override
    def forward(self, x: Tensor) -> Tensor:
        rate = self.dropping.rate
        if not self.training or rate == 0:
            return x
        kept = torch.empty(x.shape, dtype=x.dtype).bernoulli_(1 - rate, generator=self.dropping.generator)
        return x * (kept / (1 - rate)).to(x.device)


def drop_skips(supernet: nn.Module, generator: torch.Generator) -> Dropping:
    """Puts dropout behind every skip without weights of the mixed operations.

    Returns:
        What sets its rate, which is 0 at first.
    """
    dropping = Dropping(0.0, generator)
    for module in supernet.modules():
        if isinstance(module, MixedOperation):
            for place, option in enumerate(module.options):
                if isinstance(option, nn.Identity):
                    module.options[place] = _DroppedSkip(dropping)
    return dropping
