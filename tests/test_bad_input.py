"""Wrong input: each is refused with what, where and what to do, and leaves nothing behind."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from torch import nn

import nbnas as nb
from nbnas import session
from nbnas.errors import NbnasError, RunBusyError, SettingsError, SpaceError, StoreError, TaskError
from nbnas.networks import operations
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.spaces import operations as names
from nbnas.store import RunStore, verify
from tests.fixtures.runs import CHAIN, NB201, images, table_of

DIGITS = nb.tasks.digits()
RANDOM, DARTS = nb.strategies.RandomSearch(), nb.strategies.Darts()
TRAINING, SHARED = nb.evaluators.Training(epochs=1), nb.evaluators.SharedWeights()
TRIALS, EPOCHS = nb.Budget(trials=3), nb.Budget(epochs=3)


def search(space=NB201, task=DIGITS, strategy=RANDOM, evaluator=TRAINING, **more):
    return nb.search(space, task, strategy, evaluator, **{"budget": TRIALS, "device": "cpu", **more})


SEARCHES = {
    "tournament above population": (
        lambda: search(strategy=nb.strategies.RegularizedEvolution(population=10, tournament=11)),
        r"tournament must be in 1\.\.population \(10\), got 11; in RegularizedEvolution. Lower it or raise population",
    ),
    "negative budget": (lambda: search(budget=nb.Budget(trials=-3)), "trials must be >= 1, got -3; in Budget"),
    "no budget": (
        lambda: search(budget=nb.Budget()),
        r"budget must have at least one of trials, epochs, seconds, got none. Give one, such as Budget\(trials=100\)",
    ),
    "budget as a number": (lambda: search(budget=100), r"budget must be one such as nb\.Budget\(trials=100\), got 100"),
    "infinite budget": (lambda: search(budget=nb.Budget(seconds=float("inf"))), "seconds must be a finite number, got"),
    "DARTS with an evaluator": (
        lambda: search(strategy=DARTS, budget=EPOCHS),
        "evaluator must be left out for Darts, which trains its own supernet, got Training. Leave it out, or use",
    ),
    "random search without an evaluator": (
        lambda: search(evaluator=None),
        r"evaluator must say how RandomSearch gets its scores, got none. Give one, such as nb\.evaluators\.Training",
    ),
    "DARTS on a chain": (
        lambda: search(CHAIN, strategy=DARTS, evaluator=None, budget=EPOCHS),
        r"space must have a relaxed view for Darts, got 'chain': .*Score its .* with nb\.evaluators\.Training",
    ),
    "shared weights on a chain": (
        lambda: search(CHAIN, evaluator=SHARED),
        r"space must have a relaxed view for SharedWeights, got 'chain': .* with nb\.evaluators\.Training",
    ),
    "DARTS with a budget in trials": (
        lambda: search(strategy=DARTS, evaluator=None),
        r"epochs must be given for Darts, which tries no trials, got only trials=3. Use Budget\(epochs=30\)",
    ),
    "a table with a budget in epochs": (
        lambda: search(task=None, evaluator=nb.evaluators.Tabular("t.npz"), budget=EPOCHS),
        r"trials must be given for Tabular, which trains no epochs, got only epochs=3. Use Budget\(trials=100\)",
    ),
    "images with a space for sequences": (
        lambda: search(nb.spaces.nas_bench_201(dims=1)),
        r"space must have dims=2, as inputs of this task have shape \(1, 8, 8\), got dims=1",
    ),
    "vectors": (
        lambda: search(task=nb.tasks.from_arrays(np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3,
                                                 layout="nf")),
        r"space must take vectors, as inputs of this task have shape \(4,\), got 'nas_bench_201'",
    ),
    "a device that is not there": (
        lambda: search(device="cuda:99"),
        r"device must be auto or one that is here \(.*cpu\), got 'cuda:99'",
    ),
    "an unknown device": (lambda: search(device="tpu"), "device must be auto, cpu, cuda, cuda:N or mps, got 'tpu'"),
    "an unknown device for a table": (
        lambda: search(task=None, evaluator=nb.evaluators.Tabular("t.npz"), device="banana"),
        "device must be auto, cpu, cuda, cuda:N or mps, got 'banana'",
    ),
    "a negative seed": (lambda: search(seed=-1), r"seed must be a whole number in 0..2\^63-1, got -1; in a run"),
    "a fraction as seed": (lambda: search(seed=0.5), "seed must be a whole number .*, got 0.5; in a run"),
    "true as seed": (lambda: search(seed=True), "seed must be a whole number .*, got True; in a run"),
    "control characters in the name": (
        lambda: search(name="a\x1b[31mb"), r"name must be at most 200 printable characters, got 'a\\x1b\[31mb'"
    ),
    "a path that is no table": (
        lambda: search(task=None, evaluator=nb.evaluators.Tabular("/no/such.npz")),
        r"table must be an npz file of plain arrays, got '/no/such\.npz': .*No such file",
    ),
    "no task": (lambda: search(task=None), r"task must be given, such as nb\.tasks\.digits\(\)"),
    "the class of a strategy": (
        lambda: search(strategy=nb.strategies.RandomSearch),
        r"strategy must be one such as nb\.strategies\.RandomSearch\(\), got <class",
    ),
    "the name of a space": (
        lambda: search("nas_bench_201"),
        r"space must be one such as nb\.spaces\.nas_bench_201\(\), got 'nas_bench_201'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SEARCHES)
def test_a_search_that_cannot_be_is_refused_before_anything_is_written(case, nbnas_home):
    call, said = SEARCHES[case]
    with pytest.raises(NbnasError, match=said) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)
    assert not nbnas_home.exists()
    assert nb.runs() == []


def test_an_unknown_argument_is_a_type_error(nbnas_home):
    with pytest.raises(TypeError, match="epochs"):
        search(epochs=3)
    assert not nbnas_home.exists()


def test_an_operation_that_cannot_be_made_is_refused_before_darts_starts(nbnas_home):
    @nb.operation("impossible")
    def impossible(in_channels, out_channels, stride):
        raise KeyError("no such layer")

    try:
        space = SearchSpace("own", CellNetwork(3, ("skip", "impossible"), channels=2, cells=1, stages=1))
        with pytest.raises(NbnasError, match=r"operation 'impossible' failed when made with in_channels=2.*KeyError"):
            search(space, images(), DARTS, None, budget=EPOCHS)
        assert not nbnas_home.exists()

        @nb.operation("impossible")
        def number(in_channels, out_channels, stride):
            return nn.Identity, 3

        with pytest.raises(NbnasError, match=r"operation 'impossible' must make an nn\.Module, got"):
            search(space, images(), DARTS, None, budget=EPOCHS)
        assert not nbnas_home.exists()
    finally:
        del operations._own["impossible"], names._own["impossible"]


def test_a_home_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NBNAS_HOME", str(tmp_path / "file"))
    with pytest.raises(StoreError, match=r"run folder must be writable, got: .* Set NBNAS_HOME"):
        search(CHAIN, None, evaluator=table_of(CHAIN, tmp_path / "t.npz"))


# -- stored runs -------------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path, nbnas_home):
    """The folder of a finished run that this process has forgotten."""
    run = search(CHAIN, None, evaluator=table_of(CHAIN, tmp_path / "t.npz")).wait(30)
    session._LIVE.clear()
    return nbnas_home / "runs" / run.id


def contents(folder):
    """All files but the lock, which anybody may make."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != "lock"}


def refused(folder, said, kind=StoreError):
    """Opening is refused, the list says why, and nothing is changed or made."""
    before = contents(folder)
    for call in (lambda: nb.open(folder.name), lambda: RunStore.open(folder.name)):
        with pytest.raises(kind, match=said):
            call()
    assert contents(folder) == before
    (info,) = nb.runs()
    assert (info.run_id, info.status) == (folder.name, "broken")
    assert info.problem
    assert info.problem in repr(nb.runs())


def test_a_truncated_database(stored):
    """Cut at 20 places; whatever is accepted has lost nothing (the last page may be empty)."""
    path, good = stored / "run.db", (stored / "run.db").read_bytes()
    events, broken = nb.open(stored.name).events, 0
    for cut in range(0, len(good), len(good) // 20):
        session._LIVE.clear()
        path.write_bytes(good[:cut])
        if verify(stored.name):
            refused(stored, r"run\.db")
            broken += 1
        else:
            assert nb.open(stored.name).events == events
    assert broken >= 10


def test_an_absent_database(stored):
    (stored / "run.db").unlink()
    refused(stored, r"must hold the run\.db of a run, got none|run\.db")


def test_another_file_as_database(stored):
    (stored / "run.db").write_bytes(b"This is not a database. " * 500)
    refused(stored, "run.db")


def test_another_database(stored):
    (stored / "run.db").unlink()
    with sqlite3.connect(stored / "run.db") as connection:
        connection.execute("CREATE TABLE event (seq INTEGER PRIMARY KEY)")
    connection.close()
    refused(stored, "must be the database of a run, got another SQLite file")


def test_a_database_of_a_newer_schema(stored):
    connection = sqlite3.connect(stored / "run.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    refused(stored, r"must have schema \d+ or older, got 99: a newer nbnas wrote it. Update nbnas")


def test_events_of_a_newer_schema(stored, monkeypatch):
    monkeypatch.setattr("nbnas.events.SCHEMA", 0)
    refused(stored, "must have|newer|Update")


def test_a_specification_of_a_newer_version(stored):
    with RunStore.open(stored.name) as store:
        spec = store.spec
    run_id = made({**spec, "schema": 2})
    with pytest.raises(NbnasError, match=rf"run {run_id}: /schema must be 1, got 2. A newer nbnas wrote it"):
        nb.open(run_id)


def made(spec):
    with RunStore.create(spec) as store:
        return store.run_id


@pytest.mark.parametrize("spec", [{}, {"space": 3, "strategy": [], "budget": None}, {"x": "\x1b[31m"}], ids=repr)
def test_a_specification_that_is_none(spec):
    run_id = made(spec)
    with pytest.raises(NbnasError, match=rf"^run {run_id}: "):
        nb.open(run_id)
    assert nb.runs()[0].run_id == run_id


def test_foreign_names_do_not_reach_the_terminal_as_they_are():
    made({"strategy": {"kind": "\x1b[2J"}, "space": {"name": "a\nb\r"}, "task": {"kind": "\x9b31m"}})
    text = repr(nb.runs())
    assert len(text.split("\n")) == 2
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("run_id", ["../elsewhere", "/etc/passwd", "", "NOPE", "a" * 65, "20250101-000000-none", 7])
def test_ids_that_are_none(run_id):
    with pytest.raises(StoreError, match=r"run id must be 1 to 64|must exist"):
        nb.open(run_id)


def test_a_run_that_is_open_elsewhere(stored):
    code = f"""
import sys
from nbnas.store import RunStore
store = RunStore.open({stored.name!r})
print("open", flush=True)
sys.stdin.readline()
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "open\n"
        with pytest.raises(RunBusyError, match=rf"{stored.name}.*{process.pid}"):
            RunStore.open(stored.name)
        assert nb.open(stored.name).status == "finished"  # looking is allowed
        assert nb.runs()[0].busy
        process.communicate("\n", timeout=60)
    RunStore.open(stored.name).close()


def test_a_run_whose_folder_was_removed(stored):
    run = nb.open(stored.name)
    shutil.rmtree(stored)
    with pytest.raises(StoreError, match="must exist"):
        nb.open(run.id)
    with pytest.raises(StoreError, match="must exist"):
        _ = run.events


# -- candidates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"candidate": None}, "candidate must be the incumbent of a run, got None. Pass run.incumbent"),
        ({"candidate": "0-0"}, "candidate must be the incumbent of a run, got '0-0'"),
        ({"epochs": 0}, "epochs must be a whole number >= 1, got 0; in retrain"),
        ({"epochs": 1.5}, "epochs must be a whole number >= 1, got 1.5"),
        ({"epochs": True}, "epochs must be a whole number >= 1, got True"),
        ({"seed": -1}, r"seed must be a whole number in 0\.\.2\^63-1, got -1; in retrain"),
        ({"seed": 0.5}, "seed must be a whole number"),
    ],
    ids=str,
)
def test_retraining_what_cannot_be(arguments, said):
    candidate = session.Candidate(NB201.architecture("1-1-1-1-1-1"), 0.5, 1, NB201, images())
    with pytest.raises(SettingsError, match=said):
        nb.retrain(**{"candidate": candidate, "epochs": 1, **arguments})


def test_retraining_on_a_device_that_is_not_there():
    candidate = session.Candidate(NB201.architecture("1-1-1-1-1-1"), 0.5, 1, NB201, images())
    with pytest.raises(TaskError, match="device must be auto or one that is here"):
        nb.retrain(candidate, epochs=1, device="cuda:99")


def test_drawing_what_is_of_another_space():
    with pytest.raises(SpaceError, match="architecture must be of space 'chain'"):
        nb.draw_cell(CHAIN, NB201.architecture("1-1-1-1-1-1"))
