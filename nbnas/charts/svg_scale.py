"""Axes of static charts: where a value stands, and at which values there are ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from nbnas.charts.figure import Figure

__all__ = ["Scale", "scale_of", "tick_texts"]


class Scale(NamedTuple):
    """A linear map from [low, high] to [start, stop]."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)


def scale_of(axis: Figure, values: Sequence[float], start: float, stop: float) -> Scale:
    """The scale of an axis for its values: the range that it names, or that of the values and a little more."""
    low, high = axis.get("range") or (min(values), max(values))
    if axis.get("rangemode") == "tozero":
        low, high = min(low, 0.0), max(high, 0.0)
    if "range" not in axis:
        room = (high - low) * 0.05 or max(abs(high) * 0.05, 0.5)
        low, high = low if axis.get("rangemode") == "tozero" and low == 0 else low - room, high + room
    return Scale(low, high, start, stop)


def tick_texts(axis: Figure, scale: Scale) -> list[tuple[float, str]]:
    """Places and texts of the ticks: those that the axis names, or at most seven round values."""
    if "tickvals" in axis:
        return [(scale(value), f"{value:g}") for value in axis["tickvals"]]
    rough = (scale.high - scale.low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    if axis.get("tickformat") == "d":
        step = max(1.0, step)
    first = math.ceil(scale.low / step)
    values = [number * step for number in range(first, math.floor(scale.high / step) + 1)]
    return [(scale(value), _short(value, step)) for value in values]


def _short(value: float, step: float) -> str:
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:.{max(0, -math.floor(math.log10(step)))}f}"
