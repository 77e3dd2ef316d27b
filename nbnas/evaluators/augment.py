"""Random changes of training inputs, on the device where they are, drawn from a generator.

`shift`: He et al., Deep Residual Learning, CVPR 2016, arXiv:1512.03385, Sec. 4.2 (4 of 32 pixels, zeros come in);
`flip`: there too; `cutout`: DeVries & Taylor, arXiv:1708.04552 (a square of half the size, perhaps partly outside).
Differs from the papers: sizes are relative to those of the input; all work on sequences too, along their length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["AUGMENTATIONS", "Augmentation"]

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
"""From a batch (batch, channels, *sizes) and a generator on the CPU to a batch of the same shape."""


def _shift(x: Tensor, generator: torch.Generator) -> Tensor:
    """Moves each item by up to an eighth of its size along each dimension; zeros come in."""
    for dim in range(2, x.dim()):
        size = x.shape[dim]
        most = max(1, size // 8)
        offsets = torch.randint(2 * most + 1, (len(x), 1), generator=generator).to(x.device)
        padding = [0, 0] * (x.dim() - 1 - dim) + [most, most]
        index = offsets + torch.arange(size, device=x.device)  # (batch, size)
        shape = [len(x) if axis == 0 else size if axis == dim else 1 for axis in range(x.dim())]
        x = functional.pad(x, padding).gather(dim, index.reshape(shape).expand(x.shape))
    return x


def _flip(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirrors half of the items along the last dimension."""
    mirrored = torch.rand(len(x), generator=generator).to(x.device) < 0.5
    return torch.where(mirrored.reshape(-1, *[1] * (x.dim() - 1)), x.flip(-1), x)


def _cutout(x: Tensor, generator: torch.Generator) -> Tensor:
    """Sets a square of half the size to zero in each item; its middle is anywhere."""
    kept = torch.zeros(len(x), 1, *x.shape[2:], dtype=torch.bool, device=x.device)
    inside = ~kept
    for dim in range(2, x.dim()):
        size = x.shape[dim]
        middles = torch.randint(size, (len(x), 1), generator=generator).to(x.device)
        start = middles - size // 4
        places = torch.arange(size, device=x.device)
        hit = (places >= start) & (places < start + max(1, size // 2))  # (batch, size)
        shape = [len(x) if axis == 0 else size if axis == dim else 1 for axis in range(x.dim())]
        inside = inside & hit.reshape(shape)
    return x.masked_fill(inside, 0.0)


def _noise(x: Tensor, generator: torch.Generator) -> Tensor:
    """Adds normal noise with a tenth of the standard deviation of the batch."""
    noise = torch.randn(x.shape, generator=generator).to(x.device, x.dtype)
    return x + 0.1 * x.std() * noise


AUGMENTATIONS: Mapping[str, Augmentation] = {"shift": _shift, "flip": _flip, "cutout": _cutout, "noise": _noise}
"""By name; all but `noise` need inputs with positions."""
