"""NATS-Bench, size search space: 8 numbers of channels for each of 5 layers, 32,768 architectures.

Dong et al., NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size, TPAMI 2021, arXiv:2009.00437,
Sec. 3.2. The cell is a best one of the topology search space. The five numbers, in order: the stem and the first
cell, the first residual block (stride 2), the second cell, the second residual block (stride 2), the third cell.
"""

from __future__ import annotations

from nbnas.errors import SpaceError
from nbnas.spaces.architecture import Architecture
from nbnas.spaces.size_network import SizeNetwork
from nbnas.spaces.space import SearchSpace

__all__ = ["NATS_SIZE_CELL", "from_official", "nats_size", "to_official"]

NATS_SIZE_CELL = ("conv_3x3", "conv_3x3", "conv_3x3", "skip", "conv_3x3", "conv_3x3")
"""The cell `|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|`."""


def nats_size(
    widths: tuple[int, ...] = (8, 16, 24, 32, 40, 48, 56, 64), cells: int = 1, stages: int = 3, *, dims: int = 2
) -> SearchSpace:
    """The space; smaller `widths` make it light enough for two CPU cores.

    There is no relaxed view, since feature maps of different widths cannot be summed: score architectures with
    `nb.evaluators.Training`, or take `nas_bench_201`, which has one.

    Args:
        widths: options for the channels of a layer.
        cells: cells a stage.
        stages: stages, each at half the resolution.
        dims: 2 for images, 1 for sequences.
    """
    return SearchSpace("nats_size", SizeNetwork(widths, NATS_SIZE_CELL, cells, stages), dims=dims)


def to_official(space: SearchSpace, architecture: Architecture) -> str:
    """The benchmark's own text, such as `8:16:24:32:40`."""
    return ":".join(map(str, space.options(architecture).values()))


def from_official(space: SearchSpace, text: str) -> Architecture:
    """Reads the benchmark's own text.

    Raises:
        SpaceError: it is not one of the space's widths for each layer.
    """
    widths = text.split(":")
    if len(widths) != len(space.decisions) or not all(width.isdecimal() and len(width) < 9 for width in widths):
        raise SpaceError(
            f"text must be {len(space.decisions)} numbers joined by ':', got {text!r:.80}; in space {space.name!r}."
        )
    return space.architecture(
        {decision.name: int(width) for decision, width in zip(space.decisions, widths, strict=True)}
    )
