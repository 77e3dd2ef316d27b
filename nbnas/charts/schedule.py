"""What a strategy on a supernet turns as it goes: temperature, dropout, the expected cost of its mixture."""

from __future__ import annotations

from typing import NamedTuple

from nbnas.charts.figure import Figure, Points, axis, empty, points, scatter, uid, whole_axis
from nbnas.charts.multiples import Multiple, multiples, suffix
from nbnas.charts.palette import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION
from nbnas.charts.text import plain
from nbnas.state import RunState

__all__ = ["ScheduleData", "data", "draw", "ready"]

MOST = 6  # plots
MARKED = 60  # points up to which each has its marker
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
ELSEWHERE = ("loss", "accuracy", "skip_ratio", "alpha_entropy", "alpha_hessian")
"""Parts of the names of metrics that other charts show."""


class ScheduleData(NamedTuple):
    """Metric name -> points over epochs; and when options were dropped: epoch -> why."""

    series: dict[str, Points]
    changes: dict[int, str]


def _names(state: RunState) -> list[str]:
    return [name for name in state.epochs if not any(part in name for part in ELSEWHERE)][:MOST]


def ready(state: RunState) -> bool:
    """Whether a strategy tells of a schedule."""
    return "mixed_valid_accuracy" in state.epochs and bool(_names(state))


def data(state: RunState) -> ScheduleData:
    """The metrics of a run that no other chart shows, at most six."""
    return ScheduleData({name: points(state.epochs[name]) for name in _names(state)}, dict(state.changes))


def draw(data: ScheduleData) -> Figure:
    """A small plot each; dotted upright lines where options were dropped."""
    if not data.series:
        return empty("Schedule", "Temperature, dropout or expected cost will appear here.")
    plots = []
    for number, (name, series) in enumerate(data.series.items()):
        line = scatter(
            uid(name),
            name,
            series,
            mode="lines+markers" if len(series.x) <= MARKED else "lines",
            line={"color": COLOURS[number], "width": 2},
            marker={"color": COLOURS[number], "size": 5},
            hovertemplate="epoch %{x}: %{y:.4g}<extra></extra>",
            showlegend=False,
        )
        plots.append(Multiple(plain(name.replace("_", " ")), [line], whole_axis("epoch", [line]), axis("", nticks=5)))
    name, last = next(iter(data.series.items()))
    title = f"Schedule: {plain(name.replace('_', ' '))} {last.y[-1]:.4g}" if last.y else "Schedule"
    if data.changes:
        title += f"; options dropped after epoch {', '.join(map(str, data.changes))}"
    made = multiples(title, plots, 2)
    made["layout"]["shapes"] = [
        {"type": "line", "x0": epoch + 0.5, "x1": epoch + 0.5, "xref": f"x{suffix(place)}", "y0": 0, "y1": 1,
         "yref": f"y{suffix(place)} domain", "line": {"dash": "dot", "width": 1.5, "color": "rgba(128,128,128,0.9)"}}
        for place in range(len(plots)) for epoch in data.changes
    ]  # fmt: skip
    return made
