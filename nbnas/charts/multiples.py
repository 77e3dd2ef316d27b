"""Several small plots in one figure, side by side and below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nbnas.charts.figure import Figure, figure

__all__ = ["Multiple", "multiples", "suffix"]


class Multiple(NamedTuple):
    """One of the plots: its title in plotly's markup, its traces and its axes."""

    title: str
    traces: Sequence[Figure]
    x: Figure
    y: Figure


def multiples(title: str, plots: Sequence[Multiple], columns: int) -> Figure:
    """The figure of plots from left to right, then from top to bottom, in so many columns or fewer."""
    columns = min(columns, len(plots))
    rows = -(-len(plots) // columns)
    traces: list[Figure] = []
    notes: list[Figure] = []
    axes: Figure = {}
    for number, plot in enumerate(plots):
        end = suffix(number)
        traces += [{**trace, "xaxis": f"x{end}", "yaxis": f"y{end}"} for trace in plot.traces]
        axes |= {f"xaxis{end}": plot.x, f"yaxis{end}": plot.y}
        notes.append({
            "text": plot.title, "x": 0, "xref": f"x{end} domain", "xanchor": "left", "y": 1, "yref": f"y{end} domain",
            "yanchor": "bottom", "yshift": 3, "showarrow": False, "font": {"size": 11.5, "weight": 600},
        })  # fmt: skip
    grid = {"rows": rows, "columns": columns, "pattern": "independent", "xgap": 0.16, "ygap": 0.34 if rows < 3 else 0.4}
    rest = {name: axis for name, axis in axes.items() if name not in ("xaxis", "yaxis")}
    made = figure(title, traces, axes["xaxis"], axes["yaxis"], grid=grid, annotations=notes, **rest)
    layout = made["layout"]
    legend = any(trace.get("showlegend", True) for trace in traces)
    layout["showlegend"] = legend
    layout["legend"]["y"] = 1.06 if rows > 1 else 1.1  # above the titles of the plots
    layout["margin"] = {"l": 52, "r": 14, "t": 78 if legend else 56, "b": 40}
    return made


def suffix(number: int) -> str:
    """What plotly adds to the names of the axes of plot `number`, counted from 0."""
    return str(number + 1) if number else ""
