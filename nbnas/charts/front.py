"""The trials that no other is better than, where several objectives are maximised at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple

from nbnas.charts.figure import Figure, Points, axis, empty, figure, scatter
from nbnas.charts.multiples import Multiple, multiples
from nbnas.charts.palette import NEUTRAL, SKY, VERMILLION
from nbnas.charts.text import plain
from nbnas.front import Member
from nbnas.objectives import OBJECTIVES
from nbnas.state import RunState

__all__ = ["Axis", "FrontData", "data", "draw", "ready", "several"]

MOST_PAIRS = 6


class Axis(NamedTuple):
    """An objective as people read it: its metric, and whether lower is better."""

    name: str
    minimize: bool

    def shown(self, objective: float) -> float:
        """The metric of an objective, of which higher is always better."""
        return -objective if self.minimize else objective


class FrontData(NamedTuple):
    """The front, in the order of trials, and the objectives of all trials, the latest ones where there are many.

    Attributes:
        axes: one an objective.
        members: of the front.
        tried: trial and objectives.
        dropped: how many earlier trials are left out of `tried`.
    """

    axes: tuple[Axis, ...]
    members: tuple[Member, ...]
    tried: tuple[tuple[int, tuple[float, ...]], ...]
    dropped: int


def several(state: RunState) -> bool:
    """Whether the run maximises several objectives."""
    kind = OBJECTIVES.get(str(_objective(state).get("kind")))
    return bool(state.front) or (kind is not None and kind.several)


def ready(state: RunState) -> bool:
    """Whether there is a front."""
    return bool(state.front)


def data(state: RunState) -> FrontData:
    """The front of a run."""
    members = tuple(state.front[trial] for trial in sorted(state.front))
    count = len(members[0].objectives) if members else 0
    return FrontData(_axes(state, count), members, tuple(state.tried), state.tried_dropped)


def _objective(state: RunState) -> Any:
    found = state.spec.get("objective")
    return found if isinstance(found, dict) else {}


def _axes(state: RunState, count: int) -> tuple[Axis, ...]:
    settings = _objective(state).get("settings") or {}
    known = [(name, False) for name in settings.get("maximize", ())]
    known += [(name, True) for name in settings.get("minimize", ())]
    if len(known) != count:
        known = [(f"objective {number}", False) for number in range(1, count + 1)]
    return tuple(Axis(str(name), minimize) for name, minimize in known)


def draw(data: FrontData) -> Figure:
    """Diamonds on stairs for the front, faint dots for all trials; of more than two objectives one plot a pair."""
    if len(data.axes) < 2:
        return empty("Front", "The trials that no other is better than will appear here.")
    count = len(data.members)
    title = f"Front: {count} trial{'' if count == 1 else 's'} that no other is better than"
    pairs = list(combinations(range(len(data.axes)), 2))
    if len(pairs) == 1:
        traces = _traces(data, 0, 1, stairs=True)
        return figure(title, traces, axis(_words(data.axes[0])), axis(_words(data.axes[1])))
    shown = pairs[:MOST_PAIRS]
    if len(shown) < len(pairs):
        title += f"; {len(shown)} of {len(pairs)} pairs of objectives"
    plots = [
        Multiple(
            _short(data.axes[b]),
            [
                {**trace, "showlegend": number == 0}
                for trace in _traces(data, a, b, size=6, key=f" {number}" if number else "")
            ],
            axis(_short(data.axes[a]), nticks=4),
            axis("", nticks=5),
        )
        for number, (a, b) in enumerate(shown)
    ]
    return multiples(title, plots, 2)


def _words(of: Axis) -> str:
    return f"{plain(of.name, 30)} ({'lower' if of.minimize else 'higher'} is better)"


def _short(of: Axis) -> str:
    return f"{plain(of.name, 30)} {'↓' if of.minimize else '↑'}"


def _traces(data: FrontData, a: int, b: int, *, size: float = 9, stairs: bool = False, key: str = "") -> list[Figure]:
    def trace(name: str, words: str, values: Sequence[Sequence[float]], **style: Any) -> Figure:
        x = tuple(data.axes[a].shown(value[a]) for value in values)
        y = tuple(data.axes[b].shown(value[b]) for value in values)
        return scatter(f"{name}{key}", words, Points(x, y, data.dropped), **style)

    tried = trace(
        "tried", "all trials", [values for _, values in data.tried if len(values) == len(data.axes)],
        mode="markers", marker={"symbol": "circle", "size": size / 2, "color": SKY, "opacity": 0.45}, hoverinfo="skip",
    )  # fmt: skip
    found = [tried]
    if stairs:
        line = {"color": NEUTRAL, "width": 1.4, "dash": "dot"}
        found.append(
            trace("stairs", "", _stairs(data.members), mode="lines", line=line, showlegend=False, hoverinfo="skip")
        )
    marker = {"symbol": "diamond", "size": size, "color": VERMILLION}
    members = [
        ("front", "front", [member for member in data.members if member.violation <= 0], marker),
        ("broken", "front, breaks a constraint", [m for m in data.members if m.violation > 0],
         {**marker, "symbol": "x", "color": NEUTRAL}),
    ]  # fmt: skip
    for name, words, kept, sign in members:
        if kept:
            made = trace(name, words, [member.objectives for member in kept], mode="markers", marker=sign)
            made["customdata"] = [f"trial {member.trial}: {plain(member.architecture, 60)}" for member in kept]
            made["hovertemplate"] = "%{customdata}<br>%{x:.4g}, %{y:.4g}<extra></extra>"
            found.append(made)
    for one in found[1:]:  # members leave: nothing is merely added
        del one["meta"]
    return found


def _stairs(members: Sequence[Member]) -> list[tuple[float, float]]:
    """The edge of what two objectives have reached, from member to member."""
    ordered = sorted(member.objectives[:2] for member in members)
    corners = [(before[0], after[1]) for before, after in pairwise(ordered)]
    steps = [point for pair in zip(ordered, corners, strict=False) for point in pair]
    return [(point[0], point[1]) for point in [*steps, ordered[-1]]]
