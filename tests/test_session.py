"""A search that runs in the background: pausing, stepping, stopping, going on, failing, and opening it again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import ClassVar

import pytest
from torch import nn

import nbnas as nb
from nbnas import evaluators, identity, session, strategies
from nbnas.errors import ResumeError, RunBusyError, RunError, SettingsError, StoreError, TaskError
from nbnas.events import (
    Progress,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    TrialFinished,
    TrialStarted,
)
from nbnas.networks import operations
from nbnas.processes import Budget
from nbnas.session import open_run, start
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.spaces import operations as names
from nbnas.spec import RunSpec
from nbnas.state import RunState, fold
from nbnas.store import RunReader, RunStore, list_runs, verify
from nbnas.strategies import STRATEGIES, RandomSearch
from nbnas.strategies.random_search import _RandomSearch
from tests.fixtures.runs import CHAIN, DEADLINE, NB201, Hooked, images, score_of, semantic, table_of, until

EVOLUTION = strategies.RegularizedEvolution(population=4, tournament=2)


def hooked(trials=12, strategy=EVOLUTION):
    return RunSpec(CHAIN, None, strategy, Hooked(), Budget(trials=trials))


@pytest.fixture
def gate(monkeypatch):
    """Each trial waits for a pass, so that a test knows where the run is."""
    passes = threading.Semaphore(0)

    def hook(trial):
        while not passes.acquire(timeout=0.002):
            yield Progress(0, 1, "waiting")

    monkeypatch.setattr(Hooked, "hook", staticmethod(hook))
    return passes


def let(gate, count):
    for _ in range(count):
        gate.release()


@pytest.fixture
def restarted():
    """Forgets runs of this process, as a new one would."""
    return session._LIVE.clear


def ended(run):
    return run.wait(DEADLINE)


def done(run):
    return run.read(lambda state: state.trials_finished)


# -- from start to end -------------------------------------------------------------------------------------------------


def test_a_run_from_start_to_end():
    run = ended(start(RunSpec(CHAIN, None, EVOLUTION, Hooked(), Budget(trials=12), name="my run")))
    events = run.events
    assert isinstance(events[0], RunStarted)
    assert events[-1] == RunFinished("budget")
    assert events[0].spec == run.spec.to_json()
    assert [event.trial for event in events if isinstance(event, TrialFinished)] == list(range(1, 13))
    scores = [event.score for event in events if isinstance(event, TrialFinished)]
    assert (run.status, run.name, run.fraction) == ("finished", "my run", 1.0)
    assert run.incumbent.score == max(scores)
    assert score_of(run.incumbent.architecture.choices) == run.incumbent.score
    assert run.incumbent.trial == scores.index(max(scores)) + 1
    assert run.remaining == 0
    assert not run.alive
    assert verify(run.id) == []
    (info,) = list_runs()
    assert (info.run_id, info.label, info.status, info.strategy) == (
        run.id,
        "my run",
        "finished",
        "RegularizedEvolution",
    )
    assert repr(run) == f"<Run {run.id} 'my run': finished>"


def test_the_same_seed_is_the_same_run_and_another_is_another():
    def of(seed):
        return semantic(ended(start(RunSpec(CHAIN, None, EVOLUTION, Hooked(), Budget(trials=12), seed))))

    assert of(1) == of(1)
    assert of(1) != of(2)


def test_replay_equals_live():
    """Series, population, incumbent, failures, times: all of it."""
    run = ended(start(hooked(30)))
    with RunReader(run.id) as reader:
        replayed = fold(reader.records())
    assert replayed == run.state
    assert replayed.trials_finished == 30
    assert len(replayed.alive) == 4


def test_what_is_shown_was_committed_before(monkeypatch):
    seen = []
    apply = RunState.apply

    def watched(state, record):
        with RunReader(runs[0] if runs else list_runs()[0].run_id) as reader:
            seen.append((record.seq, reader.last_seq))
        apply(state, record)

    runs: list[str] = []
    monkeypatch.setattr(RunState, "apply", watched)
    ended(start(hooked(3)))
    assert len(seen) > 12
    assert all(stored >= shown for shown, stored in seen)


def test_the_state_is_a_copy():
    run = ended(start(hooked(3)))
    state = run.state
    state.scores.append(99, 1.0)
    state.alive.clear()
    assert len(run.state.scores) == 3
    assert len(run.state.alive) == 3


# -- pause and step ----------------------------------------------------------------------------------------------------


def test_a_pause_holds_and_resume_goes_on(gate):
    run = start(hooked(6))
    let(gate, 2)
    until(lambda: done(run) == 2)
    run.pause()
    until(lambda: run.status == "paused")
    let(gate, 4)  # it could go on, but it must not
    before = run.read(lambda state: state.seq)
    time.sleep(0.1)
    assert run.read(lambda state: state.seq) == before
    assert (done(run), run.alive) == (2, True)
    run.resume()
    ended(run)
    assert sum(isinstance(event, RunPaused) for event in run.events) == 1
    assert sum(isinstance(event, RunResumed) for event in run.events) == 1
    assert semantic(run) == semantic(ended_again(gate, 6))


def ended_again(gate, trials):
    """A run of the same specification that nobody disturbed."""
    let(gate, trials)
    return ended(start(hooked(trials)))


def test_a_step_adds_exactly_one_trial(gate):
    run = start(hooked(9))
    run.pause()
    until(lambda: run.status == "paused")
    let(gate, 100)
    for expected in (1, 2, 3):
        run.step()
        until(lambda: done(run) == expected and run.status == "paused")  # noqa: B023
        time.sleep(0.02)
        assert done(run) == expected
    run.step()
    run.step()  # two at once
    until(lambda: done(run) == 5 and run.status == "paused")
    time.sleep(0.02)
    assert done(run) == 5
    run.resume()
    assert done(ended(run)) == 9
    assert semantic(run) == semantic(ended_again(gate, 9))


def test_a_step_of_a_running_run_ends_the_trial_under_way_and_holds(gate):
    run = start(hooked(9))
    let(gate, 2)
    until(lambda: run.read(lambda state: state.trials_started) == 3)
    run.step()
    let(gate, 100)
    until(lambda: run.status == "paused")
    assert done(run) == 3
    run.resume()
    ended(run)


def test_a_step_of_a_stopped_run_goes_on_for_one_trial(gate, restarted):
    run = start(hooked(9))
    let(gate, 2)
    until(lambda: run.read(lambda state: state.trials_started) == 3)
    run.stop()
    ended(run)
    run.step()
    let(gate, 100)  # those before are repeated
    until(lambda: run.status == "paused" and done(run) == 3)
    run.step()
    until(lambda: run.status == "paused" and done(run) == 4)
    run.resume()
    assert done(ended(run)) == 9
    assert semantic(run) == semantic(ended_again(gate, 9))


def test_epochs_are_stepped_too():
    spec = RunSpec(NB201, images(), strategies.Darts(batch=8), None, Budget(epochs=3), device="cpu")
    run = start(spec)
    run.pause()
    until(lambda: run.status == "paused")
    first = run.state.epochs_trained
    for expected in range(first + 1, 4):
        run.step()
        until(lambda: run.read(lambda state: state.epochs_trained) == expected)  # noqa: B023
    assert ended(run).state.epochs_trained == 3


# -- stop --------------------------------------------------------------------------------------------------------------


def test_stop_ends_within_a_batch(monkeypatch):
    """A trial of endless batches: after the call at most the batch under way and one more are done."""
    batches = [0]

    def hook(trial):
        while True:
            batches[0] += 1
            time.sleep(0.002)
            yield Progress(batches[0], 0, "batch")

    monkeypatch.setattr(Hooked, "hook", staticmethod(hook))
    run = start(hooked())
    until(lambda: batches[0] > 5)
    run.stop()
    at_stop = batches[0]
    ended(run)
    assert batches[0] <= at_stop + 1
    assert run.status == "stopped"
    assert [type(event) for event in run.events][-2:] == [TrialStarted, RunStopped]
    assert run.state.current is None


def test_stop_ends_within_a_batch_of_training():
    """An operation that takes its time, in a training of 100,000 epochs."""
    calls = [0]

    @nb.operation("slow")
    class Slow(nn.Module):
        def __init__(self, in_channels, out_channels, stride):
            super().__init__()

        def forward(self, x):
            calls[0] += 1
            time.sleep(0.01)
            return x

    try:
        space = SearchSpace("slow", CellNetwork(2, ("slow",), channels=2, cells=1, stages=1))
        training = evaluators.Training(epochs=100_000, batch=8)
        run = start(RunSpec(space, images(), RandomSearch(), training, Budget(trials=1), device="cpu"))
        until(lambda: calls[0] > 2)
        run.stop()
        at_stop = calls[0]
        ended(run)
        assert calls[0] <= at_stop + 2  # one network, one operation a batch
        assert run.status == "stopped"
    finally:
        del operations._own["slow"], names._own["slow"]


def test_stop_of_a_paused_run(gate):
    run = start(hooked())
    run.pause()
    until(lambda: run.status == "paused")
    run.stop()
    assert run.wait().status == "stopped"  # at once, though it may still be paused then
    assert [type(event) for event in run.events][-2:] == [RunPaused, RunStopped]


def test_stop_again_and_after_the_end_does_nothing(gate):
    let(gate, 3)
    run = ended(start(hooked(3)))
    before = run.events
    for _ in range(2):
        run.stop()
        run.pause()
    assert run.status == "finished"
    assert run.events == before


SPECS = {
    "table": lambda path: RunSpec(CHAIN, None, EVOLUTION, table_of(CHAIN, path / "t.npz"), Budget(trials=60)),
    "training": lambda path: RunSpec(
        CHAIN,
        images(),
        strategies.Reinforce(hidden=4),
        evaluators.Training(epochs=1, batch=12),
        Budget(trials=8),
        device="cpu",
    ),
    "shared weights": lambda path: RunSpec(
        NB201,
        images(),
        strategies.Reinforce(hidden=4),
        evaluators.SharedWeights(controller_steps=2, batch=12),
        Budget(epochs=4),
        device="cpu",
    ),
    "relaxation": lambda path: RunSpec(
        NB201, images(), strategies.Darts(batch=6, alpha_learning_rate=0.1), None, Budget(epochs=5), device="cpu"
    ),
}


@pytest.mark.parametrize("often", [False, True], ids=["as usual", "points after each step"])
@pytest.mark.parametrize("which", SPECS)
def test_stop_and_resume_is_as_if_it_had_never_stopped(which, often, tmp_path, monkeypatch, restarted):
    """Stopped somewhere within the steps, three times, and opened anew each time."""
    if often:
        monkeypatch.setattr(session, "_SAVE_SECONDS", 0.0)
        monkeypatch.setattr(session, "_SAVE_SHARE", 0.0)
    spec = SPECS[which](tmp_path)
    whole = semantic(ended(start(spec)))
    run = start(spec)
    for stop_at in (5, len(whole) // 2, len(whole) - 4):
        until(lambda: run.read(lambda state: state.seq) > stop_at or not run.alive)  # noqa: B023
        run.stop()
        ended(run)
        restarted()
        run = open_run(run.id, task=spec.task)
        if run.status == "finished":
            break
        assert run.status == "stopped"
        run.resume()
    ended(run)
    assert run.status == "finished"
    assert sum(isinstance(event, RunStopped) for event in run.events) >= 1
    assert semantic(run) == whole
    assert verify(run.id) == []
    with RunReader(run.id) as reader:
        assert fold(reader.records()) == run.state


def test_a_resume_point_spares_the_work_before_it(monkeypatch, restarted):
    monkeypatch.setattr(session, "_SAVE_SECONDS", 0.0)
    monkeypatch.setattr(session, "_SAVE_SHARE", 0.0)
    worked = []

    def hook(trial):
        worked.append(trial)
        if trial == 6 and worked.count(6) == 1:
            runs[0].stop()
        return ()

    runs = []
    monkeypatch.setattr(Hooked, "hook", staticmethod(lambda trial: iter(()) if not runs else hook(trial)))
    run = start(hooked(1))
    ended(run)
    monkeypatch.setattr(Hooked, "hook", staticmethod(hook))
    spec = hooked(9)
    original = session.Run._launch

    def launch(self, store, search):
        runs[:] = [self]
        original(self, store, search)

    monkeypatch.setattr(session.Run, "_launch", launch)
    run = ended(start(spec))
    assert run.status == "stopped"
    assert worked == [1, 2, 3, 4, 5, 6]
    run.resume()
    ended(run)
    assert worked == [1, 2, 3, 4, 5, 6, 6, 7, 8, 9]  # only the trial that was broken off is done again


def test_stop_and_resume_at_once_is_not_lost(gate):
    """Resume comes before the worker has seen the stop."""
    run = start(hooked(6))
    until(lambda: run.read(lambda state: state.trials_started) == 1)
    run.stop()
    run.resume()
    let(gate, 100)
    assert ended(run).status == "finished"
    assert done(run) == 6


def test_resume_while_the_run_is_ending_waits_for_that(gate, monkeypatch):
    """The worker has seen the stop and is still closing its store."""
    close, closing = RunStore.close, threading.Event()

    def slow(store):
        closing.set()
        time.sleep(0.1)
        close(store)

    run = start(hooked(6))
    until(lambda: run.read(lambda state: state.trials_started) == 1)
    with monkeypatch.context() as patched:
        patched.setattr(RunStore, "close", slow)
        run.stop()
        assert closing.wait(DEADLINE)
        run.resume()
    let(gate, 100)
    assert ended(run).status == "finished"
    assert sum(isinstance(event, RunStopped) for event in run.events) == 1


def test_stop_and_step_at_once_is_not_lost(gate):
    run = start(hooked(6))
    until(lambda: run.read(lambda state: state.trials_started) == 1)
    run.stop()
    run.step()
    let(gate, 100)
    until(lambda: run.status == "paused")
    assert done(run) == 1
    run.stop()
    ended(run)


# -- the end of waiting ------------------------------------------------------------------------------------------------


def test_waiting_has_a_limit(gate):
    run = start(hooked())
    with pytest.raises(TimeoutError, match=f"run {run.id} has not ended within 0.05 s; it is running"):
        run.wait(0.05)
    assert run.alive
    run.stop()
    ended(run)


def test_waiting_for_a_paused_run_would_never_end(gate):
    run = start(hooked())
    run.pause()
    until(lambda: run.status == "paused")
    with pytest.raises(RunError, match=r"is paused and would never end. Call resume\(\) or stop\(\) first"):
        run.wait()
    run.stop()
    ended(run)


def test_an_interrupt_while_waiting_stops_the_run(gate, monkeypatch):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run = start(hooked())
        until(lambda: run.read(lambda state: state.trials_started) == 1)
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        wait = run._ended.wait

        def waiting(timeout=None):  # so that the interrupt comes within the waiting
            if timer.ident is None:
                timer.start()
                timeout = DEADLINE
            return wait(timeout)

        monkeypatch.setattr(run._ended, "wait", waiting)
        with pytest.raises(KeyboardInterrupt):
            run.wait()
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert run.status == "stopped"
    assert not run.alive
    run.resume()
    let(gate, 100)
    assert ended(run).status == "finished"


# -- failing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fragile(RandomSearch):
    """Random search that fails at its third answer, as long as it is broken. Not registered."""

    title: ClassVar[str] = ""
    broken: ClassVar[bool] = True

    def bind(self, space, rng):
        class Breaking(_RandomSearch):
            def tell(self, trial, proposal, answer):
                if trial == 3 and Fragile.broken:
                    raise ZeroDivisionError("a bug")
                return ()

        return Breaking(space, rng)


def test_a_strategy_that_fails_ends_the_run_which_can_go_on_when_it_is_mended(monkeypatch):
    run = start(hooked(6, Fragile()))
    with pytest.raises(RunError, match=f"run {run.id} failed: a bug") as caught:
        run.wait(DEADLINE)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert run.status == "failed"
    assert run.state.message == "ZeroDivisionError: a bug"
    assert run.events[-1] == RunFailed("ZeroDivisionError: a bug")
    assert done(run) == 3
    with pytest.raises(RunError):  # once more, as often as one asks
        run.wait()
    monkeypatch.setattr(Fragile, "broken", False)
    run.resume()
    assert ended(run).status == "finished"
    assert semantic(run) == semantic(ended(start(hooked(6, Fragile()))))


def test_a_run_that_failed_says_so_also_when_it_is_opened_again(monkeypatch, restarted):
    monkeypatch.setitem(STRATEGIES, "Fragile", Fragile)
    with pytest.raises(RunError):
        ended(start(hooked(6, Fragile())))
    (info,) = list_runs()
    restarted()
    run = open_run(info.run_id, evaluator=Hooked())
    assert run.status == "failed"
    with pytest.raises(RunError, match=f"run {run.id} failed: ZeroDivisionError: a bug"):
        run.wait()
    monkeypatch.setattr(Fragile, "broken", False)
    run.resume()
    assert ended(run).status == "finished"


def test_a_run_that_cannot_be_stored_fails_and_says_so(monkeypatch):
    append = RunStore.append

    def full(store, *records):
        if records[0].seq >= 9:
            raise StoreError("disk is full. Free space on the disk")
        append(store, *records)

    monkeypatch.setattr(RunStore, "append", full)
    run = start(hooked(6))
    with pytest.raises(RunError, match="disk is full"):
        run.wait(DEADLINE)
    assert run.status == "failed"
    assert run.state.message.startswith("disk is full. Free space on the disk; and could not be stored")
    assert run.state.seq == 8  # nothing is shown that was not stored


def test_a_disk_that_is_full_once_leaves_the_failure_in_the_store(monkeypatch):
    append, failures = RunStore.append, []

    def full_once(store, *records):
        if records[0].seq == 9 and not failures:
            failures.append(records)
            raise StoreError("disk is full")
        append(store, *records)

    monkeypatch.setattr(RunStore, "append", full_once)
    run = start(hooked(6))
    with pytest.raises(RunError, match="disk is full"):
        run.wait(DEADLINE)
    assert [record.seq for record in run.records][-1] == 9
    assert run.events[-1] == RunFailed("disk is full")
    run.resume()
    assert ended(run).status == "finished"
    assert semantic(run) == semantic(ended(start(hooked(6))))


def test_a_stop_that_cannot_be_stored_is_a_failure(gate, monkeypatch):
    def full(store, *records):
        raise StoreError("disk is full")

    run = start(hooked(6))
    until(lambda: run.read(lambda state: state.trials_started) == 1)
    with monkeypatch.context() as patched:
        patched.setattr(RunStore, "append", full)
        run.stop()
        with pytest.raises(RunError, match="disk is full"):
            run.wait(DEADLINE)
    assert run.status == "failed"
    run.resume()
    let(gate, 100)
    assert ended(run).status == "finished"


def test_a_finished_run_cannot_go_on():
    run = ended(start(hooked(3)))
    before = run.events
    for call in (run.resume, run.step):
        with pytest.raises(RunError, match=rf"run {run.id} is finished\. Start a new one with a larger budget"):
            call()
    assert run.events == before
    assert run.status == "finished"


# -- open again --------------------------------------------------------------------------------------------------------


def test_opening_in_the_same_process_gives_the_same_object(gate):
    run = start(hooked(3))
    assert open_run(run.id) is run
    let(gate, 3)
    ended(run)
    assert open_run(run.id) is run


CHILD = """
import os, sys
from nbnas.session import start
from tests import test_session as this
from tests.fixtures.runs import Hooked

def hook(trial):
    if trial == 7:
        sys.stdout.write(runs[0].id)
        sys.stdout.flush()
        {what}
    return ()

runs = []
original = this.session.Run._launch
def launch(self, store, search):
    runs.append(self)
    original(self, store, search)
this.session.Run._launch = launch
Hooked.hook = staticmethod(hook)
start(this.hooked(20)).wait()
"""


def child(what):
    """Another process that runs `hooked(20)` and does `what` in trial 7."""
    code = CHILD.format(what=what)
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_run_of_a_process_that_died_is_opened_and_finished():
    with child("os._exit(9)") as process:
        run_id = process.communicate(timeout=60)[0]
        assert process.returncode == 9
    run = open_run(run_id, evaluator=Hooked())
    assert run.status == "interrupted"
    assert list_runs()[0].status == "interrupted"
    assert done(run) == 6
    assert run.state.trials_started == 7
    whole = ended(start(hooked(20)))
    assert run.incumbent.score == max(list(whole.state.scores.y)[:6])
    assert semantic(run) == semantic(whole)[: len(semantic(run))]
    run.resume()
    ended(run)
    assert run.status == "finished"
    assert semantic(run) == semantic(whole)
    assert verify(run.id) == []


def test_a_run_that_is_busy_in_another_process_can_be_looked_at_but_not_continued():
    with child("sys.stdin.readline()") as process:
        run_id = process.stdout.read(20)
        until(lambda: list_runs() and list_runs()[0].events > 20)
        run = open_run(run_id, evaluator=Hooked())
        assert list_runs()[0].busy
        assert done(run) == 6
        with pytest.raises(RunBusyError, match=run_id):
            run.resume()
        with pytest.raises(RunBusyError):
            run.step()
        assert done(run) == 6
        process.communicate("go on\n", timeout=60)
        assert process.returncode == 0
    again = open_run(run_id)
    assert again is run
    assert again.status == "finished"  # what the other process did meanwhile is seen
    assert done(again) == 20
    with pytest.raises(RunError, match="is finished"):
        run.resume()


def test_data_of_ones_own_must_be_the_same_again(tmp_path, restarted):
    spec = RunSpec(
        CHAIN, images(seed=1), EVOLUTION, evaluators.Training(epochs=1, batch=12), Budget(trials=200), device="cpu"
    )
    run = start(spec)
    until(lambda: done(run) >= 1)
    run.stop()
    ended(run)
    run_id = run.id
    restarted()
    with pytest.raises(TaskError, match=r"must be given again.*nb\.open\(run_id, task=task\)"):
        open_run(run_id)
    with pytest.raises(SettingsError, match=r"task must be the one of the run.*digest"):
        open_run(run_id, task=images(seed=2))
    run = open_run(run_id, task=images(seed=1))
    assert run.status == "stopped"


def test_the_evaluator_must_be_the_same_again(restarted):
    def table(last):
        texts = [str(one) for one in CHAIN.enumerate()]
        return evaluators.Tabular({"architecture": texts, "valid_accuracy": [0.1] * (len(texts) - 1) + [last]})

    run_id = ended(start(RunSpec(CHAIN, None, EVOLUTION, table(0.5), Budget(trials=3)))).id
    restarted()
    with pytest.raises(SettingsError, match=r"evaluator must be the one of the run.*table"):
        open_run(run_id, evaluator=table(0.6))
    with pytest.raises(SettingsError, match=r"evaluator must be the one of the run.*Hooked"):
        open_run(run_id, evaluator=Hooked())
    assert open_run(run_id, evaluator=table(0.5)).status == "finished"


def test_a_table_file_may_have_moved(tmp_path, restarted):
    run_id = ended(start(SPECS["table"](tmp_path))).id
    restarted()
    (tmp_path / "t.npz").rename(tmp_path / "moved.npz")
    run = open_run(run_id, evaluator=evaluators.Tabular(str(tmp_path / "moved.npz")))
    assert run.spec.evaluator.table.endswith("moved.npz")


def test_another_machine_is_asked_about(monkeypatch, gate):
    run = start(hooked(6))
    let(gate, 2)
    until(lambda: run.read(lambda state: state.trials_started) == 3)
    run.stop()
    ended(run)
    before = run.events
    monkeypatch.setattr(identity.platform, "machine", lambda: "abacus")
    with pytest.raises(ResumeError, match=r"but machine was \w+, is abacus. Call resume\(accept_differences=True\)"):
        run.resume()
    assert run.events == before
    assert (run.status, run.alive) == ("stopped", False)
    run.resume(accept_differences=True)
    let(gate, 100)
    assert ended(run).status == "finished"
    (resumed,) = [event for event in run.events if isinstance(event, RunResumed)]
    assert resumed.identity["machine"] == "abacus"
    assert run.state.identity["machine"] == "abacus"


def test_without_a_notebook_a_run_shows_itself_as_a_line(capsys, monkeypatch):
    monkeypatch.setattr(session.Run, "display_hook", None)
    run = ended(start(hooked(3)))
    run._ipython_display_()
    assert capsys.readouterr().out == f"<Run {run.id}: finished>\n"
