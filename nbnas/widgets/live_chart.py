"""A chart that grows while it is looked at: plotly.js, told only what is new."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, ClassVar
from uuid import uuid4

import anywidget
import ipywidgets
import traitlets

from nbnas.charts.palette import CATEGORICAL
from nbnas.widgets.figure_history import FigureHistory
from nbnas.widgets.page import answering

__all__ = ["LiveChart"]

_STATIC = files(__package__) / "static"


class _Plotly(ipywidgets.Widget):
    """The plotly bundle (scatter, bar, box, heatmap, …): hidden, sent to each page once for all charts."""

    source = traitlets.Unicode().tag(sync=True)
    _shared: ClassVar[_Plotly | None] = None

    @classmethod
    def shared(cls) -> _Plotly:
        if cls._shared is None or cls._shared.comm is None:
            cls._shared = cls(source=(_STATIC / "plotly-cartesian.min.js").read_text(encoding="utf-8"))
        return cls._shared


class LiveChart(anywidget.AnyWidget):
    """A plotly chart; a page that is reloaded, or shows it late, or a second one, gets all of it.

    `close()` takes it off all pages; later updates are not sent.

    Args:
        label: what the chart shows, for those who do not see it.
        height: in pixels; the width is that of the place where it is shown.
    """

    _esm = (_STATIC / "live_chart.js").read_text(encoding="utf-8")
    _css = (_STATIC / "live_chart.css").read_text(encoding="utf-8")

    label = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(260).tag(sync=True)
    _uid = traitlets.Unicode().tag(sync=True)
    _colorway = traitlets.List(traitlets.Unicode(), list(CATEGORICAL)).tag(sync=True)
    _plotly = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    # Has no value of its own: whoever asks for the state of the widget gets what is true then.
    _snapshot = traitlets.Any().tag(sync=True, to_json=lambda _, chart: chart._pack())

    def __init__(self, label: str, height: int = 260) -> None:
        self._history = FigureHistory()
        self._lock = threading.RLock()  # messages leave in the order of their numbers
        self._heard = False
        super().__init__(label=label, height=height, _uid=uuid4().hex, _plotly=_Plotly.shared())
        answering(self)
        self.on_msg(self._answer)

    def update(self, figure: Mapping[str, Any]) -> None:
        """Shows the figure `{"data": [traces], "layout": {…}}`; sends only what is new in it.

        A trace with `"uid"` and `"meta": {"generation": int}` promises: as long as both stay the same, its arrays only
        grow at their ends. NaN and None are gaps. Texts are plotly's markup: see `nbnas.charts.text.plain`.

        Raises:
            ValueError: two traces have the same uid.
        """
        with self._lock:
            message = self._history.advance(figure)
            if message is None:
                return
            # A page that missed the first messages asks, but a kernel with a cell under way may not hear it. So until
            # one was heard, the 1st, 2nd, 4th, 8th, … message is all of it.
            seq = self._history.seq
            if not self._heard and seq & (seq - 1) == 0:
                message = self._history.snapshot()
            self.send(*message)

    def _pack(self) -> dict[str, Any]:
        with self._lock:
            content, buffers = self._history.snapshot()
        return {"content": content, "buffers": [memoryview(buffer) for buffer in buffers]}

    def _answer(self, _: LiveChart, content: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        """A page says up to which message it has the figure, and whether buffers arrive there."""
        with self._lock:
            self._heard = True
            if content.get("binary") is False:
                self._history.binary = False
            if content.get("have") == self._history.seq:
                self.send({"type": "alive"})
            else:
                self.send(*self._history.snapshot())
