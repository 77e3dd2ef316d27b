"""Spaces under construction: each change is a new draft, wrong ones keep the last space, all can be undone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas import jsonio
from nbnas.errors import SpaceError
from nbnas.settings import field_infos
from nbnas.spaces import CATALOGUE, Choice, Head, Integer, Network, Real, Repeat, SearchSpace, Stem, nas_bench_201
from nbnas.spaces.component import COMPONENTS, Component, component_from_json
from nbnas.spaces.editing import Editing
from nbnas.spaces.open_fields import in_mode, mode_of, modes
from nbnas.spaces.parts import at, blank, fits, inserted, kinds, moved, owner, parts, put, removed

NETWORK = SearchSpace("net", Network((Stem(), Repeat(Stem(Choice(8, 16))), Head())))


# -- values and the tree -----------------------------------------------------------------------------------------------


def test_values_are_changed_in_copies():
    value = {"a": [1, {"b/c": 2}], "d": 3}
    assert at(value, "/a/1/b~1c") == 2
    assert put(value, "/a/1/b~1c", 5) == {"a": [1, {"b/c": 5}], "d": 3}
    assert removed(value, "/a/0") == {"a": [{"b/c": 2}], "d": 3}
    assert inserted(value, "/a/1", 9) == {"a": [1, 9, {"b/c": 2}], "d": 3}
    assert moved({"x": [1, 2, 3]}, "/x/0", 2) == {"x": [2, 3, 1]}
    assert value == {"a": [1, {"b/c": 2}], "d": 3}
    for wrong in ("/b", "/a/7", "/a/x", "/d/0"):
        with pytest.raises(KeyError):
            at(value, wrong)


def test_the_tree_has_each_part_with_its_place():
    found = [(part.pointer, part.depth, part.name, part.place, part.count) for part in parts(NETWORK.to_json())]
    assert found == [
        ("/component", 0, "network", 0, 1),
        ("/component/parts/0", 1, "stem", 0, 3),
        ("/component/parts/1", 1, "repeat", 1, 3),
        ("/component/parts/1/part", 2, "part", 0, 1),
        ("/component/parts/2", 1, "head", 2, 3),
    ]


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_part_of_the_catalogue_is_in_the_tree(name):
    space = CATALOGUE[name]().to_json()
    found = parts(space)
    text = jsonio.dumps(space)
    assert len(found) == text.count('"kind":')
    for part in found:
        assert at(space, part.pointer)["kind"] == part.kind
        assert owner(space, f"{part.pointer}/anything/3") == (part.pointer, "anything")


@pytest.mark.parametrize(
    "kind", sorted(kind for kind, cls in COMPONENTS.items() if cls.__module__.startswith("nbnas."))
)
def test_every_kind_can_be_made_without_being_asked(kind):
    value = blank(COMPONENTS[kind])
    assert value is not None
    assert component_from_json(value, "").kind == kind


def test_what_flows_decides_what_fits():
    space = NETWORK.to_json()
    assert fits(space, "/component/parts", 1, "stem")
    assert not fits(space, "/component/parts", 0, "head")
    assert not fits(space, "/component/parts", 1, "chain")
    assert set(kinds(Component)) >= {"stem", "head", "network", "repeat"}


# -- opening fields ----------------------------------------------------------------------------------------------------

OPEN_FIELDS = [
    (cls, info)
    for _, cls in sorted(COMPONENTS.items())
    if cls.__module__.startswith("nbnas.")
    for info in field_infos(cls)
    if info.open
]


@pytest.mark.parametrize(
    ("cls", "info"), OPEN_FIELDS, ids=lambda item: getattr(item, "kind", getattr(item, "name", ""))
)
def test_every_field_opens_and_closes_into_right_values(cls, info):
    part = blank(cls)
    for mode in modes(info):
        opened = {**part, info.name: in_mode(info, part[info.name], mode)}
        component = component_from_json(opened, "")
        assert mode_of(info, opened[info.name]) == mode
        assert len(component.values(info.name)) > 1 or mode == "fixed"
        closed = {**part, info.name: in_mode(info, opened[info.name], "fixed")}
        assert component_from_json(closed, "").opened().keys() == component_from_json(part, "").opened().keys() - {
            info.name
        }


def test_a_mode_starts_from_what_was_there():
    info = {info.name: info for info in field_infos(Stem)}["channels"]
    choice = {"choice": [8, 16, 24], "when": {"stride": [1]}}
    assert in_mode(info, choice, "integer") == {"integer": {"low": 8, "high": 24, "step": 8}, "when": {"stride": [1]}}
    assert in_mode(info, {"integer": {"low": 8, "high": 24, "step": 8}}, "choice") == {"choice": [8, 16, 24]}
    assert in_mode(info, {"choice": [8, 12]}, "fixed") == 8
    assert in_mode(info, {"choice": [8, 16]}, "fixed") == 16  # the default is among them
    assert in_mode(info, {"choice": "nonsense"}, "fixed") == 16
    rate = {info.name: info for info in field_infos(COMPONENTS["recipe"])}["learning_rate"]
    assert in_mode(rate, None, "real") == {"real": {"low": 0.01, "high": 1.0, "log": True}}
    assert len(in_mode(info, Integer(1, 500).to_json(), "choice")["choice"]) <= 17
    dropout = {info.name: info for info in field_infos(Head)}["dropout"]
    assert in_mode(dropout, 0.0, "real") == {"real": {"low": 0.0, "high": 0.5}}
    assert in_mode(dropout, Real(0.1, 0.4, steps=3).to_json(), "choice") == {"choice": [0.1, 0.25, 0.4]}


# -- editing -----------------------------------------------------------------------------------------------------------


def test_three_nodes_and_four_operations_are_64_architectures():
    edits = Editing(nas_bench_201(8, 1))
    edits.put("/component/nodes", 3)
    edits.put("/component/operations", ["none", "skip", "conv_3x3", "avg_pool_3x3"])
    assert edits.space.size == 4**3
    assert edits.space.name == "mine", "it is no longer the published one"
    edits.undo()
    edits.undo()
    assert edits.space == nas_bench_201(8, 1)
    assert edits.space.name == "nas_bench_201"
    assert not edits.can_undo
    edits.redo()
    assert edits.space.size == 5**3


def test_arguments_of_a_published_space_do_not_rename_it():
    edits = Editing(nas_bench_201())
    edits.put("/component/channels", 4)
    assert edits.space.name == "nas_bench_201"


def test_wrong_values_stay_at_their_fields_and_the_last_space_is_kept():
    edits = Editing(NETWORK)
    edits.put("/component/parts/0/channels", "many", typed=True)
    edits.put("/component/parts/0/kernel", 4, typed=True)
    edits.put("/component/parts/1/part/channels", {"choice": []})
    assert edits.space == NETWORK
    assert edits.draft.problems_of("/component/parts/0").keys() == {"channels", "kernel"}
    assert "must be odd" in edits.draft.problems_of("/component/parts/0")["kernel"]
    assert edits.draft.problems_of("/component/parts/1/part").keys() == {"channels"}
    assert edits.draft.problems_of("/component/parts/2") == {}
    edits.put("/component/parts/1/part/channels", 8)
    edits.put("/component/parts/0/kernel", 5, typed=True)
    edits.put("/component/parts/0/channels", 9, typed=True)
    assert not edits.draft.problems
    assert edits.space.component.parts[0] == Stem(9, 5)


def test_a_part_that_does_not_fit_is_named():
    edits = Editing(NETWORK)
    edits.remove("/component/parts/2")
    assert "Add a head" in edits.draft.problems_of("/component/parts/1")[""]
    assert edits.space == NETWORK
    assert edits.add("head", "/component/parts/1") == "/component/parts/2"
    assert edits.space == NETWORK
    assert not edits.draft.problems


def test_what_concerns_the_whole_space_is_no_part():
    edits = Editing(NETWORK)
    edits.put("/name", "")
    (said,) = edits.draft.loose_problems()
    assert "name must be" in said


def test_typing_is_undone_at_once_and_ticking_step_by_step():
    edits = Editing(nas_bench_201())
    for text in ("1", "12", "128"):
        edits.put("/component/channels", int(text), typed=True)
    edits.put("/component/operations", ["skip"])
    edits.put("/component/operations", ["skip", "none"])
    edits.undo()
    assert edits.space.component.operations == ("skip",)
    edits.undo()
    assert edits.space.component.channels == 128
    edits.undo()
    assert edits.space == nas_bench_201()


def test_parts_are_added_copied_moved_replaced_and_removed():
    edits = Editing(SearchSpace("net", Network((Stem(), Head()))))
    assert edits.add("stem") == "/component/parts/1"
    assert [part.name or part.kind for part in edits.space.component.parts] == ["stem", "stem_2", "head"]
    assert edits.copy("/component/parts/1") == "/component/parts/2"
    assert edits.space.component.parts[2].name == "stem_3"
    assert edits.move("/component/parts/2", -2) == "/component/parts/0"
    assert [part.name or part.kind for part in edits.space.component.parts] == ["stem_3", "stem", "stem_2", "head"]
    assert edits.move("/component/parts/0", -1) == "/component/parts/0"
    edits.put("/component/parts/1/name", "first")
    assert edits.space.component.parts[1].name == "first"
    edits.replace("/component/parts/2", "repeat")
    assert edits.space.component.parts[2] == Repeat(Stem(), name="stem_2")
    edits.remove("/component/parts/0")
    assert len(edits.space.component.parts) == 3
    with pytest.raises(SpaceError, match="kind must be one that"):
        Editing(nas_bench_201()).add("stem")


def test_a_repeated_name_is_told_at_the_part():
    edits = Editing(NETWORK)
    edits.put("/component/parts/1/name", "stem")
    assert "Give each part its own name" in edits.draft.problems_of("/component/parts/1")["name"]


def test_limits_are_added_and_removed():
    edits = Editing(NETWORK)
    where = edits.add("limit", maximum=1000, input_shape=[1, 8, 8])
    assert where == "/limits/0"
    assert edits.space.limits[0].maximum == 1000
    edits.put("/limits/0/maximum", None)
    assert edits.draft.problems_of("/limits/0").keys() == {"maximum"}
    edits.remove("/limits/0")
    assert edits.space == NETWORK
    assert not edits.draft.problems


def test_json_is_read_whole_or_not_at_all():
    edits = Editing(NETWORK)
    other = nas_bench_201(4, 2)
    for wrong, named in (
        ("{", "line 1"),
        ('{"schema": 1, "name": "a", "dims": 2, "component": {"kind": "stem", "channels": -1}}', "/component/channels"),
        (jsonio.dumps(put(other.to_json(), "/component/operations/1", "conv_9x9")), "/component/operations/1"),
    ):
        with pytest.raises(SpaceError, match=named):
            edits.read(wrong)
        assert edits.space == NETWORK
        assert not edits.can_undo
    edits.read(jsonio.dumps(other.to_json()))
    assert edits.space == other
    edits.undo()
    assert edits.space == NETWORK


WHERE = st.sampled_from(
    ["/component/parts/0/channels", "/component/parts/1/times", "/component/parts/1/part/kernel", "/name", "/dims"]
)
WHAT = st.one_of(st.integers(-2, 70), st.text(max_size=3), st.just({"choice": [1, 3]}), st.none(), st.booleans())


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(WHERE, WHAT), max_size=8))
def test_whatever_is_typed_the_space_is_right_and_undo_leads_back(changes):
    edits = Editing(NETWORK)
    for where, value in changes:
        edits.put(where, value)
        assert SearchSpace.from_json(edits.space.to_json()) == edits.space
        assert bool(edits.draft.problems) == (dict(edits.draft.value) != edits.space.to_json())
    last = edits.draft
    while edits.can_undo:
        edits.undo()
    assert edits.space == NETWORK
    while edits.can_redo:
        edits.redo()
    assert edits.draft == last
