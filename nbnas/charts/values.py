"""What a strategy expects each option to be worth (Q): a heat map in which the best of each decision is marked."""

from __future__ import annotations

import math
from typing import NamedTuple

from nbnas.charts.figure import Figure, empty
from nbnas.charts.heat import MOST_TEXTS, HeatRow, heat_map, uniform
from nbnas.charts.text import plain
from nbnas.state import RunState

__all__ = ["BEST", "ValueData", "data", "draw"]

BEST = "\N{BLACK STAR}"


class ValueData(NamedTuple):
    """The latest values, in the unit of the score: for each row a decision, its options, and what they are worth."""

    source: str
    step: int
    rows: tuple[HeatRow, ...]

    @property
    def cells(self) -> int:
        """How many values there are."""
        return sum(len(row.options) for row in self.rows)


def data(state: RunState) -> ValueData:
    """The latest values of a run, rows in its order."""
    latest = state.values
    if latest is None:
        return ValueData("", 0, ())
    rows = tuple(HeatRow(name, tuple(row), tuple(row.values())) for name, row in latest.rows.items() if row)
    return ValueData(latest.source, latest.step, rows)


def draw(data: ValueData) -> Figure:
    """A heat map, decision × option; a star marks the best options of a decision, unless all are worth the same."""
    if not data.rows:
        return empty("Values of options", "What each option is expected to be worth will appear here.")
    same, written = uniform(data.rows), data.cells <= MOST_TEXTS
    values = [value for row in data.rows for value in row.values]
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 0.5, high + 0.5
    decimals = min(max(1 - math.floor(math.log10(high - low)), 0), 6)

    def write(row: HeatRow, place: int) -> str:
        value = row.values[place]
        star = BEST if value == max(row.values) > min(row.values) else ""
        number = f"{value:.{decimals}f}" if written else ""
        name = "" if same or not written else plain(row.options[place], 10)
        return " ".join(filter(None, (name, number, star)))

    title = f"{plain(data.source, 20)} after trial {data.step}: what options are worth, {BEST} the best"
    return heat_map(title, data.rows, write, low=low, high=high, ticks=(low, (low + high) / 2, high))
