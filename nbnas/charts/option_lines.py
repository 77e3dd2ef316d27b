"""The probability of each option over steps: one line an option."""

from __future__ import annotations

from typing import NamedTuple

from nbnas.charts.distribution import source_words
from nbnas.charts.figure import DASHES, Figure, Points, axis, empty, figure, points, scatter, uid
from nbnas.charts.palette import operation_colour
from nbnas.charts.text import plain
from nbnas.series import Series
from nbnas.state import RunState

__all__ = ["LineData", "OptionLine", "data", "draw"]

MOST_LINES = 40
MOST_NAMES = 8  # of options in the legend, and of decisions at the right edge
SAMPLES = 40
NOTHING = Points((), ())


class OptionLine(NamedTuple):
    """The probability of one option of one decision over steps. `place` is the option's place in its row."""

    group: str
    decision: str
    option: str
    place: int
    points: Points


class LineData(NamedTuple):
    """At most 40 lines, those that vary most, in the order of groups and decisions.

    Attributes:
        total: how many lines there are.
        decisions: how many decisions there are.
    """

    source: str
    lines: tuple[OptionLine, ...]
    total: int
    decisions: int


def data(state: RunState) -> LineData:
    """The lines of a run that vary most."""
    places: dict[tuple[str, str], int] = {}
    found: list[tuple[float, float, OptionLine, Series]] = []
    for (group, decision, option), series in state.lines.items():
        place = places[group, decision] = places.get((group, decision), -1) + 1
        stride = max(1, len(series.y) // SAMPLES)  # a sample is enough to rank, and bounds the work
        sample = series.y[::stride]
        last = series.last
        spread = max(sample) - min(sample) if sample else 0.0
        found.append((spread, last[1] if last else 0.0, OptionLine(group, decision, option, place, NOTHING), series))
    ranked = sorted(range(len(found)), key=lambda n: (-found[n][0], -found[n][1]))[:MOST_LINES]
    kept = tuple(found[n][2]._replace(points=points(found[n][3])) for n in sorted(ranked))
    return LineData(state.distribution.source if state.distribution else "", kept, len(found), len(places))


def draw(data: LineData) -> Figure:
    """One line an option: its colour and dash tell the option, the name at the right edge the decision it wins."""
    if not data.lines:
        return empty("Probabilities over steps", "The probability of each option over steps will appear here.")
    winners: dict[tuple[str, str], OptionLine] = {}
    for line in data.lines:
        best = winners.get((line.group, line.decision))
        if line.points.y and (best is None or line.points.y[-1] > best.points.y[-1]):
            winners[line.group, line.decision] = line
    options = list(dict.fromkeys(line.option for line in data.lines))
    legend = len(options) <= MOST_NAMES
    traces, named = [], set()
    for line in data.lines:
        wins = winners.get((line.group, line.decision)) is line
        style = {"color": operation_colour(line.option), "width": 2.2 if wins else 1}
        style["dash"] = DASHES[options.index(line.option) % len(DASHES)]
        trace = scatter(uid(line.group, line.decision, line.option), line.option, line.points, mode="lines")
        decision = plain(line.decision, 30)
        hover = f"{decision} {plain(line.option, 30)}: " + "%{y:.3f}<extra></extra>"
        trace |= {
            "line": style,
            "opacity": 1 if wins else 0.45,
            "legendgroup": plain(line.option),
            "hovertemplate": hover,
        }
        trace["showlegend"] = legend and line.option not in named
        named.add(line.option)
        traces.append(trace)
    shown = (
        f"{len(data.lines)} of {data.total} lines, those that vary most"
        if len(data.lines) < data.total
        else "over steps"
    )
    y = axis("probability", range=[0, 1.02], tickvals=[0, 0.25, 0.5, 0.75, 1])
    notes = _names(list(winners.values()), with_option=not legend)
    margin = {"l": 52, "r": 24 + 6 * max((len(note["text"]) for note in notes), default=0), "t": 54, "b": 40}
    title = f"{source_words(data.source)}, {shown}"
    return figure(title, traces, axis("step", tickformat="d"), y, annotations=notes, margin=margin)


def _names(winners: list[OptionLine], *, with_option: bool) -> list[Figure]:
    """Names of decisions at the right edge, each near the end of its highest line, none over another."""
    chosen = sorted(winners, key=lambda line: -line.points.y[-1])[:MOST_NAMES]
    notes, limit = [], 1.0
    for place, line in enumerate(chosen):
        at = max(min(line.points.y[-1], limit), 0.075 * (len(chosen) - 1 - place))
        limit = at - 0.075
        name = f"{line.decision} {line.option}" if with_option else line.decision
        notes.append({
            "text": plain(name, 20), "x": 1.01, "xref": "paper", "xanchor": "left", "y": at, "yref": "y",
            "yanchor": "middle", "showarrow": False, "font": {"size": 10},
        })  # fmt: skip
    return notes
