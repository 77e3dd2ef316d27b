"""Heat maps of static charts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from nbnas.charts.figure import Figure
from nbnas.charts.svg_text import CHARACTER, Frame, markup

__all__ = ["cells"]


def cells(trace: Figure, layout: Figure, frame: Frame) -> str:
    """The cells of a heat map with their texts, and the names of rows and columns."""
    rows, columns = len(trace["z"]), len(trace["x"])
    wide, high = (frame.right - frame.left) / columns, (frame.bottom - frame.top) / rows
    parts = []
    for row, values in enumerate(trace["z"]):
        y = frame.top + row * high
        name = markup(layout["yaxis"]["ticktext"][row])
        parts.append(f'<text x="{frame.left - 5:.1f}" y="{y + high / 2 + 4:.1f}" text-anchor="end">{name}</text>')
        for column, value in enumerate(values):
            if value is None:
                continue
            x = frame.left + column * wide
            fill, ink = _shade(trace["colorscale"], value)
            size = f'width="{wide - 2:.1f}" height="{max(high - 2, 1):.1f}"'
            parts.append(f'<rect x="{x + 1:.1f}" y="{y + 1:.1f}" {size} fill="{fill}"/>')
            label = trace["text"][row][column] if "text" in trace else ""
            if label and high >= 11:
                middle = f'x="{x + wide / 2:.1f}" y="{y + high / 2 + 4:.1f}" text-anchor="middle"'
                parts.append(f'<text {middle} style="fill:{ink}">{markup(label, int(wide / CHARACTER))}</text>')
    for column, name in enumerate(layout["xaxis"]["ticktext"]):
        x = frame.left + (column + 0.5) * wide
        label = markup(name, max(3, int(wide / CHARACTER)))
        parts.append(f'<text x="{x:.1f}" y="{frame.bottom + 15:.1f}" text-anchor="middle">{label}</text>')
    return "".join(parts)


def _shade(scale: Sequence[Sequence[Any]], value: float) -> tuple[str, str]:
    """The colour of a value in [0, 1] and that of a text on it."""
    value = min(max(value, 0.0), 1.0)
    (low, one), (high, other) = next((a, b) for a, b in pairwise(scale) if value <= b[0])
    share = (value - low) / (high - low)
    ends = zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True)
    mixed = [round(a + share * (b - a)) for a, b in ends]
    dark = 0.299 * mixed[0] + 0.587 * mixed[1] + 0.114 * mixed[2] < 125
    return "#" + bytes(mixed).hex(), "#ffffff" if dark else "#111111"
