"""The state of a run: a fold over its events, bounded, the same whenever it is made."""

from __future__ import annotations

import copy
import math
import statistics
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas import jsonio
from nbnas.events import (
    DistributionUpdated,
    EpochFinished,
    IncumbentChanged,
    PolicyUpdated,
    PopulationUpdated,
    Record,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    TrialFailed,
    TrialFinished,
    TrialProgressed,
    TrialStarted,
)
from nbnas.series import MAX_POINTS
from nbnas.state import Incumbent, RunState, fold
from tests.fixtures import records
from tests.fixtures.runs import CHAIN, NB201


def recorded(events, step=1.0):
    """Records of events, one each `step` seconds."""
    return [Record(seq, 100 + step * seq, event) for seq, event in enumerate(events, start=1)]


def state_of(*events):
    return fold(recorded(events))


STARTED = RunStarted({"name": "x"}, {"device": "cpu"})


@pytest.mark.parametrize(
    ("kind", "space"),
    [(kind, space) for kind in records.KINDS for space in (NB201, CHAIN) if kind != "darts" or space is NB201],
    ids=lambda value: getattr(value, "name", value),
)
def test_replay_is_live(kind, space):
    """After every record: the state folded at once is that which was folded record by record, also by JSON."""
    all_of = list(records.run(kind, space, steps=40))
    live = RunState()
    for count, record in enumerate(all_of, start=1):
        live.apply(record)
        if count % 17 == 0 or count == len(all_of):
            replayed = fold(
                Record.from_json(jsonio.loads(jsonio.dumps(one.to_json()), "test")) for one in all_of[:count]
            )
            assert replayed == live
            assert fold(all_of[count // 2 : count], fold(all_of[: count // 2])) == live
    assert live.status == "finished"
    assert live.seq == len(all_of)


def test_50_000_trials_stay_within_2_000_points_and_keep_their_peaks():
    def events():
        yield STARTED
        best, living = -1.0, deque()
        for trial in range(1, 50_001):
            score = 0.5 + 0.3 * math.sin(trial / 300)
            score = {31_337: 0.99, 12_345: 0.001}.get(trial, score)
            yield TrialStarted(trial, "0")
            if trial % 1000 == 0:
                yield TrialFailed(trial, "0", "nan", "x" * 2000)
                continue
            yield TrialFinished(trial, "0", {"valid_accuracy": score}, (score,))
            yield PolicyUpdated(trial, score, 0.5, score - 0.5, 1.0)
            living.append(trial)
            yield PopulationUpdated(((trial, score),), (living.popleft(),) if len(living) > 100 else ())
            if score > best:
                best = score
                yield IncumbentChanged(trial, "0", score)

    state = fold(recorded(events()))
    assert (state.trials_started, state.trials_finished, state.trials_failed) == (50_000, 49_950, 50)
    every = [state.scores, state.best, *state.policy.values(), *state.fitness.values()]
    assert len(every) == 10
    for series in every:
        assert MAX_POINTS // 4 < len(series) <= MAX_POINTS
    x, y = state.scores.points()
    points = dict(zip(x, y, strict=True))
    assert (points[31_337], points[12_345]) == (0.99, 0.001)
    assert state.best.last == (49_999, 0.99)
    assert state.incumbent == Incumbent(31_337, "0", 0.99)
    assert len(state.failed) == 20
    assert state.failed[-1][0] == 50_000
    assert state.failures == {"nan": 50}
    assert len(state.alive) == 100


def test_an_unbounded_number_of_decisions_is_shown_in_part():
    groups = {"policy": {f"decision {place}": {"a": 0.5, "b": 0.5} for place in range(2_000)}}
    state = state_of(STARTED, *(DistributionUpdated("policy", step, groups) for step in range(3)))
    assert len(state.lines) == 500
    assert all(len(series) == 3 for series in state.lines.values())
    assert len(state.distribution.groups["policy"]) == 2_000  # the latest one is whole


def test_the_best_score_so_far():
    finished = [TrialFinished(trial, "0", {}, (score,)) for trial, score in enumerate([0.5, 0.4, 0.9, 0.7], start=1)]
    state = state_of(
        STARTED,
        finished[0],
        IncumbentChanged(1, "0", 0.5),
        finished[1],
        finished[2],
        IncumbentChanged(3, "0", 0.9),
        finished[3],
    )
    assert state.best.points() == ([1, 2, 3, 4], [0.5, 0.5, 0.9, 0.9])
    assert state.scores.points() == ([1, 2, 3, 4], [0.5, 0.4, 0.9, 0.7])


def test_trials_without_a_score_are_counted_but_not_drawn():
    state = state_of(STARTED, TrialFinished(1, "0", {}, (0.1, 0.2)), TrialFinished(2, "0", {}, ()))
    assert state.trials_finished == 2
    assert len(state.scores) == 0


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(1, 8))
def test_fitness_is_that_of_the_living(values, size):
    """Best, quartiles and median after each birth, against those of the last `size` values."""
    events = [
        PopulationUpdated(((trial, value),), (trial - size,) if trial > size else ())
        for trial, value in enumerate(values, start=1)
    ]
    state = state_of(STARTED, *events)
    for count in range(1, len(values) + 1):
        living = sorted(values[max(0, count - size) : count])
        assert state.fitness["best"].y[count - 1] == max(living)
        assert state.fitness["median"].y[count - 1] == pytest.approx(statistics.median(living))
        if len(living) > 1:
            lower, _, upper = statistics.quantiles(living, method="inclusive")
            assert state.fitness["lower"].y[count - 1] == lower
            assert state.fitness["upper"].y[count - 1] == upper
    assert sorted(state.alive.values()) == sorted(values[-size:])
    assert state.births == len(values)
    assert state.fitness["best"].x == list(range(1, len(values) + 1))


def test_quartiles_by_hand():
    state = state_of(STARTED, PopulationUpdated(tuple(enumerate([0.1, 0.2, 0.3, 0.4, 0.5], start=1)), ()))
    last = {name: series.last for name, series in state.fitness.items()}
    assert last == {"best": (5, 0.5), "upper": (5, 0.4), "median": (5, 0.3), "lower": (5, 0.2)}


def test_epochs_have_a_series_for_each_metric():
    state = state_of(
        STARTED, EpochFinished(1, {"train_loss": 2.0}), EpochFinished(2, {"train_loss": 1.0, "valid_accuracy": 0.5})
    )
    assert state.epochs_trained == 2
    assert state.epochs["train_loss"].points() == ([1, 2], [2.0, 1.0])
    assert state.epochs["valid_accuracy"].points() == ([2], [0.5])


def test_the_trial_under_way():
    assert state_of(STARTED, TrialStarted(4, "0-1")).current == (4, "0-1", 0, 0)
    assert state_of(STARTED, TrialStarted(4, "0-1"), TrialProgressed(4, 2, 5, {})).current == (4, "0-1", 2, 5)
    for end in (TrialFinished(4, "0-1", {}, (1.0,)), TrialFailed(4, "0-1", "nan", ""), RunStopped(), RunFailed("x")):
        assert state_of(STARTED, TrialStarted(4, "0-1"), end).current is None


@pytest.mark.parametrize(
    ("events", "status", "message", "is_ended"),
    [
        ([], "created", "", False),
        ([STARTED], "running", "", False),
        ([STARTED, RunPaused()], "paused", "", False),
        ([STARTED, RunPaused(), RunResumed()], "running", "", False),
        ([STARTED, RunStopped()], "stopped", "", True),
        ([STARTED, RunFinished("budget")], "finished", "budget", True),
        ([STARTED, RunFailed("it broke")], "failed", "it broke", True),
        ([STARTED, RunFailed("it broke"), RunResumed({"device": "cuda:0"})], "running", "", False),
    ],
    ids=["nothing", "started", "paused", "resumed", "stopped", "finished", "failed", "mended"],
)
def test_the_status(events, status, message, is_ended):
    state = state_of(*events)
    assert (state.status, state.message, state.ended) == (status, message, is_ended)


def test_time_is_counted_while_it_runs_only():
    """Ten seconds between two records; a pause, a stop and the time between two processes do not count."""
    events = [
        STARTED,
        TrialStarted(1, "0"),
        RunPaused(),
        RunResumed(),
        RunStopped(),
        RunResumed(),
        RunFinished("budget"),
    ]
    state = fold(recorded(events, step=10.0))
    assert state.seconds == 10 + 10 + 10 + 10  # to the trial, to the pause; to the stop; to the end
    assert (state.started, state.updated) == (110.0, 170.0)


def test_clocks_that_are_set_back_do_not_count_backwards():
    state = fold([Record(1, 100.0, STARTED), Record(2, 40.0, TrialStarted(1, "0")), Record(3, 45.0, RunStopped())])
    assert state.seconds == 5.0


def test_a_resume_elsewhere_changes_the_identity_and_a_pause_does_not():
    state = state_of(STARTED, RunPaused(), RunResumed())
    assert state.identity == {"device": "cpu"}
    assert state_of(STARTED, RunStopped(), RunResumed({"device": "cuda:0"})).identity == {"device": "cuda:0"}


def test_a_copy_of_a_state_is_independent():
    state = state_of(STARTED, TrialFinished(1, "0", {}, (0.5,)))
    other = copy.deepcopy(state)
    other.apply(Record(3, 200.0, TrialFinished(2, "0", {}, (0.6,))))
    assert len(state.scores) == 1
    assert len(other.scores) == 2
