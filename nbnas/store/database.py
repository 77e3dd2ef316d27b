"""The SQLite file of a run: how it is opened, checked and written. Every failure is a `StoreError`."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbnas.errors import StoreError

__all__ = ["SCHEMA", "Database"]

SCHEMA = 1
"""The version of the tables; also in `PRAGMA user_version`."""

_APPLICATION = 0x6E626E61  # "nbna"
_LONGEST = 64 << 20  # bytes of one value: a damaged length must not ask for gigabytes
_TABLES = {
    "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID",
    "event": (
        "CREATE TABLE event "
        "(seq INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, crc INTEGER NOT NULL)"
    ),
    "saved": (
        "CREATE TABLE saved (id INTEGER PRIMARY KEY, role TEXT NOT NULL, name TEXT NOT NULL, seq INTEGER NOT NULL, "
        "digest TEXT, skeleton TEXT NOT NULL, crc INTEGER NOT NULL)"
    ),
}
_DAMAGED = "Restore run.db from a copy; `nbnas verify` lists everything that is wrong"
_REMEDIES = {
    sqlite3.SQLITE_FULL: "Free space on the disk, then resume the run",
    sqlite3.SQLITE_BUSY: "Another program holds the file: close it",
    sqlite3.SQLITE_READONLY: "Copy the run's folder to a place of your own",
    sqlite3.SQLITE_CANTOPEN: "Check that the file and its folder may be read",
    sqlite3.SQLITE_IOERR: "Check the disk and its free space, then resume the run",
}


class Database:
    """One connection. Usable from any thread, by one at a time.

    Args:
        path: the file, which must exist.
        write: open for writing too. Even closing may then alter the file, so it has been opened for reading before.
        immutable: nobody writes while this connection is open: no lock and no side file is needed.

    Raises:
        StoreError: the file is absent, damaged, not a run, or of a newer schema. It is never altered then.
    """

    def __init__(self, path: Path, *, write: bool = False, immutable: bool = False) -> None:
        self.path = path
        self._turn = threading.RLock()
        self._process = os.getpid()
        try:
            regular = stat.S_ISREG(path.lstat().st_mode)
        except OSError as cause:
            raise StoreError(f"{path} must be the database of a run, got: {cause.strerror}. {_DAMAGED}") from cause
        if not regular:  # a link in a foreign folder could lead anywhere
            raise StoreError(f"{path} must be a regular file. Replace it by the file of the original run")
        mode = "rw" if write else "ro&immutable=1" if immutable else "ro"
        with self._translated():
            self._connection = _connect(f"{path.absolute().as_uri()}?mode={mode}")
        try:
            self._check_tables()
            with self._translated():
                _set_durable(self._connection, path, write)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def create(path: Path, fill: Iterable[tuple[str, str, int]]) -> None:
        """Makes the file, with its tables and `fill` (key, value, crc) in `meta`."""
        with _translated(path):
            connection = _connect(f"{path.absolute().as_uri()}?mode=rwc")
            try:
                _set_durable(connection, path, True)
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
                for statement in _TABLES.values():
                    connection.execute(statement)
                connection.executemany("INSERT INTO meta VALUES (?, ?, ?)", fill)
                connection.execute("COMMIT")
            finally:
                connection.close()

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._turn, self._translated():
            return self._connection.execute(statement, values).fetchall()

    def change(self, statement: str, *values: Any, expect: int | None = None) -> None:
        """Runs one statement of a transaction; `expect` is the number of rows that it must change."""
        with self._turn, self._translated():
            count = self._connection.execute(statement, values).rowcount
        if expect is not None and count != expect:
            raise StoreError(
                f"{self.path} is damaged: a statement changed {count} rows instead of {expect}. {_DAMAGED}"
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable at the end of the block."""
        with self._turn, self._translated():
            if self._connection.in_transaction:  # an interrupt can leave one open
                self._connection.execute("ROLLBACK")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read in the block is of one moment."""
        with self._turn, self._translated():
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                if self._connection.in_transaction:  # some errors end it
                    self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Closes the connection; again is fine. A forked child leaves its parent's alone."""
        if os.getpid() == self._process:
            with self._turn, self._translated():
                self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        if os.getpid() != self._process:
            raise StoreError(f"{self.path} is open in the parent process. Open the run in this one too, for reading")
        with _translated(self.path):
            yield

    def _check_tables(self) -> None:
        (application,), (version,) = self.rows("PRAGMA application_id")[0], self.rows("PRAGMA user_version")[0]
        if application != _APPLICATION:
            raise StoreError(f"{self.path} must be the database of a run, got another SQLite file. {_DAMAGED}")
        if version > SCHEMA:
            raise StoreError(
                f"{self.path} must have schema {SCHEMA} or older, got {version}: a newer nbnas wrote it. Update nbnas"
            )
        # Views and triggers would run code of whoever made the file: exactly these tables, nothing else.
        found = {name: sql for name, sql in self.rows("SELECT name, sql FROM sqlite_master")}
        if version != SCHEMA or found != _TABLES:
            raise StoreError(f"{self.path} must have the tables of schema {SCHEMA}, got others. {_DAMAGED}")


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=5.0, isolation_level=None, check_same_thread=False)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    for name in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"):
        connection.execute(f"PRAGMA {name}")
    return connection


def _set_durable(connection: sqlite3.Connection, path: Path, write: bool) -> None:
    """`synchronous` belongs to the connection, not to the file; and a setting that SQLite ignores is no error there."""
    connection.execute("PRAGMA synchronous = FULL")
    settings: Mapping[str, object] = {"synchronous": 2, **({"journal_mode": "wal"} if write else {})}
    if write:
        connection.execute("PRAGMA journal_mode = WAL")
    for name, value in settings.items():
        if (got := connection.execute(f"PRAGMA {name}").fetchone()[0]) != value:
            raise StoreError(
                f"{path}: {name} must be {value}, got {got}. Set NBNAS_HOME to a folder on a disk of this machine"
            )


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.ProgrammingError as cause:
        raise StoreError(f"{path}: {cause}. The run is closed: open it again") from cause
    except sqlite3.Error as cause:
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        raise StoreError(f"{path}: {cause}. {_REMEDIES.get(code, _DAMAGED)}") from cause
    except (UnicodeError, OverflowError, MemoryError) as cause:
        raise StoreError(f"{path} is damaged: {cause}. {_DAMAGED}") from cause
