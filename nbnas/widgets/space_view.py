"""A space at a glance: the drawing of it or of one architecture, what mutations of that can do, size and costs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np

from nbnas.charts.cell_graph import draw
from nbnas.errors import NbnasError, SpaceError
from nbnas.spaces import Architecture, SearchSpace
from nbnas.widgets.cell_graph import CellGraphView
from nbnas.widgets.flusher import FLUSHER, PERIOD
from nbnas.widgets.page import alert, answering, escape, html
from nbnas.widgets.space_figures import SAMPLES, FiguresWorker, ImaginedInputs
from nbnas.widgets.space_texts import MOST_NEIGHBOURS, counted, neighbours, spread, tile

__all__ = ["SpaceView"]

_ASKED_OF_DRAWN = {"whole": "Whole space", "sample": "A sample", "neighbour": "A neighbour"}


class SpaceView(ipywidgets.VBox):
    """Buttons for a sample and its neighbours, the drawing, a list of neighbours; `facts` stands apart.

    Buttons only note what was asked for: all of this is written by the flusher, which draws it.

    Args:
        drawn: called by the flusher with each new drawing, as SVG and as a text.
    """

    def __init__(self, space: SearchSpace, inputs: ImaginedInputs, drawn: Callable[[str, str], Any]) -> None:
        self.space, self.inputs = space, inputs
        self.architecture: Architecture | None = None
        self._what = "whole"
        self._drawn = drawn
        self._rng = np.random.default_rng(0)
        self._asked: deque[str | int] = deque()  # buttons, and places in the list, that are still to be answered
        self._listed: Architecture | None = None
        self._neighbours: list[tuple[str, Architecture]] = []
        self._size: int | str = "…"
        self._stale = True
        self._flusher = FLUSHER
        self.worker = FiguresWorker(self._wake)
        self.whole, self.sample, self.mutate = (
            answering(ipywidgets.Button(description=words, tooltip=tip, icon=icon))
            for words, tip, icon in (
                ("Whole space", "Draw what is open", "sitemap"),
                ("Sample", "Draw one architecture at random", "random"),
                ("Neighbours", "List what one mutation of the drawn architecture can do", "share-alt"),
            )
        )
        for name, button in (("whole", self.whole), ("sample", self.sample), ("neighbours", self.mutate)):
            button.on_click(lambda _, name=name: self.ask(name))
        buttons = ipywidgets.HBox([self.whole, self.sample, self.mutate])
        buttons.add_class("nbnas-buttons")
        self._title, self.facts = html(), html("", "nbnas-figures")
        self.cell = CellGraphView()
        self.list = answering(ipywidgets.Select(description="neighbours", options=[], rows=7))
        self.list.add_class("nbnas-neighbours")
        self.list.layout.display = "none"
        self.list.observe(lambda change: self._pick(change["new"]), "value")
        super().__init__([buttons, self._title, self.cell, self.list])
        self.add_class("nbnas-space-view")

    def show(self, space: SearchSpace, inputs: ImaginedInputs) -> None:
        """Shows another space, or the same one for other inputs."""
        if space != self.space:
            self.space, self.architecture, self._what, self._listed = space, None, "whole", None
            self._asked.clear()
        self.inputs, self._stale = inputs, True
        self.worker.ask(space, inputs)
        self._wake()

    def ask(self, name: str) -> None:
        """What a button does: `whole`, `sample`, `neighbours`."""
        self._asked.append(name)
        self._wake()

    def flush(self) -> float | None:
        """Draws what was asked for; called by the flusher only."""
        if self._stale:
            self._stale, self._size = False, _size(self.space)
            if self.architecture is None:
                self._asked.append("whole")
        if self._asked:
            try:
                while self._asked:
                    self._answer(self._asked.popleft())
                words = self._draw()
            except Exception as error:  # also of components of the user's own
                kind = "" if isinstance(error, NbnasError) else f"{type(error).__name__}: "
                words = alert(f"{kind}{error}"[:600])
            _set(self._title, words)
        figures = self.worker.figures
        _set(self.facts, self._told())
        return None if figures.done and not self._asked and not self._stale else PERIOD

    def close(self) -> None:
        """Ends the view."""
        self.worker.cancel()
        self._flusher.remove(self)
        super().close()

    def _wake(self) -> None:
        self._flusher.add(self)

    def _pick(self, place: Any) -> None:
        if place is not None:
            self._asked.append(place)
            self._wake()

    def _answer(self, asked: str | int) -> None:
        if asked == "whole":
            self.architecture, self._what, self._listed = None, "whole", None
        elif asked == "sample" or (asked == "neighbours" and self.architecture is None):
            self.architecture, self._what, self._listed = self.space.sample(self._rng), "sample", None
        elif isinstance(asked, int) and asked < len(self._neighbours):
            self.architecture, self._what = self._neighbours[asked][1], "neighbour"
        if asked == "neighbours":
            assert self.architecture is not None
            self._listed, self._neighbours = self.architecture, neighbours(self.space, self.architecture)
            self.list.options = [(words, place) for place, (words, _) in enumerate(self._neighbours)]
            self.list.value = None
            self.list.rows = min(max(len(self._neighbours), 2), 9)
        if self._listed is None:
            _set(self.list, (), "options")
        self.list.layout.display = "none" if self._listed is None else None

    def _draw(self) -> str:
        architecture = self.architecture
        text = str(architecture) if architecture is not None else ""
        name = f"{_ASKED_OF_DRAWN[self._what]} {text}".strip()
        svg = draw(self.space.graph(architecture), f"{name}, space {self.space.name}")
        self.cell.update(svg)
        self._drawn(svg, f"{self.space.name}: {name}")
        more = ""
        if self._listed is not None:
            count = len(self._neighbours)
            more = f"{'the first ' if count == MOST_NEIGHBOURS else ''}{count} neighbours below"
        shown = text if len(text) <= 60 else f"{text[:59]}…"
        code = f" <code>{escape(shown)}</code>" if shown else ""
        more = f' <span class="nbnas-quiet">{more}</span>' if more else ""
        return f'<div class="nbnas-heading">{_ASKED_OF_DRAWN[self._what]}{code}{more}</div>'

    def _told(self) -> str:
        figures, space = self.worker.figures, self.space
        limits = "at most" if space.limits else ""
        size, exact = (self._size, "") if isinstance(self._size, str) else (counted(self._size), f"{self._size:,}")
        tiles = [tile(size, f"{limits} architectures".strip(), exact)]
        tiles.append(tile(f"{len(space.decisions):,}", "decision" if len(space.decisions) == 1 else "decisions"))
        waiting = "…" if not figures.done else "–"
        for number, words in enumerate(("parameters", "FLOPs")):
            values = [cost[number] for cost in figures.costs]
            note = f"least, median and most of {len(values)} samples" if values else f"of up to {SAMPLES} samples"
            tiles.append(tile(spread(values) if values else waiting, words, note))
        said = f'<div class="nbnas-tiles" role="status">{"".join(tiles)}</div>'
        problem = f"not measured for these inputs: {figures.problem}" if figures.problem else ""
        return said + alert(problem)


def _size(space: SearchSpace) -> int | str:
    try:
        return space.size
    except SpaceError:  # conditions are too entangled
        return "many"


def _set(widget: ipywidgets.Widget, value: Any, trait: str = "value") -> None:
    if getattr(widget, trait) != value:
        setattr(widget, trait, value)
