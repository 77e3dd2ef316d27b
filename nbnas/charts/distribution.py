"""What a strategy now thinks of each option: a heat map of the latest distribution."""

from __future__ import annotations

from typing import NamedTuple

from nbnas.charts.figure import Figure, empty
from nbnas.charts.heat import MOST_TEXTS, HeatRow, heat_map, uniform
from nbnas.charts.text import plain
from nbnas.state import RunState

__all__ = ["HeatData", "data", "draw", "merged", "source_words"]

SOURCES = {
    "alpha": "architecture weights, softmax(alpha)",
    "policy": "policy",
    "population": "option frequencies in the population",
}


class HeatData(NamedTuple):
    """The latest distribution: for each row its name, its options and their probabilities. Rows may be ragged."""

    source: str
    step: int
    rows: tuple[HeatRow, ...]

    @property
    def cells(self) -> int:
        """How many probabilities there are."""
        return sum(len(row.options) for row in self.rows)


def data(state: RunState) -> HeatData:
    """The latest distribution of a run, rows in its order; a row is named with its group where there are several."""
    latest = state.distribution
    if latest is None:
        return HeatData("", 0, ())
    several = len(latest.groups) > 1
    rows = tuple(
        HeatRow(f"{group} {decision}" if several else decision, tuple(row), tuple(row.values()))
        for group, decisions in latest.groups.items()
        for decision, row in decisions.items()
    )
    return HeatData(latest.source, latest.step, rows)


def merged(state: RunState) -> dict[str, dict[str, float]]:
    """The latest distribution by decision, over all groups."""
    groups = state.distribution.groups if state.distribution else {}
    return {decision: dict(row) for rows in groups.values() for decision, row in rows.items()}


def draw(data: HeatData) -> Figure:
    """A heat map, decision × option, with the probabilities written in it when there are few."""
    if not data.rows:
        return empty("Distribution", "The probability of each option will appear here.")
    same, written = uniform(data.rows), data.cells <= MOST_TEXTS

    def write(row: HeatRow, place: int) -> str:
        if not written:
            return ""
        value = f"{row.values[place]:.2f}"
        return value if same else f"{plain(row.options[place], 10)} {value}"

    title = f"{source_words(data.source)}, after step {data.step}"
    return heat_map(title, data.rows, write, low=0, high=1, ticks=(0, 0.5, 1))


def source_words(source: str) -> str:
    """What the probabilities are, for a title."""
    words = SOURCES.get(source) or plain(source, 40) or "distribution"
    return words[:1].upper() + words[1:]
