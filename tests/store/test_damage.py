"""Folders from elsewhere, and flipped bits: identical content or a `StoreError`, nothing else, and nothing altered.

SQLite itself does not notice most flipped bits; the control at the end shows that the campaign has something to find.
"""

import os
import random
import shutil
import sqlite3
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nbnas.errors import StoreError
from nbnas.store import RunReader, RunStore, list_runs, verify
from nbnas.store.rows import crc, meta_row, set_meta


def snapshot(folder: Path) -> dict[str, bytes]:
    """All files but those that hold no content: the lock, and SQLite's index of the log."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("lock", "run.db-shm") and path.stat().st_size
    }


def everything(run_id: str) -> tuple:
    """All that a reader can read."""
    with RunReader(run_id) as reader:
        results = {name: {k: str(v) for k, v in reader.result(name).items()} for name in reader.results()}
        return reader.spec, reader.label, reader.last_seq, [item.to_json() for item in reader.records()], results


def resumed(run_id: str) -> tuple:
    """All that a writer reads when it goes on; the note of a fallback apart."""
    with RunStore.open(run_id) as store:
        point = store.resume_point()
        assert point is not None
        return store.last_seq, point.seq, str(point.state)


@pytest.fixture
def stored(store: RunStore, record) -> Path:
    """The folder of a closed run with 40 events, a label, two resume points and a result."""
    store.append(*map(record, range(4, 41)))
    store.set_label("α")
    store.save_resume_point(20, {"step": 20, "w": np.arange(20)})
    store.save_resume_point(40, {"step": 40, "w": np.arange(40)})
    store.save_result("best", {"w": np.arange(7), 1: (2.5, None)})
    store.close()
    return store.path


def outcome(call, run_id: str, expected: object) -> str:
    try:
        got = call(run_id)
    except StoreError as error:
        assert run_id in str(error), error
        assert len(str(error)) < 2500
        return "refused"
    assert got == expected
    return "same"


@pytest.mark.timeout(300)
def test_a_flipped_bit_in_the_database_is_refused_or_harmless(stored: Path) -> None:
    run_id, path = stored.name, stored / "run.db"
    original = path.read_bytes()
    expected, expected_resume = everything(run_id), resumed(run_id)
    assert path.read_bytes() == original
    older = (40, 20, str({"step": 20, "w": np.arange(20)}))
    rng = random.Random(11)
    # Every byte of the header, then a sample of the rest.
    positions = [8 * byte + rng.randrange(8) for byte in range(0, 100)]
    positions += rng.sample(range(8 * 100, 8 * len(original)), 500)
    counts: Counter[str] = Counter()
    for number, position in enumerate(positions):
        content = bytearray(original)
        content[position // 8] ^= 1 << position % 8
        path.write_bytes(content)
        read = outcome(everything, run_id, expected)
        counts[read] += 1
        assert path.read_bytes() == content  # reading alters nothing
        problems = verify(run_id)
        assert problems or read == "same"
        if number % 4 == 0:
            try:
                got = resumed(run_id)
                counts["resumed"] += 1
                assert got in (expected_resume, older)
            except StoreError:
                counts["not resumed"] += 1
                assert path.read_bytes() == content
        path.write_bytes(original)
        for name in ("run.db-wal", "run.db-shm"):
            (stored / name).unlink(missing_ok=True)
    assert min(counts[key] for key in ("refused", "same", "resumed")) > 20, counts
    assert counts["not resumed"] > 3, counts


def test_control_without_the_checks_flipped_bits_give_wrong_content(stored: Path, monkeypatch) -> None:
    """The campaign above can fail: with the CRC out of force the same flips are found out by content alone."""
    run_id, path = stored.name, stored / "run.db"
    original = path.read_bytes()
    expected = everything(run_id)

    class Agreeable(int):
        def __eq__(self, other: object) -> bool:
            return True

        def __ne__(self, other: object) -> bool:
            return False

        __hash__ = int.__hash__

    monkeypatch.setattr("nbnas.store.rows.crc", lambda *_: Agreeable())
    rng = random.Random(12)
    wrong = 0
    for position in rng.sample(range(8 * 100, 8 * len(original)), 300):
        content = bytearray(original)
        content[position // 8] ^= 1 << position % 8
        path.write_bytes(content)
        try:
            wrong += everything(run_id) != expected
        except Exception:  # anything may happen here
            continue
    assert wrong > 20


def test_a_truncated_database_is_refused(stored: Path) -> None:
    run_id, path = stored.name, stored / "run.db"
    original = path.read_bytes()
    expected = everything(run_id)
    rng = random.Random(13)
    lengths = [0, 1, 15, 16, 99, 100, 101, *range(512, len(original), 4096), *rng.sample(range(len(original)), 40)]
    for length in lengths:
        path.write_bytes(original[:length])
        assert outcome(everything, run_id, expected) == "refused", length
        assert outcome(resumed, run_id, None) == "refused", length
        assert path.read_bytes() == original[:length]
        assert list_runs()[0].status in ("broken", "interrupted")
        assert verify(run_id)


@pytest.mark.timeout(300)
def test_a_damaged_log_gives_the_events_before_the_damage(store: RunStore, record) -> None:
    """What is only in the log yet is cut off there, as after a power loss; never is it another event."""
    for seq in range(4, 15):
        store.append(record(seq))
    copy = store.path.with_name("copy")
    shutil.copytree(store.path, copy)
    store.close()
    wal, database = (copy / "run.db-wal").read_bytes(), (copy / "run.db").read_bytes()
    assert len(wal) > 20_000
    expected = [record(seq) for seq in range(1, 15)]
    rng = random.Random(14)
    lengths: Counter[int] = Counter()
    for number in range(250):
        content = bytearray(wal)
        if number % 5:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        else:
            del content[rng.randrange(len(content)) :]
        (copy / "run.db").write_bytes(database)
        (copy / "run.db-wal").write_bytes(content)
        (copy / "run.db-shm").unlink(missing_ok=True)
        try:
            found = list(RunReader("copy").records())
        except StoreError:
            lengths[-1] += 1
            continue
        assert found == expected[: len(found)]
        lengths[len(found)] += 1
    assert len(lengths) > 5, lengths  # the damage did cut at many places


@pytest.mark.parametrize("number", range(2))
def test_a_flipped_bit_in_a_checkpoint_is_found(stored: Path, number: int) -> None:
    run_id = stored.name
    expected, older = resumed(run_id), (40, 20, str({"step": 20, "w": np.arange(20)}))
    with RunStore.open(run_id) as store:
        path = (
            stored / "checkpoints" / store._database.rows("SELECT digest FROM saved WHERE role = 'resume'")[number][0]
        )
    original = path.read_bytes()
    rng = random.Random(15)
    for position in rng.sample(range(8 * len(original)), 60):
        content = bytearray(original)
        content[position // 8] ^= 1 << position % 8
        path.write_bytes(content)
        (problem,) = verify(run_id)
        assert path.name in problem
        assert resumed(run_id) == (expected if number == 0 else older)
        assert path.read_bytes() == content
    path.write_bytes(original)
    assert verify(run_id) == []


def not_sqlite(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))


def other_sqlite(path: Path) -> None:
    path.unlink()
    with_sqlite(path, "CREATE TABLE something (a)")


def newer_schema(path: Path) -> None:
    with_sqlite(path, "PRAGMA user_version = 2")


def older_schema(path: Path) -> None:
    with_sqlite(path, "PRAGMA user_version = 0")


def newer_events(path: Path) -> None:
    key, value, check = meta_row("schema", 99)
    with_sqlite(path, f"UPDATE meta SET value = '{value}', crc = {check} WHERE key = '{key}'")


def no_events(path: Path) -> None:
    with_sqlite(path, "DROP TABLE event")


def trigger(path: Path) -> None:
    with_sqlite(path, "CREATE TRIGGER t AFTER INSERT ON event BEGIN DELETE FROM event; END")


def view(path: Path) -> None:
    with_sqlite(path, "DROP TABLE saved; CREATE VIEW saved AS SELECT * FROM event")


def no_meta_row(path: Path) -> None:
    with_sqlite(path, "DELETE FROM meta WHERE key = 'spec'")


def gap(path: Path) -> None:
    with_sqlite(path, "DELETE FROM event WHERE seq = 7")


def lost_end(path: Path) -> None:
    with_sqlite(path, "DELETE FROM event WHERE seq > 35")


def changed_event(path: Path) -> None:
    with_sqlite(path, "UPDATE event SET body = replace(body, '0.01', '0.99') WHERE seq = 10")


def swapped_events(path: Path) -> None:
    with_sqlite(path, "UPDATE event SET seq = CASE seq WHEN 5 THEN -6 ELSE -5 END WHERE seq IN (5, 6)")
    with_sqlite(path, "UPDATE event SET seq = -seq WHERE seq < 0")


def blob(path: Path) -> None:
    with_sqlite(path, "UPDATE event SET body = x'00ff' WHERE seq = 9")


def absent(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(path: Path) -> None:
    path.rename(path.with_name("real.db"))
    path.symlink_to("real.db")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def with_sqlite(path: Path, script: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


DAMAGES = {
    not_sqlite: "not a database",
    other_sqlite: "another SQLite file",
    newer_schema: "a newer nbnas wrote it. Update nbnas",
    older_schema: "tables of schema 1, got others",
    newer_events: "a newer nbnas wrote it. Update nbnas",
    no_events: "tables of schema 1, got others",
    trigger: "tables of schema 1, got others",
    view: "tables of schema 1, got others",
    no_meta_row: "spec must have the content that was stored",
    gap: "event 7 must be there|events 7 to 7 are missing",
    lost_end: "event 36 must be there|events 36 to 40 are missing|last event must be 40",
    changed_event: "event 10 must have the content",
    swapped_events: "event 5 must have the content",
    blob: "event 9 must have the content",
    absent: "No such file|must hold the run.db",
    folder: "regular file",
    link: "regular file",
    pipe: "regular file",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_folder_from_elsewhere_is_refused_with_a_reason_and_left_as_it_is(stored: Path, damage) -> None:
    damage(stored / "run.db")
    before = snapshot(stored) if damage is not pipe else None
    with pytest.raises(StoreError, match=DAMAGES[damage]) as refusal:
        everything(stored.name)
    assert str(refusal.value).count(". ") >= 1  # what to do is said too
    assert any(problem for problem in verify(stored.name))
    (info,) = list_runs()
    assert info.run_id == stored.name
    if damage not in (no_meta_row, gap, changed_event, swapped_events, blob):
        with pytest.raises(StoreError, match=DAMAGES[damage]):
            RunStore.open(stored.name)
    if before is not None:
        assert snapshot(stored) == before


def test_verify_lists_everything_at_once(stored: Path) -> None:
    assert verify(stored.name) == []
    for damage in (gap, changed_event, blob, lost_end):
        damage(stored / "run.db")
    for path in (stored / "checkpoints").iterdir():
        path.unlink()
    problems = "\n".join(verify(stored.name))
    for text in ("events 7 to 7 are missing", "event 9 must", "event 10 must", "events 36 to 40 are missing"):
        assert text in problems
    assert problems.count("is missing. Copy it") == 3
    assert len(problems.splitlines()) == 7


def test_a_newer_kind_of_event_asks_for_an_update(store: RunStore) -> None:
    values = (4, 1.0, "MoonRose", "{}")
    store._database.change("INSERT INTO event VALUES (?, ?, ?, ?, ?)", *values, crc(*values))
    set_meta(store._database, "events", 4)
    with pytest.raises(StoreError, match=r"'MoonRose' is not a known .*update"):
        list(RunReader(store.run_id).records())
    assert any("MoonRose" in problem for problem in verify(store.run_id))
