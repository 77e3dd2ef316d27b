"""How the database of a run is opened, whoever else has it open and wherever it lies."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbnas.errors import StoreError
from nbnas.store.database import Database
from nbnas.store.lock import probe

__all__ = ["open_for_writing", "reading"]


def open_for_writing(folder: Path) -> Database:
    """The connection of the one writer, who holds the lock already."""
    path = folder / "run.db"
    # A writing connection may alter the file even by closing: what is not ours is refused by a reading one.
    Database(path, immutable=not _unfinished(path)).close()
    return Database(path, write=True)


@contextmanager
def reading(folder: Path) -> Iterator[Database]:
    """A connection for a short read. It leaves nothing behind where nobody writes and the run was closed properly."""
    path = folder / "run.db"
    with probe(folder) as busy:
        if not busy and _unfinished(path) and not os.access(folder, os.W_OK):
            with _copied(path) as copy, _closing(Database(copy)) as database:
                yield database
        else:
            with _closing(Database(path, immutable=not busy and not _unfinished(path))) as database:
                yield database


def _unfinished(path: Path) -> bool:
    """Whether commits wait in the write-ahead log: the writer lives, or was killed."""
    try:
        return Path(f"{path}-wal").stat().st_size > 0
    except OSError:
        return False


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """The file and its log elsewhere: SQLite needs to write beside them, and must not here."""
    with tempfile.TemporaryDirectory(prefix="nbnas-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / path.name
        try:
            for suffix in ("", "-wal"):
                shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
        except OSError as cause:
            raise StoreError(f"{path} cannot be read: {cause.strerror}. Check that its folder may be read") from cause
        yield copy


@contextmanager
def _closing(database: Database) -> Iterator[Database]:
    try:
        yield database
    finally:
        database.close()
