import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import numpy as np
import pytest

from nbnas.errors import StoreError
from nbnas.events import Record, RunFinished, RunPaused, RunResumed, RunStarted, RunStopped
from nbnas.store import RunInfo, RunReader, RunStore, list_runs, verify
from nbnas.store.checkpoints import checkpoint_names
from nbnas.store.opening import read
from nbnas.store.rows import get_meta

from .conftest import PRELUDE, ROOT, SPEC

WRITE = """
with RunStore.open(sys.argv[1]) as store:
    for seq in range(4, 4 + int(sys.argv[2])):
        store.append(record(seq))
        say(seq)
        sys.stdin.readline()
"""


def test_a_reader_sees_what_another_process_appends(store: RunStore, child, record) -> None:
    store.close()
    with RunReader(store.run_id) as reader:
        process = child(WRITE, store.run_id, 20)
        for seq in range(4, 24):
            assert int(process.stdout.readline()) == seq
            assert [item.seq for item in reader.records(after=2)] == list(range(3, seq + 1))
            assert reader.last_seq == seq
            process.stdin.write(b"\n")
            process.stdin.flush()
        process.wait()
        assert [item.seq for item in reader.records()] == list(range(1, 24))
    with pytest.raises(StoreError, match="Open it again"):
        list(reader.records())


def test_reading_while_a_writer_hurries_never_shows_a_gap(store: RunStore, child) -> None:
    store.close()
    process = child("sys.stdin.readline = lambda: ''\n" + WRITE, store.run_id, 400)
    lengths, after = [], 0
    with RunReader(store.run_id) as reader:
        while process.poll() is None:
            seqs = [item.seq for item in reader.records(after)]
            assert seqs == list(range(after + 1, after + len(seqs) + 1))
            assert verify(store.run_id) == []
            lengths.append(len(seqs))
            after += len(seqs)
            os.set_blocking(process.stdout.fileno(), False)
            process.stdout.read()
        assert reader.last_seq == 403
    assert process.returncode == 0
    assert sum(length > 0 for length in lengths) > 5  # it did read in between


def test_reading_a_closed_run_leaves_nothing_behind(store: RunStore) -> None:
    store.close()
    before = {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()}
    list(RunReader(store.run_id).records())
    list_runs()
    assert verify(store.run_id) == []
    assert {path: path.read_bytes() for path in store.path.rglob("*") if path.is_file()} == before


@pytest.fixture
def open_home(monkeypatch) -> Iterator[None]:
    """A home that other users may read, unlike pytest's own folders."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        monkeypatch.setenv("NBNAS_HOME", folder)
        yield


@pytest.mark.skipif(os.name != "posix", reason="modes of folders")
@pytest.mark.parametrize("crashed", [False, True])
def test_a_folder_that_cannot_be_written_is_read(child, record, crashed: bool, open_home) -> None:
    with RunStore.create(SPEC) as store:
        store.append(*map(record, (1, 2, 3)))
    if crashed:
        process = child(WRITE, store.run_id, 5)
        assert int(process.stdout.readline()) == 4
        process.kill()
        process.wait()
        assert (store.path / "run.db-wal").stat().st_size > 0
        (store.path / "run.db-shm").unlink()  # which SQLite cannot make again there
    last = 4 if crashed else 3
    code = f"""
os.umask(0)
if os.getuid() == 0: os.setuid(65534)
assert not os.access({str(store.path)!r}, os.W_OK)
from nbnas.store import list_runs, verify
from pathlib import Path
from nbnas.errors import StoreError
runs = Path({str(store.path.parent)!r})
reader = RunReader({store.run_id!r}, runs)
assert [item.seq for item in reader.records()] == list(range(1, {last} + 1))
assert verify({store.run_id!r}, runs) == [] and list_runs(runs)[0].events == {last} and not reader.busy()
try:
    RunStore.open({store.run_id!r}, runs)
except StoreError as error:
    assert "must be writable to be continued" in str(error), error
else:
    raise AssertionError("opened")
print("fine")
"""
    names = sorted(os.listdir(store.path))
    for path in (store.path, *store.path.iterdir()):
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    try:
        done = subprocess.run(
            [sys.executable, "-c", PRELUDE + code], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True
        )
        assert (done.stdout, done.returncode) == (b"fine\n", 0), done.stderr.decode()
    finally:
        store.path.chmod(0o755)
    assert sorted(os.listdir(store.path)) == names


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="needs another user")
def test_a_folder_that_is_closed_to_the_user_is_refused(child, open_home) -> None:
    with RunStore.create(SPEC) as store:
        pass
    store.path.parent.chmod(0o700)
    code = """
os.setuid(65534)
from nbnas.errors import StoreError
from nbnas.store import list_runs, verify
for call in (RunReader, RunStore.open, verify, lambda _: list_runs()):
    try:
        call(sys.argv[1])
    except StoreError as error:
        say("refused")
"""
    output, _ = child(code, store.run_id).communicate()
    assert output.split() == [b"refused"] * 4


def test_what_is_read_is_of_one_moment(store: RunStore, record) -> None:
    def work(database) -> list:
        before = get_meta(database, "events", int)
        store.append(record(4))
        return [before, get_meta(database, "events", int), *database.rows("SELECT max(seq) FROM event")[0]]

    assert read(store.path, work) == [3, 3, 3]
    assert RunReader(store.run_id).last_seq == 4


def test_verify_does_not_miss_what_a_living_writer_replaces(store: RunStore, monkeypatch) -> None:
    real, calls = checkpoint_names, []

    def slow(*args):
        if not calls:
            for number in (1, 2):
                store.save_resume_point(3, {"w": np.full(3, number)})
        calls.append(args)
        return real(*args)

    store.save_resume_point(3, {"w": np.zeros(3)})
    monkeypatch.setattr("nbnas.store.verifying.checkpoint_names", slow)
    assert verify(store.run_id) == []
    assert len(calls) == 3


def test_a_writer_that_comes_and_goes_during_a_read_is_noticed(store: RunStore, record) -> None:
    """A closed run is read without any lock; if it was written meanwhile, it is read again."""
    store.close()
    seen = []

    def work(database) -> int:
        if not seen:
            with RunStore.open(store.run_id) as writer:
                writer.append(record(4))
        seen.append(get_meta(database, "events", int))
        return seen[-1]

    assert read(store.path, work) == 4
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("events", "open_status", "closed_status"),
    [
        ([], "created", "created"),
        ([RunStarted(SPEC, {})], "running", "interrupted"),
        ([RunStarted(SPEC, {}), RunPaused()], "paused", "interrupted"),
        ([RunStarted(SPEC, {}), RunPaused(), RunResumed()], "running", "interrupted"),
        ([RunStarted(SPEC, {}), RunStopped()], "stopped", "stopped"),
        ([RunStarted(SPEC, {}), RunStopped(), RunResumed()], "running", "interrupted"),
        ([RunStarted(SPEC, {}), RunFinished("budget")], "finished", "finished"),
    ],
    ids=lambda value: "-".join(type(event).__name__ for event in value) or "none" if isinstance(value, list) else None,
)
def test_the_list_tells_the_status(events, open_status: str, closed_status: str) -> None:
    with RunStore.create(SPEC) as store:
        store.append(*(Record(i, 1e9, event) for i, event in enumerate(events, 1)))
        (info,) = list_runs()
        assert (info.status, info.busy) == (open_status, True)
    (info,) = list_runs()
    assert (info.status, info.busy, info.events, info.problem) == (closed_status, False, len(events), "")
    assert (info.strategy, info.space, info.task) == ("Darts", "nb201", "digits")
    assert abs(info.created - os.stat(store.path).st_ctime) < 60


def test_a_broken_run_is_listed_with_its_reason_among_whole_ones(store: RunStore, nbnas_home) -> None:
    runs = nbnas_home / "runs"
    (runs / "0-broken").mkdir()
    (runs / "1-broken").mkdir()
    (runs / "1-broken" / "run.db").write_bytes(b"not SQLite" * 1000)
    (runs / ".new-half").mkdir()
    (runs / "Not a run").mkdir()
    (runs / "file").write_text("")
    whole, *broken = list_runs()
    assert (whole.run_id, whole.status) == (store.run_id, "running")
    assert [(info.run_id, info.status) for info in broken] == [("1-broken", "broken"), ("0-broken", "broken")]
    assert "not a database" in broken[0].problem
    assert "No such file" in broken[1].problem
    assert broken[0] == RunInfo("1-broken", problem=broken[0].problem)


def test_listing_reads_the_last_rows_only(store: RunStore, record, monkeypatch) -> None:
    store.append(*map(record, range(4, 3000)))
    calls = []
    real = sys.modules["nbnas.store.listing"].record_of
    monkeypatch.setattr("nbnas.store.listing.record_of", lambda *args: calls.append(1) or real(*args))
    assert list_runs()[0].events == 2999
    assert 0 < len(calls) <= 8


def test_any_spec_can_be_listed() -> None:
    for spec in ({}, {"strategy": "Darts", "space": None, "task": [1]}, {"strategy": {"kind": 3, "name": "x"}}):
        RunStore.create(spec).close()
    assert sorted(info.strategy for info in list_runs()) == ["", "Darts", "x"]
