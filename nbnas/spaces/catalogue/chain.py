"""A chain of layers of any depth, for images and sequences."""

from __future__ import annotations

from nbnas.spaces.chain import Chain
from nbnas.spaces.space import SearchSpace

__all__ = ["chain"]


def chain(
    max_depth: int = 4,
    max_dense: int = 1,
    *,
    widths: tuple[int, ...] = (8, 16, 32),
    kernels: tuple[int, ...] = (3, 5),
    dense_widths: tuple[int, ...] = (32, 64),
    activations: tuple[str, ...] = ("relu", "tanh"),
    dims: int = 2,
) -> SearchSpace:
    """Chains of 1..`max_depth` convolution or pooling layers and 0..`max_dense` dense layers."""
    return SearchSpace("chain", Chain(max_depth, max_dense, widths, kernels, dense_widths, activations), dims=dims)
