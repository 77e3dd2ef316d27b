"""Everything that is wrong with a stored run."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from nbnas.errors import StoreError
from nbnas.store.checkpoints import checkpoint_names
from nbnas.store.checks import check_event_schema
from nbnas.store.codec import array_names
from nbnas.store.database import Database
from nbnas.store.folders import run_folder
from nbnas.store.lock import is_busy
from nbnas.store.opening import read
from nbnas.store.rows import get_meta, record_of
from nbnas.store.states import read_index, read_row

__all__ = ["verify"]

_META = {"spec": dict, "label": str, "created": float, "events": int, "saved": dict}
_BATCH = 500
_TRIES = 3


def verify(run_id: str, runs: Path | None = None) -> list[str]:
    """Reads a run to the last byte and says all that is wrong with it; empty where it is whole. Alters nothing.

    Raises:
        StoreError: the id is not one, or there is no such run.
    """
    folder = run_folder(run_id, runs)
    for _ in range(_TRIES):
        try:
            problems = read(folder, lambda database: _verify(database, folder / "checkpoints"))
        except StoreError as cause:
            problems = [str(cause)]
        # A living writer deletes a checkpoint once a newer one is there: then it is missing only for a moment.
        if not problems or not is_busy(folder):
            break
    return problems


def _verify(database: Database, checkpoints: Path) -> list[str]:
    check_event_schema(database)
    problems = []
    for part in (_structure, _meta, _events, partial(_saved, folder=checkpoints)):
        try:
            problems += part(database)
        except StoreError as cause:
            problems.append(str(cause))
    return problems


def _structure(database: Database) -> list[str]:
    found = [str(text) for (text,) in database.rows("PRAGMA integrity_check(20)")]
    return [] if found == ["ok"] else [f"{database.path}: {text}" for text in found]


def _meta(database: Database) -> list[str]:
    problems = []
    for key, kind in _META.items():
        try:
            get_meta(database, key, kind)
        except StoreError as cause:
            problems.append(str(cause))
    return problems


def _events(database: Database) -> list[str]:
    problems: list[str] = []
    expected = 1
    while rows := database.rows(
        "SELECT seq, time, kind, body, crc FROM event WHERE seq >= ? ORDER BY seq LIMIT ?", expected, _BATCH
    ):
        for row in rows:
            if not isinstance(row[0], int) or row[0] < expected:  # a damaged tree of pages can lead round for ever
                return [*problems, f"{database.path}: event {expected} is followed by event {row[0]!r:.80}"]
            if row[0] != expected:
                problems.append(f"{database.path}: events {expected} to {row[0] - 1} are missing")
            expected = row[0] + 1
            try:
                record_of(database, row)
            except StoreError as cause:
                problems.append(str(cause))
    try:
        last = get_meta(database, "events", int)
    except StoreError:  # told already
        return problems
    if last >= expected:
        problems.append(f"{database.path}: events {expected} to {last} are missing")
    elif last < expected - 1:
        problems.append(f"{database.path}: events {last + 1} to {expected - 1} are there, but were not counted")
    return problems


def _saved(database: Database, folder: Path) -> list[str]:
    try:
        ids = read_index(database).ids
    except StoreError:  # told already
        return []
    problems = []
    for number in ids:
        try:
            row = read_row(database, number)
            needed, _ = array_names(row.skeleton, f"{database.path}: saved state {number}")
            there = checkpoint_names(folder, row.digest) if row.digest is not None else set()
            if lost := sorted(needed - there):
                problems.append(f"{database.path}: saved state {number} lacks tensors: {', '.join(lost[:5])}")
        except StoreError as cause:
            problems.append(str(cause))
    return problems
