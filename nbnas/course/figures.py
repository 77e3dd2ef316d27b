"""Figures of lessons: drawn by the charts of the library as static SVG, so that they show everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from nbnas.charts.figure import DASHES, Figure, axis, figure, uid
from nbnas.charts.palette import CATEGORICAL
from nbnas.charts.svg import render
from nbnas.charts.text import plain
from nbnas.errors import SettingsError

__all__ = ["Shown", "chart", "show"]

WIDTH = 640
_SYMBOLS = ("circle", "square", "diamond", "x")
_ROWS = 12
_STYLE = """
.nbnas-figure{max-width:820px;width:100%;height:auto;font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.nbnas-figure text{fill:var(--jp-ui-font-color1,#1f1f1f)}
.nbnas-figure .title{font-size:14px;font-weight:600}
.nbnas-figure .grid{stroke:#808080;stroke-opacity:.25;fill:none}
"""

Series = tuple[Sequence[float], Sequence[float]]


class Shown:
    """A figure with what it shows in words, and its numbers as a table that opens on a click."""

    def __init__(self, drawn: Figure, alt: str, height: int) -> None:
        self.figure = drawn
        self.alt = alt
        self.height = height

    def __repr__(self) -> str:
        return f"<Figure: {self.alt}>"

    def svg(self) -> str:
        """The picture."""
        size = f'viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" height="{self.height}"'
        inner = render(self.figure, 0, 0, WIDTH, self.height)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="nbnas-figure" role="img" {size}>'
            f"<title>{escape(self.alt)}</title><style>{_STYLE}</style>{inner}</svg>"
        )

    def _repr_html_(self) -> str:
        return f"<figure>{self.svg()}<figcaption>{escape(self.alt)}</figcaption>{self._numbers()}</figure>"

    def _numbers(self) -> str:
        parts = []
        for trace in self.figure["data"]:
            pairs = [pair for pair in zip(trace["x"], trace["y"], strict=True) if None not in pair]
            kept = pairs[:: max(1, -(-len(pairs) // _ROWS))]
            cells = "".join(f"<td>{x:.4g}<br>{y:.4g}</td>" for x, y in kept)
            parts.append(f"<tr><th scope='row'>{trace['name']}</th>{cells}</tr>")
        return f"<details><summary>Numbers (x above y)</summary><table>{''.join(parts)}</table></details>"


def show(drawn: Mapping[str, Any], alt: str, *, height: int = 320) -> Shown:
    """A figure to be shown at the end of a cell.

    Args:
        drawn: `{"data": [traces], "layout": {…}}` in plotly's format; `chart` makes one.
        alt: what one learns from it, in words.
        height: in pixels, of a figure that is 640 wide.

    Raises:
        SettingsError: `alt` says nothing.
    """
    if len(alt.split()) < 4:
        raise SettingsError(f"alt must say in a sentence what the figure shows, got {alt!r:.80}; in show.")
    return Shown(dict(drawn), alt, height)


def chart(
    title: str,
    x: str,
    y: str,
    *,
    lines: Mapping[str, Series] | None = None,
    dots: Mapping[str, Series] | None = None,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> Figure:
    """A figure of lines and dots; colours, dashes and symbols differ, so that none stands for a series alone.

    Args:
        title: of the figure.
        x, y: names of the axes, with units.
        lines: by name the points of each line.
        dots: by name the points of each cloud.
        x_range, y_range: ends of the axes; of the points when `None`.

    Raises:
        SettingsError: the name of an axis is empty, or longer than there is room.
    """
    for name in (x, y):
        if not 0 < len(name) <= 40:
            raise SettingsError(f"axis must be named by 1..40 characters, got {name!r:.80}; in chart.")
    traces: list[Figure] = []
    for kind, groups in (("lines", lines or {}), ("markers", dots or {})):
        for name, (across, up) in groups.items():
            place = len(traces)
            colour = CATEGORICAL[place % len(CATEGORICAL)]
            style: Figure = {"line": {"color": colour, "width": 2.2, "dash": DASHES[place % len(DASHES)]}}
            if kind == "markers":
                symbol = _SYMBOLS[place % len(_SYMBOLS)]
                style = {"marker": {"color": colour, "size": 7, "symbol": symbol, "opacity": 0.85}}
            points = {"x": [float(value) for value in across], "y": [float(value) for value in up]}
            name = plain(name, 60)
            traces.append({"type": "scatter", "uid": uid(kind, name), "name": name, "mode": kind, **points, **style})
    ranges = [{} if ends is None else {"range": list(ends)} for ends in (x_range, y_range)]
    margin = {"l": 66, "r": 20, "t": 54, "b": 44}
    return figure(plain(title), traces, axis(plain(x), **ranges[0]), axis(plain(y), **ranges[1]), margin=margin)
