"""Spaces of mobile networks: MnasNet by stages, FBNet by layers, and a small one for small images.

Tan et al., MnasNet: Platform-Aware Neural Architecture Search for Mobile, CVPR 2019, arXiv:1807.11626. Wu et al.,
FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural Architecture Search, CVPR 2019,
arXiv:1812.03443.

Differs from the papers:
MnasNet: 1.25 times the filters of MobileNetV2 would be 120 and 200 in the fifth and sixth block; they are 112 and 192
here, as in the published MnasNet-A1 and -B1, which are so in the space. A block that MobileNetV2 has one layer of has 1
or 2 (one less would be none). The skip operation `pool` is a 3x3 average added where the layer keeps its channels (the
paper does not define it).
FBNet: a layer that changes the shape has no skip, so that the space has 9^16 8^6 architectures instead of 9^22;
grouped convolutions fall back to one group where channels cannot be divided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbnas.errors import SpaceError
from nbnas.spaces.block_chain import BlockChain
from nbnas.spaces.component import Component
from nbnas.spaces.decision import Option
from nbnas.spaces.ends import Head, Stem
from nbnas.spaces.network import Network
from nbnas.spaces.open import Choice
from nbnas.spaces.space import SearchSpace
from nbnas.spaces.stages import Stage, Stages

__all__ = ["FBNET_A", "FBNET_BLOCKS", "FBNET_C", "MNASNET_A1", "MNASNET_B1", "fbnet", "mnasnet", "mobile"]

FBNET_BLOCKS = (
    *("mb1_k3", "mb1_k3_g2", "mb3_k3", "mb6_k3"),
    *("mb1_k5", "mb1_k5_g2", "mb3_k5", "mb6_k5"),
    "skip",
)
"""The nine blocks of FBNet, Table 2."""

_WIDTHS = (
    *((12, 16, 20), (18, 24, 30), (24, 32, 40), (48, 64, 80)),
    *((72, 96, 112), (120, 160, 192), (240, 320, 400)),
)
_DEPTHS = ((1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (2, 3, 4), (2, 3, 4), (1, 2))


def mnasnet(
    *,
    widths: Sequence[Sequence[int]] = _WIDTHS,
    depths: Sequence[Sequence[int]] = _DEPTHS,
    strides: Sequence[int] = (1, 2, 2, 2, 1, 2, 1),
    stem: int = 32,
    stem_stride: int = 2,
    features: int = 1280,
    dims: int = 2,
) -> SearchSpace:
    """MnasNet's factorised hierarchical space: each of seven stages has its own operation, kernel, width and so on.

    A stage of MobileNetV2 that has several layers has 432 options: 4 operations (convolution, separable convolution,
    inverted residual blocks of expansion 3 and 6), 2 kernels, squeeze-and-excitation of ratio 0 or 0.25, 3 skip
    operations, 3 widths, 3 depths. There is no relaxed view, since options of different width or depth cannot be
    summed: score architectures with `nb.evaluators.Training`, or take `fbnet`, which has one.

    Args:
        widths: options of each stage; by default 0.75, 1 and 1.25 times those of MobileNetV2.
        depths: options of each stage; by default those of MobileNetV2, and one less and more.
        strides: one a stage.
        stem, stem_stride: channels and stride of the first convolution.
        features: channels of the last convolution, 1x1; 0 for none.
        dims: 2 for images, 1 for sequences.
    """
    stages = tuple(
        Stage(
            block=_choice("conv", "sep", "mb"),
            kernel=_choice(3, 5),
            expansion=_choice(3, 6, when={"block": ("mb",)}),
            squeeze=_choice(0.0, 0.25),
            shortcut=_choice("pool", "identity", "none"),
            width=_choice(*width),
            depth=_choice(*depth),
            stride=stride,
        )
        for width, depth, stride in _in_step(widths=widths, depths=depths, strides=strides)
    )
    return _space("mnasnet", Stages(stages), stem, stem_stride, features, dims)


def fbnet(
    *,
    widths: Sequence[int] = (16, 24, 32, 64, 112, 184, 352),
    depths: Sequence[int] = (1, 4, 4, 4, 4, 4, 1),
    strides: Sequence[int] = (1, 2, 2, 2, 1, 2, 1),
    blocks: Sequence[str] = FBNET_BLOCKS,
    stem: int = 16,
    stem_stride: int = 2,
    features: int = 1984,
    dims: int = 2,
) -> SearchSpace:
    """FBNet's layer-wise space: 22 layers, each one of nine blocks, with given widths (Table 1 of the paper).

    Its relaxed view has one row a layer.

    Args:
        widths, depths, strides: one number a stage.
        blocks: options of a layer, see `BlockChain`.
        stem, stem_stride: channels and stride of the first convolution.
        features: channels of the last convolution, 1x1 (FBNet-A has 1,504); 0 for none.
        dims: 2 for images, 1 for sequences.
    """
    layers = BlockChain(tuple(blocks), tuple(widths), tuple(depths), tuple(strides), in_channels=stem, name="layers")
    return _space("fbnet", layers, stem, stem_stride, features, dims)


def mobile(
    *,
    widths: Sequence[int] = (16, 24, 40),
    depths: Sequence[int] = (1, 2, 2),
    strides: Sequence[int] = (1, 2, 2),
    blocks: Sequence[str] = ("mb3_k3", "mb6_k3", "mb3_k5", "mb6_k5", "skip"),
    stem: int = 16,
    features: int = 0,
    dims: int = 2,
) -> SearchSpace:
    """A small space in the manner of FBNet for images of 8 to 32 pixels, light enough for two CPU cores.

    It has a relaxed view, with one row a layer.

    Args:
        widths, depths, strides: one number a stage; fewer strides of 2 for smaller images.
        blocks: options of a layer, see `BlockChain`.
        stem: channels of the first convolution.
        features: channels of a last convolution, 1x1; 0 for none.
        dims: 2 for images, 1 for sequences.
    """
    layers = BlockChain(tuple(blocks), tuple(widths), tuple(depths), tuple(strides), in_channels=stem, name="layers")
    return _space("mobile", layers, stem, 1, features, dims)


def _choice(*options: Option, when: Mapping[str, Sequence[Option]] | None = None) -> Any:
    """An open value, for fields that are declared with the type of the value."""
    return Choice(*options, when=when)


def _space(name: str, body: Component, stem: int, stem_stride: int, features: int, dims: int) -> SearchSpace:
    last = (Stem(features, 1, name="features"),) if features else ()
    return SearchSpace(name, Network((Stem(stem, stride=stem_stride), body, *last, Head())), dims=dims)


def _in_step(**given: Sequence[object]) -> zip[tuple[Any, ...]]:
    """One tuple a stage; raises `SpaceError` unless all have one item a stage."""
    counts = {name: len(items) for name, items in given.items()}
    if len(set(counts.values())) > 1:
        raise SpaceError(f"{', '.join(counts)} must have one item a stage, got {list(counts.values())}; in mnasnet.")
    return zip(*given.values(), strict=True)


def _mnasnet(*stages: tuple[str, int, int, int, float]) -> Mapping[str, Option]:
    """Options by decision of (operation, kernel, width, depth, SE ratio) a stage; the first has no shortcut."""
    chosen: dict[str, Option] = {}
    for place, (operation, kernel, width, depth, squeeze) in enumerate(stages, start=1):
        block = operation.rstrip("36")
        chosen |= {
            f"stages/stage_{place}/{name}": option
            for name, option in {
                "block": block,
                "kernel": kernel,
                "width": width,
                "depth": depth,
                "squeeze": squeeze,
                "shortcut": "none" if place == 1 else "identity",
                **({"expansion": int(operation[2:])} if block == "mb" else {}),
            }.items()
        }
    return chosen


MNASNET_A1 = _mnasnet(
    ("sep", 3, 16, 1, 0.0),
    ("mb6", 3, 24, 2, 0.0),
    ("mb3", 5, 40, 3, 0.25),
    ("mb6", 3, 80, 4, 0.0),
    ("mb6", 3, 112, 2, 0.25),
    ("mb6", 5, 160, 3, 0.25),
    ("mb6", 3, 320, 1, 0.0),
)
"""MnasNet-A1 (Fig. 7 of the paper), for `mnasnet().architecture(…)`: 3,887,038 parameters for 1,000 classes."""

MNASNET_B1 = _mnasnet(
    ("sep", 3, 16, 1, 0.0),
    ("mb3", 3, 24, 3, 0.0),
    ("mb3", 5, 40, 3, 0.0),
    ("mb6", 5, 80, 3, 0.0),
    ("mb6", 3, 96, 2, 0.0),
    ("mb6", 5, 192, 4, 0.0),
    ("mb6", 3, 320, 1, 0.0),
)
"""MnasNet-B1, the authors' network without squeeze-and-excitation: 4,383,312 parameters for 1,000 classes."""


def _fbnet(*stages: str) -> Mapping[str, Option]:
    """Options by decision of the blocks of each stage: k5e3 for mb3_k5, k5g2 for mb1_k5_g2, skip."""
    found: dict[str, Option] = {}
    for place, text in enumerate(" ".join(stages).split(), start=1):
        kernel, expansion = text[:2], text[2:]
        block = f"mb1_{kernel}_g2" if expansion == "g2" else f"mb{expansion[1:]}_{kernel}"
        found[f"layers/layer_{place}"] = "skip" if text == "skip" else block
    return found


FBNET_A = _fbnet(
    "skip",
    "k3e3 k3e1 skip skip",
    "k5e6 k3e3 k5e1 k3e3",
    "k5e6 k5e3 k5g2 k5e6",
    "k3e6 k5g2 k5e3 k3g2",
    "k5e6 k5e6 k5e3 k5e6",
    "k5e6",
)
"""FBNet-A (Fig. 4), for `fbnet(features=1504).architecture(…)`: 4.32 M parameters, 250 M multiply-adds (published: 4.3,
249)."""

FBNET_C = _fbnet(
    "k3e1",
    "k3e6 skip k3e1 k3e1",
    "k5e6 k5e3 k5e6 k3e6",
    "k5e6 k5e3 k5e6 k5e6",
    "k5e6 k5e6 k5e6 k5e3",
    "k5e6 k5e6 k5e6 k5e6",
    "k3e6",
)
"""FBNet-C (Fig. 4), for `fbnet().architecture(…)`: 5.57 M parameters, 385 M multiply-adds (published: 5.5, 375)."""
