"""Settings that cannot be: refused with field, value and remedy before anything starts, by code, file and form."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import nbnas as nb
from nbnas.errors import NbnasError, RunError, SettingsError, SpaceError
from nbnas.evaluators import EVALUATORS
from nbnas.evaluators.base import evaluator_from_json
from nbnas.events import Evaluation, TrialFailed
from nbnas.networks import operations
from nbnas.processes import Trials
from nbnas.settings import field_infos
from nbnas.spaces import CellNetwork, Limit, SearchSpace
from nbnas.spaces import operations as names
from nbnas.strategies import STRATEGIES
from nbnas.strategies.base import strategy_from_json
from nbnas.widgets.form import SettingsForm
from nbnas.widgets.form_values import shown
from nbnas.widgets.workbench import Workbench
from tests.fixtures.runs import CHAIN, NB201

DIGITS = nb.tasks.digits()
NEEDED = {"Tabular": {"table": "table.npz"}}
"""What has no default."""


def built_in(table):
    return [kind for kind in table.values() if kind.__module__.startswith("nbnas.")]


STRATEGY_KINDS, EVALUATOR_KINDS = built_in(STRATEGIES), built_in(EVALUATORS)
KINDS = [*STRATEGY_KINDS, *EVALUATOR_KINDS]
DIFFERENTIABLE = [kind for kind in STRATEGY_KINDS if kind.differentiable]
BLACK_BOX = [kind for kind in STRATEGY_KINDS if not kind.differentiable]
by_name = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
FIELDS = [(kind, info) for kind in KINDS for info in field_infos(kind)]
each_field = pytest.mark.parametrize(("kind", "info"), FIELDS, ids=[f"{k.__name__}-{i.name}" for k, i in FIELDS])


def made(kind, **values):
    return kind(**{**NEEDED.get(kind.__name__, {}), **values})


def outside(info):
    """Values next to each bound of a field, on the wrong side; for options, one that is none."""
    kind = info.item or info.type
    step = 1 if kind is int else 1e-9
    limits = info.limits
    found = [limits["minimum"] - step] if "minimum" in limits else []
    found += [limits["maximum"] + max(step, abs(limits["maximum"]) * 1e-9)] if "maximum" in limits else []
    found += [limits[name] for name in ("above", "below") if name in limits]
    found = [kind(value) if kind in (int, float) else value for value in found]
    return [*found, *(["no such option"] if info.options else [])]


def given(info, value):
    """What is passed for a value of a field: a list has it as its item."""
    return [value] if info.type is tuple else value


def of_another_kind(info):
    wrong = {
        bool: ["yes", 1],
        int: [0.5, True, "3", float("nan")],
        float: ["0.1", True, float("nan"), float("inf")],
        str: [3, True],
        tuple: [3, "a"],
    }[info.type]
    return [*wrong, *([] if info.optional else [None])]


# -- each field alone --------------------------------------------------------------------------------------------------


@each_field
def test_a_value_out_of_range_or_of_another_kind_is_refused_with_field_value_and_range(kind, info):
    cases = [(given(info, value), info.range_text) for value in outside(info)]
    cases += [(value, "") for value in of_another_kind(info)]
    for value, expected in cases:
        with pytest.raises(SettingsError) as caught:
            made(kind, **{info.name: value})
        assert caught.value.field == info.name
        message = str(caught.value)
        assert message.startswith(f"{info.name} must be {expected}")
        assert f"got {value!r}; in {kind.__name__}." in message
    assert len(cases) > 1


HARMLESS = {("SharedWeights", "score_items"), ("PDarts", "skip_limit")}
"""Counts that are compared with how many there are."""


@each_field
def test_a_number_has_a_lower_bound_and_a_count_an_upper_one(kind, info):
    """Counts that nothing bounds would fill the memory; some are bounded by another field or by the data."""
    if info.type in (int, float):
        assert {"minimum", "above"} & set(info.limits), "needs minimum or above"
    if info.type is int and "maximum" not in info.limits and (kind.__name__, info.name) not in HARMLESS:
        with pytest.raises(SettingsError, match=rf"{info.name} must be .*got 1000000000000000000"):
            made(kind, **{info.name: 10**18})


TYPED = [(kind, info) for kind, info in FIELDS if info.options is None and info.type in (int, float)]
"""Menus and check boxes cannot hold a wrong value."""


@pytest.mark.parametrize(("kind", "info"), TYPED, ids=[f"{k.__name__}-{i.name}" for k, i in TYPED])
def test_the_form_marks_it_at_its_field(kind, info):
    form = SettingsForm(kind, NEEDED.get(kind.__name__, {}))
    before = form[info.name].value
    for text in [*(shown(info, value) for value in outside(info)), "x", "nan"]:
        form[info.name].value = text
        assert form.value is None
        assert list(form.errors) == [info.name], form.errors
        assert f"{info.name} must be" in form.errors[info.name]
        form[info.name].value = before
        assert form.value == made(kind)


@by_name
def test_a_file_names_the_place(kind):
    """The JSON pointer of the field; what is no field, and what is no object."""
    read = strategy_from_json if kind in STRATEGY_KINDS else evaluator_from_json
    where = "spec.json: /strategy"
    for info in field_infos(kind):
        for value in outside(info):
            settings = {**NEEDED.get(kind.__name__, {}), info.name: given(info, value)}
            with pytest.raises(SettingsError, match=rf"^{where}/settings/{info.name}: {info.name} must be"):
                read({"kind": kind.__name__, "settings": settings}, where)
    with pytest.raises(
        SettingsError, match=rf"{where}/settings/speed: 'speed' is not a field of {kind.__name__}; known:"
    ):
        read({"kind": kind.__name__, "settings": {"speed": 3}}, where)
    with pytest.raises(SettingsError, match=rf"{where}/settings must be an object, got 3"):
        read({"kind": kind.__name__, "settings": 3}, where)


# -- fields, and parts of a run, that do not fit together --------------------------------------------------------------

strategies, evaluators = nb.strategies, nb.evaluators
TRIALS, EPOCHS = nb.Budget(trials=3), nb.Budget(epochs=3)
CLOSED = SearchSpace("closed", CellNetwork(nodes=2, operations=("skip",), channels=2, cells=1))
OTHER = SearchSpace("other", CellNetwork(nodes=3, operations=("none", "skip", "conv_1x1")))


def search(space=NB201, task=DIGITS, strategy=None, evaluator=None, **more):
    strategy = strategies.RandomSearch() if strategy is None else strategy
    if evaluator is None and not strategy.differentiable:
        evaluator = evaluators.Training(epochs=1)
    budget = EPOCHS if strategy.differentiable else TRIALS
    return nb.search(space, task, strategy, evaluator, **{"budget": budget, "device": "cpu", **more})


def tabular(texts, **settings):
    return evaluators.Tabular({"architecture": texts, "valid_accuracy": np.linspace(0, 1, len(texts))}, **settings)


def texts_of(space, most):
    return [str(one) for _, one in zip(range(most), space.enumerate(), strict=False)]


TOGETHER = {
    "tournament above population": (
        lambda: strategies.RegularizedEvolution(population=10, tournament=11),
        "tournament",
        r"tournament must be in 1\.\.population \(10\), got 11; in RegularizedEvolution\. Lower it or raise population",
    ),
    "tournament above the population of a genetic algorithm": (
        lambda: strategies.GeneticAlgorithm(population=10, tournament=11),
        "tournament",
        r"tournament must be in 1\.\.population \(10\), got 11; in GeneticAlgorithm\. Lower it or raise population",
    ),
    "all are elite": (
        lambda: strategies.GeneticAlgorithm(population=10, elitism=10),
        "elitism",
        r"elitism must be below population \(10\), got 10; in GeneticAlgorithm\. Lower it or raise population",
    ),
    "lambda below mu": (
        lambda: strategies.GeneticAlgorithm(population=10, survival="comma", children=9),
        "children",
        r"children must be at least population \(10\) with comma, got 9; in GeneticAlgorithm\. Raise it or use plus",
    ),
    "lambda below 0": (
        lambda: strategies.GeneticAlgorithm(survival="plus", children=-1),
        "children",
        r"children must be >= 1 and <= 100,000, got -1; in GeneticAlgorithm\.",
    ),
    "a population of 0": (
        lambda: strategies.RegularizedEvolution(population=0),
        "population",
        r"population must be >= 1 and <= 100,000, got 0; in RegularizedEvolution\.",
    ),
    "a probability above 1": (
        lambda: strategies.GeneticAlgorithm(crossover_rate=1.1),
        "crossover_rate",
        r"crossover_rate must be >= 0 and <= 1, got 1\.1; in GeneticAlgorithm\.",
    ),
    "children that are copies": (
        lambda: strategies.NSGA2(crossover_rate=0, mutation_rate=0),
        "mutation_rate",
        r"mutation_rate must be above 0 when crossover_rate is 0, got 0\.0; in NSGA2\. Otherwise children are copies",
    ),
    "a minibatch above the batch": (
        lambda: strategies.Ppo(batch=4, minibatch=9),
        "minibatch",
        r"minibatch must be in 1\.\.batch \(4\), got 9; in Ppo\. Lower it or raise batch",
    ),
    "a step size of DARTS that rises": (
        lambda: strategies.Darts(w_learning_rate=0.01, w_learning_rate_end=0.02),
        "w_learning_rate_end",
        r"w_learning_rate_end must be at most w_learning_rate \(0\.01\), got 0\.02; in Darts\. Lower it or raise",
    ),
    "a step size of shared weights that rises": (
        lambda: evaluators.SharedWeights(learning_rate=0.01, learning_rate_end=0.02),
        "learning_rate_end",
        r"learning_rate_end must be at most learning_rate \(0\.01\), got 0\.02; in SharedWeights\. Lower it or raise",
    ),
    "a grid that is too large": (
        lambda: search(task=None, strategy=strategies.GridSearch(most=15_624), evaluator=tabular(texts_of(NB201, 200))),
        "most",
        r"at most 15,624 architectures \(most\) for a grid search, got 15,625; in .*Close decisions, raise most, or",
    ),
    "a table of another space": (
        lambda: search(task=None, evaluator=tabular(texts_of(OTHER, 27))),
        "table",
        r"table must hold architectures of space 'nas_bench_201', got '0-0-0': .*\. Choose the space that was measured",
    ),
    "a table of a corner of the space": (
        lambda: search(task=None, evaluator=tabular(texts_of(NB201, 100))),
        "table",
        r"table must hold at least 1 % of the 15,625 architectures of space 'nas_bench_201', got 100\. Close decisions",
    ),
    "a metric that the table lacks": (
        lambda: search(task=None, evaluator=tabular(texts_of(NB201, 200), score="latency_ms")),
        "score",
        r"score must be a metric of the table \(valid_accuracy\), got 'latency_ms'; in Tabular\. Name one of these",
    ),
    "limits with a gradient strategy": (
        lambda: search(
            SearchSpace("limited", NB201.component, limits=[Limit("parameters", maximum=10**6, input_shape=(1, 8, 8))]),
            strategy=strategies.Darts(),
        ),
        "space",
        r"space must have no limits for Darts, .*got 1 in 'limited'\. Leave the limits out, or use a strategy such as",
    ),
}


@pytest.mark.parametrize("case", TOGETHER)
def test_what_does_not_fit_together_is_refused_with_a_remedy_before_anything_is_written(case, nbnas_home):
    call, field, said = TOGETHER[case]
    refused(call, field, said, nbnas_home)


def refused(call, field, said, nbnas_home):
    with pytest.raises(NbnasError, match=said) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    assert caught.value.field == field
    assert "\n" not in str(caught.value)
    assert not nbnas_home.exists()
    assert nb.runs() == []


@pytest.mark.parametrize("kind", DIFFERENTIABLE, ids=lambda kind: kind.__name__)
def test_a_gradient_strategy_needs_a_relaxed_view_and_no_evaluator(kind, nbnas_home):
    said = rf"space must have a relaxed view for {kind.__name__}, got 'chain': .* with nb\.evaluators\.Training"
    refused(lambda: search(CHAIN, strategy=kind()), "space", said, nbnas_home)
    said = rf"evaluator must be left out for {kind.__name__}, .*got Training\. Leave it out, or use a strategy such as"
    refused(lambda: search(strategy=kind(), evaluator=evaluators.Training()), "evaluator", said, nbnas_home)
    said = rf"objective must be left out for {kind.__name__}, .*got Pareto\. Leave it out, or use a strategy such as"
    refused(lambda: search(strategy=kind(), objective=nb.objectives.Pareto()), "objective", said, nbnas_home)
    said = rf"epochs must be given for {kind.__name__}, .*got only trials=3\. Use Budget\(epochs=30\)"
    refused(lambda: search(strategy=kind(), budget=TRIALS), "epochs", said, nbnas_home)


@pytest.mark.parametrize("kind", BLACK_BOX, ids=lambda kind: kind.__name__)
def test_a_black_box_strategy_needs_an_evaluator_that_can_score_the_space(kind, nbnas_home):
    said = rf"evaluator must say how {kind.__name__} gets its scores, got none\. Give one, such as nb\.evaluators"
    refused(lambda: nb.search(NB201, DIGITS, kind(), None, budget=TRIALS), "evaluator", said, nbnas_home)
    said = r"space must have a relaxed view for SharedWeights, got 'chain': .* with nb\.evaluators\.Training"
    shared = evaluators.SharedWeights()
    refused(lambda: search(CHAIN, strategy=kind(), evaluator=shared), "space", said, nbnas_home)


@pytest.mark.parametrize("kind", [kind for kind in BLACK_BOX if not kind.several], ids=lambda kind: kind.__name__)
def test_a_strategy_for_one_objective_refuses_several(kind, nbnas_home):
    said = rf"objective must be a single one for {kind.__name__}, got Pareto\. Combine .*CostReward, or use .*NSGA2"
    refused(lambda: search(strategy=kind(), objective=nb.objectives.Pareto()), "objective", said, nbnas_home)


CHANGING = [
    kind for kind in BLACK_BOX if kind.__name__ in ("GeneticAlgorithm", "LocalSearch", "NSGA2", "RegularizedEvolution")
]


@pytest.mark.parametrize("kind", CHANGING, ids=lambda kind: kind.__name__)
def test_a_space_with_nothing_to_change_is_refused_where_children_are_changed_parents(kind, nbnas_home):
    said = (
        r"space must have a decision with two options to mutate, got none in 'closed'\. Open one, or use RandomSearch"
    )
    refused(lambda: search(CLOSED, None, kind(), tabular(texts_of(CLOSED, 1))), "space", said, nbnas_home)


SOURCES = sorted(
    path for name in ("strategies", "evaluators") for path in Path(nb.__file__).parent.glob(f"{name}/*.py")
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_refusal_in_the_code_names_a_field_and_rules_between_fields_a_remedy(path):
    """Read from the source, since not all of them can be provoked here."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    for call in calls:
        keywords = {keyword.arg for keyword in call.keywords}
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name == "fail":
            assert "remedy" in keywords, f"{path.name}, line {call.lineno}"
        if name == "SettingsError":
            # A name that is taken and a package that is missing are no fields.
            assert "field" in keywords or path.name in ("base.py", "optuna_sampler.py"), f"{path.name}, {call.lineno}"


# -- by mouse ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workbench():
    DIGITS.load()
    return Workbench(search=lambda *arguments, **keywords: pytest.fail("was started"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if any(outside(info) for info in field_infos(kind))],
                         ids=lambda kind: kind.__name__)  # fmt: skip
def test_the_workbench_marks_the_field_and_does_not_start(workbench, kind):
    workbench.preset.value = None
    workbench.preset.value = 0
    card = workbench.strategy if kind in STRATEGY_KINDS else workbench.evaluator
    card.menu.value = kind.__name__
    info = next(info for info in field_infos(kind) if outside(info) and info.options is None)
    before = card.form[info.name].value
    card.form[info.name].value = shown(info, outside(info)[0])
    assert workbench.start.disabled
    assert f"{info.name} must be" in marked(card.form, info.name)
    assert "nb.search" not in workbench._code.value
    card.form[info.name].value = before
    assert "must be" not in marked(card.form, info.name)


def marked(form, field):
    """What stands at a field, when the field is marked."""
    row = form._rows[field]
    assert ("nbnas-wrong" in row.box._dom_classes) == bool(row._error.value)
    return row._error.value


@pytest.mark.parametrize("kind", DIFFERENTIABLE, ids=lambda kind: kind.__name__)
def test_the_workbench_refuses_a_space_without_relaxed_view(workbench, kind):
    workbench.preset.value = None
    workbench.preset.value = 0
    workbench.strategy.menu.value = kind.__name__
    workbench.budget.fill({"epochs": 3})
    assert not workbench.start.disabled
    workbench.space.menu.value = "chain"
    assert workbench.start.disabled
    assert re.search(rf"space must have a relaxed view for {kind.__name__}", workbench._alert.value)


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        ("RegularizedEvolution", {"population": "10", "tournament": "11"}, "tournament"),
        ("GeneticAlgorithm", {"population": "10", "elitism": "10"}, "elitism"),
        ("GeneticAlgorithm", {"population": "10", "survival": "comma", "children": "9"}, "children"),
        ("Ppo", {"batch": "4", "minibatch": "9"}, "minibatch"),
        ("NSGA2", {"crossover_rate": "0", "mutation_rate": "0"}, "mutation_rate"),
        ("Darts", {"w_learning_rate": "0.01", "w_learning_rate_end": "0.02"}, "w_learning_rate_end"),
    ],
)
def test_fields_that_do_not_fit_together_are_marked_in_the_form(kind, values, field):
    form = SettingsForm(STRATEGIES[kind])
    for name, text in values.items():
        form[name].value = text
    assert list(form.errors) == [field]
    assert f"{field} must be" in marked(form, field)
    assert form.value is None


# -- what only shows when it runs --------------------------------------------------------------------------------------


@pytest.fixture
def boom():
    """An operation that cannot be made."""

    @nb.operation("boom")
    def boom(in_channels: int, out_channels: int, stride: int):
        raise ValueError("no such layer")

    yield SearchSpace("booming", CellNetwork(nodes=2, operations=("boom",), channels=2, cells=1))
    del operations._own["boom"], names._own["boom"]


def failing(first):
    """Scores that are the same error from trial `first` on."""

    class Failing:
        def evaluate(self, trial, proposal):
            yield from ()
            if trial < first:
                return Evaluation({"valid_accuracy": 0.5}, (0.5,))
            raise SpaceError("space must have what it lacks")

    return Failing()


def steps(process):
    """The events of a process to its end, and the error that ended it."""
    found = []
    with pytest.raises(RunError) as caught:
        while True:
            for event in process.step():
                found.append(event)
    return found, str(caught.value)


def test_when_the_first_ten_trials_fail_alike_the_run_fails_with_that_message():
    bound = strategies.RandomSearch().bind(NB201, np.random.default_rng(0))
    events, said = steps(Trials(bound, failing(first=1)))
    assert said == "each of the first 10 trials failed with: SpaceError: space must have what it lacks"
    assert sum(isinstance(event, TrialFailed) for event in events) == 10


def test_where_one_trial_was_right_it_goes_on_a_hundred_times():
    bound = strategies.RandomSearch().bind(NB201, np.random.default_rng(0))
    events, said = steps(Trials(bound, failing(first=2)))
    assert said.startswith("100 trials in a row failed, the last one with: SpaceError: space must have")
    assert sum(isinstance(event, TrialFailed) for event in events) == 100


def test_the_count_survives_a_resume():
    bound = strategies.RandomSearch().bind(NB201, np.random.default_rng(0))
    first, again = (Trials(bound, failing(first=1)) for _ in range(2))
    for _ in range(4):
        list(first.step())
    again.load_state_dict(first.state_dict())
    events, _ = steps(again)
    assert sum(isinstance(event, TrialFailed) for event in events) == 6


def test_a_run_of_nothing_but_the_same_failure_ends_as_failed(boom):
    run = nb.search(boom, DIGITS, strategies.RandomSearch(), evaluators.Training(epochs=1), budget=nb.Budget(trials=50))
    with pytest.raises(RunError, match=r"each of the first 10 trials failed with: .*operation 'boom' .*no such layer"):
        run.wait(60)
    assert run.status == "failed"
    assert run.state.trials_failed == 10
