"""The live dashboard of one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ipywidgets

from nbnas.charts import incumbent, static
from nbnas.charts.panels import Panel, panels
from nbnas.errors import NbnasError
from nbnas.state import RunState
from nbnas.widgets import run_texts
from nbnas.widgets.cell_graph import CellGraphView
from nbnas.widgets.flusher import FLUSHER, PERIOD, Flusher
from nbnas.widgets.live_chart import LiveChart
from nbnas.widgets.live_output import LiveOutput
from nbnas.widgets.live_run import ENDED, LiveRun
from nbnas.widgets.page import alert, answering, html, style

__all__ = ["RunView"]

PICTURE_EVERY = 20.0  # seconds between two pictures of a run under way
IDLE = 1.0  # seconds between two looks at a run that was stopped and may be resumed

HEARD = {
    "pause": "Pause heard: holds as soon as the work under way allows",
    "step": "Step heard: one step, then it holds again",
    "resume": "Resume heard",
    "stop": "Stop heard: stops as soon as the work under way allows",
}
ALLOWED = {
    "starting": ("stop",),
    "running": ("pause", "stop"),
    "paused": ("step", "resume", "stop"),
    "stopped": ("step", "resume"),
    "failed": ("step", "resume"),
    "interrupted": ("step", "resume"),
}
BUTTONS = {
    "pause": ("Pause", "pause", "Hold the run after the work under way"),
    "step": ("Step", "step-forward", "Do one trial or epoch, then hold again"),
    "resume": ("Resume", "play", "Go on"),
    "stop": ("Stop", "stop", "End the run; it can be resumed"),
}


class RunView(ipywidgets.VBox):
    """Status, progress, buttons and charts of a run, live. Displaying it again shows a further view.

    Once displayed, it is written by the flusher only. What it leaves in a saved notebook: `nbnas.widgets.live_output`.

    Args:
        run: the run, under way or not.
        output: where the picture of the run goes when the view is a part of another widget; that one is never replaced.
        flusher: who writes.
    """

    def __init__(self, run: LiveRun, *, output: LiveOutput | None = None, flusher: Flusher = FLUSHER) -> None:
        self.run = run
        self._flusher = flusher
        self._heard: tuple[str, str, int] | None = None  # button, status and event number when it was pressed
        self._complaint = ""
        self._seen = -1
        self._was = ""
        self._pictured: tuple[str, int, float] = ("", -1, 0.0)  # status, event number, time of the last picture
        self._charts: dict[str, LiveChart] = {}
        self._badge, self._bar, self._facts = html(), html(), html()
        self._note, self._failures, self._best = html(), html(), html()
        self.buttons = {name: self._button(name) for name in BUTTONS}
        self._cell = CellGraphView()
        self._grid = ipywidgets.Box()
        self._grid.add_class("nbnas-grid")
        head = ipywidgets.HBox([html(run_texts.headline(run)), self._badge])
        head.add_class("nbnas-head")
        buttons = ipywidgets.HBox([*self.buttons.values()])
        buttons.add_class("nbnas-buttons")
        row = ipywidgets.HBox([buttons, ipywidgets.VBox([self._facts, self._note])])
        row.add_class("nbnas-controls")
        card = ipywidgets.VBox([self._best, self._cell])
        card.add_class("nbnas-card")
        body = [head, self._bar, row, self._failures, card, self._grid]
        super().__init__([style(), *body])
        self.add_class("nbnas-run")
        self._own = LiveOutput(self, f"run {run.id}: evaluate the run again to see it live")
        self.output: LiveOutput | None = output or self._own
        self.flush()

    def _ipython_display_(self, **keywords: Any) -> None:
        self._own.show()
        self.follow()

    def follow(self) -> None:
        """Has the flusher keep the view up to date; displaying it does that too."""
        self._flusher.add(self)

    def close(self) -> None:
        """Ends the view; the run goes on."""
        self._flusher.remove(self)
        for chart in self._charts.values():
            chart.close()
        self._cell.close()
        super().close()

    def flush(self) -> float | None:
        """Shows what is new; called by the flusher only, once the view is displayed."""
        status = self.run.status
        now = self.run.read(run_texts.counts)
        fresh = (now.seq, status) != (self._seen, self._was)
        self._answer(status, now)
        _set(self._badge, run_texts.badge(status))
        _set(self._bar, run_texts.bar(self.run.fraction))
        _set(self._facts, run_texts.facts(self.run, now))
        if fresh:
            _set(self._failures, run_texts.failures(status, now))
            _set(self._best, run_texts.incumbent(now.incumbent))
            self._draw()
            self._seen, self._was = now.seq, status
        self._leave_picture(status, now)
        if status == "finished":
            return None
        return IDLE if status in ENDED else PERIOD

    def _button(self, name: str) -> Any:
        label, icon, words = BUTTONS[name]
        button = answering(ipywidgets.Button(description=label, icon=icon, tooltip=words, disabled=True))
        button.on_click(lambda _: self._press(name, getattr(self.run, name)))
        return button

    def _press(self, name: str, call: Callable[[], Any]) -> None:
        """Passes a click on. Only notes that it was heard: writing is the flusher's."""
        self._heard, self._complaint = (name, self.run.status, self._seen), ""
        self._flusher.wake(self)  # before the call, which takes a while when it starts a stopped run again
        try:
            call()
        except NbnasError as error:
            self._heard, self._complaint = None, str(error)
        self._flusher.wake(self)

    def _answer(self, status: str, now: run_texts.Counts) -> None:
        pressed = self._heard
        if pressed is not None:
            name, before, number = pressed
            stepped = name == "step" and now.seq > number and status == "paused"
            if stepped or (status != before and (name != "step" or status in ENDED)):
                pressed = self._heard = None
        heard = pressed[0] if pressed else ""
        for name, button in self.buttons.items():
            _set(button, name not in ALLOWED.get(status, ()) or heard in (name, "stop"), "disabled")
        words = f'<span class="nbnas-heard" role="status">{HEARD[heard]}</span>' if heard else ""
        _set(self._note, alert(self._complaint) or words or run_texts.under_way(self.run, now))

    def _draw(self) -> None:
        """Draws the charts that have something to show; data is copied while the run holds still, drawn afterwards."""
        differentiable = bool(getattr(self.run.spec.strategy, "differentiable", False))

        def copy(state: RunState) -> tuple[list[tuple[Panel, Any]], incumbent.IncumbentData]:
            shown = panels(state, differentiable=differentiable)
            return [(panel, panel.data(state)) for panel in shown], incumbent.data(state)

        copied, cell = self.run.read(copy)
        self._cell.update(incumbent.draw(self.run.space, cell))
        heights = [panel.height(data) for panel, data in copied]
        for number, (panel, data) in enumerate(copied):
            figure = panel.draw(data)
            start = number - number % 2  # those that stand side by side are of one height
            height = max(heights[start : start + 2])
            if panel.key not in self._charts:
                self._charts[panel.key] = LiveChart(panel.label, height)
            _set(self._charts[panel.key], height, "height")
            self._charts[panel.key].update(figure)
        wanted = tuple(self._charts[panel.key] for panel, _ in copied)
        _set(self._grid, wanted, "children")

    def _leave_picture(self, status: str, now: run_texts.Counts) -> None:
        was, seq, at = self._pictured
        late = time.monotonic() - at > PICTURE_EVERY and seq != now.seq
        output = self.output  # a workbench takes it away on its own thread
        if output is None or (status == was and not late):
            return
        name, note = run_texts.title(self.run), f"run {self.run.id}"
        picture = self.run.read(lambda state: static.picture(state, self.run.space, name, note))
        replaces = status == "finished" and was and output is self._own
        leave = output.finish if replaces else output.picture
        leave(static.draw(picture), run_texts.plain_text(self.run, now))
        self._pictured = (status, now.seq, time.monotonic())


def _set(widget: ipywidgets.Widget, value: Any, trait: str = "value") -> None:
    if getattr(widget, trait) != value:
        setattr(widget, trait, value)
