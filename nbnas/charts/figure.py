"""What all charts share: points of a series, the layout of a figure, and the sentence of an empty one.

A figure is a plain dict in plotly's format. Its texts are in plotly's markup (`nbnas.charts.text.plain`). It names no
colour of text or background: who shows it takes those of the page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nbnas.charts.text import plain
from nbnas.series import Series

__all__ = ["DASHES", "GRID", "Figure", "Points", "axis", "empty", "figure", "points", "scatter", "uid", "whole_axis"]

Figure = dict[str, Any]

GRID = "rgba(128,128,128,0.22)"
DASHES = ("solid", "dot", "dash", "longdash", "dashdot", "longdashdot")


class Points(NamedTuple):
    """Points in the order of arrival. As long as `generation` stays, points were only added at the end."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    generation: int = 0


def points(series: Series | None) -> Points:
    """A copy of what a series keeps.

    Points that still wait in a bucket of the series are left out: they would be replaced later, and of thousands of
    points a handful is not seen.
    """
    if series is None:
        return Points((), ())
    return Points(tuple(series.x), tuple(series.y), series.generation)


def uid(*names: str) -> str:
    """An identity of a trace made of names of people. It becomes a part of the page, so it is plain text always."""
    return "u" + hashlib.sha256("\0".join(names).encode(errors="replace")).hexdigest()[:16]


def scatter(key: str, name: str, series: Points, **style: Any) -> Figure:
    """A scatter trace that grows at its end; `name` is text of people."""
    return {
        "type": "scatter",
        "uid": key,
        "meta": {"generation": series.generation},
        "name": plain(name, 40),
        "x": list(series.x),
        "y": list(series.y),
        **style,
    }


def axis(title: str, **more: Any) -> Figure:
    """A quiet axis."""
    return {
        "title": {"text": title, "font": {"size": 11}, "standoff": 6},
        "tickfont": {"size": 11},
        "gridcolor": GRID,
        "linecolor": GRID,
        "zeroline": False,
        "automargin": True,
        "nticks": 6,
        **more,
    }


def whole_axis(title: str, traces: Sequence[Figure]) -> Figure:
    """A quiet axis of whole numbers: no number occurs twice on it when the traces span only a few."""
    ends = [
        end
        for trace in traces
        for x in (trace.get("x", ()),)
        for end in (next(filter(_there, x), None), next(filter(_there, reversed(x)), None))
        if end is not None
    ]
    few = bool(ends) and max(ends) - min(ends) <= 8
    return axis(title, tickformat="d", **({"dtick": 1} if few else {}))


def _there(value: float | None) -> bool:
    return value is not None


def figure(title: str, traces: Sequence[Figure], x: Figure, y: Figure, **more: Any) -> Figure:
    """A figure with its title at the top left and its legend below it."""
    layout = {
        "title": {
            "text": title, "font": {"size": 13, "weight": 600}, "x": 0, "xref": "container", "xanchor": "left",
            "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 8, "l": 10},
        },
        "margin": {"l": 52, "r": 14, "t": 54, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "legend": {
            "orientation": "h", "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom",
            "font": {"size": 11}, "bgcolor": "rgba(0,0,0,0)",
        },
        "showlegend": True,
        "hovermode": "closest",
        "uirevision": "keep",
        "xaxis": x,
        "yaxis": y,
        **more,
    }  # fmt: skip
    return {"data": list(traces), "layout": layout}


def empty(title: str, sentence: str) -> Figure:
    """A figure without data: one quiet sentence of what will appear."""
    hidden: Mapping[str, Any] = {"visible": False, "range": [0, 1], "fixedrange": True}
    note = {
        "text": sentence, "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False,
        "font": {"size": 12}, "opacity": 0.75,
    }  # fmt: skip
    return figure(title, [], dict(hidden), dict(hidden), annotations=[note])
