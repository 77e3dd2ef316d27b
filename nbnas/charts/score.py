"""Scores of the trials and the best so far."""

from __future__ import annotations

from typing import NamedTuple

from nbnas.charts.figure import Figure, Points, axis, empty, figure, points, scatter
from nbnas.charts.palette import SKY, VERMILLION
from nbnas.state import RunState

__all__ = ["ScoreData", "data", "draw"]


class ScoreData(NamedTuple):
    """Scores over trials, and the best so far. Without trials (a run that trains a supernet) both are empty."""

    scores: Points
    best: Points
    top: float | None
    failed: int


def data(state: RunState) -> ScoreData:
    """The scores of a run."""
    last = state.best.last
    return ScoreData(points(state.scores), points(state.best), last[1] if last else None, state.trials_failed)


def draw(data: ScoreData) -> Figure:
    """Markers for trials, a step line for the best so far."""
    if not data.scores.x:
        return empty("Score", "The score of each trial will appear here.")
    title = f"Score of each trial, best {data.top:.4g}" if data.top is not None else "Score of each trial"
    marker = {"color": SKY, "size": 6, "symbol": "circle", "opacity": 0.9}
    line = {"color": VERMILLION, "width": 2.2, "shape": "hv"}
    traces = [
        scatter("score", "trial", data.scores, mode="markers", marker=marker, hovertemplate="trial %{x}: %{y:.4f}"),
        scatter("best", "best so far", data.best, mode="lines", line=line, hovertemplate="best: %{y:.4f}"),
    ]
    return figure(title, traces, axis("trial"), axis("score"))
