"""Reading a run, also while another process writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

from nbnas.errors import StoreError
from nbnas.events import Record
from nbnas.store.checks import check_event_schema, load_result
from nbnas.store.database import Database
from nbnas.store.folders import run_folder
from nbnas.store.lock import is_busy
from nbnas.store.opening import read
from nbnas.store.rows import get_meta, read_records
from nbnas.store.states import read_index

__all__ = ["RunReader"]

T = TypeVar("T")


class RunReader:
    """A run, open for reading only. The database is open only within calls, so a reader never hinders the writer.

    Args:
        run_id: the run.
        runs: the folder of runs, by default the one at `home()`.

    Raises:
        StoreError: there is no such run, or it is damaged or newer.
    """

    def __init__(self, run_id: str, runs: Path | None = None) -> None:
        self.path = run_folder(run_id, runs)
        self._closed = False
        self._read(check_event_schema)

    @property
    def run_id(self) -> str:
        """The name of the run's folder."""
        return self.path.name

    @property
    def spec(self) -> dict[str, Any]:
        """The specification that the run was created with (a new copy each time)."""
        spec: dict[str, Any] = self._read(lambda database: get_meta(database, "spec", dict))
        return spec

    @property
    def label(self) -> str:
        """What people call the run."""
        return str(self._read(lambda database: get_meta(database, "label", str)))

    @property
    def last_seq(self) -> int:
        """The number of the last event that is stored now."""
        return int(self._read(lambda database: get_meta(database, "events", int)))

    def records(self, after: int = 0) -> Iterator[Record]:
        """The records after number `after` that are stored now, in order, each checked.

        Raises:
            StoreError: one is damaged or missing; it is named.
        """
        return read_records(self._read, after)

    def busy(self) -> bool:
        """Whether a writer has the run open now."""
        return is_busy(self.path)

    def results(self) -> tuple[str, ...]:
        """The names of all results."""
        return tuple(sorted(self._read(read_index).result))

    def result(self, name: str) -> dict[str, Any]:
        """A result, checked.

        Raises:
            StoreError: there is none of this name, or it is damaged.
        """
        return self._read(lambda database: load_result(database, self.path, name))

    def close(self) -> None:
        """Ends reading; again is fine."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, work: Callable[[Database], T]) -> T:
        if self._closed:
            raise StoreError(f"run {self.run_id} must be open to be read, got a closed one. Open it again")
        return read(self.path, work)
