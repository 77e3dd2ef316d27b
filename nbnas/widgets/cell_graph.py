"""A cell graph on a page, redrawn in place."""

from __future__ import annotations

from importlib.resources import files

import anywidget
import traitlets

__all__ = ["CellGraphView"]


class CellGraphView(anywidget.AnyWidget):
    """Shows an SVG inline, where it follows the theme and its title and description are read out.

    Args:
        svg: made by `nbnas.charts.cell_graph.draw`, which escapes all text in it; never one from elsewhere.
    """

    _esm = (files(__package__) / "static" / "cell_graph.js").read_text(encoding="utf-8")
    svg = traitlets.Unicode().tag(sync=True)

    def __init__(self, svg: str = "") -> None:
        super().__init__(svg=svg)

    def update(self, svg: str) -> None:
        """Shows another SVG; nothing is sent when it is the same."""
        self.svg = svg
