import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from nbnas.errors import StoreError
from nbnas.events import (
    EVENTS,
    DistributionUpdated,
    EpochFinished,
    PopulationUpdated,
    Record,
    RunFailed,
    RunStarted,
    TrialFailed,
)
from nbnas.store import RunReader, RunStore, verify

Make = Callable[[int], Record]


def test_what_is_appended_is_read_again(store: RunStore, record: Make) -> None:
    with reopened(store) as again:
        assert list(again.records()) == [record(1), record(2), record(3)]
        assert list(again.records(after=2)) == [record(3)]
        assert list(again.records(after=3)) == list(again.records(after=99)) == []
        assert again.last_seq == 3
        assert again.spec == record(1).event.spec


def reopened(store: RunStore) -> RunStore:
    store.close()
    return RunStore.open(store.run_id)


def test_every_kind_of_event_is_kept(store: RunStore) -> None:
    events = [
        RunStarted({"a": [1, {"b": None}]}, {}),
        DistributionUpdated("alpha", 1, {"normal": {f"edge {i}": {"none": 0.25, "é": 0.75} for i in range(100)}}),
        PopulationUpdated(((1, 0.5), (2, 0.1 + 0.2)), (3,)),
        EpochFinished(1, {"loss": 1e-300}),
        TrialFailed(1, "0-1", "error", "bad file name \udcff\0\n\u2028\\"),
        RunFailed(""),
    ]
    records = [Record(4 + i, 1e9 + i / 3, event) for i, event in enumerate(events)]
    store.append(*records)
    with reopened(store) as again:
        assert [item.to_json() for item in again.records(3)] == [item.to_json() for item in records]
    assert {type(event) for event in events} < set(EVENTS.values())


@pytest.mark.parametrize("seq", [-1, 0, 1, 3, 5])
def test_only_the_next_number_is_taken(store: RunStore, record: Make, seq: int) -> None:
    with pytest.raises(StoreError, match=f"event number must be 4, got {seq}"):
        store.append(record(seq) if seq > 1 else Record(seq, 0.0, record(2).event))
    store.append(record(4))
    assert [item.seq for item in store.records()] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("event", "time", "message"),
    [
        (EpochFinished(1, {"loss": float("nan")}), 1.0, r"event 5 \(EpochFinished\) must be finite JSON"),
        (EpochFinished(1, {"loss": object()}), 1.0, "must be finite JSON"),  # type: ignore[dict-item]
        (RunStarted({"x": json.loads("[" * 40 + "]" * 40)}, {}), 1.0, "nested at most"),
        (RunFailed("x" * 4_000_001), 1.0, "at most 4,000,000"),
        (RunFailed("x"), float("inf"), "time must be finite"),
    ],
    ids=["nan", "object", "deep", "large", "time"],
)
def test_what_could_not_be_read_again_is_not_written(store, record: Make, event, time: float, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        store.append(record(4), Record(5, time, event))
    # All or none: the good record before the bad one is not there either.
    assert [item.seq for item in store.records()] == [1, 2, 3]
    store.append(record(4))


def test_a_spec_that_is_not_json_makes_no_folder(nbnas_home) -> None:
    with pytest.raises(StoreError, match="spec must be finite JSON"):
        RunStore.create({"x": float("inf")})
    assert not nbnas_home.exists()


def test_a_creation_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch, nbnas_home) -> None:
    faults = 0
    for name in ("rename", "fsync", "mkdir"):
        real = getattr(os, name)
        for works in range(20):
            calls = iter(range(100))

            def failing(*args, calls=calls, real=real, works=works, **keywords):
                if next(calls) >= works:
                    raise OSError(28, "No space left on device")
                return real(*args, **keywords)

            with monkeypatch.context() as patch:
                patch.setattr(os, name, failing)
                try:
                    RunStore.create({}).close()
                    break
                except StoreError as error:
                    assert "No space left" in str(error)
                    faults += 1
            runs = nbnas_home / "runs"
            # A complete run may be left where only the last sync of the folder failed.
            assert all(verify(path.name) == [] for path in (runs.iterdir() if runs.exists() else ()))
    assert faults >= 5


def test_both_settings_that_durability_rests_on_are_set(store: RunStore) -> None:
    assert store._database.rows("PRAGMA synchronous") == [(2,)]
    assert store._database.rows("PRAGMA journal_mode") == [("wal",)]


def test_a_full_disk_loses_nothing_that_was_acknowledged(store: RunStore, record: Make) -> None:
    ((pages,),) = store._database.rows("PRAGMA page_count")
    store._database.rows(f"PRAGMA max_page_count = {pages + 2}")
    acknowledged = 3
    with pytest.raises(StoreError, match="Free space on the disk"):
        for seq in range(4, 500):
            store.append(record(seq))
            acknowledged = seq
    assert acknowledged > 5
    assert store.last_seq == acknowledged
    store._database.rows("PRAGMA max_page_count = 100000")
    store.append(record(acknowledged + 1))
    with reopened(store) as again:
        assert list(again.records()) == [record(seq) for seq in range(1, acknowledged + 2)]


def test_an_interrupt_within_a_transaction_leaves_none_open(store: RunStore, record: Make, monkeypatch) -> None:
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("nbnas.store.run_store.set_meta", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.append(record(4))
    store._database._connection.execute("BEGIN")  # as after an interrupt between two bytecodes
    assert store.last_seq == 3
    store.append(record(4))
    assert not store._database._connection.in_transaction
    assert store.last_seq == 4


def test_after_a_commit_of_unknown_outcome_the_disk_is_asked(store: RunStore, record: Make, monkeypatch) -> None:
    real = store._database.transaction

    @contextmanager
    def unsure() -> Iterator[None]:
        with real():
            yield
        raise StoreError("the sync failed, but the data is there")

    with monkeypatch.context() as patch:
        patch.setattr(store._database, "transaction", unsure)
        with pytest.raises(StoreError, match="the sync failed"):
            store.append(record(4))
    assert store.last_seq == 4
    store.append(record(5))


def test_labels(store: RunStore) -> None:
    assert store.label == ""
    store.set_label("  first try, α = 0.1 ")
    assert store.label == RunReader(store.run_id).label == "first try, α = 0.1"
    for bad in ("x" * 201, "two\nlines", None, "\x1b[2J"):
        with pytest.raises(StoreError, match="label must be one line"):
            store.set_label(bad)  # type: ignore[arg-type]
    assert store.label == "first try, α = 0.1"


def test_the_spec_cannot_be_changed_from_outside(store: RunStore) -> None:
    store.spec["seed"] = 8
    assert store.spec["seed"] == 7


def test_threads_take_turns(store: RunStore) -> None:
    """Two threads that write and two that read: no error of SQLite's, and every number once."""
    turn, errors = threading.Lock(), []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    def write() -> None:
        for _ in range(40):
            with turn:  # the number must be chosen and used by one
                store.append(Record(store.last_seq + 1, 0.0, RunFailed("x")))
            store.set_label("x")

    def read() -> None:
        for _ in range(40):
            seqs = [item.seq for item in store.records()]
            assert seqs == list(range(1, len(seqs) + 1))

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (write, write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.last_seq == 83


def test_a_slow_reader_holds_nothing(store: RunStore, record: Make) -> None:
    half_read = store.records()
    next(half_read)
    store.append(record(4))
    store.close()
    RunStore.open(store.run_id).close()


def test_records_longer_than_a_batch_come_whole(store: RunStore, record: Make) -> None:
    store.append(*map(record, range(4, 1206)))
    assert list(store.records()) == [record(seq) for seq in range(1, 1206)]
    assert [item.seq for item in store.records(after=700)] == list(range(701, 1206))


def test_a_closed_run_says_so(store: RunStore, record: Make) -> None:
    store.close()
    store.close()
    for call in (lambda: store.append(record(4)), lambda: list(store.records()), lambda: store.spec):
        with pytest.raises(StoreError, match="open it again"):
            call()
    assert not (store.path / "run.db-wal").exists()


def test_the_tables_are_plain_sqlite(store: RunStore) -> None:
    """Whoever has no nbnas can still read a run with any SQLite tool."""
    store.close()
    connection = sqlite3.connect(store.path / "run.db")
    assert [kind for (kind,) in connection.execute("SELECT kind FROM event ORDER BY seq")][:2] == [
        "RunStarted",
        "TrialFinished",
    ]
    connection.close()
