"""The space in the workbench: of the catalogue with its arguments, or one's own, edited in place."""

from __future__ import annotations

import pytest

import nbnas as nb
from nbnas.settings import field_infos
from nbnas.spaces import CATALOGUE, SearchSpace
from nbnas.widgets import space_figures
from nbnas.widgets.catalogue_forms import arguments_class, made
from nbnas.widgets.space_card import OWN, SpaceCard
from nbnas.widgets.workbench import Workbench
from tests.widgets.test_run_view import texts
from tests.widgets.test_workbench import Search, run_code


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(space_figures, "DEBOUNCE", 600.0)


@pytest.fixture
def workbench():
    workbench = Workbench(search=Search())
    yield workbench
    if workbench.space.editor is not None:
        workbench.space.editor.close()
    for view in workbench.runs.children:
        view.close()


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_form_of_a_space_has_the_defaults_of_its_function(name):
    card = SpaceCard(lambda: None)
    card.pick(name)
    space = CATALOGUE[name]()
    card.suit(space.dims, None)
    assert card.value == space
    assert card.value.name == name
    assert f"{len(space.decisions)} decisions" in card._told.value


def test_arguments_have_their_help_from_the_documentation():
    infos = {info.name: info for info in field_infos(arguments_class("darts"))}
    assert set(infos) == {"channels", "cells", "nodes", "auxiliary"}, "dims comes from the task"
    assert infos["channels"].help.startswith("Of a node in the first cells")
    assert "15,625 architectures" in arguments_class("nas_bench_201").__doc__
    assert made("darts", {"cells": 5}, 1) == nb.spaces.darts(cells=5, dims=1)


def test_wrong_arguments_are_told_at_their_field(workbench):
    workbench.space.form["channels"].value = "0"
    assert "channels must be &gt;= 1" in texts(workbench.space)
    assert workbench.start.disabled
    workbench.space.form["channels"].value = "zero"
    assert "channels must be a whole number" in texts(workbench.space)
    assert workbench.start.disabled
    workbench.space.form["channels"].value = "8"
    assert not workbench.start.disabled


def test_an_edited_space_is_what_start_searches_and_what_the_code_makes(workbench):
    card = workbench.space
    card.edit.click()
    assert card.place.children == (card.editor,)
    assert card.kind == "nas_bench_201", "opening changes nothing"
    assert card.editor.space == nb.spaces.nas_bench_201(8, 1)
    card.editor.form.rows["nodes"].input.widget.value = "3"
    assert card.kind == OWN
    assert "125 architectures, 3 decisions" in card._told.value
    spec = workbench.spec()
    assert spec.space.size == 125
    assert run_code(_shown(workbench)).to_json() == spec.to_json()
    workbench.start.click()
    ((arguments, _),) = workbench._search.called
    assert arguments[0] == spec.space
    card.edit.click()
    assert card.place.children == ()
    assert workbench.spec().space == spec.space, "closing keeps it"


def _shown(workbench):
    import html
    import re

    (code,) = re.findall(r"<code>(.*?)</code>", workbench._code.value, re.DOTALL)
    return html.unescape(code)


def test_a_wrong_edit_stops_start_until_it_is_mended(workbench):
    workbench.space.edit.click()
    row = workbench.space.editor.form.rows["nodes"]
    row.input.widget.value = "99"
    assert workbench.start.disabled
    assert "nb.search" not in workbench._code.value
    row.input.widget.value = "3"
    assert not workbench.start.disabled


def test_a_preset_takes_the_place_of_an_edited_space_and_an_open_editor_follows(workbench):
    card = workbench.space
    card.edit.click()
    card.editor.form.rows["nodes"].input.widget.value = "3"
    workbench.preset.value = 1
    assert card.kind == "nas_bench_201"
    assert workbench.spec().space == nb.spaces.nas_bench_201(8, 1)
    assert card.editor.space == nb.spaces.nas_bench_201(8, 1)
    card.form["channels"].value = "4"
    assert card.editor.space == nb.spaces.nas_bench_201(4, 1)
    card.editor.undo.click()
    assert card.kind == OWN, "what the editor shows is what is searched"
    assert workbench.spec().space == nb.spaces.nas_bench_201(8, 1)


def test_an_own_space_that_does_not_suit_the_task_is_refused_before_start(workbench):
    workbench.space.use(SearchSpace("mine", nb.spaces.CellNetwork(3, ("skip", "conv_3x3"), 4, 1)))
    assert not workbench.start.disabled
    assert workbench.space.editor.view.inputs.input_shape == (1, 8, 8)
    workbench.task.menu.value = "mnist1d"
    assert workbench.start.disabled
    assert "space must have dims=1" in workbench._alert.value
    workbench.space.editor.dims.value = 1
    assert not workbench.start.disabled
    assert workbench.space.editor.view.inputs.input_shape == (1, 40)


def test_picking_one_s_own_opens_the_editor_with_what_was_picked_before(workbench):
    workbench.preset.value = 0
    workbench.space.menu.value = "chain"
    workbench.space.menu.value = OWN
    assert workbench.space.place.children == (workbench.space.editor,)
    assert workbench.space.editor.space == nb.spaces.chain()
    assert not workbench.start.disabled
