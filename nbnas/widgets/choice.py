"""A menu of kinds of settings with the form of the one that is picked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from nbnas.settings import Settings
from nbnas.widgets.form import SettingsForm
from nbnas.widgets.page import html, menu, prose

__all__ = ["Choice", "first_line"]


class Choice(ipywidgets.VBox):
    """A card: heading, menu, first line of the documentation, form. What was typed stays when one goes back.

    Args:
        heading: of the card.
        kinds: the classes by name, in the order of the menu.
        titles: what the menu shows, by name.
        changed: called after every change.
    """

    def __init__(
        self,
        heading: str,
        kinds: Mapping[str, type[Settings]],
        titles: Mapping[str, str],
        changed: Callable[[], None],
    ) -> None:
        self.kinds = dict(kinds)
        self._changed = changed
        self._forms: dict[str, SettingsForm] = {}
        self._reason = ""  # why it is out of use
        options = [(titles.get(name) or name, name) for name in self.kinds]
        self.menu = menu(heading, options, options[0][1])
        self._doc = html("", "nbnas-doc")
        self._body = ipywidgets.VBox()
        self._body.add_class("nbnas-form")
        super().__init__([self.menu, self._doc, self._body])
        self.add_class("nbnas-card")
        self.menu.observe(lambda change: self._show(), "value")
        self._show()

    @property
    def kind(self) -> str:
        """The name of the kind that is picked."""
        return str(self.menu.value)

    @property
    def picked(self) -> Any:
        """The class that is picked."""
        return self.kinds[self.kind]

    @property
    def form(self) -> SettingsForm:
        """The form of the kind that is picked."""
        return self._forms[self.kind]

    @property
    def value(self) -> Any:
        """The settings, or `None` while a field is wrong or the card is disabled."""
        return None if self.menu.disabled else self.form.value

    @property
    def valid(self) -> bool:
        """Whether there is a value, or none is needed."""
        return bool(self.menu.disabled or self.form.valid)

    def pick(self, kind: str, values: Mapping[str, Any] | Settings | None = None) -> None:
        """Picks a kind and fills its form."""
        self.menu.value = kind
        self.form.fill(values or {})

    def disable(self, reason: str) -> None:
        """Takes the card out of use and says why; an empty reason brings it back."""
        if reason == self._reason:
            return
        self._reason = reason
        self.menu.disabled = bool(reason)
        self._body.layout.display = "none" if reason else None
        self._say(reason)

    def _show(self) -> None:
        kind = self.kind
        if kind not in self._forms:
            self._forms[kind] = SettingsForm(self.kinds[kind])
            self._forms[kind].observe(lambda change: self._changed(), "value")
        self._body.children = (self.form,)
        self._say(self._reason)
        self._changed()

    def _say(self, reason: str) -> None:
        self._doc.value = prose(reason or first_line(self.kinds[self.kind]))


def first_line(cls: type) -> str:
    """The first line of the documentation of a class; nothing for one that has none of its own."""
    text = inspect.cleandoc(vars(cls).get("__doc__") or "")
    line = text.split("\n", 1)[0]
    return "" if line.startswith(f"{cls.__name__}(") else line
