"""How runs end, and what must not keep them from ending."""

from __future__ import annotations

import numpy as np
import pytest

import nbnas as nb
from nbnas import processes
from nbnas.errors import RunError, SettingsError
from nbnas.events import EpochFinished, Record, RunResumed, RunStarted
from nbnas.session import start
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.state import fold
from nbnas.store import RunStore
from nbnas.threads import suiting, using


def table(space: SearchSpace) -> nb.evaluators.Tabular:
    texts = [str(architecture) for architecture in space.enumerate()]
    return nb.evaluators.Tabular({"architecture": texts, "valid_accuracy": np.linspace(0, 1, len(texts))})


def test_a_budget_in_epochs_ends_although_every_trial_fails_before_its_first_epoch(monkeypatch):
    monkeypatch.setattr(processes, "MOST_FAILURES", 5)

    @nb.operation("boom")
    def boom(in_channels: int, out_channels: int, stride: int):
        raise ValueError("no such layer")

    space = SearchSpace("booming", CellNetwork(nodes=2, operations=("boom",), channels=2, cells=1))
    run = start(
        nb.RunSpec(
            space,
            nb.tasks.digits(),
            nb.strategies.RandomSearch(),
            nb.evaluators.Training(epochs=1),
            nb.Budget(epochs=1),
        )
    )
    with pytest.raises(RunError, match=r"5 trials in a row failed, the last one with: .*boom"):
        run.wait(60)
    assert run.state.trials_failed == 5


def test_a_run_that_another_holder_finished_stays_finished():
    space = nb.spaces.chain(max_depth=1, max_dense=0)
    run = start(nb.RunSpec(space, None, nb.strategies.RandomSearch(), table(space), nb.Budget(trials=2)))
    run.wait(60)
    run._state.status = "stopped"  # what a holder thinks that looked before the end
    with pytest.raises(RunError, match="is finished"):
        run.resume()
    with RunStore.open(run.id) as store:
        assert type(list(store.records())[-1].event).__name__ == "RunFinished"
    assert run.status == "finished"


def test_the_time_between_two_processes_is_not_search_time():
    events = (
        (100.0, RunStarted({}, {"device": "cpu"})),
        (103.0, EpochFinished(1, {})),
        (9000.0, RunResumed({"device": "cpu"})),
        (9002.0, EpochFinished(2, {})),
    )
    state = fold(Record(number, time, event) for number, (time, event) in enumerate(events, start=1))
    assert state.seconds == pytest.approx(3 + 2)


def test_evolution_needs_something_to_mutate():
    space = SearchSpace("one", CellNetwork(nodes=2, operations=("skip",)))
    with pytest.raises(SettingsError, match="must have a decision with two options to mutate"):
        nb.strategies.RegularizedEvolution(2, 1).bind(space, np.random.default_rng(0))


def test_an_own_operation_on_zero_need_not_be_zero():
    @nb.operation("biased")
    def biased(in_channels: int, out_channels: int, stride: int):
        raise AssertionError("not built here")

    space = SearchSpace("biased", CellNetwork(nodes=3, operations=("none", "biased")))
    nothing = space.architecture({"edge_0_1": "none", "edge_0_2": "none", "edge_1_2": "none"})
    bias = space.architecture({"edge_0_1": "none", "edge_0_2": "none", "edge_1_2": "biased"})
    assert space.canonical(nothing) != space.canonical(bias)


def test_tiny_inputs_take_one_thread_and_the_callers_number_comes_back():
    import torch

    before = torch.get_num_threads()
    assert suiting((1, 8, 8)) == suiting(None) == 1
    assert suiting((3, 32, 32)) == before
    with using(3):
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == before
