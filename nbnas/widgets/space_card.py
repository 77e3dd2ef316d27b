"""The card of a workbench for the space: one of the catalogue with its arguments, or one of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from nbnas.errors import NbnasError, SpaceError
from nbnas.spaces import SearchSpace
from nbnas.widgets.catalogue_forms import arguments_class, made
from nbnas.widgets.choice import first_line
from nbnas.widgets.form import SettingsForm
from nbnas.widgets.page import alert, answering, escape, html, menu, prose
from nbnas.widgets.space_editor import SpaceEditor, catalogue_menu
from nbnas.widgets.space_figures import ImaginedInputs
from nbnas.widgets.space_texts import counted

__all__ = ["OWN", "SpaceCard"]

OWN = "own"
_FIRST = "nas_bench_201"


class SpaceCard(ipywidgets.VBox):
    """Menu of the catalogue and the own space; the arguments; what there is to search; Edit…, which opens the editor.

    Args:
        changed: called after every change.

    Attributes:
        editor: the editor, once it was opened.
        place: where the editor appears.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._dims = 2
        self._inputs: ImaginedInputs | None = None
        self._filling = False
        self._forms: dict[str, SettingsForm] = {}
        self.editor: SpaceEditor | None = None
        self.menu = menu("Space", [*catalogue_menu(), ("your own space", OWN)], _FIRST)
        self._doc, self._told, self._problem = html("", "nbnas-doc"), html(), html()
        self._body = ipywidgets.VBox()
        self._body.add_class("nbnas-form")
        self.edit = answering(ipywidgets.Button(description="Edit…", icon="pencil", tooltip="Open the space editor"))
        self.edit.on_click(lambda _: self._toggle())
        foot = ipywidgets.HBox([self.edit, self._told])
        foot.add_class("nbnas-buttons")
        foot.add_class("nbnas-space-foot")
        self.place = ipywidgets.VBox()
        self.place.add_class("nbnas-editor-place")
        super().__init__([self.menu, self._doc, self._body, self._problem, foot])
        self.add_class("nbnas-card")
        self.menu.observe(lambda _: self._picked(), "value")
        self._picked()

    @property
    def kind(self) -> str:
        """The name in the catalogue, or `own`."""
        return str(self.menu.value)

    @property
    def form(self) -> SettingsForm:
        """The form of the arguments of the space of the catalogue that is picked, or was picked last."""
        return self._forms[self._last]

    @property
    def value(self) -> SearchSpace | None:
        """The space, or `None` while it is wrong."""
        if self.kind == OWN:
            assert self.editor is not None
            return self.editor.space if self.editor.valid else None
        if self.form.value is None:
            return None
        try:
            return made(self.kind, self.form.value, self._dims)
        except NbnasError:
            return None

    @property
    def valid(self) -> bool:
        """Whether there is a space."""
        return self.value is not None

    def pick(self, kind: str, values: Mapping[str, Any] | None = None) -> None:
        """Picks a space of the catalogue and fills its arguments."""
        self.menu.value = kind
        self.form.fill(values or {})

    def use(self, space: SearchSpace) -> None:
        """Takes a space of one's own."""
        self._filling = True
        try:
            self._edit_with(space)
            self.menu.value = OWN
        finally:
            self._filling = False
        self._picked()

    def suit(self, dims: int, inputs: ImaginedInputs | None) -> None:
        """Makes spaces of the catalogue for the inputs of a task, for which the editor tells costs."""
        if self.editor is not None and inputs is not None:
            self.editor.measure_for(inputs)
        self._inputs = inputs
        if dims != self._dims:
            self._dims = dims
            self._follow()
        self._tell()

    def _picked(self) -> None:
        kind = self.kind
        if kind == OWN:
            if self.editor is None:
                self._edit_with(self._made_or_first())
            self._show_editor()
            self._body.children = ()
            self._doc.value = escape("The space of the editor below. Its code stands there and at the end.")
        else:
            self._last = kind
            if kind not in self._forms:
                self._forms[kind] = SettingsForm(arguments_class(kind))
                self._forms[kind].observe(lambda change: self._argued(), "value")
            self._body.children = (self._forms[kind],)
            self._doc.value = prose(first_line(arguments_class(kind)))
            self._follow()
        self._tell()
        self._notify()

    def _argued(self) -> None:
        self._follow()
        self._tell()
        self._notify()

    def _notify(self) -> None:
        if not self._filling:
            self._changed()

    def _follow(self) -> None:
        """An open editor shows the space of the catalogue that is picked."""
        if self.editor is None or self.kind == OWN or self.editor not in self.place.children:
            return
        if (space := self.value) is not None:
            self._filling = True
            try:
                self.editor.space = space
            finally:
                self._filling = False

    def _toggle(self) -> None:
        if self.editor is not None and self.editor in self.place.children:
            self.place.children = ()
            self.edit.description, self.edit.tooltip = "Edit…", "Open the space editor"
            return
        if self.kind != OWN:
            self._edit_with(self._made_or_first())
        self._show_editor()

    def _made_or_first(self) -> SearchSpace:
        return (self.value if self.kind != OWN else None) or made(self._last, {}, self._dims)

    def _edit_with(self, space: SearchSpace) -> None:
        if self.editor is None:
            self.editor = SpaceEditor(space, self._inputs)
            self.editor.observe(lambda _: self._edited(), ["space", "valid"])
            return
        held, self._filling = self._filling, True
        try:
            self.editor.space = space
        finally:
            self._filling = held

    def _show_editor(self) -> None:
        assert self.editor is not None
        self.place.children = (self.editor,)
        self.edit.description, self.edit.tooltip = "Close editor", "Close the editor; the space stays"

    def _edited(self) -> None:
        """What is edited becomes the own space, which is then the one that is picked."""
        if self._filling:
            return
        if self.kind != OWN:
            self.menu.value = OWN
        else:
            self._tell()
            self._changed()

    def mark(self) -> None:
        """Says what is wrong with the arguments: at the field, if it is one of them."""
        problem = ""
        if self.kind != OWN and self.form.value is not None:
            try:
                made(self.kind, self.form.value, self._dims)
            except NbnasError as error:
                field = getattr(error, "field", None)
                problem = "" if field and self.form.mark(field, str(error)) else str(error)
        self._problem.value = alert(problem)

    def _tell(self) -> None:
        space = self.value
        self.mark()
        if space is None:
            self._told.value = ""
            return
        try:
            size = counted(space.size)
        except SpaceError:
            size = "many"
        words = f"{size} architectures, {len(space.decisions)} decisions"
        self._told.value = f'<span class="nbnas-quiet" role="status">{escape(words)}</span>'
