"""The inputs for which costs are told, in one line."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from nbnas.settings import field_infos
from nbnas.widgets.form_values import parse, shown, validated
from nbnas.widgets.page import alert, answering, html
from nbnas.widgets.space_figures import ImaginedInputs

__all__ = ["InputsRow"]


class InputsRow:
    """Shape, classes and vocabulary as texts.

    Args:
        changed: told the inputs whenever they are right.
    """

    def __init__(self, changed: Callable[[ImaginedInputs], None]) -> None:
        self._changed, self._filling = changed, False
        self._infos = {info.name: info for info in field_infos(ImaginedInputs)}
        labels = {"input_shape": "for inputs of shape", "classes": "classes", "vocabulary": "vocabulary"}
        self.texts = {
            name: answering(ipywidgets.Text(description=labels[name], placeholder="none", continuous_update=False))
            for name in self._infos
        }
        self._error = html("", "nbnas-error")
        for text in self.texts.values():
            text.observe(lambda _: self._told(), "value")
        self.widget = ipywidgets.Box([*self.texts.values(), self._error])
        self.widget.add_class("nbnas-inputs")

    def fill(self, inputs: ImaginedInputs) -> None:
        """Shows inputs; nobody is told."""
        self._filling = True
        try:
            for name, text in self.texts.items():
                text.value = shown(self._infos[name], getattr(inputs, name))
            self._error.value = ""
        finally:
            self._filling = False

    def _told(self) -> None:
        if self._filling:
            return
        given = {name: parse(self._infos[name], text.value) for name, text in self.texts.items()}
        value, reasons = validated(ImaginedInputs, given)
        self._error.value = alert("\n".join(reasons.values()))
        if isinstance(value, ImaginedInputs):
            self._changed(value)
