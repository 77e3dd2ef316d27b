"""What a controller learns: rewards, their baseline, and the entropy of its policy."""

from __future__ import annotations

from typing import NamedTuple

from nbnas.charts.figure import Figure, Points, axis, empty, figure, points, scatter
from nbnas.charts.palette import PURPLE, SKY, VERMILLION
from nbnas.state import RunState

__all__ = ["PolicyData", "data", "draw"]


class PolicyData(NamedTuple):
    """Reward, its baseline, and the entropy of the whole policy in nats, each over trials."""

    reward: Points
    baseline: Points
    entropy: Points


def data(state: RunState) -> PolicyData:
    """The controller's series of a run."""
    return PolicyData(*(points(state.policy.get(name)) for name in PolicyData._fields))


def draw(data: PolicyData) -> Figure:
    """Markers for rewards, a line for the baseline, a dotted line for the entropy on its own axis."""
    if not data.reward.x:
        return empty("Controller", "Reward, baseline and entropy of the controller will appear here.")
    marker = {"color": SKY, "size": 5, "symbol": "circle", "opacity": 0.8}
    baseline = {"color": VERMILLION, "width": 2.2, "dash": "solid"}
    entropy = {"color": PURPLE, "width": 2, "dash": "dot"}
    traces = [
        scatter("reward", "reward", data.reward, mode="markers", marker=marker, hovertemplate="trial %{x}: %{y:.4f}"),
        scatter("baseline", "baseline", data.baseline, mode="lines", line=baseline, hovertemplate="%{y:.4f}"),
        scatter(
            "entropy", "entropy", data.entropy, mode="lines", line=entropy, yaxis="y2", hovertemplate="%{y:.3f} nats"
        ),
    ]
    second = axis("entropy (nats)", overlaying="y", side="right", showgrid=False, tickmode="auto", rangemode="tozero")
    margin = {"l": 52, "r": 52, "t": 54, "b": 40}
    title = "Controller: reward, baseline, entropy"
    return figure(title, traces, axis("trial"), axis("reward"), yaxis2=second, margin=margin)
