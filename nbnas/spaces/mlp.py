"""Fully connected layers: for tables, and for anything that can be flattened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from nbnas.settings import setting
from nbnas.spaces.component import Component, Flow
from nbnas.spaces.decision import Option
from nbnas.spaces.ends import ACTIVATIONS

__all__ = ["Mlp"]


@dataclass(frozen=True)
class Mlp(Component):
    """Equal layers: linear, normalisation, activation, dropout. Images and sequences are flattened first.

    Layers that differ are `Repeat(Mlp(depth=1, …), times)`: each has choices of its own.
    """

    kind: ClassVar[str] = "mlp"
    takes: ClassVar[Flow] = "vector"
    gives: ClassVar[Flow] = "vector"

    depth: int = setting(1, "Layers.", minimum=1, maximum=64, open=True)
    width: int = setting(64, "Units of each layer.", minimum=1, maximum=65536, open=True)
    activation: str = setting("relu", "Activation, or none.", options=("none", *ACTIVATIONS), open=True)
    normalisation: str = setting(
        "none",
        "Before the activation: over the batch, over a layer's units, or none.",
        options=("none", "batch", "layer"),
        open=True,
    )
    dropout: float = setting(0.0, "Share of units dropped in training.", minimum=0, below=1, open=True)

    @override
    def text(self, chosen: Mapping[str, Option] | None) -> str:
        if chosen is None and self.opened():
            return super().text(chosen)
        own = self.fixed(chosen or {})
        parts = [f"dense {own.width}" if own.depth == 1 else f"{own.depth}× dense {own.width}"]
        parts += [f"{own.normalisation} norm"] if own.normalisation != "none" else []
        parts += [own.activation.replace("_", " ")] if own.activation != "none" else []
        parts += [f"dropout {own.dropout:g}"] if own.dropout else []
        return ", ".join(parts)

    @override
    def relaxable(self) -> str | None:
        if not self.opened():
            return None
        return (
            f"field {next(iter(self.opened()))!r} is open, and layers of different widths, depths or normalisations "
            "cannot be mixed. Close it, or score with nb.evaluators.Training"
        )
