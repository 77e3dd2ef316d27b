"""A form made from a class of settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import traitlets

from nbnas.settings import FieldInfo, Settings, field_infos
from nbnas.widgets.form_values import parse, shown, validated
from nbnas.widgets.page import LABEL, alert, answering, escape, html

__all__ = ["SettingsForm"]


class SettingsForm(ipywidgets.VBox):
    """One row a field: its name, an input, its help and range; a wrong value is marked at its field at once.

    Args:
        cls: a class of settings, of which every field is shown.
        values: what the inputs hold at first, by field; other fields hold their defaults.

    Attributes:
        value: the settings as an instance of `cls`, or `None` while a field is wrong. Observable.
        valid: whether there is a value. Observable.
        errors: the reason by field; the reason of no field is under `""`.
    """

    value = traitlets.Any(None, allow_none=True)
    valid = traitlets.Bool(True)

    def __init__(self, cls: type[Settings], values: Mapping[str, Any] | Settings | None = None) -> None:
        self.cls = cls
        self.errors: dict[str, str] = {}
        self._filling = False
        self._rows = {info.name: _Row(info, self._check) for info in field_infos(cls)}
        self._note = html()
        super().__init__([*(row.box for row in self._rows.values()), self._note])
        self.add_class("nbnas-form")
        self.fill({} if values is None else values)

    def __getitem__(self, field: str) -> Any:
        """The input widget of a field."""
        return self._rows[field].input

    def fill(self, values: Mapping[str, Any] | Settings) -> None:
        """Sets every input: to the value given, else to the default.

        Raises:
            TypeError: a value is given for a field that the form does not have.
        """
        given = values.to_json() if isinstance(values, Settings) else dict(values)
        if unknown := given.keys() - self._rows.keys():
            raise TypeError(
                f"values must be of fields {', '.join(self._rows)}, got {sorted(unknown)}; {self.cls.__name__}"
            )
        self._filling = True
        try:
            for name, row in self._rows.items():
                row.fill(given.get(name, row.info.default))
        finally:
            self._filling = False
        self._check()

    def unmark(self) -> None:
        """Takes back what `mark` did; what is wrong by itself stays marked."""
        for name, row in self._rows.items():
            row.mark(self.errors.get(name, ""))

    def mark(self, field: str, reason: str) -> bool:
        """Marks a field that does not fit to other forms; false when the form has no such field."""
        if field not in self._rows:
            return False
        self._rows[field].mark(reason)
        return True

    def _check(self) -> None:
        if self._filling:
            return
        value, self.errors = validated(self.cls, {name: row.read() for name, row in self._rows.items()})
        self.unmark()
        self._note.value = alert(self.errors.get("", ""))
        self.valid = value is not None  # first: whoever observes the value may ask
        self.value = value


class _Row:
    """One field: its input and the texts around it."""

    def __init__(self, info: FieldInfo, changed: Callable[[], None]) -> None:
        self.info = info
        words = f"{info.help} {_limits(info)}".strip()
        options = {"description": info.name, "tooltip": words, "style": LABEL}
        if info.type is bool:
            self.input = ipywidgets.Checkbox(indent=True, **options)
        elif info.options is not None and info.type is not tuple:
            choices = [("", None)] if info.optional else []
            self.input = ipywidgets.Dropdown(options=[*choices, *((str(o), o) for o in info.options)], **options)
        else:
            self.input = ipywidgets.Text(continuous_update=True, **options)
        answering(self.input)
        self._help = html(_help(info), "nbnas-help")
        self._error = html("", "nbnas-error")
        self.box = ipywidgets.VBox([self.input, self._help, self._error])
        self.box.add_class("nbnas-field")
        if info.type is tuple:
            self.box.add_class("nbnas-wide")
        self.input.observe(lambda change: changed(), "value")

    def fill(self, value: Any) -> None:
        plain = self.info.type is bool or isinstance(self.input, ipywidgets.Dropdown)
        self.input.value = value if plain else shown(self.info, value)

    def read(self) -> Any:
        return parse(self.info, self.input.value) if isinstance(self.input, ipywidgets.Text) else self.input.value

    def mark(self, reason: str) -> None:
        self._error.value = alert(reason)
        (self.box.add_class if reason else self.box.remove_class)("nbnas-wrong")


def _limits(info: FieldInfo) -> str:
    if info.options is not None and info.type is not tuple:
        return ""  # the menu shows them
    parts = [info.range_text, "separated by commas" if info.type is tuple else "", "or empty" if info.optional else ""]
    return "; ".join(filter(None, parts))


def _help(info: FieldInfo) -> str:
    limits = _limits(info)
    return escape(info.help) + (f' <span class="nbnas-range">{escape(limits)}</span>' if limits else "")
