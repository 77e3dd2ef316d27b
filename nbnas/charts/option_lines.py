"""The probability of each option over steps: one line an option."""

from __future__ import annotations

from typing import NamedTuple

from nbnas.charts.distribution import source_words
from nbnas.charts.figure import DASHES, Figure, Points, axis, empty, figure, points, scatter, uid, whole_axis
from nbnas.charts.palette import operation_colour
from nbnas.charts.text import plain
from nbnas.series import Series
from nbnas.state import RunState

__all__ = ["LineData", "OptionLine", "data", "draw"]

MOST_LINES = 40
MOST_NAMES = 8  # of options in the legend, and of decisions at the right edge
SAMPLES = 40
TOPS = (0.3, 0.5, 0.75, 1.02)  # of the axis, so that it jumps seldom
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
    looks = {
        option: {"color": operation_colour(option), "dash": DASHES[place % len(DASHES)]}
        for place, option in enumerate(options)
    }
    legend = len(options) <= MOST_NAMES
    # Traces of their own for the legend, because those of the options may be faint.
    traces = [_sign(option, looks[option]) for option in options] if legend else []
    for line in data.lines:
        wins = winners.get((line.group, line.decision)) is line
        trace = scatter(uid(line.group, line.decision, line.option), line.option, line.points, mode="lines")
        decision = plain(line.decision, 30)
        hover = f"{decision} {plain(line.option, 30)}: " + "%{y:.3f}<extra></extra>"
        trace |= {
            "line": {**looks[line.option], "width": 2.2 if wins else 1},
            "opacity": 1 if wins else 0.45,
            "legendgroup": plain(line.option),
            "hovertemplate": hover,
            "showlegend": False,
        }
        traces.append(trace)
    shown = (
        f"{len(data.lines)} of {data.total} lines, those that vary most"
        if len(data.lines) < data.total
        else "over steps"
    )
    highest = max((max(line.points.y) for line in data.lines if line.points.y), default=1.0)
    top = next((step for step in TOPS if highest <= step), 1.02)
    y = axis("probability", range=[0, top])
    notes = _names(list(winners.values()), top, with_option=not legend)
    margin = {"l": 52, "r": 24 + 6 * max((len(note["text"]) for note in notes), default=0), "t": 54, "b": 40}
    title = f"{source_words(data.source)}, {shown}"
    return figure(title, traces, whole_axis("step", traces), y, annotations=notes, margin=margin)


def _sign(option: str, look: Figure) -> Figure:
    trace = scatter(uid(option), option, Points((), ()), mode="lines", line={**look, "width": 2.2})
    return {**trace, "x": [None], "y": [None], "legendgroup": plain(option), "hoverinfo": "skip"}


def _names(winners: list[OptionLine], top: float, *, with_option: bool) -> list[Figure]:
    """Names of decisions at the right edge, each near the end of its highest line, none over another."""
    chosen = sorted(winners, key=lambda line: -line.points.y[-1])[:MOST_NAMES]
    notes, limit, apart = [], top, 0.075 * top
    for place, line in enumerate(chosen):
        at = max(min(line.points.y[-1], limit), apart * (len(chosen) - 1 - place))
        limit = at - apart
        name = f"{line.decision} {line.option}" if with_option else line.decision
        notes.append({
            "text": plain(name, 20), "x": 1.01, "xref": "paper", "xanchor": "left", "y": at, "yref": "y",
            "yanchor": "middle", "showarrow": False, "font": {"size": 10},
        })  # fmt: skip
    return notes
