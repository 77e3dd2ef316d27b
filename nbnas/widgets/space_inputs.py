"""Inputs for the value of one field of a component: a text, a menu, a box to tick, chips, the ends of a range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import ipywidgets

from nbnas.settings import FieldInfo
from nbnas.spaces.open_fields import Mode
from nbnas.spaces.operations import known
from nbnas.widgets.form_values import parse
from nbnas.widgets.page import answering

__all__ = ["Chips", "Input", "input_for"]

Changed = Callable[[Any, bool], None]
"""Told the new value as JSON, and whether it is being typed."""


class Input(Protocol):
    """What a person changes a value with."""

    widget: Any

    def fill(self, value: Any) -> None:
        """Shows a value in JSON; nothing is told to anybody."""


def input_for(info: FieldInfo, mode: Mode, changed: Changed) -> Input:
    """The input for a field in one of its modes."""
    if mode in ("integer", "real"):
        return _Range(info, mode, changed)
    if mode == "choice":
        options = info.options if info.options is not None else (False, True) if info.type is bool else None
        if options is None:
            return _Text(info, changed, key="choice")
        return Chips(info.name, lambda: options, changed, key="choice")
    if info.type is tuple and info.item is str and (info.options is not None or info.name == "operations"):
        given = info.options
        return Chips(info.name, known if given is None else lambda: given, changed)
    if info.type is bool:
        return _Tick(info, changed)
    if info.options is not None and info.type is not tuple:
        return _Menu(info, changed)
    return _Text(info, changed)


class _Quiet:
    """Tells changes of its widgets, but not while it is filled."""

    def __init__(self, changed: Changed, *, typed: bool) -> None:
        self._changed, self._typed, self._filling = changed, typed, False

    def _watch(self, widget: Any) -> Any:
        answering(widget).observe(lambda _: self._told(), "value")
        return widget

    def _told(self) -> None:
        if not self._filling:
            self._changed(self.read(), self._typed)

    def read(self) -> Any:
        """The value as JSON."""
        raise AssertionError("each input says what it holds")

    def fill(self, value: Any) -> None:
        self._filling = True
        try:
            self._show(value)
        finally:
            self._filling = False

    def _show(self, value: Any) -> None:
        raise AssertionError("each input shows its value")


class _Text(_Quiet):
    """One text; several values are separated by commas."""

    def __init__(self, info: FieldInfo, changed: Changed, key: str = "") -> None:
        super().__init__(changed, typed=True)
        self._info, self._key = info, key
        self._rest: dict[str, Any] = {}
        several = bool(key) or info.type is tuple
        hint = "values, separated by commas" if several else ("none" if info.optional else "")
        words = f"{info.name} options" if key else info.name
        self.widget = self._watch(ipywidgets.Text(description=words, placeholder=hint, continuous_update=True))

    def read(self) -> Any:
        info, text = self._info, self.widget.value
        if self._key:
            parts = [part.strip() for part in text.split(",")]
            return {**self._rest, self._key: [_scalar(info, part) for part in parts if part]}
        value = parse(info, text)
        return list(value) if isinstance(value, tuple) else value

    def _show(self, value: Any) -> None:
        if self._key:
            self._rest = {"when": value["when"]} if "when" in value else {}
            listed = value[self._key]
            self.widget.value = ", ".join(map(str, listed)) if isinstance(listed, list) else str(listed)
        elif isinstance(value, list):
            self.widget.value = ", ".join(map(str, value))
        else:
            self.widget.value = "" if value is None else str(value)


class _Menu(_Quiet):
    def __init__(self, info: FieldInfo, changed: Changed) -> None:
        super().__init__(changed, typed=False)
        none = [("none", None)] if info.optional else []
        options = [*none, *((str(option), option) for option in info.options or ())]
        self._default = info.default
        self.widget = self._watch(ipywidgets.Dropdown(options=options, description=info.name))

    def read(self) -> Any:
        return self.widget.value

    def _show(self, value: Any) -> None:
        values = [option for _, option in self.widget.options]
        self.widget.value = value if value in values else self._default if self._default in values else values[0]


class _Tick(_Quiet):
    def __init__(self, info: FieldInfo, changed: Changed) -> None:
        super().__init__(changed, typed=False)
        self.widget = self._watch(ipywidgets.Checkbox(description=info.name, indent=False))
        self.widget.add_class("nbnas-tick")

    def read(self) -> Any:
        return self.widget.value

    def _show(self, value: Any) -> None:
        self.widget.value = bool(value)


class Chips(_Quiet):
    """One box to tick for each option; the order is that in which they were taken in.

    Args:
        name: of the field, for screen readers.
        options: tells what there is now.
        changed: told the list of what is ticked.
        key: under which the list stands in an open value.
    """

    def __init__(self, name: str, options: Callable[[], Sequence[Any]], changed: Changed, key: str = "") -> None:
        super().__init__(changed, typed=False)
        self._name, self._options, self._key = name, options, key
        self._taken: list[Any] = []
        self._rest: dict[str, Any] = {}
        self._boxes: dict[tuple[bool, Any], Any] = {}
        self.widget = ipywidgets.Box()
        self.widget.add_class("nbnas-chips")

    def __getitem__(self, option: Any) -> Any:
        """The box of an option."""
        return self._boxes[isinstance(option, bool), option]

    def read(self) -> Any:
        ticked = {key for key, box in self._boxes.items() if box.value}
        kept = [option for option in self._taken if (isinstance(option, bool), option) in ticked]
        held = {(isinstance(option, bool), option) for option in kept}
        self._taken = kept + [key[1] for key in self._boxes if key in ticked and key not in held]
        listed = list(self._taken)
        return {**self._rest, self._key: listed} if self._key else listed

    def _show(self, value: Any) -> None:
        listed = value[self._key] if self._key else value
        self._rest = {"when": value["when"]} if self._key and "when" in value else {}
        self._taken = [option for option in listed if isinstance(option, str | int | float)]
        every = [*self._options(), *self._taken]
        keys = list(dict.fromkeys((isinstance(option, bool), option) for option in every))
        for key in keys:
            if key not in self._boxes:
                words = str(key[1]).lower() if key[0] else str(key[1])
                self._boxes[key] = self._watch(ipywidgets.Checkbox(description=words, indent=False))
        taken = {(isinstance(option, bool), option) for option in self._taken}
        for key, box in self._boxes.items():
            box.value = key in taken
        self.widget.children = tuple(self._boxes[key] for key in keys)


class _Range(_Quiet):
    """Low, high and step of whole numbers; low, high, steps and spacing of real ones."""

    def __init__(self, info: FieldInfo, mode: Mode, changed: Changed) -> None:
        super().__init__(changed, typed=True)
        self._mode, self._rest = mode, dict[str, Any]()
        kind = int if mode == "integer" else float
        last = "step" if mode == "integer" else "steps"
        self._kinds: dict[str, type] = {"low": kind, "high": kind, last: int}
        self._extra = last
        self._texts = {
            name: self._watch(ipywidgets.Text(description=name, continuous_update=True)) for name in self._kinds
        }
        children = list(self._texts.values())
        self._log = self._watch(ipywidgets.Checkbox(description="by ratio (log)", indent=False))
        self._log.add_class("nbnas-tick")
        if mode == "real":
            children.append(self._log)
        self.widget = ipywidgets.Box(children)
        self.widget.add_class("nbnas-ends")

    def read(self) -> Any:
        body = {name: _number(self._kinds[name], text.value) for name, text in self._texts.items()}
        if body[self._extra] == (1 if self._mode == "integer" else 16):
            del body[self._extra]
        if self._mode == "real" and self._log.value:
            body["log"] = True
        return {**self._rest, self._mode: body}

    def _show(self, value: Any) -> None:
        body = value[self._mode]
        self._rest = {"when": value["when"]} if "when" in value else {}
        defaults = {"step": 1, "steps": 16}
        for name, text in self._texts.items():
            held = body.get(name, defaults.get(name, ""))
            text.value = f"{held:g}" if isinstance(held, float) and float(f"{held:g}") == held else str(held)
        self._log.value = bool(body.get("log"))


def _number(kind: type, text: str) -> Any:
    try:
        return kind(text.strip())
    except ValueError:
        return text


def _scalar(info: FieldInfo, text: str) -> Any:
    return _number(info.type, text) if info.type in (int, float) else text
