"""The two ends of a composed network: the stem and the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from nbnas.settings import setting
from nbnas.spaces.bound import Bound, Extent
from nbnas.spaces.component import Component, Flow

__all__ = ["ACTIVATIONS", "Head", "Stem"]

ACTIVATIONS = ("relu", "tanh", "gelu", "silu", "leaky_relu", "elu", "sigmoid", "hardswish")
"""Activations by name; what they compute stands in `nbnas.networks.activations`."""


@dataclass(frozen=True)
class Stem(Component):
    """The first layers for images and sequences of values: convolution, batch normalisation, activation."""

    kind: ClassVar[str] = "stem"
    takes: ClassVar[Flow] = "map"
    gives: ClassVar[Flow] = "map"

    channels: int = setting(16, "Channels that it gives.", minimum=1, maximum=4096, open=True)
    kernel: int = setting(3, "Kernel size, odd.", minimum=1, maximum=31, open=True)
    stride: int = setting(1, "Stride; sizes are divided by it.", options=(1, 2, 4), open=True)
    activation: str = setting("relu", "Activation, or none.", options=("none", *ACTIVATIONS), open=True)

    @override
    def check(self) -> None:
        self.check_odd("kernel")

    @override
    def bound(self, given: Extent) -> Bound:
        channels = max(self.values("channels"))
        return Bound(given.channels * channels * max(self.values("kernel")) ** 2, 6, channels)


@dataclass(frozen=True)
class Head(Component):
    """The last layers: pooling over positions where there are any, dropout, linear classifier."""

    kind: ClassVar[str] = "head"
    takes: ClassVar[Flow] = "vector"
    gives: ClassVar[Flow] = "logits"

    pool: str = setting("average", "Over positions: their mean or maximum.", options=("average", "max"), open=True)
    dropout: float = setting(0.0, "Share of features dropped in training.", minimum=0, below=1, open=True)

    @override
    def bound(self, given: Extent) -> Bound:
        return Bound((given.channels + 1) * given.classes, 4, given.classes)
