"""What a strategy now thinks of each option: a heat map of the latest distribution."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from nbnas.charts.figure import Figure, axis, empty, figure
from nbnas.charts.text import plain
from nbnas.state import RunState

__all__ = ["HeatData", "cell_colours", "data", "draw", "merged", "source_words"]

MOST_TEXTS = 60  # cells with their probability written in them

SOURCES = {
    "alpha": "architecture weights, softmax(alpha)",
    "policy": "policy",
    "population": "option frequencies in the population",
}

# Cividis (Nuñez, Anderton & Renslow, 2018): the same for all kinds of colour vision, and it rises in lightness.
SCALE = (
    (0.0, "#00224e"), (0.125, "#123570"), (0.25, "#3b496c"), (0.375, "#575d6d"), (0.5, "#707173"),
    (0.625, "#8a8678"), (0.75, "#a59c74"), (0.875, "#c3b369"), (1.0, "#fee838"),
)  # fmt: skip


class HeatData(NamedTuple):
    """The latest distribution: for each row its name, its options and their probabilities. Rows may be ragged."""

    source: str
    step: int
    rows: tuple[tuple[str, tuple[str, ...], tuple[float, ...]], ...]

    @property
    def cells(self) -> int:
        """How many probabilities there are."""
        return sum(len(options) for _, options, _ in self.rows)


def data(state: RunState) -> HeatData:
    """The latest distribution of a run, rows in its order; a row is named with its group where there are several."""
    latest = state.distribution
    if latest is None:
        return HeatData("", 0, ())
    several = len(latest.groups) > 1
    rows = tuple(
        (f"{group} {decision}" if several else decision, tuple(row), tuple(row.values()))
        for group, decisions in latest.groups.items()
        for decision, row in decisions.items()
    )
    return HeatData(latest.source, latest.step, rows)


def merged(state: RunState) -> dict[str, dict[str, float]]:
    """The latest distribution by decision, over all groups."""
    groups = state.distribution.groups if state.distribution else {}
    return {decision: dict(row) for rows in groups.values() for decision, row in rows.items()}


def draw(data: HeatData) -> Figure:
    """A heat map, decision × option, with the probabilities written in it when there are few."""
    if not data.rows:
        return empty("Distribution", "The probability of each option will appear here.")
    width = max(len(options) for _, options, _ in data.rows)
    uniform = len({options for _, options, _ in data.rows}) == 1
    written = data.cells <= MOST_TEXTS

    def cell(option: str, probability: float) -> str:
        return f"{probability:.2f}" if uniform else f"{plain(option, 10)} {probability:.2f}"

    pad = [None] * width
    blank = [""] * width
    names = [[*(plain(option, 40) for option in options), *blank][:width] for _, options, _ in data.rows]
    trace: Figure = {
        "type": "heatmap",
        "uid": "heat",
        "z": [[*values, *pad][:width] for _, _, values in data.rows],
        "x": list(range(width)),
        "y": list(range(len(data.rows))),
        "customdata": names,
        "hovertemplate": "%{customdata}: %{z:.3f}<extra></extra>",
        "hoverongaps": False,
        "zmin": 0,
        "zmax": 1,
        "xgap": 2,
        "ygap": 2,
        "colorscale": [list(stop) for stop in SCALE],
        "colorbar": {"thickness": 8, "len": 1, "outlinewidth": 0, "tickfont": {"size": 10}, "tickvals": [0, 0.5, 1]},
    }
    traces = [trace, _texts(data, cell)] if written else [trace]
    shared = [plain(option, 14) for option in data.rows[0][1]]
    columns = shared if uniform else [f"option {place + 1}" for place in range(width)]
    quiet = {"showgrid": False, "ticks": ""}
    x = axis("", range=[-0.5, width - 0.5], tickvals=list(range(width)), ticktext=columns, **quiet)
    x["tickangle"] = 0 if width <= 5 else -35
    y = axis("", range=[len(data.rows) - 0.5, -0.5], tickvals=list(range(len(data.rows))), **quiet)
    y["ticktext"] = [plain(name, 22) for name, _, _ in data.rows]
    y["tickfont"] = {"size": 11 if len(data.rows) <= 16 else 9}
    title = f"{source_words(data.source)}, after step {data.step}"
    return figure(title, traces, x, y, margin={"l": 70, "r": 10, "t": 36, "b": 40})


def cell_colours(value: float) -> tuple[str, str]:
    """The colour of a cell for a probability, and that of a text on it."""
    value = min(max(value, 0.0), 1.0)
    (low, one), (high, other) = next((a, b) for a, b in pairwise(SCALE) if value <= b[0])
    share = (value - low) / (high - low)
    ends = zip(bytes.fromhex(one[1:]), bytes.fromhex(other[1:]), strict=True)
    red, green, blue = (round(a + share * (b - a)) for a, b in ends)
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 125
    return f"#{red:02x}{green:02x}{blue:02x}", "#ffffff" if dark else "#111111"


def _texts(data: HeatData, cell: Callable[[str, float], str]) -> Figure:
    """What is written in the cells: plotly's own choice of its colour is hard to read on the middle of the scale."""
    cells = [
        (column, row, option, value)
        for row, (_, options, values) in enumerate(data.rows)
        for column, (option, value) in enumerate(zip(options, values, strict=True))
    ]
    return {
        "type": "scatter",
        "uid": "texts",
        "mode": "text",
        "x": [column for column, _, _, _ in cells],
        "y": [row for _, row, _, _ in cells],
        "text": [cell(option, value) for _, _, option, value in cells],
        "textfont": {"size": 11, "color": [cell_colours(value)[1] for _, _, _, value in cells]},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def source_words(source: str) -> str:
    """What the probabilities are, for a title."""
    words = SOURCES.get(source) or plain(source, 40) or "distribution"
    return words[:1].upper() + words[1:]
