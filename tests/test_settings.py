"""Settings: checked when they are made, named in errors, the same after JSON."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from nbnas.errors import SettingsError
from nbnas.evaluators import EVALUATORS
from nbnas.processes import Budget
from nbnas.settings import Settings, field_infos, setting
from nbnas.strategies import STRATEGIES


@dataclass(frozen=True)
class Oven(Settings):
    """All kinds of fields."""

    name: str = setting(help="Whose.")
    degrees: int = setting(180, "Celsius.", minimum=0, maximum=300)
    gain: float = setting(0.5, "Of the control.", above=0, below=1)
    fan: bool = setting(True, "Whether it blows.")
    mode: str = setting("bake", "How.", options=("bake", "grill"))
    racks: tuple[int, ...] = setting((1, 3), "Which.", minimum=1)
    limit: float | None = setting(None, "Minutes.", above=0)

    def check(self):
        if self.mode == "grill" and self.degrees < 200:
            self.fail("degrees", "at least 200 to grill", remedy="Turn it up")


BAD = [
    ({"degrees": 301}, "degrees must be >= 0 and <= 300, got 301; in Oven"),
    ({"degrees": -1}, "degrees must be >= 0 and <= 300, got -1"),
    ({"degrees": 1.0}, "degrees must be a whole number, got 1.0"),
    ({"degrees": True}, "degrees must be a whole number, got True"),
    ({"degrees": None}, "degrees must be a whole number, got None"),
    ({"degrees": "7"}, "degrees must be a whole number, got '7'"),
    ({"gain": 0}, "gain must be > 0 and < 1, got 0"),
    ({"gain": 1}, "gain must be > 0 and < 1, got 1"),
    ({"gain": math.nan}, "gain must be a finite number, got nan"),
    ({"gain": math.inf}, "gain must be a finite number, got inf"),
    ({"gain": 10**400}, "gain must be a finite number, got 1000"),
    ({"gain": False}, "gain must be a number, got False"),
    ({"gain": "0.5"}, "gain must be a number, got '0.5'"),
    ({"fan": 1}, "fan must be true or false, got 1"),
    ({"mode": "boil"}, "mode must be one of bake, grill, got 'boil'"),
    ({"mode": 3}, "mode must be a text, got 3"),
    ({"racks": 3}, "racks must be a list, got 3"),
    ({"racks": (1, 0)}, r"racks must be >= 1, got \(1, 0\)"),
    ({"racks": "12"}, "racks must be a list, got '12'"),
    ({"limit": 0}, "limit must be > 0, got 0"),
    ({"mode": "grill"}, "degrees must be at least 200 to grill, got 180; in Oven. Turn it up"),
]


@pytest.mark.parametrize(("given", "said"), BAD, ids=[str(given) for given, _ in BAD])
def test_a_wrong_value_is_named_with_its_field(given, said):
    with pytest.raises(SettingsError, match=f"^{said}") as caught:
        Oven(**{"name": "mine", **given})
    assert caught.value.field == ("degrees" if "mode" in given and given["mode"] == "grill" else next(iter(given)))


@pytest.mark.parametrize(("given", "said"), [case for case in BAD if "gain" not in case[0]], ids=lambda case: str(case))
def test_a_wrong_value_in_json_is_named_with_its_place(given, said):
    value = {"name": "mine", **{key: list(item) if isinstance(item, tuple) else item for key, item in given.items()}}
    with pytest.raises(SettingsError, match=rf"^file: /oven/\w+: {said}"):
        Oven.from_json(value, "file: /oven")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "/ must be an object, got a list"),
        ("x", "/ must be an object, got a text"),
        (None, "/ must be an object, got null"),
        (3, "/ must be an object, got 3"),
        ({}, "/name: is missing; Oven needs it"),
        ({"name": "a", "colour": 1}, "/colour: 'colour' is not a field of Oven; known: name, degrees, gain, fan"),
    ],
    ids=str,
)
def test_json_of_the_wrong_form(value, said):
    with pytest.raises(SettingsError, match=f"^{said}"):
        Oven.from_json(value)


def test_numbers_of_other_libraries_become_plain_ones():
    made = Oven(name="a", degrees=np.int64(7), gain=np.float32(0.5), limit=Fraction(1, 2), racks=[np.uint8(2)])
    assert [type(value) for value in (made.degrees, made.gain, made.limit, made.racks[0])] == [int, float, float, int]
    assert made == Oven(name="a", degrees=7, gain=0.5, limit=0.5, racks=(2,))
    assert hash(made) == hash(Oven(name="a", degrees=7, gain=0.5, limit=0.5, racks=(2,)))


def values_of(info):
    """Values that a field may have."""
    limits = info.limits
    low, high = limits.get("minimum", limits.get("above")), limits.get("maximum", limits.get("below"))
    kind = info.item or info.type
    if info.options:
        base = st.sampled_from(info.options)
    elif kind is bool:
        base = st.booleans()
    elif kind is int:
        base = st.integers(int(low or 0) + ("above" in limits), int(high) if high is not None else None)
    elif kind is float:
        excluded = {"exclude_min": "above" in limits, "exclude_max": "below" in limits}
        base = st.floats(low if low is not None else -1e6, high if high is not None else 1e6, **excluded)
    else:
        base = st.text(st.characters(exclude_categories=["Cs"]))
    if info.type is tuple:
        base = st.lists(base, max_size=4).map(tuple)
    return st.none() | base if info.optional else base


@pytest.mark.parametrize(
    "cls", [*STRATEGIES.values(), *EVALUATORS.values(), Budget], ids=lambda cls: f"{cls.__module__}.{cls.__name__}"
)
@profile(deadline=None, max_examples=40)
@given(st.data())
def test_settings_of_every_kind_survive_json(cls, data):
    values = {info.name: data.draw(values_of(info), info.name) for info in field_infos(cls)}
    refused = None
    try:
        made = cls(**values)
    except SettingsError as cause:  # fields that do not fit together
        refused = cause
    if refused is not None:
        assert refused.field in values
        return
    assert cls.from_json(made.to_json(), "test") == made


@pytest.mark.parametrize("cls", [*STRATEGIES.values(), *EVALUATORS.values(), Budget], ids=lambda cls: cls.__name__)
def test_every_field_has_a_help_and_settings_are_frozen(cls):
    for info in field_infos(cls):
        assert info.help.endswith("."), info.name
    made = cls(trials=1) if cls is Budget else cls(**({"table": "t.npz"} if cls.__name__ == "Tabular" else {}))
    if infos := field_infos(cls):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, infos[0].name, 1)


def test_an_unknown_setting_is_a_type_error():
    with pytest.raises(TypeError, match="populaton"):
        STRATEGIES["RegularizedEvolution"](populaton=5)


def test_the_range_in_words():
    words = {info.name: info.range_text for info in field_infos(Oven)}
    assert words["degrees"] == ">= 0 and <= 300"
    assert words["gain"] == "> 0 and < 1"
    assert words["mode"] == "one of bake, grill"
    assert words["fan"] == ""
