"""Saved states: a row of the database, and a checkpoint file where there are tensors. Two roles: resume and result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nbnas.errors import StoreError
from nbnas.store.checkpoints import load_checkpoint, save_checkpoint, sweep
from nbnas.store.codec import array_names, decode, encode
from nbnas.store.database import Database
from nbnas.store.rows import crc, get_meta, set_meta

__all__ = ["Index", "ResumePoint", "SavedRow", "load_state", "read_index", "read_row", "save_state"]

_KEPT = 2
"""Resume points that are kept: the newest, and the one before in case it is damaged."""


@dataclass(frozen=True)
class ResumePoint:
    """Where a run goes on.

    Attributes:
        seq: the number of the last event before it; later events are regenerated and compared.
        state: what was given to `save_resume_point`.
        note: why an older point is used than the newest one; empty where it is the newest.
    """

    seq: int
    state: dict[str, Any]
    note: str = ""


class Index(NamedTuple):
    """Which rows of `saved` count; the others are gone. Changed in the transaction that changes the rows."""

    resume: list[int]
    """Oldest first."""
    result: dict[str, int]

    @property
    def ids(self) -> list[int]:
        """All rows."""
        return [*self.resume, *self.result.values()]


class SavedRow(NamedTuple):
    """One row of `saved`, checked."""

    seq: int
    digest: str | None
    skeleton: str


def read_index(database: Database) -> Index:
    """The index, checked."""
    value = get_meta(database, "saved", dict)
    try:
        return Index([int(i) for i in value["resume"]], {str(k): int(i) for k, i in value["result"].items()})
    except (KeyError, TypeError, ValueError, AttributeError) as cause:
        raise StoreError(f"{database.path}: the list of saved states is damaged: {cause!r:.80}") from cause


def read_row(database: Database, number: int) -> SavedRow:
    """The row with this id, checked."""
    rows = database.rows("SELECT role, name, seq, digest, skeleton, crc FROM saved WHERE id = ?", number)
    if len(rows) != 1 or crc(number, *rows[0][:-1]) != rows[0][-1]:
        raise StoreError(
            f"{database.path}: saved state {number} must have the content that was stored, got another one. "
            "Restore run.db from a copy"
        )
    return SavedRow(*rows[0][2:5])


def load_state(database: Database, folder: Path, number: int) -> tuple[int, Any]:
    """The event number and the state of a row, with the bytes of its checkpoint checked."""
    row = read_row(database, number)
    where = f"{database.path}: saved state {number}"
    arrays: Any = {}
    if row.digest is not None:
        _, with_torch = array_names(row.skeleton, where)
        arrays = load_checkpoint(folder, row.digest, with_torch=with_torch)
    return row.seq, decode(row.skeleton, arrays, where)


def save_state(
    database: Database, folder: Path, role: str, name: str, seq: int, state: Any, unusable: set[int]
) -> str | None:
    """Saves a state; the checkpoint is durable before the row that refers to it. The digest, if there are tensors.

    Args:
        database: of the one writer.
        folder: of the checkpoints.
        role: `resume` or `result`.
        name: of a result; the same name replaces it.
        seq: the last event before it.
        state: anything that the codec keeps.
        unusable: damaged resume points, which do not count as kept ones.
    """
    skeleton, arrays = encode(state)
    digest = save_checkpoint(folder, arrays) if arrays else None
    with database.transaction():
        index = read_index(database)
        # Not max(id) of the index: a row that a damaged file lost from it must not be hit.
        number = database.rows("SELECT coalesce(max(id), 0) + 1 FROM saved")[0][0]
        check = crc(number, role, name, seq, digest, skeleton)
        database.change(
            "INSERT INTO saved VALUES (?, ?, ?, ?, ?, ?, ?)", number, role, name, seq, digest, skeleton, check
        )
        if role == "resume":
            usable = [i for i in index.resume if i not in unusable]
            index = index._replace(resume=[*usable, number][-_KEPT:])
        else:
            index = index._replace(result={**index.result, name: number})
        kept = ",".join(map(str, index.ids))
        database.change(f"DELETE FROM saved WHERE id NOT IN ({kept})")
        set_meta(database, "saved", index._asdict())
    digests = database.rows("SELECT DISTINCT digest FROM saved WHERE digest IS NOT NULL")
    sweep(folder, {value for (value,) in digests})
    return digest
