"""The three loops: what they say in which order, when they end, and that none of them can read test."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from nbnas import evaluators, processes, strategies
from nbnas.errors import ResumeError, RunError, SettingsError, TaskError, TrialError
from nbnas.events import (
    DistributionUpdated,
    EpochFinished,
    Evaluation,
    IncumbentChanged,
    Progress,
    Record,
    TrialFailed,
    TrialFinished,
    TrialProgressed,
    TrialStarted,
)
from nbnas.processes import Budget, OneShot, Relaxation, Search, Trials
from nbnas.settings import setting
from nbnas.spec import RunSpec
from nbnas.strategies import Done, Proposal, Wait
from nbnas.tasks import TASKS, Data, Split, Task
from nbnas.tasks.bound import BoundTask, resolve_device
from tests.fixtures.runs import CHAIN, NB201, images, score_of

TRAINING = evaluators.Training(epochs=2, batch=12)
SHARED = evaluators.SharedWeights(controller_steps=3, batch=12)
DARTS = strategies.Darts(batch=9, alpha_learning_rate=0.1)
EVOLUTION = strategies.RegularizedEvolution(population=2, tournament=2)


class Asked:
    """A strategy that proposes what it is given, then is done."""

    def __init__(self, space, answers):
        self.space, self.answers, self.told = space, list(answers), []

    def ask(self):
        if not self.answers:
            return Done()
        answer = self.answers.pop(0)
        return Proposal(self.space.architecture(answer)) if isinstance(answer, str) else answer

    def tell(self, trial, proposal, answer):
        self.told.append((trial, answer))
        return [DistributionUpdated("policy", trial, {"policy": {}})]

    def draw(self, rng):
        return self.space.sample(rng)

    def state_dict(self):
        return {"answers": list(self.answers)}

    def load_state_dict(self, state):
        self.answers = list(state["answers"])


class Scripted:
    """An evaluator that does what the list says: returns a score, or raises, or returns an evaluation."""

    def __init__(self, *script):
        self.script, self.closed = script, []

    def evaluate(self, trial, proposal):
        what = self.script[(trial - 1) % len(self.script)]
        try:
            yield Progress(0, 1, "script")
            if isinstance(what, BaseException):
                raise what
            yield TrialProgressed(trial, 1, 1, {})
            return what if isinstance(what, Evaluation) else Evaluation({"valid_accuracy": what}, (what,))
        finally:
            self.closed.append(trial)


CELLS = ["0-0-0-0-0-0", "1-1-1-1-1-1", "2-2-2-2-2-2", "3-3-3-3-3-3", "4-4-4-4-4-4"]


def search_of(evaluator, answers=CELLS, budget=None):
    strategy = Asked(NB201, answers)
    return Search(Trials(strategy, evaluator), budget or Budget(trials=1000), NB201)


def run(search):
    """All records until the end of a search."""
    records = []
    while search.end is None:
        records += [item for item in search.step() if isinstance(item, Record)]
    return records


def events(records):
    return [record.event for record in records]


def of(kind, found):
    return [event for event in events(found) if isinstance(event, kind)]


# -- what a trial says -------------------------------------------------------------------------------------------------


def test_a_trial_says_what_it_does_in_order():
    found = events(run(search_of(Scripted(0.5), CELLS[:1])))
    assert found == [
        TrialStarted(1, CELLS[0], (), "sample", None),
        TrialProgressed(1, 1, 1, {}),
        TrialFinished(1, CELLS[0], {"valid_accuracy": 0.5}, (0.5,)),
        DistributionUpdated("policy", 1, {"policy": {}}),
        IncumbentChanged(1, CELLS[0], 0.5),
    ]


def test_records_are_numbered_from_1_and_times_do_not_go_back():
    records = run(search_of(Scripted(0.5)))
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    times = [record.time for record in records]
    assert times == sorted(times)


def test_only_a_better_score_makes_an_incumbent():
    records = run(search_of(Scripted(0.5, 0.5, 0.4, 0.9, 0.9)))
    assert of(IncumbentChanged, records) == [IncumbentChanged(1, CELLS[0], 0.5), IncumbentChanged(4, CELLS[3], 0.9)]


def test_negative_scores_count_too():
    records = run(search_of(Scripted(-0.5, -0.1, -0.9)))
    assert [event.score for event in of(IncumbentChanged, records)] == [-0.5, -0.1]


class WeirdError(Exception):
    pass


@pytest.mark.parametrize(
    ("what", "cause", "said"),
    [
        (TrialError("no row", cause="missing"), "missing", "no row"),
        (TrialError("it failed"), "error", "it failed"),
        (WeirdError("odd"), "error", "WeirdError: odd"),
        (MemoryError("too much"), "out_of_memory", r"too much\. Lower batch, channels or cells"),
        (torch.OutOfMemoryError("20 TiB"), "out_of_memory", r"20 TiB\. Lower batch, channels or cells"),
        (float("nan"), "nan", r"valid_accuracy must be finite, got nan; architecture 1-1-1-1-1-1, trial 2"),
        (float("inf"), "nan", r"valid_accuracy must be finite, got inf"),
        (Evaluation({}, (float("-inf"),)), "nan", r"must be finite, got -inf"),
        (WeirdError("x" * 100_000), "error", "^WeirdError: x{1988}$"),
    ],
    ids=["missing", "trial error", "any error", "memory", "torch memory", "nan", "inf", "objective", "long"],
)
def test_a_failed_trial_is_an_event_and_the_search_goes_on(what, cause, said):
    search = search_of(Scripted(0.5, what, 0.6), CELLS[:3])
    records = run(search)
    (failed,) = of(TrialFailed, records)
    assert (failed.trial, failed.architecture, failed.cause) == (2, CELLS[1], cause)
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(failed.message)
    assert [event.trial for event in of(TrialFinished, records)] == [1, 3]
    told = search.process.strategy.told
    assert (told[1][0], told[1][1].cause, told[1][1].message) == (2, cause, failed.message)
    assert search.end == "done"


def test_an_interrupt_is_no_failed_trial():
    search = search_of(Scripted(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run(search)


def test_closing_a_step_closes_the_evaluation():
    evaluator = Scripted(0.5)
    step = search_of(evaluator).step()
    while not isinstance(next(step), Progress):
        pass
    assert evaluator.closed == []
    step.close()
    assert evaluator.closed == [1]


# -- its end -----------------------------------------------------------------------------------------------------------


def test_a_strategy_that_is_done_ends_the_search():
    search = search_of(Scripted(0.5), CELLS[:3])
    assert len(of(TrialFinished, run(search))) == 3
    assert search.end == "done"
    assert search.finish().event.reason == "done"


def test_a_strategy_that_waits_for_nothing_is_an_error():
    with pytest.raises(RunError, match="strategy must propose while no trial is under way, got Wait"):
        run(search_of(Scripted(0.5), [Wait()]))


@pytest.mark.parametrize("trials", [1, 3, 5])
def test_a_budget_in_trials_counts_failed_ones(trials):
    search = search_of(Scripted(0.5, TrialError("x")), budget=Budget(trials=trials))
    records = run(search)
    assert len(of(TrialStarted, records)) == trials
    assert (search.end, search.fraction) == ("budget", 1.0)
    assert search.finish().event.reason == "budget"


def test_a_budget_in_epochs_sums_up_those_of_all_trials():
    """3 epochs a trial, 7 epochs: it ends after the trial in which they are reached."""
    training = evaluators.Training(epochs=3, batch=24)
    search = RunSpec(NB201, images(), strategies.RandomSearch(), training, Budget(epochs=7), device="cpu").bind().search
    records = run(search)
    assert len(of(TrialFinished, records)) == 3
    assert len(of(TrialProgressed, records)) == 9
    assert search.fraction == pytest.approx(9 / 7)


@pytest.mark.parametrize(
    ("budget", "steps"), [(Budget(epochs=2), 2), (Budget(trials=4), 2), (Budget(epochs=9, trials=3), 1)], ids=str
)
def test_shared_weights_end_after_the_step_in_which_the_budget_is_reached(budget, steps):
    """A step is an epoch and 3 trials."""
    search = RunSpec(NB201, images(), strategies.RandomSearch(), SHARED, budget, device="cpu").bind().search
    records = run(search)
    assert (len(of(EpochFinished, records)), len(of(TrialFinished, records))) == (steps, 3 * steps)


def test_the_first_limit_that_is_reached_counts():
    search = search_of(Scripted(0.5), budget=Budget(trials=2, epochs=100, seconds=1000))
    run(search)
    assert search.trials == 2
    search = search_of(Scripted(0.5), budget=Budget(trials=100, epochs=3))  # an epoch a trial
    run(search)
    assert search.trials == 3


def test_a_budget_in_seconds_counts_the_search_and_not_who_looks_on(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=lambda: clock.now, time=time.time))

    class Slow(Scripted):
        def evaluate(self, trial, proposal):
            clock.now += 2.0
            return (yield from super().evaluate(trial, proposal))

    search = search_of(Slow(0.5), budget=Budget(seconds=5))
    while search.end is None:
        for _ in search.step():
            clock.now += 100.0  # a pause
    assert search.trials == 3
    assert search.seconds == 6.0
    assert search.fraction == pytest.approx(1.2)


@pytest.mark.parametrize("limits", [{}, {"trials": 0}, {"epochs": -1}, {"seconds": 0.0}, {"trials": 1.5}], ids=str)
def test_budgets_that_are_none(limits):
    with pytest.raises(SettingsError, match=r"budget must have at least one of|must be >= 1|must be > 0|whole number"):
        Budget(**limits)


# -- relaxation --------------------------------------------------------------------------------------------------------


class Alternating:
    """A differentiable strategy that derives the given architectures one after the other."""

    def __init__(self, supernet, *texts):
        self.supernet = supernet
        self.derived = [NB201.architecture(text) for text in texts]
        self.epochs = 0

    def epoch(self):
        self.epochs += 1
        yield Progress(1, 1, "batch")
        return {"train_loss": 1.0}

    def mixture(self):
        return {row.name: torch.ones(len(row.options)) / len(row.options) for row in NB201.rows}

    def probabilities(self):
        return {"alpha": {}}

    def derive(self):
        return self.derived[(self.epochs - 1) % len(self.derived)]

    def advance(self):
        return ()


def test_the_incumbent_of_a_relaxation_is_what_was_derived_last_also_when_it_is_worse():
    spec = RunSpec(NB201, images(), DARTS, None, Budget(epochs=10), device="cpu")
    process = spec.bind().search.process
    search = Search(Relaxation(Alternating(process.strategy.supernet, *CELLS), process.task), Budget(epochs=10), NB201)
    records = run(search)
    incumbents = of(IncumbentChanged, records)
    assert [event.architecture for event in incumbents] == CELLS * 2
    assert {event.trial for event in incumbents} == {None}
    scores = [event.score for event in incumbents]
    assert any(later < earlier for earlier, later in pairwise(scores))
    with torch.no_grad():
        x, y = process.task.valid
        for event in incumbents[:5]:
            logits = process.strategy.supernet.eval()(x, NB201.architecture(event.architecture))
            assert event.score == pytest.approx(float((logits.argmax(1) == y).double().mean()))
    for event, epoch in zip(of(EpochFinished, records), range(1, 11), strict=True):
        assert event.epoch == epoch
        assert event.metrics["train_loss"] == 1.0
        assert event.metrics["valid_accuracy"] == incumbents[epoch - 1].score


# -- a search never reads test -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Twins(Task):
    """Tasks that differ in one split only."""

    kind = "test_twins"
    title = "Twins"

    test_seed: int = setting(0, "Of test.")
    valid_seed: int = setting(0, "Of valid.")

    def make(self) -> Data:
        def split(seed, items):
            rng = np.random.default_rng(seed)
            y = rng.integers(3, size=items)
            x = rng.normal(size=(items, 1, 8, 8)) + y.reshape(-1, 1, 1, 1)
            return Split(x.astype(np.float32), y.astype(np.int64))

        return Data(
            split(100, 36), split(200 + self.valid_seed, 18), split(300 + self.test_seed, 18), 3, ("a", "b", "c")
        )


class Trap(BoundTask):
    """A binding that says so when test is touched."""

    @property
    def test(self):
        raise AssertionError("test was read")


@dataclass(frozen=True)
class Trapped(Twins):
    kind = "test_trapped"
    title = "Trapped"

    bound: ClassVar[list[Any]] = []

    def bind(self, device="cpu", *, with_test=False):
        if with_test:
            raise AssertionError("test was asked for")
        self.bound.append(Trap(self.load(), resolve_device(device)))
        return self.bound[-1]


for _kind in ("test_twins", "test_trapped"):  # known to nobody else
    del TASKS[_kind]

SEARCHES = [
    pytest.param(NB201, EVOLUTION, TRAINING, Budget(trials=4), id="evolution × training"),
    pytest.param(CHAIN, strategies.Reinforce(hidden=4), TRAINING, Budget(trials=3), id="REINFORCE × training"),
    pytest.param(NB201, strategies.Reinforce(hidden=4), SHARED, Budget(epochs=2), id="ENAS"),
    pytest.param(NB201, DARTS, None, Budget(epochs=2), id="DARTS"),
]


def said(task, space, strategy, evaluator, budget):
    spec = RunSpec(space, task, strategy, evaluator, budget, device="cpu")
    return [event.semantic_json() for event in events(run(spec.bind().search))]


@pytest.mark.parametrize("parts", [param.values for param in SEARCHES], ids=[param.id for param in SEARCHES])
def test_searches_on_tasks_that_differ_in_test_are_the_same_to_the_bit(parts):
    assert Twins(test_seed=1).load().digest != Twins(test_seed=2).load().digest
    one, other, control = (said(task, *parts) for task in (Twins(1, 0), Twins(2, 0), Twins(1, 1)))
    assert one == other
    assert one != control  # what a search may read does change it
    assert len(one) >= 6


@pytest.mark.parametrize("parts", [param.values for param in SEARCHES], ids=[param.id for param in SEARCHES])
def test_no_search_touches_test(parts):
    said(Trapped(), *parts)
    trap = Trapped.bound[-1]
    with pytest.raises(AssertionError, match="test was read"):
        _ = trap.test
    with pytest.raises(TaskError, match="a search never reads test"):
        _ = Twins().bind("cpu").test


# -- going on ----------------------------------------------------------------------------------------------------------


def test_a_resumed_search_that_does_not_repeat_what_is_stored_says_which_event():
    def made():
        return search_of(Scripted(0.5, 0.6, 0.7))

    records = run(made())
    resumed = made()
    resumed.resume(None, len(records), records)
    assert run(resumed) == []  # nothing is said twice
    changed = search_of(Scripted(0.5, 0.61, 0.7))
    changed.resume(None, len(records), records)
    with pytest.raises(ResumeError, match=r"must repeat event 8 \(TrialFinished\), got TrialFinished.*0\.61.*0\.6"):
        run(changed)


def test_the_state_of_trials_is_all_of_it():
    search = search_of(Scripted(0.5, 0.9, 0.7, 0.8, 0.95))
    first = [item for _ in range(3) for item in search.step() if isinstance(item, Record)]
    state = search.state_dict()
    again = search_of(Scripted(0.5, 0.9, 0.7, 0.8, 0.95))
    again.resume(state, len(first), ())
    later = run(again)
    assert later[0].seq == len(first) + 1
    assert [event.trial for event in of(IncumbentChanged, later)] == [5]  # 0.8 is not better than the 0.9 of before
    assert again.trials == 5


def test_processes_are_chosen_by_strategy_and_evaluator():
    def process(strategy, evaluator, budget):
        return RunSpec(NB201, images(), strategy, evaluator, budget, device="cpu").bind().search.process

    assert isinstance(process(EVOLUTION, TRAINING, Budget(trials=1)), Trials)
    assert isinstance(process(EVOLUTION, SHARED, Budget(trials=1)), OneShot)
    assert isinstance(process(DARTS, None, Budget(epochs=1)), Relaxation)


def test_scores_used_in_these_tests_differ():
    assert len({score_of(one.choices) for one in CHAIN.enumerate()}) > 50
