"""Stages of equal blocks, as mobile networks are made of: what is repeated, how often, how wide, with which stride.

Tan et al., MnasNet: Platform-Aware Neural Architecture Search for Mobile, CVPR 2019, arXiv:1807.11626, Sec. 4: a
network is a row of blocks, each of equal layers. Here what repeats a layer is a stage, and the layer a block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from nbnas.errors import SpaceError
from nbnas.settings import setting
from nbnas.spaces.bound import Bound, Extent, bound_of_residual
from nbnas.spaces.component import Component, Flow, of_part
from nbnas.spaces.decision import Option
from nbnas.spaces.ends import ACTIVATIONS
from nbnas.spaces.graphs import chained

if TYPE_CHECKING:
    import networkx

__all__ = ["Stage", "Stages"]

_NO_SUM = (
    "options of a stage give feature maps of different widths and depths, which cannot be summed. Score its "
    "architectures with nb.evaluators.Training, or take a space with given widths, such as nb.spaces.fbnet()"
)


@dataclass(frozen=True)
class Stage(Component):
    """`depth` blocks of one type; the first has the stride and changes the width, the others keep the shape."""

    kind: ClassVar[str] = "stage"
    takes: ClassVar[Flow] = "map"
    gives: ClassVar[Flow] = "map"

    block: str = setting(
        "mb",
        "Block: mb (inverted residual), sep (depthwise separable convolution), conv (convolution).",
        options=("mb", "sep", "conv"),
        open=True,
    )
    depth: int = setting(2, "Blocks.", minimum=1, maximum=64, open=True)
    width: int = setting(16, "Channels that each block gives.", minimum=1, maximum=8192, open=True)
    kernel: int = setting(3, "Kernel size, odd.", minimum=1, maximum=31, open=True)
    stride: int = setting(1, "Stride of the first block.", options=(1, 2), open=True)
    expansion: int = setting(
        6,
        "In an mb block: channels of the inner convolution per channel of its input.",
        minimum=1,
        maximum=16,
        open=True,
    )
    squeeze: float = setting(
        0.0,
        "Squeeze-and-excitation: its width per channel of the block's input; 0: without.",
        minimum=0,
        maximum=1,
        open=True,
    )
    shortcut: str = setting(
        "identity",
        "Added where it fits: the input (identity), its 3x3 average pooling (pool), nothing (none).",
        options=("identity", "pool", "none"),
        open=True,
    )
    activation: str = setting("relu", "Activation.", options=ACTIVATIONS, open=True)

    @override
    def check(self) -> None:
        self.check_odd("kernel")

    @override
    def bound(self, given: Extent) -> Bound:
        depth, out, kernel, expansion, squeeze = (
            max(self.values(name)) for name in ("depth", "width", "kernel", "expansion", "squeeze")
        )
        weights = sum(
            bound_of_residual(into, out, kernel, expansion, squeeze) + kernel**2 * into * out
            for into in (given.channels, *[out] * (depth - 1))
        )
        return Bound(weights, 28 * depth + 4, out)

    @override
    def text(self, chosen: Mapping[str, Option] | None) -> str:
        if chosen is None and self.opened():
            return f"{self.label or self.name or self.kind}, {len(self.opened())} open"
        own = self.fixed(chosen or {})
        block = f"mb{own.expansion}" if own.block == "mb" else own.block
        squeeze, stride = ", SE" if own.squeeze else "", f", /{own.stride}" if own.stride > 1 else ""
        return (
            f"{own.depth}× {block} {own.kernel}×{own.kernel}, {own.width}{squeeze}{stride}"  # short: it labels an edge
        )

    @override
    def canonical(self, chosen: Mapping[str, Option]) -> str:
        own = self.fixed(chosen)
        names = ["block", "depth", "width", "kernel", "stride", "squeeze", "shortcut", "activation"]
        if own.block == "mb":
            names.append("expansion")
        return ";".join(f"{name}={getattr(own, name)}" for name in names)

    @override
    def relaxable(self) -> str | None:
        return _NO_SUM if self.decisions() else None


@dataclass(frozen=True)
class Stages(Component):
    """Stages one after the other: the body of a network. A stage without a name is `stage_` and its place from 1."""

    kind: ClassVar[str] = "stages"
    takes: ClassVar[Flow] = "map"
    gives: ClassVar[Flow] = "map"

    stages: tuple[Stage, ...] = setting((), "The stages, in order.")

    @override
    def check(self) -> None:
        if not 1 <= len(self.stages) <= 32:
            raise SpaceError(f"stages must be 1..32 stages, got {len(self.stages)}; in Stages.", field="stages")
        if len(self.children()) < len(self.stages):
            self.fail("stages", "stages with names of their own", remedy="Give each its own name, or none")

    @override
    def children(self) -> dict[str, Component]:
        return {stage.name or f"stage_{place}": stage for place, stage in enumerate(self.stages, start=1)}

    @override
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        return chained(
            {
                name: part.graph(None if chosen is None else of_part(chosen, name))
                for name, part in self.children().items()
            }
        )

    @override
    def relaxable(self) -> str | None:
        return _NO_SUM if self.decisions() else None
