"""The space editor: tree, form and drawing of a space, its Python and its JSON, all of one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import ipywidgets
import traitlets

from nbnas import jsonio
from nbnas.errors import SpaceError
from nbnas.settings import Settings
from nbnas.spaces import CATALOGUE, SearchSpace, nas_bench_201
from nbnas.spaces.code import space_code
from nbnas.spaces.component import COMPONENTS, Component
from nbnas.spaces.editing import Editing
from nbnas.spaces.ends import Head, Stem
from nbnas.spaces.network import Network
from nbnas.spaces.parts import ROOT, Part, at, fits, kinds
from nbnas.widgets.code import code_panel
from nbnas.widgets.live_output import LiveOutput
from nbnas.widgets.page import alert, answering, html, menu, style
from nbnas.widgets.space_figures import ImaginedInputs, inputs_for
from nbnas.widgets.space_form import PartForm
from nbnas.widgets.space_inputs_row import InputsRow
from nbnas.widgets.space_texts import counted
from nbnas.widgets.space_tree import SpaceTree, tree_items
from nbnas.widgets.space_view import SpaceView

__all__ = ["SpaceEditor", "catalogue_menu"]

_DIMS = (("images (2)", 2), ("sequences, tokens (1)", 1), ("vectors, graphs (0)", 0))
_NEW = "new"
CODE_WIDTH = 64
"""Columns of the code in the editor."""


class SpaceEditor(ipywidgets.VBox):
    """Edits one search space; what is edited by mouse, by code or as JSON is the same value.

    Args:
        space: where it starts; the cell of NAS-Bench-201 in a small network when `None`.

    Attributes:
        space: the last space that was right. Observable; setting it goes on with another one.
        valid: whether what is on the page is that space. Observable.
        edits: the changes that the mouse makes, to be made by code.
    """

    space = traitlets.Any()
    valid = traitlets.Bool(True)

    def __init__(self, space: SearchSpace | None = None, inputs: ImaginedInputs | None = None) -> None:
        start = _small() if space is None else space
        self.edits = Editing(start, self._changed)
        self._given = inputs  # by the task of a workbench, or by hand
        self._typing = ""  # the place of a change that the page shows already
        self._filling = False
        self._forms: dict[type[Settings], PartForm] = {}
        self.output: LiveOutput | None = None
        self.start = menu("Start from", [("choose a space", ""), *catalogue_menu(), ("a new network", _NEW)], "")
        self.start.observe(lambda change: self._start(change["new"]), "value")
        self.name = answering(ipywidgets.Text(description="Name", continuous_update=True))
        self.dims = answering(ipywidgets.Dropdown(options=_DIMS, description="Inputs"))
        self.undo, self.redo = _button("Undo", "undo"), _button("Redo", "repeat")
        self.undo.on_click(lambda _: self._pressed(self.edits.undo))
        self.redo.on_click(lambda _: self._pressed(self.edits.redo))
        self.name.observe(lambda change: self._typed("/name", change["new"], True), "value")
        self.dims.observe(lambda change: self._typed("/dims", change["new"], False), "value")
        self.tree = SpaceTree()
        self.tree.selected = ROOT
        self.tree.observe(lambda _: self._refresh(), "selected")
        self.kind = answering(ipywidgets.Dropdown(description="Kind of part", options=[]))
        self.kind.observe(lambda _: self._show_buttons(), "value")
        self.buttons = {
            name: _button(words, icon, tip)
            for name, words, icon, tip in (
                ("add", "Add", "plus", "Add a part of this kind behind the selected one"),
                ("replace", "Replace", "exchange", "Put a part of this kind in the place of the selected one"),
                ("up", "Up", "arrow-up", "Move the selected part up"),
                ("down", "Down", "arrow-down", "Move the selected part down"),
                ("copy", "Copy", "clone", "Put an equal part behind the selected one"),
                ("remove", "Remove", "trash", "Take the selected part out"),
            )
        }
        for name, button in self.buttons.items():
            button.on_click(lambda _, name=name: self._pressed(lambda: self._act(name)))
        self._form = ipywidgets.Box()
        self.view = SpaceView(start, self._inputs(start), self._picture)
        self.inputs = InputsRow(self._imagined)
        self._alert, self._code = html(), html()
        self.json = answering(ipywidgets.Textarea(description="JSON", rows=12, continuous_update=False))
        self.read, self._json_alert = _button("Read", "check", "Fill the editor with this JSON"), html()
        self.read.on_click(lambda _: self._read())
        self.faces = ipywidgets.Tab([self._code, self._json_face()], titles=("Python", "JSON"))
        super().__init__([style(), *self._layout()])
        self.add_class("nbnas-editor")
        self.output = LiveOutput(self, "nbnas space editor: run this cell to open it")
        self._changed()
        self.observe(self._set_space, "space")

    def _ipython_display_(self, **keywords: Any) -> None:
        if self.output is not None:
            self.output.show()

    def close(self) -> None:
        """Ends the editor."""
        self.view.close()
        super().close()

    def select(self, pointer: str) -> PartForm | None:
        """Selects a part by its JSON pointer and returns its form."""
        self.tree.selected = pointer
        return self.form

    @property
    def form(self) -> PartForm | None:
        """The form of the selected part; `None` for a kind that is not known."""
        part = self._part()
        return None if part is None or part.cls is None else self._forms[part.cls]

    def measure_for(self, inputs: ImaginedInputs | None) -> None:
        """Tells parameters and FLOPs for these inputs from now on."""
        if inputs != self._given:
            self._given = inputs
            self._show_inputs()
            self.view.show(self.edits.space, self._inputs(self.edits.space))

    # -- layout ------------------------------------------------------------------------------------------------------

    def _layout(self) -> list[ipywidgets.Widget]:
        history = ipywidgets.HBox([self.undo, self.redo])
        history.add_class("nbnas-buttons")
        head = _box("nbnas-editor-head", self.start, self.name, self.dims, history)
        tools = _box("nbnas-tools", *(self.buttons[name] for name in ("add", "replace")))
        more = _box("nbnas-tools", *(self.buttons[name] for name in ("up", "down", "copy", "remove")))
        side = _box("nbnas-editor-tree", self.tree, _box("nbnas-adding", self.kind, tools, more))
        self._form.add_class("nbnas-editor-form")
        self.faces.add_class("nbnas-faces")
        shown = _box("nbnas-editor-view", self.view, self.faces)
        figures = _box("nbnas-editor-figures", self.view.facts, self.inputs.widget)
        main = _box("nbnas-editor-main", side, self._form, shown)
        return [html('<div class="nbnas-title">Space editor</div>'), head, self._alert, figures, main]

    def _json_face(self) -> ipywidgets.Widget:
        row = ipywidgets.HBox([self.read, self._json_alert])
        row.add_class("nbnas-buttons")
        return _box("nbnas-json", self.json, row)

    # -- what the page does ------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        if not name or self._filling:
            return
        makers: Mapping[str, Any] = CATALOGUE
        space = SearchSpace("mine", Network((Stem(), Head()))) if name == _NEW else makers[name]()
        self.tree.selected = ROOT
        self.edits.load(space)
        self.start.value = ""

    def _typed(self, where: str, value: Any, typed: bool) -> None:
        if self._filling:
            return
        self._typing = where
        try:
            self.edits.put(where, value, typed=typed)
        finally:
            self._typing = ""

    def _told(self, part: str, name: str, value: Any, typed: bool) -> None:
        """What the form of a part says; the part may be another one than that which is selected by now."""
        self._typing = f"{part}/{name}"
        try:
            self.edits.put(self._typing, value, typed=typed)
        finally:
            self._typing = ""

    def _pressed(self, do: Callable[[], Any]) -> None:
        try:
            do()
        except SpaceError as error:
            self._alert.value = alert(str(error))

    def _act(self, name: str) -> None:
        edits, where = self.edits, self.tree.selected
        if name == "add":
            inputs = self._inputs(edits.space)
            limited = {"input_shape": list(inputs.input_shape), "classes": inputs.classes}
            more = {**limited, "vocabulary": inputs.vocabulary} if self.kind.value == "limit" else {}
            self.tree.selected = edits.add(self.kind.value, where, **more)
        elif name == "replace":
            edits.replace(where, self.kind.value)
        elif name == "remove":
            edits.remove(where)
        elif name == "copy":
            self.tree.selected = edits.copy(where)
        else:
            self.tree.selected = edits.move(where, -1 if name == "up" else 1)

    def _read(self) -> None:
        try:
            self.edits.read(self.json.value)
        except SpaceError as error:
            self._json_alert.value = alert(str(error)[:1000])
        else:
            self._json_alert.value = ""

    def _imagined(self, inputs: ImaginedInputs) -> None:
        self._given = inputs
        self.view.show(self.edits.space, inputs)

    def _set_space(self, change: Any) -> None:
        """Code sets the trait: the editor goes on with that space."""
        new = change["new"]
        if new is self.edits.space:
            return
        if not isinstance(new, SearchSpace):
            self.space = self.edits.space
            raise SpaceError(
                f"space must be a search space, got {new!r:.80}. Set one such as nb.spaces.nas_bench_201()"
            )
        self.edits.load(new)

    # -- what the page shows -----------------------------------------------------------------------------------------

    def _changed(self) -> None:
        """After every change of the draft."""
        draft = self.edits.draft
        self._refresh()
        fresh = draft.space != self.view.space or draft.space.name != self.view.space.name
        if fresh or not getattr(self, "_shown", False):
            self._shown = True
            self._show_inputs()
            self.view.show(draft.space, self._inputs(draft.space))
            self._code.value = code_panel(f"space = {space_code(draft.space, start=8, width=CODE_WIDTH)}")
        self.json.value = jsonio.dumps(dict(draft.value), indent=1)
        self._json_alert.value = ""
        self.valid = not draft.problems
        self.space = draft.space

    def _refresh(self) -> None:
        """The tree, the form and the buttons."""
        draft = self.edits.draft
        part = self._part()
        if part is None:  # it was taken out
            self.tree.selected = self._nearest(self.tree.selected)
            return
        self.tree.items = tree_items(draft)
        self.undo.disabled, self.redo.disabled = not self.edits.can_undo, not self.edits.can_redo
        self._alert.value = _complaint(len(draft.problems), draft.loose_problems())
        self._show_form(part)
        self._show_kinds(part)
        self._filling = True
        try:
            if self._typing != "/name":
                self.name.value = str(draft.value["name"])
            self.dims.value = draft.value["dims"]
        finally:
            self._filling = False

    def _show_form(self, part: Part) -> None:
        if part.cls is None:
            self._form.children = ()
            return
        if part.cls not in self._forms:
            self._forms[part.cls] = PartForm(part.cls, self._told)
        form = self._forms[part.cls]
        if not (self._typing and self._form.children == (form,) and form.pointer == part.pointer):
            form.fill(part.pointer, at(dict(self.edits.draft.value), part.pointer))
            self._form.children = (form,)
        form.mark(self.edits.draft.problems_of(part.pointer))

    def _show_kinds(self, part: Part) -> None:
        """The kinds that can be added behind the part or put in its place, those that fit first."""
        edits, value = self.edits, dict(self.edits.draft.value)
        fitting: list[str] = []
        others: list[str] = []
        for kind in _kinds():
            where = edits.target(part.pointer, kind)
            if where is not None:
                before, _, place = where.rpartition("/")
                (fitting if fits(value, before, int(place), kind) else others).append(kind)
            elif self._replaceable(part, kind):
                others.append(kind)
        options = [(kind.replace("_", " "), kind) for kind in [*fitting, *others]]
        options.append(("limit on parameters or FLOPs", "limit"))
        kept = self.kind.value
        if tuple(self.kind.options) != tuple(options):
            self.kind.options = options
            self.kind.value = kept if kept in fitting else options[0][1]
        self._show_buttons()

    def _show_buttons(self) -> None:
        part, kind = self._part(), self.kind.value
        if part is None or kind is None:
            return
        listed, component = bool(part.within), part.cls is not None and part.kind != "limit"
        self.buttons["add"].disabled = self.edits.target(part.pointer, kind) is None
        self.buttons["replace"].disabled = not (component and self._replaceable(part, kind))
        self.buttons["up"].disabled = not listed or part.place == 0
        self.buttons["down"].disabled = not listed or part.place == part.count - 1
        self.buttons["copy"].disabled = not listed
        self.buttons["remove"].disabled = not listed or (part.count == 1 and part.kind != "limit")

    @staticmethod
    def _replaceable(part: Part, kind: str) -> bool:
        cls = COMPONENTS.get(kind)
        whole = part.pointer != ROOT or (cls is not None and cls.gives == "logits" and kind != "head")
        return cls is not None and issubclass(cls, part.slot) and whole

    def _part(self) -> Part | None:
        return next((part for part in self.edits.draft.parts() if part.pointer == self.tree.selected), None)

    def _nearest(self, pointer: str) -> str:
        """The part before one that is no longer there, or the one that it was in."""
        known = {part.pointer for part in self.edits.draft.parts()}
        while pointer not in known and "/" in pointer:
            before, _, place = pointer.rpartition("/")
            pointer = f"{before}/{int(place) - 1}" if place.isdigit() and int(place) else before
        return pointer if pointer in known else ROOT

    def _inputs(self, space: SearchSpace) -> ImaginedInputs:
        given = self._given
        return given if given is not None and given.suits(space) else inputs_for(space)

    def _show_inputs(self) -> None:
        self.inputs.fill(self._inputs(self.edits.space))

    def _picture(self, svg: str, text: str) -> None:
        if self.output is not None:
            self.output.picture(svg, text)


@cache
def _sizes() -> tuple[tuple[str, str], ...]:
    makers: Mapping[str, Any] = CATALOGUE
    found = []
    for name, make in makers.items():
        try:
            size = counted(make().size)
        except SpaceError:
            size = "many"
        found.append((f"{name.replace('_', ' ')}: {size}", name))
    return tuple(found)


def catalogue_menu() -> list[tuple[str, str]]:
    """The published spaces with their sizes, for a menu."""
    return sorted(_sizes())


def _complaint(count: int, loose: Sequence[str]) -> str:
    """What is wrong with no field, and what is shown meanwhile."""
    if not count:
        return ""
    kept = (
        f"{count} {'place is' if count == 1 else 'places are'} wrong; drawing, figures and Python show the last space"
    )
    return alert("\n".join([*loose, f"{kept} that was right."]))


def _kinds() -> list[str]:
    return kinds(Component)


def _small() -> SearchSpace:
    return nas_bench_201(channels=8, cells=1)


def _box(name: str, *children: ipywidgets.Widget) -> ipywidgets.Box:
    box = ipywidgets.Box(children)
    box.add_class(name)
    return box


def _button(words: str, icon: str, tip: str = "") -> Any:
    return answering(ipywidgets.Button(description=words, icon=icon, tooltip=tip or words))
