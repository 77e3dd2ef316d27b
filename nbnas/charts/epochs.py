"""Metrics over the epochs of shared or relaxed weights: accuracies on the left, losses on the right."""

from __future__ import annotations

from typing import NamedTuple

from nbnas.charts.figure import DASHES, Figure, Points, axis, empty, figure, points, scatter, uid, whole_axis
from nbnas.charts.palette import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION
from nbnas.state import RunState

__all__ = ["EpochData", "data", "draw"]

LEFT, RIGHT = (BLUE, GREEN, SKY), (VERMILLION, ORANGE, PURPLE)
MOST = 3  # lines an axis


class EpochData(NamedTuple):
    """Metric name -> points over epochs: `left` are accuracies (in [0, 1]) and other metrics, `right` are losses."""

    left: dict[str, Points]
    right: dict[str, Points]


def data(state: RunState) -> EpochData:
    """The metrics of a run, at most three an axis, accuracies first."""
    losses = sorted(name for name in state.epochs if "loss" in name)
    accuracies = sorted((name for name in state.epochs if "accuracy" in name), reverse=True)  # valid before train
    others = [] if accuracies else [name for name in state.epochs if name not in losses]

    def pick(names: list[str]) -> dict[str, Points]:
        return {name: points(state.epochs[name]) for name in names[:MOST]}

    return EpochData(pick(accuracies or others), pick(losses))


def draw(data: EpochData) -> Figure:
    """Solid lines with filled markers on the left axis, dashed ones with open markers on the right axis."""
    if not data.left and not data.right:
        return empty("Training of the shared weights", "Accuracy and loss will appear here after the first epoch.")
    traces = []
    for number, ((name, series), colour) in enumerate(zip(data.left.items(), LEFT, strict=False)):
        marker = {"color": colour, "size": 5, "symbol": ("circle", "square", "diamond")[number]}
        line = {"color": colour, "width": 2, "dash": "solid"}
        traces.append(_trace(name, series, marker, line, "y"))
    axis_of_losses = "y2" if data.left else "y"
    for number, ((name, series), colour) in enumerate(zip(data.right.items(), RIGHT, strict=False)):
        symbol = ("circle-open", "square-open", "diamond-open")[number]
        line = {"color": colour, "width": 1.6, "dash": DASHES[1 + number]}
        traces.append(_trace(name, series, {"color": colour, "size": 5, "symbol": symbol}, line, axis_of_losses))
    words = "accuracy" if any("accuracy" in name for name in data.left) else "metric"
    more = {}
    if data.left and data.right:
        more = {"yaxis2": axis("loss", overlaying="y", side="right", showgrid=False, tickmode="auto")}
        more["margin"] = {"l": 52, "r": 52, "t": 54, "b": 40}
    last = next(iter((data.left or data.right).items()))
    title = f"Training: {_words(last[0])} {last[1].y[-1]:.4g}" if last[1].y else "Training"
    return figure(title, traces, whole_axis("epoch", traces), axis(words if data.left else "loss"), **more)


def _trace(name: str, series: Points, marker: Figure, line: Figure, where: str) -> Figure:
    mode = "lines+markers" if len(series.x) <= 60 else "lines"
    hover = "epoch %{x}: %{y:.4f}"
    words = _words(name)
    return scatter(uid(name), words, series, mode=mode, marker=marker, line=line, yaxis=where, hovertemplate=hover)


def _words(name: str) -> str:
    return name.replace("_", " ")
