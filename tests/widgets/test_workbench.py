"""The workbench, and the code it writes."""

from __future__ import annotations

from typing import Any

import pytest

import nbnas as nb
from nbnas.errors import SettingsError, TaskError
from nbnas.evaluators import EVALUATORS
from nbnas.spec import RunSpec
from nbnas.strategies import STRATEGIES
from nbnas.widgets.code import code_of, code_panel
from nbnas.widgets.presets import PRESETS
from nbnas.widgets.workbench import Workbench
from tests.fixtures.fake_run import FakeRun
from tests.fixtures.records import HOSTILE
from tests.widgets.test_run_view import texts


class Search:
    """Stands for `nbnas.api.search`."""

    def __init__(self, error: Exception | None = None):
        self.error = error
        self.called: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *arguments, **keywords):
        self.called.append((arguments, keywords))
        if self.error is not None:
            raise self.error
        return FakeRun(name=keywords["name"])


@pytest.fixture(scope="module")
def _loaded():
    nb.tasks.digits().load()


@pytest.fixture
def workbench(_loaded):
    made = Workbench(search=Search())
    yield made
    for view in made.runs.children:
        view.close()


def run_code(code: str) -> RunSpec:
    """What a cell passes to `nb.search`."""
    calls: list[RunSpec] = []

    class Module:
        def __getattr__(self, name):
            return getattr(nb, name)

        def search(self, space, task, strategy, evaluator=None, **keywords):
            calls.append(RunSpec(space, task, strategy, evaluator, **keywords))

    head, rest = code.split("\n", 1)
    assert head == "import nbnas as nb"
    exec(rest, {"nb": Module()})
    return calls[0]


@pytest.mark.parametrize("number", range(len(PRESETS)))
def test_every_preset_is_right_and_its_code_makes_the_same(workbench, number):
    workbench.preset.value = number
    spec = workbench.spec()
    assert spec is not None
    assert not workbench.start.disabled
    again = run_code(code_of(spec))
    assert again.to_json() == spec.to_json()
    assert again.space.name == spec.space.name
    assert "nb.spaces.SearchSpace" not in code_of(spec)


def test_code_round_trips_what_differs_from_the_defaults(workbench):
    workbench.space.form["channels"].value = "4"
    workbench.space.form["cells"].value = "2"
    workbench.task.form["valid_fraction"].value = "0.3"
    workbench.budget["seconds"].value = "12.5"
    workbench.options["seed"].value = "7"
    workbench.options["device"].value = "cpu"
    workbench.options["name"].value = HOSTILE + "'\""
    spec = workbench.spec()
    again = run_code(code_of(spec))
    assert again.to_json() == spec.to_json()
    assert (again.seed, again.device, again.name) == (7, "cpu", HOSTILE + "'\"")
    assert again.space.component.channels == 4


def test_an_own_class_is_written_by_its_name():
    from tests.fixtures.fake_strategy import Mine

    spec = RunSpec(nb.spaces.nas_bench_201(), nb.tasks.digits(), Mine(3), nb.evaluators.Training())
    assert "strategy = Mine(pace=3)" in code_of(spec)


def test_start_passes_on_what_was_picked_and_shows_the_run(workbench):
    workbench.options["name"].value = HOSTILE
    spec = workbench.spec()
    workbench.start.click()
    ((arguments, keywords),) = workbench._search.called
    assert arguments == (spec.space, spec.task, spec.strategy, spec.evaluator)
    assert keywords == {"budget": spec.budget, "seed": 0, "device": "auto", "name": HOSTILE, "background": True}
    assert len(workbench.runs.children) == 1
    assert "<img" not in texts(workbench)
    for _ in range(3):
        workbench.start.click()
    assert len(workbench.runs.children) == 3
    assert [view.output is workbench.output for view in workbench.runs.children] == [True, False, False]


def test_a_differentiable_strategy_takes_no_evaluator_and_says_why(workbench):
    workbench.strategy.menu.value = "Darts"
    assert workbench.evaluator.menu.disabled
    assert "takes no evaluator" in texts(workbench.evaluator)
    # The budget of the preset is in trials, which Darts does not try.
    assert workbench.start.disabled
    assert "epochs must be given for Darts" in texts(workbench.budget)
    workbench.budget["epochs"].value = "3"
    assert workbench.spec().evaluator is None
    assert not workbench.start.disabled
    workbench.strategy.menu.value = "RandomSearch"
    assert not workbench.evaluator.menu.disabled


def test_a_space_without_relaxed_view_is_refused_before_start(workbench):
    workbench.preset.value = 1
    workbench.space.menu.value = "chain"
    assert workbench.start.disabled
    assert "chain has no relaxed view" in workbench._alert.value


@pytest.mark.parametrize(
    ("task", "taken"),
    [("digits", ""), ("mnist1d", ""), ("topics", "tokens"), ("communities", "nodes"), ("wine", "vectors")],
)
def test_a_task_that_the_space_does_not_take_is_refused_before_start(workbench, task, taken):
    workbench.task.menu.value = task
    assert workbench.start.disabled == bool(taken)
    assert ("space must take" in workbench._alert.value) == bool(taken)
    assert taken in workbench._alert.value
    workbench.task.menu.value = "digits"
    assert not workbench.start.disabled


def test_a_wrong_field_stops_start_and_code(workbench):
    workbench.strategy.form["tournament"].value = "11"
    assert workbench.start.disabled
    assert "nb.search" not in workbench._code.value
    workbench.strategy.form["tournament"].value = "10"
    assert not workbench.start.disabled
    assert "nb.search" in workbench._code.value


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (SettingsError(f"population must be small {HOSTILE}", field="population"), True),
        (TaskError(f"no such device {HOSTILE}"), False),
        (MemoryError(HOSTILE), False),
    ],
)
@pytest.mark.usefixtures("_loaded")
def test_errors_before_start_are_shown_at_the_field_or_at_start(error, field):
    workbench = Workbench(search=Search(error))
    workbench.start.click()
    assert workbench.runs.children == ()
    where = texts(workbench.strategy) if field else workbench._alert.value
    assert "&lt;img" in where
    assert "<img" not in texts(workbench)
    assert workbench.start.description == "Start"


def test_every_registered_kind_can_be_picked(workbench):
    for card, table in ((workbench.strategy, STRATEGIES), (workbench.evaluator, EVALUATORS)):
        for name in table:
            card.menu.value = name
            assert card.form.cls is table[name]


def test_the_shown_code_is_escaped():
    assert "<img" not in code_panel(f"name={HOSTILE!r}")


def test_going_back_to_a_kind_keeps_what_was_typed(workbench):
    workbench.strategy.form["population"].value = "12"
    workbench.strategy.menu.value = "RandomSearch"
    workbench.strategy.menu.value = "RegularizedEvolution"
    assert workbench.strategy.form["population"].value == "12"
