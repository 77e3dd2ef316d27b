"""Forms: a wrong value is marked at its field, with the reason, at once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from nbnas.settings import Settings, setting
from nbnas.spaces import CellNetwork
from nbnas.strategies import RegularizedEvolution
from nbnas.widgets.form import SettingsForm
from tests.fixtures.records import HOSTILE


@dataclass(frozen=True)
class Everything(Settings):
    """One field of each kind."""

    count: int = setting(3, "How many.", minimum=1)
    share: float = setting(0.5, "Share.", above=0, below=1)
    limit: int | None = setting(None, "Limit.", minimum=1)
    widths: tuple[int, ...] = setting((8, 16), "Widths.", minimum=1)
    on: bool = setting(True, "Switch.")
    kind: str = setting("sgd", "Which.", options=("sgd", "adam"))
    name: str = setting("", f"Help with {HOSTILE}.")


def text_of(form, field):
    return "".join(widget.value for widget in form._rows[field].box.children[1:])


def wrong(form):
    return [name for name, row in form._rows.items() if "nbnas-wrong" in row.box._dom_classes]


def test_defaults_make_the_default():
    form = SettingsForm(Everything)
    assert form.valid
    assert form.value == Everything()
    assert form["widths"].value == "8, 16"
    assert form["limit"].value == ""


def test_every_input_has_a_label():
    form = SettingsForm(Everything)
    assert [form[name].description for name in form._rows] == list(form._rows)


def test_inputs_of_each_kind_are_read():
    form = SettingsForm(Everything)
    for field, value in {"count": " 7 ", "share": "1e-3", "limit": "5", "widths": "4,8,", "name": "a, b"}.items():
        form[field].value = value
    form["on"].value, form["kind"].value = False, "adam"
    assert form.value == Everything(7, 1e-3, 5, (4, 8), False, "adam", "a, b")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("count", "x", "count must be a whole number, got &#x27;x&#x27;"),
        ("count", "0", "count must be &gt;= 1, got 0"),
        ("count", "", "count must be a whole number"),
        ("share", "nan", "share must be a finite number"),
        ("limit", "0.5", "limit must be a whole number"),
        ("widths", "8, y", "widths must be a whole number"),
    ],
)
def test_a_wrong_value_is_marked_at_its_field(field, value, reason):
    form = SettingsForm(Everything)
    seen = []
    form.observe(lambda change: seen.append(change["new"]), "valid")
    form[field].value = value
    assert form.value is None
    assert seen == [False]
    assert wrong(form) == [field]
    assert 'role="alert"' in text_of(form, field)
    assert reason in text_of(form, field)
    form.fill({})
    assert form.valid
    assert wrong(form) == []


def test_all_wrong_fields_are_marked_together():
    form = SettingsForm(Everything)
    form["count"].value, form["share"].value = "0", "2"
    assert wrong(form) == ["count", "share"]
    form["count"].value = "1"
    assert wrong(form) == ["share"]


def test_rules_between_fields_are_marked_too():
    form = SettingsForm(RegularizedEvolution, {"population": 10, "tournament": 3})
    form["tournament"].value = "11"
    assert wrong(form) == ["tournament"]
    assert "1..population (10)" in text_of(form, "tournament")


def test_errors_of_spaces_find_their_field_although_they_name_none():
    form = SettingsForm(CellNetwork)
    form["operations"].value = "none, none"
    assert wrong(form) == ["operations"]
    form["operations"].value = f"none, {HOSTILE} unknown"
    assert not form.valid
    assert "not a known operation" in repr(form.errors)


def test_texts_of_people_are_escaped():
    form = SettingsForm(Everything)
    form["count"].value = HOSTILE
    html = text_of(form, "count") + text_of(form, "name")
    assert "<img" not in html
    assert "&lt;img" in text_of(form, "count")
    assert "&lt;img" in text_of(form, "name")


def test_marks_of_others_go_with_unmark():
    form = SettingsForm(Everything)
    assert form.mark("count", "does not fit")
    assert not form.mark("elsewhere", "does not fit")
    assert wrong(form) == ["count"]
    form.unmark()
    assert wrong(form) == []


def test_unknown_fields_are_refused():
    with pytest.raises(TypeError, match="values must be of fields count"):
        SettingsForm(Everything, {"counts": 1})
