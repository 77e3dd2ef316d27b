"""Heat maps of static charts."""

from __future__ import annotations

from nbnas.charts.figure import Figure
from nbnas.charts.heat import cell_colours
from nbnas.charts.svg_text import CHARACTER, Frame, markup

__all__ = ["cells"]


def cells(trace: Figure, texts: Figure | None, layout: Figure, frame: Frame) -> str:
    """The cells of a heat map with their texts, and the names of rows and columns."""
    rows, columns = len(trace["z"]), len(trace["x"])
    wide, high = (frame.right - frame.left) / columns, (frame.bottom - frame.top) / rows
    parts = []
    labels = dict(zip(zip(texts["x"], texts["y"], strict=True), texts["text"], strict=True)) if texts else {}
    for row, values in enumerate(trace["z"]):
        y = frame.top + row * high
        name = markup(layout["yaxis"]["ticktext"][row])
        parts.append(f'<text x="{frame.left - 5:.1f}" y="{y + high / 2 + 4:.1f}" text-anchor="end">{name}</text>')
        for column, value in enumerate(values):
            if value is None:
                continue
            x = frame.left + column * wide
            fill, ink = cell_colours((value - trace["zmin"]) / (trace["zmax"] - trace["zmin"]))
            size = f'width="{wide - 2:.1f}" height="{max(high - 2, 1):.1f}"'
            parts.append(f'<rect x="{x + 1:.1f}" y="{y + 1:.1f}" {size} fill="{fill}"/>')
            label = labels.get((column, row), "")
            if label and high >= 11:
                middle = f'x="{x + wide / 2:.1f}" y="{y + high / 2 + 4:.1f}" text-anchor="middle"'
                parts.append(f'<text {middle} style="fill:{ink}">{markup(label, int(wide / CHARACTER))}</text>')
    for column, name in enumerate(layout["xaxis"]["ticktext"]):
        x = frame.left + (column + 0.5) * wide
        label = markup(name, max(3, int(wide / CHARACTER)))
        parts.append(f'<text x="{x:.1f}" y="{frame.bottom + 15:.1f}" text-anchor="middle">{label}</text>')
    return "".join(parts)
