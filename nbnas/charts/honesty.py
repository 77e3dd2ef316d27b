"""Whether a relaxed search can be trusted: what is lost when its mixture is made discrete, and three warning signs.

They are those of Zela et al., Understanding and Robustifying Differentiable Architecture Search, ICLR 2020,
arXiv:1909.09656; `nbnas.honesty` measures them.
"""

from __future__ import annotations

from typing import NamedTuple

from nbnas.charts.figure import Figure, Points, axis, empty, points, scatter, whole_axis
from nbnas.charts.multiples import Multiple, multiples
from nbnas.charts.palette import BLUE, GREEN, PURPLE, VERMILLION, YELLOW
from nbnas.state import RunState

__all__ = ["HonestyData", "data", "draw", "ready"]

MARKED = 60  # points up to which each has its marker
GAP = "rgba(128,128,128,0.28)"


class HonestyData(NamedTuple):
    """Series over epochs, each empty where it was not measured.

    Attributes:
        mixed, derived: accuracy on valid, in [0, 1], of the mixture and of the architecture derived from it.
        skips: share of skips among the derived edges.
        entropy: of alpha, as a share of the largest possible.
        eigenvalue: the largest of the Hessian of the loss on valid with respect to alpha, in nats.
    """

    mixed: Points
    derived: Points
    skips: Points
    entropy: Points
    eigenvalue: Points


_METRICS = (
    "mixed_valid_accuracy", "valid_accuracy", "skip_ratio", "alpha_entropy_ratio", "alpha_hessian_eigenvalue",
)  # fmt: skip


def ready(state: RunState) -> bool:
    """Whether there is a mixture to be compared with what was derived."""
    return "mixed_valid_accuracy" in state.epochs


def data(state: RunState) -> HonestyData:
    """The series of a run."""
    return HonestyData(*(points(state.epochs.get(name)) for name in _METRICS))


def draw(data: HonestyData) -> Figure:
    """Small plots: both accuracies with the gap between them shaded, skips, entropy, eigenvalue."""
    if not data.mixed.y or not data.derived.y:
        return empty("Honesty", "What is lost when the mixture is made discrete will appear here.")
    derived = _line("derived", "derived, with inherited weights", data.derived, VERMILLION, "square", "dash", True)
    mixed = _line("mixed", "mixture of all options", data.mixed, BLUE, "circle", "solid", True)
    mixed |= {"fill": "tonexty", "fillcolor": GAP}
    plots = [_plot("valid accuracy; shaded: gap", [derived, mixed])]
    others = (
        ("skips", "share of skips, derived", data.skips, GREEN, "diamond", [-0.03, 1.03]),
        ("entropy", "entropy of alpha / largest", data.entropy, PURPLE, "circle", [-0.03, 1.03]),
        ("eigenvalue", "eigenvalue of the Hessian", data.eigenvalue, YELLOW, "square", None),
    )
    for key, words, series, colour, symbol, span in others:
        if series.y:
            plots.append(_plot(words, [_line(key, words, series, colour, symbol, "solid", False)], span))
    if len(plots) > 2:  # those of the upper row share the title below
        plots[:2] = [plot._replace(x={**plot.x, "title": {"text": ""}}) for plot in plots[:2]]
    last_mixed, last_derived = data.mixed.y[-1], data.derived.y[-1]
    title = f"Honesty: mixture {last_mixed:.3f}, derived {last_derived:.3f}, gap {last_mixed - last_derived:+.3f}"
    return multiples(title, plots, 2)


def _plot(words: str, traces: list[Figure], span: list[float] | None = None) -> Multiple:
    y = axis("", nticks=5, **({"range": span} if span else {}))
    return Multiple(words, traces, whole_axis("epoch", traces), y)


def _line(key: str, words: str, series: Points, colour: str, symbol: str, dash: str, named: bool) -> Figure:
    return scatter(
        key,
        words,
        series,
        mode="lines+markers" if len(series.x) <= MARKED else "lines",
        line={"color": colour, "width": 2, "dash": dash},
        marker={"color": colour, "size": 5, "symbol": symbol},
        hovertemplate="epoch %{x}: %{y:.4f}<extra></extra>",
        showlegend=named,
    )
