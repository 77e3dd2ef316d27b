"""What all widgets share: the style sheet, escaped text, and clicks that arrive."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import ipywidgets

__all__ = ["LABEL", "alert", "answering", "escape", "html", "menu", "prose", "style"]

_CODE = re.compile("`([^`]*)`")

LABEL = {"description_width": "11.5em"}


@cache
def _css() -> str:
    return (files(__package__) / "static" / "nbnas.css").read_text(encoding="utf-8")


def style() -> ipywidgets.HTML:
    """The style sheet as an invisible widget; each displayed tree of widgets holds one."""
    return ipywidgets.HTML(f"<style>{_css()}</style>", layout={"display": "none"})


def html(value: str = "", *classes: str) -> ipywidgets.HTML:
    """An HTML widget. Text of people in `value` must be escaped already."""
    widget = ipywidgets.HTML(value)
    for name in ("nbnas-html", *classes):
        widget.add_class(name)
    return widget


def alert(message: str) -> str:
    """A message that screen readers speak at once; empty for none."""
    return f'<div class="nbnas-alert" role="alert">{escape(message)}</div>' if message else ""


def prose(text: str) -> str:
    """A line of documentation as HTML: escaped, names in backquotes as code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def answering(widget: Any) -> Any:
    """The widget, guarded so that its clicks are answered whatever the thread that last wrote to it.

    From 7.4 on, ipykernel sends a click to the subshell that last published on the widget's comm; after a notebook is
    closed and opened again those clicks would be lost.
    """
    comm = widget.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default
    return widget


def menu(label: str, options: Sequence[tuple[str, Any]], value: Any) -> ipywidgets.Dropdown:
    """A menu with its label before it."""
    widget = answering(ipywidgets.Dropdown(options=options, value=value, description=label, style=LABEL))
    widget.add_class("nbnas-menu")
    return widget
