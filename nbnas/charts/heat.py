"""A heat map with a row a decision and a cell an option, which other charts fill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from nbnas.charts.figure import Figure, axis, figure
from nbnas.charts.text import plain

__all__ = ["MOST_TEXTS", "HeatRow", "cell_colours", "heat_map", "uniform"]

MOST_TEXTS = 60  # cells with their value written in them

# Cividis (Nuñez, Anderton & Renslow, 2018): the same for all kinds of colour vision, and it rises in lightness.
SCALE = (
    (0.0, "#00224e"), (0.125, "#123570"), (0.25, "#3b496c"), (0.375, "#575d6d"), (0.5, "#707173"),
    (0.625, "#8a8678"), (0.75, "#a59c74"), (0.875, "#c3b369"), (1.0, "#fee838"),
)  # fmt: skip


class HeatRow(NamedTuple):
    """A decision, its options, and the value of each."""

    name: str
    options: tuple[str, ...]
    values: tuple[float, ...]


def uniform(rows: Sequence[HeatRow]) -> bool:
    """Whether all rows have the same options, which then stand below the map."""
    return len({row.options for row in rows}) == 1


def heat_map(
    title: str,
    rows: Sequence[HeatRow],
    write: Callable[[HeatRow, int], str],
    *,
    low: float,
    high: float,
    ticks: Sequence[float],
) -> Figure:
    """The figure of at least one row; rows may be ragged.

    Args:
        title: in plotly's markup.
        rows: from top to bottom.
        write: the text in the cell of a row at a place, in plotly's markup; empty for none.
        low, high: the values at the ends of the colour scale.
        ticks: of the colour bar.
    """
    width = max(len(row.options) for row in rows)
    pad, blank = [None] * width, [""] * width
    trace: Figure = {
        "type": "heatmap",
        "uid": "heat",
        "z": [[*row.values, *pad][:width] for row in rows],
        "x": list(range(width)),
        "y": list(range(len(rows))),
        "customdata": [[*(plain(option, 40) for option in row.options), *blank][:width] for row in rows],
        "hovertemplate": "%{customdata}: %{z:.3f}<extra></extra>",
        "hoverongaps": False,
        "zmin": low,
        "zmax": high,
        "xgap": 2,
        "ygap": 2,
        "colorscale": [list(stop) for stop in SCALE],
        "colorbar": {
            "thickness": 8, "len": 1, "outlinewidth": 0, "tickfont": {"size": 10}, "tickvals": list(ticks),
            "tickformat": ".3~g",
        },
    }  # fmt: skip
    cells = [
        (place, number, text, (value - low) / (high - low))
        for number, row in enumerate(rows)
        for place, value in enumerate(row.values)
        if (text := write(row, place))
    ]
    same = uniform(rows)
    columns = [plain(option, 14) for option in rows[0].options] if same else [f"option {n + 1}" for n in range(width)]
    quiet = {"showgrid": False, "ticks": ""}
    x = axis("", range=[-0.5, width - 0.5], tickvals=list(range(width)), ticktext=columns, **quiet)
    x["tickangle"] = 0 if width <= 5 else -35
    y = axis("", range=[len(rows) - 0.5, -0.5], tickvals=list(range(len(rows))), **quiet)
    y["ticktext"] = [plain(row.name, 22) for row in rows]
    y["tickfont"] = {"size": 11 if len(rows) <= 16 else 9}
    traces = [trace, _texts(cells)] if cells else [trace]
    return figure(title, traces, x, y, margin={"l": 70, "r": 10, "t": 36, "b": 40})


def cell_colours(share: float) -> tuple[str, str]:
    """The colour of a cell for a value in [0, 1], and that of a text on it."""
    share = min(max(share, 0.0), 1.0)
    (low, one), (high, other) = next((a, b) for a, b in pairwise(SCALE) if share <= b[0])
    part = (share - low) / (high - low)
    ends = zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True)
    red, green, blue = (round(a + part * (b - a)) for a, b in ends)
    # The relative luminance of WCAG 2.2: at 0.179 white and black are told apart from it equally well.
    linear = [((part / 255 + 0.055) / 1.055) ** 2.4 if part > 10 else part / 3294.6 for part in (red, green, blue)]
    dark = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] < 0.179
    return f"#{red:02x}{green:02x}{blue:02x}", "#ffffff" if dark else "#000000"


def _texts(cells: Sequence[tuple[int, int, str, float]]) -> Figure:
    """What is written in the cells: plotly's own choice of its colour is hard to read on the middle of the scale."""
    return {
        "type": "scatter",
        "uid": "texts",
        "mode": "text",
        "x": [column for column, _, _, _ in cells],
        "y": [row for _, row, _, _ in cells],
        "text": [text for _, _, text, _ in cells],
        "textfont": {"size": 11, "color": [cell_colours(share)[1] for _, _, _, share in cells]},
        "hoverinfo": "skip",
        "showlegend": False,
    }
