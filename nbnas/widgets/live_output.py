"""Live widgets in a notebook that leave a picture behind.

A saved notebook does not hold the widgets, and JupyterLab prefers a lost widget to anything else in the same output. So
two outputs are displayed, each under an id of its own: the live view, and below it a picture (SVG and text), which the
style sheet hides while the live view above it is there. The picture is renewed while the run goes on, so whatever ends
a session (Stop, a restart, a crash) a saved notebook shows the run. When the run has finished, the live view is
replaced by the picture. A stopped run is not: its view stays, because its Resume button must.
"""

from __future__ import annotations

import uuid
from typing import Any

import ipywidgets

__all__ = ["LiveOutput"]

Bundle = dict[str, str]


class LiveOutput:
    """The places in notebooks where one widget is displayed.

    Args:
        widget: the live view.
        title: what stands for it where only text is shown.
    """

    def __init__(self, widget: ipywidgets.DOMWidget, title: str) -> None:
        self.widget = widget
        self.title = title
        self._picture: Bundle = {"text/plain": title}
        self._places: list[tuple[str, str]] = []

    def show(self) -> None:
        """Displays the widget, and the picture below it, in the cell that runs now. Each call is a further view."""
        self.widget.add_class("nbnas-live")  # the style sheet then hides the picture below
        view, picture = f"nbnas-{uuid.uuid4().hex}", f"nbnas-{uuid.uuid4().hex}"
        bundle = {**self.widget._repr_mimebundle_(), "text/plain": self.title}
        if _publish(bundle, view) and _publish(self._picture, picture):
            self._places.append((view, picture))

    def picture(self, svg: str, text: str) -> None:
        """Renews the picture."""
        self._picture = {"image/svg+xml": svg, "text/plain": text}
        for _, picture in self._places:
            _publish(self._picture, picture, update=True)

    def finish(self, svg: str, text: str) -> None:
        """Replaces every live view by the picture."""
        self._picture = {"image/svg+xml": svg, "text/plain": text}
        for view, picture in self._places:
            _publish(self._picture, view, update=True)
            _publish({"text/plain": ""}, picture, update=True)
        self._places.clear()


def _publish(bundle: dict[str, Any], display_id: str, *, update: bool = False) -> bool:
    """Displays a bundle in a notebook; false where there is none."""
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        return False
    display(bundle, raw=True, display_id=display_id, update=update)  # type: ignore[no-untyped-call]
    return True
