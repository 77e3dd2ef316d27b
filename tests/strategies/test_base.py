"""Registries of strategies and evaluators, and what strategies share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from nbnas import spaces
from nbnas.errors import SettingsError
from nbnas.evaluators import EVALUATORS, EvaluatorSettings, Training
from nbnas.evaluators.base import evaluator_from_json, evaluator_to_json
from nbnas.events import Evaluation
from nbnas.strategies import STRATEGIES, BlackBoxSettings, DifferentiableSettings, RandomSearch, RegularizedEvolution
from nbnas.strategies.base import frequencies, score_of, strategy_from_json, strategy_to_json


@pytest.fixture
def registries(monkeypatch):
    """Own classes are forgotten afterwards."""
    for table in (STRATEGIES, EVALUATORS):
        for name in list(table):
            monkeypatch.setitem(table, name, table[name])
    known = set(STRATEGIES), set(EVALUATORS)
    yield
    for table, names in zip((STRATEGIES, EVALUATORS), known, strict=True):
        for name in set(table) - names:
            del table[name]


@pytest.mark.usefixtures("registries")
def test_a_class_with_a_title_joins_and_one_without_does_not():
    @dataclass(frozen=True)
    class Mine(RandomSearch):
        title: ClassVar[str] = "My search"

    @dataclass(frozen=True)
    class Nameless(RandomSearch):
        title: ClassVar[str] = ""

    assert STRATEGIES["Mine"] is Mine
    assert "Nameless" not in STRATEGIES
    assert strategy_from_json(strategy_to_json(Mine()), "test") == Mine()


@pytest.mark.usefixtures("registries")
def test_a_notebook_cell_may_be_run_again():
    def define():
        @dataclass(frozen=True)
        class Mine(RandomSearch):
            title: ClassVar[str] = "My search"

        return Mine

    first, second = define(), define()
    assert first is not second
    assert STRATEGIES["Mine"] is second


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize(
    ("table", "base", "name"),
    [
        (STRATEGIES, BlackBoxSettings, "RandomSearch"),
        (STRATEGIES, DifferentiableSettings, "Darts"),
        (EVALUATORS, EvaluatorSettings, "Training"),
        (EVALUATORS, Training, "Tabular"),
    ],
    ids=["strategy", "differentiable", "evaluator", "subclass"],
)
def test_a_built_in_name_cannot_be_taken(table, base, name):
    """A stored run names its parts: it must not get another one."""
    before = table[name]
    with pytest.raises(SettingsError, match=f"class must have a new name, got {name}, which is built in"):
        type(name, (base,), {"title": "Mine", "__module__": "__main__"})
    assert table[name] is before


@pytest.mark.parametrize("settings", [RegularizedEvolution(population=7, tournament=3), RandomSearch()], ids=str)
def test_settings_are_named_by_their_class(settings):
    value = strategy_to_json(settings)
    assert value["kind"] == type(settings).__name__
    assert strategy_from_json(value, "test") == settings


def test_evaluators_are_named_by_their_class():
    assert evaluator_from_json(evaluator_to_json(Training(epochs=7)), "test") == Training(epochs=7)


@pytest.mark.parametrize("value", [None, [], "RandomSearch", {"kind": "RandomSearch"}, {"kind": 1, "settings": {}},
                                   {"kind": "RandomSearch", "settings": {}, "more": 1}], ids=repr)  # fmt: skip
def test_what_names_no_strategy(value):
    with pytest.raises(SettingsError, match=r"^here"):
        strategy_from_json(value, "here")


def test_a_score_is_the_one_objective():
    assert score_of(Evaluation({}, (0.5,))) == 0.5
    for objectives in ((), (0.5, 0.6)):
        with pytest.raises(SettingsError, match=f"must be exactly one for this strategy, got {len(objectives)}"):
            score_of(Evaluation({}, objectives))


def test_frequencies_by_hand():
    space = spaces.nas_bench_201()
    found = frequencies(space, [space.architecture(text) for text in ("0-1-2-3-4-0", "0-1-2-3-4-1", "0-0-2-3-4-1")])
    rows = found["population"]
    assert rows["edge_0_1"] == {"none": 1, "skip": 0, "conv_1x1": 0, "conv_3x3": 0, "avg_pool_3x3": 0}
    assert rows["edge_0_2"] == pytest.approx(
        {"none": 1 / 3, "skip": 2 / 3, "conv_1x1": 0, "conv_3x3": 0, "avg_pool_3x3": 0}
    )
    assert frequencies(space, []) == {"population": {}}
