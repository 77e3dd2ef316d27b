"""The charts of a dashboard in the order in which they stand, live and in the picture that stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from nbnas.charts import distribution, epochs, front, honesty, option_lines, policy, population, schedule, score, values
from nbnas.charts.figure import Figure
from nbnas.state import RunState

__all__ = ["PANELS", "Panel", "panels"]


class Panel(NamedTuple):
    """One chart.

    Attributes:
        key: a short name, unique.
        label: its accessible name.
        data: what it shows of a state, copied; the state may change afterwards.
        draw: the figure of that.
        ready: whether there is something to show.
        height: of the chart for that data, in pixels.
    """

    key: str
    label: str
    data: Callable[[RunState], Any]
    draw: Callable[[Any], Figure]
    ready: Callable[[RunState], bool]
    height: Callable[[Any], int] = lambda data: 270


def _tall(rows: int) -> int:
    return min(max(270, 84 + 17 * rows), 640)


def _pairs(objectives: int) -> int:
    """The height of one plot, of two rows of plots, or of three."""
    return 270 if objectives < 3 else 440 if objectives == 3 else 620


PANELS = (
    Panel("score", "Score of each trial", score.data, score.draw, lambda state: bool(state.scores.x)),
    Panel("front", "Front", front.data, front.draw, front.ready, lambda data: _pairs(len(data.axes))),
    Panel("epochs", "Training of the shared weights", epochs.data, epochs.draw, lambda state: bool(state.epochs)),
    Panel("honesty", "Honesty of the relaxation", honesty.data, honesty.draw, honesty.ready, lambda data: 440),
    Panel(
        "schedule", "Schedule of the strategy", schedule.data, schedule.draw, schedule.ready,
        lambda data: 270 if len(data.series) < 3 else 440,
    ),
    Panel(
        "values", "Values of options", values.data, values.draw,
        lambda state: state.values is not None, lambda data: _tall(len(data.rows)),
    ),
    Panel("policy", "Controller", policy.data, policy.draw, lambda state: bool(state.policy)),
    Panel("population", "Population", population.data, population.draw, lambda state: bool(state.fitness)),
    Panel("alive", "Who is alive", population.alive, population.draw_alive, lambda state: bool(state.fitness)),
    Panel(
        "heat", "Distribution over options", distribution.data, distribution.draw,
        lambda state: state.distribution is not None, lambda data: _tall(len(data.rows)),
    ),
    Panel(
        "lines", "Probabilities over steps", option_lines.data, option_lines.draw,
        lambda state: state.distribution is not None, lambda data: _tall(data.decisions),
    ),
)  # fmt: skip


def panels(state: RunState, *, differentiable: bool) -> list[Panel]:
    """Those that have something to show, and what a run of this kind will show first.

    Args:
        state: of the run.
        differentiable: whether the run trains a supernet, and so has epochs and a distribution but no trials.
    """
    first: tuple[str, ...] = ("epochs", "heat", "lines") if differentiable else ("score",)
    if front.several(state):
        first = ("front",)
    return [panel for panel in PANELS if panel.key in first or panel.ready(state)]
