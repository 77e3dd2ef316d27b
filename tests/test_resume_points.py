"""A resume point that is saved while a resumed run still repeats what is stored."""

import time
from pathlib import Path

import numpy as np
import pytest

from nbnas import evaluators, spaces, strategies
from nbnas.errors import ResumeError
from nbnas.evaluators.tabular import _Tabular
from nbnas.events import Record
from nbnas.processes import Budget
from nbnas.session import Run, start
from nbnas.spec import RunSpec
from nbnas.store import RunStore, verify


@pytest.fixture
def spec(tmp_path: Path) -> RunSpec:
    space = spaces.chain(max_depth=1, max_dense=0)
    texts = [str(architecture) for architecture in space.enumerate()]
    table = evaluators.Table(texts, {"valid_accuracy": np.linspace(0, 1, len(texts))})
    table.save(tmp_path / "table.npz")
    evolution = strategies.RegularizedEvolution(population=3, tournament=2)
    return RunSpec(space, None, evolution, evaluators.Tabular(str(tmp_path / "table.npz")), Budget(trials=12))


def semantic(run: Run) -> list[dict[str, object]]:
    return [event.semantic_json() for event in run.events if event.semantic]


def stopped_in_trial(spec: RunSpec, trial: int, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that was stopped within a trial, too early for a resume point."""
    runs: list[Run] = []

    def evaluate(self, number, proposal):
        if number == trial:
            while not runs:
                time.sleep(0.001)
            runs[0].stop()
        return (yield from original(self, number, proposal))

    original = _Tabular.evaluate
    with monkeypatch.context() as patched:
        patched.setattr(_Tabular, "evaluate", evaluate)
        runs.append(start(spec))
        runs[0].wait(10)
    assert runs[0].status == "stopped"
    return runs[0]


def until(run: Run, status: str) -> None:
    end = time.monotonic() + 10
    while run.status != status:
        assert time.monotonic() < end, run.status
        time.sleep(0.005)


def test_steps_of_a_resumed_run_are_never_stored_twice(spec, monkeypatch):
    """`step` saves after each trial, here after the first of six that are repeated."""
    run = stopped_in_trial(spec, 7, monkeypatch)
    with RunStore.open(run.id) as store:
        assert store.resume_point() is None
    for _ in range(2):
        run.step()
        until(run, "paused")
        run.stop()
        run.wait(10)
        with RunStore.open(run.id) as store:
            point = store.resume_point()
        assert point is not None
    run.resume()
    run.wait(10)
    assert semantic(run) == semantic(start(spec).wait(10))
    assert verify(run.id) == []


def test_a_resumed_search_that_ends_before_all_is_repeated_says_so(spec):
    """One event more is stored than the search can have given."""
    run = start(spec).wait(10)
    *records, finished = run.records
    search = spec.bind().search
    search.resume(None, finished.seq, [*records, finished])
    while search.end is None:
        assert list(search.step())
    with pytest.raises(ResumeError, match=rf"must repeat event {finished.seq} \(RunFinished\), got its end"):
        search.finish()


def test_time_used_up_does_not_keep_a_resumed_search_from_repeating_what_is_stored(spec):
    records = list(start(spec).wait(10).records)[:-1]
    budget = Budget(trials=100, seconds=1e-6)
    search = RunSpec(spec.space, None, spec.strategy, spec.evaluator, budget).bind().search
    search.resume(None, len(records), records)
    while search.end is None:
        assert not [item for item in search.step() if isinstance(item, Record)]
    assert search.finish().seq == len(records) + 1
    assert search.trials == 12
