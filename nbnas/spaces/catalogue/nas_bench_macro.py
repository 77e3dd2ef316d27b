"""NAS-Bench-Macro: chains of 8 layers, 3 options each, 6,561 architectures.

Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search, CVPR 2021, arXiv:2103.11922. A stem
of 32 channels, stages of 2, 3 and 3 layers with 64, 128 and 256 channels, each halving the resolution, a 1x1
convolution to 1,280 channels, pooling, linear classifier, for CIFAR-10.
"""

from __future__ import annotations

from nbnas.errors import SpaceError
from nbnas.spaces.architecture import Architecture
from nbnas.spaces.block_chain import BlockChain
from nbnas.spaces.ends import Head, Stem
from nbnas.spaces.network import Network
from nbnas.spaces.space import SearchSpace

__all__ = ["from_official", "nas_bench_macro", "to_official"]

_BLOCKS = ("skip", "mb3_k3", "mb6_k5")


def nas_bench_macro(
    channels: int = 32, features: int = 1280, *, depths: tuple[int, ...] = (2, 3, 3), dims: int = 2
) -> SearchSpace:
    """The space; smaller `channels` and `features` make it light enough for two CPU cores.

    The identity (skip) of a layer that changes the shape is a 1x1 convolution with normalisation, as in the benchmark.

    Args:
        channels: of the stem; each stage doubles them.
        features: channels of the last convolution.
        depths: layers of each stage.
        dims: 2 for images, 1 for sequences.
    """
    widths = tuple(channels * 2**stage for stage in range(1, len(depths) + 1))
    layers = BlockChain(_BLOCKS, widths, depths, (2,) * len(depths), "projected", channels, name="layers")
    parts = (Stem(channels), layers, Stem(features, 1, name="features"), Head())
    return SearchSpace("nas_bench_macro", Network(parts), dims=dims)


def to_official(space: SearchSpace, architecture: Architecture) -> str:
    """The benchmark's own text: a digit a layer, 0 for identity, 1 for MB3_K3, 2 for MB6_K5, such as `02112001`."""
    chosen = space.options(architecture)
    return "".join(str(_BLOCKS.index(str(chosen[decision.name]))) for decision in space.decisions)


def from_official(space: SearchSpace, text: str) -> Architecture:
    """Reads the benchmark's own text.

    Raises:
        SpaceError: it is not a digit 0, 1 or 2 for each layer.
    """
    if len(text) != len(space.decisions) or not set(text) <= set("012"):
        raise SpaceError(
            f"text must be {len(space.decisions)} digits of 0, 1, 2, got {text!r:.80}; in space {space.name!r}."
        )
    return space.architecture([int(digit) for digit in text])
