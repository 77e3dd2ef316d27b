"""The space editor: mouse, code and JSON change one value, and wrong values are told at their fields."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbnas as nb
from nbnas import jsonio
from nbnas.errors import SpaceError
from nbnas.spaces import CATALOGUE, Choice, Head, Integer, Network, Real, Repeat, SearchSpace, Stem
from nbnas.spaces.operations import declare
from nbnas.widgets import space_figures, space_view
from nbnas.widgets.space_editor import SpaceEditor
from nbnas.widgets.space_figures import ImaginedInputs, inputs_for
from nbnas.widgets.space_texts import change, compact, counted, neighbours, spread, tile
from nbnas.widgets.space_tree import tree_items
from nbnas.widgets.space_view import SpaceView
from tests.fixtures.records import HOSTILE
from tests.widgets.test_run_view import texts

NETWORK = SearchSpace("net", Network((Stem(), Repeat(Stem(Choice(8, 16))), Head())))


class Still:
    """Stands for the flusher: nothing is drawn until the test says so."""

    def add(self, view):
        pass

    remove = add


@pytest.fixture
def editor(monkeypatch):
    """One that measures no networks."""
    monkeypatch.setattr(space_figures, "DEBOUNCE", 600.0)
    monkeypatch.setattr(space_view, "FLUSHER", Still())
    made = SpaceEditor()
    yield made
    made.close()


@pytest.fixture
def measuring(editor, monkeypatch):
    """One that measures at once."""
    monkeypatch.setattr(space_figures, "DEBOUNCE", 0.0)
    return editor


def drawn(editor, *, measured=False):
    """The editor's view, with everything drawn that was asked for."""
    for _ in range(1500):
        editor.view.flush()
        if not measured or editor.view.worker.figures.done:
            editor.view.flush()
            return editor.view
        time.sleep(0.02)
    raise AssertionError("the figures must come to an end")


def code_of(editor):
    """What the code on the page makes."""
    import html as html_module
    import re

    (shown,) = re.findall(r"<code>(.*?)</code>", editor._code.value, re.DOTALL)
    names = {"nb": nb}
    exec(html_module.unescape(shown), names)
    return names["space"]


def field(editor, name):
    return editor.form.rows[name]


# -- by mouse ----------------------------------------------------------------------------------------------------------


def test_a_cell_of_three_nodes_and_four_operations_has_64_architectures(measuring):
    editor = measuring
    field(editor, "nodes").input.widget.value = "3"
    field(editor, "operations").input["conv_1x1"].value = False
    assert editor.space.size == 64
    assert editor.space.component.operations == ("none", "skip", "conv_3x3", "avg_pool_3x3")
    view = drawn(editor, measured=True)
    assert "<b>64</b><span>architectures</span>" in view.facts.value
    assert view.worker.figures.done
    assert len(view.worker.figures.costs) == 24
    assert code_of(editor) == editor.space


def test_the_figures_are_those_of_the_networks(measuring):
    editor = measuring
    editor.space = SearchSpace("one", nb.spaces.CellNetwork(2, ("conv_3x3",), channels=4, cells=1, stages=1))
    figures = drawn(editor, measured=True).worker.figures
    from nbnas.networks.measure import Inputs, cost

    (weights, adds) = cost(editor.space, editor.space.architecture([0]), Inputs((1, 8, 8), 10))
    assert set(figures.costs) == {(weights, 2 * adds)}
    editor.inputs.texts["input_shape"].value = "3, 16, 16"
    (again,) = set(drawn(editor, measured=True).worker.figures.costs)
    assert again[0] == weights + 4 * 2 * 9, "two further channels go in"
    editor.inputs.texts["input_shape"].value = "nonsense"
    assert "input_shape must be" in editor.inputs._error.value


def test_inputs_that_do_not_suit_are_replaced(editor):
    editor.measure_for(ImaginedInputs((3, 16, 16), 4))
    assert editor.view.inputs == ImaginedInputs((3, 16, 16), 4)
    editor.space = nb.spaces.nas_bench_201(dims=1)
    assert editor.inputs.texts["input_shape"].value == "1, 40"
    editor.undo.click()
    assert editor.view.inputs == ImaginedInputs((3, 16, 16), 4)


def test_a_network_that_cannot_be_built_says_why(measuring):
    measuring.inputs.texts["input_shape"].value = "1, 8"
    assert "not measured for these inputs: " in drawn(measuring, measured=True).facts.value


def test_typing_keeps_what_is_typed_and_undo_fills_it_again(editor):
    channels = field(editor, "channels").input.widget
    channels.value = "many"
    assert not editor.valid
    assert "channels must be a whole number" in field(editor, "channels")._error.value
    assert "nbnas-wrong" in field(editor, "channels").box._dom_classes
    assert "1 place is wrong" in editor._alert.value
    assert editor.space == nb.spaces.nas_bench_201(8, 1), "the last one that was right"
    assert editor.tree.items[0]["wrong"].startswith("channels must be")
    channels.value = "9"
    assert editor.valid
    assert field(editor, "channels")._error.value == ""
    assert channels.value == "9"
    editor.undo.click()
    assert channels.value == "8"
    assert editor.undo.disabled
    editor.redo.click()
    assert editor.space.component.channels == 9


def test_a_field_is_opened_and_closed(editor):
    editor.space = NETWORK
    editor.select("/component/parts/0")
    row = field(editor, "channels")
    row.menu.value = "choice"
    assert editor.space.component.parts[0].channels == Choice(8, 16, 24, 32)
    row.input.widget.value = "4, 12"
    assert editor.space.component.parts[0].channels == Choice(4, 12)
    row.menu.value = "integer"
    row.input._texts["step"].value = "4"
    assert editor.space.component.parts[0].channels == Integer(4, 12, 4)
    row.input._texts["high"].value = "x"
    assert "high must be a whole number" in row._error.value
    row.menu.value = "fixed"
    assert editor.valid
    activation = field(editor, "activation")
    activation.menu.value = "choice"
    activation.input["none"].value = False
    assert "none" not in editor.space.component.parts[0].activation.options
    editor.select("/component/parts/2")
    dropout = field(editor, "dropout")
    dropout.menu.value = "real"
    dropout.input._texts["low"].value = "0.1"
    dropout.input._log.value = True
    assert editor.space.component.parts[2].dropout == Real(0.1, 0.5, log=True)
    assert code_of(editor) == editor.space


def test_conditions_stay_when_options_change(editor):
    kernel = Choice(3, 5, when={"channels": (8,)})
    editor.space = SearchSpace("net", Network((Stem(Choice(8, 16), kernel), Head())))
    editor.select("/component/parts/0")
    assert "only when channels is 8" in field(editor, "kernel")._help.value
    field(editor, "kernel").input.widget.value = "3, 7"
    assert editor.space.component.parts[0].kernel == Choice(3, 7, when={"channels": (8,)})


def test_parts_are_added_copied_moved_replaced_and_removed(editor):
    editor.start.value = "new"
    assert editor.space == SearchSpace("mine", Network((Stem(), Head())))
    assert editor.buttons["remove"].disabled, "the network itself stays"
    editor.kind.value = "stem"
    editor.buttons["add"].click()
    assert editor.tree.selected == "/component/parts/1"
    editor.buttons["copy"].click()
    editor.buttons["up"].click()
    assert editor.tree.selected == "/component/parts/1"
    assert [item["name"] for item in editor.tree.items] == ["network", "stem", "stem 3", "stem 2", "head"]
    editor.kind.value = "repeat"
    editor.buttons["replace"].click()
    assert isinstance(editor.space.component.parts[1], Repeat)
    editor.select("/component/parts/1/part")
    assert editor.form.cls is Stem
    editor.select("/component/parts/1")
    editor.buttons["remove"].click()
    editor.select("/component/parts/2")
    editor.buttons["remove"].click()
    assert not editor.valid, "a network needs its head"
    assert editor.tree.selected == "/component/parts/1"
    assert "Add a head" in texts(editor._form)
    editor.undo.click()
    assert editor.valid


def test_kinds_that_fit_come_first_and_parts_that_cannot_stand_there_are_not_offered(editor):
    kinds = [kind for _, kind in editor.kind.options]
    assert "stem" not in kinds, "a whole network cannot be a stem"
    assert "chain" in kinds
    assert editor.buttons["add"].disabled
    editor.space = NETWORK
    editor.select("/component/parts/0")
    kinds = [kind for _, kind in editor.kind.options]
    assert kinds.index("stem") < kinds.index("chain")
    assert not editor.buttons["add"].disabled


def test_a_limit_is_set_by_mouse(editor):
    editor.kind.value = "limit"
    editor.buttons["add"].click()
    assert editor.tree.selected == "/limits/0"
    field(editor, "maximum").input.widget.value = "50000"
    assert editor.space.limits[0].maximum == 50000
    assert editor.space.limits[0].input_shape == (1, 8, 8)
    assert "at most architectures" in drawn(editor).facts.value
    editor.buttons["remove"].click()
    assert editor.space == nb.spaces.nas_bench_201(8, 1)
    assert all(item["pointer"] != "/limits/0" for item in editor.tree.items)


def test_own_operations_are_among_the_chips(editor):
    declare("my_own_operation")
    editor.select("/component")
    field(editor, "operations").fill(["skip"])
    assert "my_own_operation" in [box.description for box in field(editor, "operations").input.widget.children]
    field(editor, "operations").input["my_own_operation"].value = True
    assert editor.space.component.operations == ("skip", "my_own_operation")


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_space_of_the_catalogue_opens_and_each_part_has_its_form(editor, name):
    editor.start.value = name
    assert editor.space == CATALOGUE[name]()
    before = editor.space.to_json()
    for item in tree_items(editor.edits.draft):
        form = editor.select(item["pointer"])
        assert form is not None
        assert form.rows
        for row in form.rows.values():
            assert "nbnas-wrong" not in row.box._dom_classes
    assert editor.space.to_json() == before, "looking changes nothing"
    assert f"nb.spaces.{name}()" in editor._code.value
    assert code_of(editor) == editor.space


# -- code and JSON -----------------------------------------------------------------------------------------------------


def test_pasted_json_fills_the_editor_or_leaves_it_as_it_was(editor):
    good = jsonio.dumps(NETWORK.to_json())
    editor.json.value = good.replace('"channels":16', '"channels":0')
    editor.read.click()
    assert "/component/parts/0/channels" in editor._json_alert.value
    assert editor.space == nb.spaces.nas_bench_201(8, 1)
    editor.json.value = good
    editor.read.click()
    assert editor._json_alert.value == ""
    assert editor.space == NETWORK
    assert SearchSpace.from_json(jsonio.loads(editor.json.value, "shown")) == NETWORK
    assert editor.name.value == "net"
    editor.undo.click()
    assert editor.space == nb.spaces.nas_bench_201(8, 1)


def test_code_drives_the_editor_too(editor):
    seen = []
    editor.observe(lambda change: seen.append(change["new"]), "space")
    editor.space = NETWORK
    assert [item["kind"] or item["name"] for item in editor.tree.items] == ["network", "stem", "repeat", "stem", "head"]
    editor.edits.put("/component/parts/1/times", 3)
    assert seen[-1] == editor.space
    assert editor.space.component.parts[1].times == 3
    with pytest.raises(SpaceError, match="space must be a search space"):
        editor.space = "nas_bench_201"
    with pytest.raises(SpaceError, match="space must be a search space"):
        nb.edit("nas_bench_201")


def test_name_and_inputs_are_part_of_the_space(editor):
    editor.name.value = "my first space"
    editor.dims.value = 1
    assert (editor.space.name, editor.space.dims) == ("my first space", 1)
    assert editor.name.value == "my first space"
    editor.name.value = ""
    assert "name must be 1..80" in editor._alert.value
    assert editor.space.name == "my first space"


stems = st.builds(Stem, channels=st.sampled_from([4, Choice(4, 8), Integer(4, 8, 2)]), stride=st.sampled_from([1, 2]))
networks = st.builds(
    lambda stem, part, times, rate: SearchSpace("net", Network((stem, Repeat(part, times), Head(dropout=rate)))),
    stems,
    st.builds(Stem, kernel=st.sampled_from([3, Integer(3, 7, 2)])),
    st.sampled_from([1, Choice(1, 2)]),
    st.sampled_from([0.0, Real(0.0, 0.5, steps=3)]),
)


@settings(deadline=None, max_examples=15)
@given(networks)
def test_the_three_faces_are_equal(space):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SpaceView, "show", lambda *arguments: None)
        editor = SpaceEditor(space)
    try:
        for item in editor.tree.items:
            editor.select(item["pointer"])
        assert editor.space == space
        assert code_of(editor) == space
        assert SearchSpace.from_json(jsonio.loads(editor.json.value, "shown")) == space
    finally:
        editor.close()


def test_texts_of_people_are_escaped(editor):
    editor.space = SearchSpace(HOSTILE, Network((Stem(label=HOSTILE), Head())))
    editor.select("/component/parts/0")
    editor.json.value = f'{{"{HOSTILE}": 1}}'
    editor.read.click()
    drawn(editor)
    assert "<img" not in texts(editor)
    assert "&lt;img" in editor._code.value
    assert "&lt;img" in tile(HOSTILE, HOSTILE, HOSTILE)
    assert "<img" not in tile(HOSTILE, HOSTILE, HOSTILE)


# -- samples and neighbours --------------------------------------------------------------------------------------------


def test_a_sample_and_its_neighbours_are_drawn(editor):
    view = drawn(editor)
    assert "5 options" in view.cell.svg
    view.sample.click()
    drawn(editor)
    first = view.architecture
    assert "5 options" not in view.cell.svg
    view.mutate.click()
    drawn(editor)
    assert len(view.list.options) == 6 * 4, "each of six edges has four other operations"
    view.list.value = 5
    drawn(editor)
    changed = [a != b for a, b in zip(first.choices, view.architecture.choices, strict=True)]
    assert sum(changed) == 1
    assert view.list.options[5][0] == change(editor.space, first, view.architecture)
    view.whole.click()
    drawn(editor)
    assert "5 options" in view.cell.svg
    assert view.list.layout.display == "none"
    view.sample.click()
    drawn(editor)
    assert view.architecture != first, "another one each time"


def test_changes_name_the_decision_and_what_follows():
    space = nb.spaces.nas_bench_201()
    one, other = space.architecture("0-0-0-0-0-0"), space.architecture("3-0-0-0-0-0")
    assert change(space, one, other) == "0→1: none → conv_3x3"
    chain = nb.spaces.chain(max_depth=2, max_dense=0)
    shallow = next(one for one in chain.enumerate() if chain.options(one)["depth"] == 1)
    deeper = [words for words, other in neighbours(chain, shallow) if chain.options(other)["depth"] == 2]
    assert deeper
    assert all(words.startswith("depth: 1 → 2  (+") for words in deeper)


def test_numbers_are_short():
    assert [counted(n) for n in (64, 15_625, 10**18)] == ["64", "15,625", "1 × 10¹⁸"]
    assert counted(1_076_746_950_455_072_400) == "1.1 × 10¹⁸"
    assert [compact(n) for n in (950, 73_306, 1_210_000, 3.2e9)] == ["950", "73.3 k", "1.21 M", "3.20 G"]
    assert spread([5]) == "5"
    assert spread([1000, 2000, 4000]) == "1.00 k – 2.00 k – 4.00 k"


def test_imagined_inputs_suit_the_space():
    for make in CATALOGUE.values():
        space = make()
        assert inputs_for(space).suits(space)
    assert not ImaginedInputs((1, 40)).suits(nb.spaces.nas_bench_201())
