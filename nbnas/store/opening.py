"""How the database of a run is opened, whoever else has it open and wherever it lies."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from nbnas.errors import StoreError
from nbnas.store.database import Database
from nbnas.store.lock import is_busy

__all__ = ["open_for_writing", "read"]

T = TypeVar("T")

_TRIES = 3


def open_for_writing(folder: Path) -> Database:
    """The connection of the one writer, who holds the lock already."""
    path = folder / "run.db"
    # A writing connection may alter the file even by closing: what is not ours is refused by a reading one.
    with closing(Database(path, immutable=not _unfinished(path))) as database:
        # Writing to a damaged tree of pages damages more.
        if (found := database.rows("PRAGMA quick_check(1)")) != [("ok",)]:
            raise StoreError(
                f"{path} is damaged: {found[0][0]}. Restore it from a copy; `nbnas verify` lists all that is wrong; "
                "RunReader reads what is left"
            )
    return Database(path, write=True)


def read(folder: Path, work: Callable[[Database], T]) -> T:
    """What `work` reads from the run's database. No writer waits for it, and no file is left beside a closed run."""
    path = folder / "run.db"
    for _ in range(_TRIES):
        if is_busy(folder):
            break
        if not _unfinished(path):
            # The file as it lies there, without any lock; whether a writer came meanwhile shows afterwards.
            before = _signature(path)
            try:
                result = _at_one_moment(Database(path, immutable=True), work)
            except StoreError:
                if _signature(path) == before:
                    raise
            else:
                if _signature(path) == before:
                    return result
        elif os.access(folder, os.W_OK):
            break
        else:
            with _copied(path) as copy:
                return _at_one_moment(Database(copy), work)
    return _at_one_moment(Database(path), work)


def _at_one_moment(database: Database, work: Callable[[Database], T]) -> T:
    with closing(database), database.snapshot():
        return work(database)


def _unfinished(path: Path) -> bool:
    """Whether commits wait in the write-ahead log: the writer lives, or was killed."""
    try:
        return Path(f"{path}-wal").stat().st_size > 0
    except OSError:
        return False


def _signature(path: Path) -> tuple[object, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_ino, status.st_size, status.st_mtime_ns, _unfinished(path))


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
