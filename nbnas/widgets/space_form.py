"""The form of one part of a space: each field holds a value, or is left open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from nbnas.settings import FieldInfo, Settings, field_infos
from nbnas.spaces.open_fields import Mode, in_mode, mode_of, modes
from nbnas.spaces.parts import is_component
from nbnas.widgets.choice import first_line
from nbnas.widgets.page import alert, answering, escape, html, prose
from nbnas.widgets.space_inputs import Input, input_for

__all__ = ["PartForm"]

Changed = Callable[[str, Any, bool], None]
"""Told the field, its new value as JSON, and whether it is being typed."""

PartChanged = Callable[[str, str, Any, bool], None]
"""Told the JSON pointer of the part, and the rest."""


class PartForm(ipywidgets.VBox):
    """One row a field: its name, whether it is open, an input, its help; what is wrong stands below its field.

    Args:
        cls: the class of the component.
        changed: told every change.

    Attributes:
        pointer: the JSON pointer of the part that it shows.
    """

    def __init__(self, cls: type[Settings], changed: PartChanged) -> None:
        self.cls = cls
        self.pointer = ""

        def told(name: str, value: Any, typed: bool) -> None:
            changed(self.pointer, name, value, typed)

        infos = [info for info in field_infos(cls) if not is_component(info)]
        self.rows = {info.name: _Row(info, told) for info in infos}
        kind = str(getattr(cls, "kind", cls.__name__.lower())).replace("_", " ")
        doc = html(prose(first_line(cls)), "nbnas-doc")
        head = html(f'<div class="nbnas-heading">{escape(kind)}</div>')
        self._note = html()
        own = [row.box for name, row in self.rows.items() if name not in ("name", "label")]
        said = [self.rows[name].box for name in ("name", "label") if name in self.rows]
        names = ipywidgets.Box(said)
        names.add_class("nbnas-names")
        hint = (
            [] if own else [html("Nothing of its own can be set: select one of its parts, or add one.", "nbnas-help")]
        )
        super().__init__([head, doc, self._note, *own, *hint, names])
        self.add_class("nbnas-part")

    def fill(self, pointer: str, value: Mapping[str, Any]) -> None:
        """Shows the values of a part, given as JSON."""
        self.pointer = pointer
        for name, row in self.rows.items():
            row.fill(value.get(name, row.default))

    def mark(self, problems: Mapping[str, str]) -> None:
        """Says what is wrong: by field, and above all fields what belongs to none of them."""
        for name, row in self.rows.items():
            row.mark(problems.get(name, ""))
        self._note.value = alert("\n".join(words for name, words in problems.items() if name not in self.rows))


class _Row:
    """One field."""

    def __init__(self, info: FieldInfo, changed: Changed) -> None:
        self.info = info
        self.default = list(info.default) if isinstance(info.default, tuple) else info.default
        self.mode: Mode = "fixed"
        self._value: Any = None
        self._changed = changed
        self._filling = False
        self._inputs: dict[Mode, Input] = {}
        title = html(escape(info.name.replace("_", " ")), "nbnas-field-name")
        self._help, self._error = html("", "nbnas-help"), html("", "nbnas-error")
        self._body = ipywidgets.Box()
        self._body.add_class("nbnas-value")
        children: list[Any] = [title, self._body, self._help, self._error]
        self.menu: Any = None
        if len(modes(info)) > 1:
            self.menu = answering(ipywidgets.Dropdown(options=modes(info), description=f"{info.name}: fixed or open"))
            self.menu.add_class("nbnas-mode")
            self.menu.observe(lambda _: self._switch(), "value")
            children.insert(1, self.menu)
        self.box = ipywidgets.VBox(children)
        self.box.add_class("nbnas-part-field")
        if self.menu is None:
            self.box.add_class("nbnas-closed")

    @property
    def input(self) -> Any:
        """What the value is changed with now."""
        return self._inputs[self.mode]

    def fill(self, value: Any) -> None:
        self._filling = True
        try:
            self._show(value, mode_of(self.info, value))
        finally:
            self._filling = False

    def mark(self, reason: str) -> None:
        self._error.value = alert(reason)
        (self.box.add_class if reason else self.box.remove_class)("nbnas-wrong")

    def _show(self, value: Any, mode: Mode) -> None:
        self._value, self.mode = value, mode
        if mode not in self._inputs:
            self._inputs[mode] = input_for(self.info, mode, self._told)
        self._inputs[mode].fill(value)
        self._body.children = (self._inputs[mode].widget,)
        if self.menu is not None:
            self.menu.value = mode
            (self.box.remove_class if mode == "fixed" else self.box.add_class)("nbnas-opened")
        self._help.value = _help(self.info, value)

    def _switch(self) -> None:
        if not self._filling:
            value = in_mode(self.info, self._value, self.menu.value)
            self.fill(value)
            self._told(value, False)

    def _told(self, value: Any, typed: bool) -> None:
        self._value = value
        self._changed(self.info.name, value, typed)


def _help(info: FieldInfo, value: Any) -> str:
    words = escape(info.help)
    if info.options is None and info.range_text:
        words += f' <span class="nbnas-range">{escape(info.range_text)}</span>'
    rules = value.get("when") if isinstance(value, dict) else None
    if isinstance(rules, dict):
        said = " and ".join(f"{name} is {' or '.join(map(str, options))}" for name, options in rules.items())
        words += f' <span class="nbnas-when">only when {escape(said)}</span>'
    return words
