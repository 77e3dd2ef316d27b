"""The one writer of a run."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from nbnas import events
from nbnas.errors import StoreError
from nbnas.events import Record
from nbnas.store.checks import LONGEST_NAME, check_event_schema, checked_label, load_result
from nbnas.store.database import Database
from nbnas.store.files import sync_folder
from nbnas.store.folders import new_run_id, run_folder, runs_folder
from nbnas.store.lock import RunLock
from nbnas.store.opening import open_for_writing
from nbnas.store.rows import add_event, get_meta, meta_row, read_records, set_meta
from nbnas.store.states import ResumePoint, load_state, read_index, save_state

__all__ = ["RunStore"]


class RunStore:
    """A run on disk, open for writing: what is appended or saved is durable on return. Made by `create` or `open`.

    May be used from any thread, by one at a time. A forked child may not use it. After an error nothing of the failed
    call is stored, and the store may be used on.
    """

    def __init__(self, path: Path, lock: RunLock, database: Database) -> None:
        self.path = path
        self._lock = lock
        self._database = database
        self._last: int | None = None
        self._unusable: set[int] = set()

    @classmethod
    def create(cls, spec: Mapping[str, Any], runs: Path | None = None) -> Self:
        """Makes a new run; until it is whole nobody sees it.

        Args:
            spec: the run's specification as JSON values.
            runs: the folder of runs, by default the one at `home()`.

        Raises:
            StoreError: the spec is not JSON, or the folder cannot be written.
        """
        values = {"schema": events.SCHEMA, "created": time.time(), "spec": dict(spec), "label": "", "events": 0}
        rows = [meta_row(key, value) for key, value in {**values, "saved": {"resume": [], "result": {}}}.items()]
        run_id = new_run_id()
        folder = runs_folder(runs)
        temporary = folder / f".new-{run_id}"  # not an id: never listed
        try:
            folder.mkdir(parents=True, exist_ok=True)
            temporary.mkdir()
            try:
                (temporary / "checkpoints").mkdir()
                Database.create(temporary / "run.db", rows)
                sync_folder(temporary)
                os.rename(temporary, folder / run_id)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
            sync_folder(folder)
        except OSError as cause:
            raise StoreError(
                f"run folder must be writable, got: {cause.strerror or cause}; {folder}. "
                "Set NBNAS_HOME to a folder on a disk of this machine, with free space"
            ) from cause
        return cls.open(run_id, runs)

    @classmethod
    def open(cls, run_id: str, runs: Path | None = None) -> Self:
        """Opens an existing run to continue it.

        Raises:
            RunBusyError: it is open for writing, here or elsewhere.
            StoreError: there is no such run, or it is damaged or newer; nothing is altered then.
        """
        path = run_folder(run_id, runs)
        if not os.path.lexists(path / "run.db"):  # before a lock is made in a folder of something else
            raise StoreError(f"{path} must hold the run.db of a run, got none. Copy it from the original run")
        lock = RunLock(path)
        try:
            store = cls(path, lock, open_for_writing(path))
        except BaseException:
            lock.release()
            raise
        try:
            check_event_schema(store._database)
            store._last = store._stored_last()
            return store
        except BaseException:
            store.close()
            raise

    @property
    def run_id(self) -> str:
        """The name of the run's folder."""
        return self.path.name

    @property
    def spec(self) -> dict[str, Any]:
        """The specification that the run was created with (a new copy each time)."""
        spec: dict[str, Any] = get_meta(self._database, "spec", dict)
        return spec

    @property
    def label(self) -> str:
        """What people call the run; empty at first."""
        return str(get_meta(self._database, "label", str))

    def set_label(self, text: str) -> None:
        """Changes the label: one line of at most 200 characters."""
        text = checked_label(text)
        with self._database.transaction():
            set_meta(self._database, "label", text)

    @property
    def last_seq(self) -> int:
        """The number of the last stored event; 0 where there is none."""
        if self._last is None:  # a failed commit may or may not have reached the disk
            self._last = self._stored_last()
        return self._last

    def append(self, *records: Record) -> None:
        """Stores records, all or none; they are durable on return.

        Raises:
            StoreError: a number is not the next one, an event is not JSON, or the disk is full.
        """
        with self._changing():
            last = self.last_seq
            for record in records:
                last += 1
                if record.seq != last:
                    raise StoreError(
                        f"event number must be {last}, got {record.seq}; run {self.run_id}. "
                        "Number events in order, from last_seq + 1"
                    )
                add_event(self._database, record)
            set_meta(self._database, "events", last)
        self._last = last

    def records(self, after: int = 0) -> Iterator[Record]:
        """The records after number `after`, in order, each checked.

        Raises:
            StoreError: one is damaged or missing; it is named.
        """
        return read_records(lambda work: work(self._database), after)

    def save_resume_point(self, seq: int, state: Mapping[str, Any]) -> str | None:
        """Saves the state after event `seq`; the last two points are kept.

        Args:
            seq: the number of an event that is stored, or 0.
            state: nested dicts, lists and tuples of JSON values, tensors and numpy arrays; see `nbnas.store.codec`.

        Returns:
            The SHA-256 of the checkpoint file; `None` where the state has no tensors.

        Raises:
            StoreError: the state cannot be stored or the disk is full; the points that there were remain.
        """
        return self._save("resume", "", seq, state)

    def resume_point(self) -> ResumePoint | None:
        """The newest usable resume point, checked; `None` where none was saved.

        Raises:
            StoreError: there are some, and all are damaged.
        """
        problems: list[str] = []
        for number in reversed(read_index(self._database).resume):
            try:
                seq, state = load_state(self._database, self.path / "checkpoints", number)
            except StoreError as cause:
                self._unusable.add(number)
                problems.append(str(cause))
            else:
                note = f"the newest resume point is damaged, the one before is used: {problems[0]}" if problems else ""
                return ResumePoint(seq, state, note)
        if problems:
            raise StoreError(f"run {self.run_id}: no resume point is whole: {'; '.join(problems)}. Start the run anew")
        return None

    def save_result(self, name: str, state: Mapping[str, Any]) -> str | None:
        """Saves a state that is kept always, such as the weights of the best network; the same name replaces it."""
        if not isinstance(name, str) or not name or len(name) > LONGEST_NAME:
            raise StoreError(f"name of a result must be 1 to {LONGEST_NAME} characters, got {name!r:.80}")
        return self._save("result", name, self.last_seq, state)

    def results(self) -> tuple[str, ...]:
        """The names of all results."""
        return tuple(sorted(read_index(self._database).result))

    def result(self, name: str) -> dict[str, Any]:
        """A result, checked.

        Raises:
            StoreError: there is none of this name, or it is damaged.
        """
        return load_result(self._database, self.path, name)

    def close(self) -> None:
        """Ends writing and frees the lock; again is fine."""
        try:
            self._database.close()
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _save(self, role: str, name: str, seq: int, state: Mapping[str, Any]) -> str | None:
        if not 0 <= seq <= self.last_seq:
            raise StoreError(
                f"seq must be in 0..{self.last_seq}, got {seq}; run {self.run_id}. Append the events first"
            )
        if not isinstance(state, Mapping):
            raise StoreError(f"state must be a mapping, got {type(state).__name__}; run {self.run_id}")
        return save_state(self._database, self.path / "checkpoints", role, name, seq, state, self._unusable)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            with self._database.transaction():
                yield
        except BaseException:
            self._last = None
            raise

    def _stored_last(self) -> int:
        last = int(get_meta(self._database, "events", int))
        ((highest,),) = self._database.rows("SELECT coalesce(max(seq), 0) FROM event")
        if highest != last:
            raise StoreError(
                f"{self._database.path}: the last event must be {last}, got {highest}. Restore run.db from a copy"
            )
        return last
