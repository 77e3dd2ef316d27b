"""A search that runs while one does other things: a worker thread, its store, and the state folded from its events.

The worker thread alone writes to the store. Each record is committed, then folded under a lock, then visible. Nothing
here knows of notebooks: views read `Run.read` and `Run.progress` and call `pause`, `step`, `resume`, `stop`.
"""

from __future__ import annotations

import contextlib
import copy
import sys
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from nbnas.errors import NbnasError, RunError
from nbnas.evaluators.base import EvaluatorSettings
from nbnas.events import (
    CheckpointSaved,
    Event,
    Progress,
    Record,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
)
from nbnas.front import Member
from nbnas.identity import compare, identity
from nbnas.processes import Process, Search
from nbnas.spaces import Architecture, SearchSpace
from nbnas.spec import Bound, RunSpec
from nbnas.state import RunState, fold
from nbnas.store import RunReader, RunStore
from nbnas.tasks import Task
from nbnas.threads import using

__all__ = ["Candidate", "Run", "open_run", "start"]

T = TypeVar("T")

_SAVE_SECONDS = 2.0
"""At least so long between two resume points; longer when saving is slow."""
_SAVE_SHARE = 20.0
"""A resume point is due only after so many times as long as the last one took to save."""

_LIVE: weakref.WeakValueDictionary[tuple[str, str], Run] = weakref.WeakValueDictionary()


@dataclass(frozen=True)
class Candidate:
    """An architecture that a run found, with all that is needed to build and retrain it."""

    architecture: Architecture
    score: float
    trial: int | None
    space: SearchSpace
    task: Task | None

    def __repr__(self) -> str:
        return f"<Candidate {self.architecture}: score {self.score:.4f}>"


class _Stop(Exception):
    """Unwinds the worker when the run is stopped on request."""


class Run:
    """One execution of one specification, stored in one folder.

    Made by `nb.search` and `nb.open`. While it runs, a worker thread does the work; `pause`, `step`, `resume` and
    `stop` return at once.
    """

    display_hook: ClassVar[Callable[[Run], None] | None] = None
    """How a notebook shows a run; set by the layer that knows notebooks."""

    def __init__(self, run_id: str, spec: RunSpec, state: RunState, runs: Path | None, note: str = "") -> None:
        self.id = run_id
        self.spec = spec
        self.note = note
        self.device = str(state.identity.get("device", spec.device))
        self.progress: Progress | None = None
        self._runs = runs
        self._state = state
        self._lock = threading.RLock()
        self._control = threading.Condition()
        self._restarting = threading.Lock()
        self._paused = False
        self._steps = 0
        self._stopping = False
        # Not the thread itself: joining it is unsafe where an interrupt may come (CPython takes it for ended then).
        self._ended = threading.Event()
        self._ended.set()
        self._ending = False
        self._search: Search | None = None
        self._error: BaseException | None = None
        _LIVE[str(runs), run_id] = self

    # -- what it shows -----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The label that a person gave it; may be empty."""
        return self.spec.name

    @property
    def space(self) -> SearchSpace:
        """What it searches."""
        return self.spec.space

    @property
    def alive(self) -> bool:
        """Whether its worker thread is there, running or paused."""
        return not self._ended.is_set()

    @property
    def status(self) -> str:
        """`starting`, `running`, `paused`, `stopped`, `finished`, `failed`, or `interrupted` (its process ended)."""
        alive = self.alive  # before the status: a run may end between the two
        status = self.read(lambda state: state.status)
        if status == "created":
            return "starting"
        if not alive and status in ("running", "paused"):
            return "interrupted"
        return status

    @property
    def state(self) -> RunState:
        """A copy of the state as of now."""
        return self.read(copy.deepcopy)

    @property
    def records(self) -> Iterator[Record]:
        """All stored records, read from the store."""
        with RunReader(self.id, self._runs) as reader:
            yield from reader.records()

    @property
    def events(self) -> list[Event]:
        """All events so far, read from the store."""
        return [record.event for record in self.records]

    @property
    def incumbent(self) -> Candidate | None:
        """The best architecture so far; for a differentiable strategy the one derived last.

        Raises:
            RunError: there are several objectives, hence no single best.
        """
        found = self.read(lambda state: state.incumbent)
        if found is None:
            if self.spec.objective is not None and self.spec.objective.several:
                raise RunError(f"run {self.id} has several objectives and no single best. Use run.front")
            return None
        architecture = self.space.architecture(found.architecture)
        return Candidate(architecture, found.score, found.trial, self.space, self.spec.task)

    @property
    def front(self) -> list[Member]:
        """The trials that no other is better than; with one objective that is the incumbent."""
        front, best = self.read(lambda state: (list(state.front.values()), state.incumbent))
        if front or best is None:
            return front
        return [Member(best.trial or 0, best.architecture, (best.score,))]

    @property
    def elapsed(self) -> float:
        """Seconds in which it was searching."""
        return self._search.seconds if self._search is not None else self.read(lambda state: state.seconds)

    @property
    def fraction(self) -> float:
        """How much of the budget is used, in [0, 1]."""
        if self._search is not None:
            return min(1.0, self._search.fraction)
        used = self.read(
            lambda state: (state.trials_finished + state.trials_failed, state.epochs_trained, state.seconds)
        )
        return min(1.0, self.spec.budget.fraction(*used))

    @property
    def remaining(self) -> float | None:
        """Seconds until the budget is used, at the pace so far; `None` before the first step is done."""
        fraction = self.fraction
        return self.elapsed * (1 - fraction) / fraction if fraction > 0 else None

    def read(self, function: Callable[[RunState], T]) -> T:
        """Calls `function` with the state while nothing can change it; keep it short and do not keep the state."""
        with self._lock:
            return function(self._state)

    def __repr__(self) -> str:
        return f"<Run {self.id}{f' {self.name!r}' if self.name else ''}: {self.status}>"

    def _ipython_display_(self) -> None:
        if (hook := type(self).display_hook) is not None:
            hook(self)
        else:
            sys.stdout.write(f"{self!r}\n")

    def process(self) -> Generator[Progress, None, Process]:
        """The loop with its networks as of the last stored event; yields while work after a resume point is repeated.

        Of a paused run, and of one that this process has finished, the live one: it must not be changed.

        Raises:
            RunError: the run is searching now.
            ResumeError: what is stored cannot be repeated here.
        """
        if self.alive and self.status != "paused":
            raise RunError(f"run {self.id} must be paused or ended, got {self.status}. Call pause() or wait() first")
        live, last = self._search, self.read(lambda state: state.seq)
        if live is not None and live.seq == last and self.status in ("paused", "finished"):
            return live.process
        with RunStore.open(self.id, self._runs) as store:
            bound, point = self.spec.bind(), store.resume_point()
            seq = point.seq if point is not None else 0
            later = [record for record in store.records(after=seq) if not isinstance(record.event, RunFinished)]
            bound.search.resume(point.state if point is not None else None, store.last_seq, later)
        with using(bound.threads):
            while bound.search.repeating and not bound.search.exhausted:
                for item in bound.search.step():
                    if isinstance(item, Progress):
                        yield item
        return bound.search.process

    # -- what one does with it ---------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Holds within a batch; `resume` goes on from there."""
        with self._control:
            self._paused, self._steps = True, 0
            self._control.notify_all()

    def step(self) -> None:
        """Runs to the end of the next step (a trial or an epoch) that is not stored yet, then holds.

        Raises:
            RunError: the run is finished.
        """
        with self._control:
            self._paused, self._steps = True, self._steps + 1 if self._paused else 1
        self._go_on({})

    def resume(self, *, accept_differences: bool = False) -> None:
        """Goes on: after a pause, after a stop, or after its process ended.

        Args:
            accept_differences: go on although device, threads or versions differ from before, so that the run will not
                be the same as if it had never been stopped.

        Raises:
            RunError: the run is finished.
            RunBusyError: it is running in another process.
            ResumeError: something that the result depends on differs.
        """
        with self._control:
            self._paused, self._steps = False, 0
        self._go_on({"accept_differences": accept_differences})

    def stop(self) -> None:
        """Ends within a batch; everything done so far is stored, and `resume` can go on."""
        with self._control:
            self._stopping = True
            self._control.notify_all()

    def wait(self, timeout: float | None = None) -> Run:
        """Waits until the run has ended; an interrupt of the waiting stops the run.

        Args:
            timeout: seconds; `None` waits for ever.

        Raises:
            RunError: the run failed, or is paused (it would wait for ever).
            TimeoutError: it has not ended in time.
        """
        end = None if timeout is None else time.monotonic() + timeout
        try:
            # In short turns, so that an interrupt of the main thread is heard.
            while self.alive:
                if end is not None and time.monotonic() >= end:
                    raise TimeoutError(f"run {self.id} has not ended within {timeout:g} s; it is {self.status}")
                if timeout is None and self.status == "paused" and self._holding and not self._stopping:
                    raise RunError(f"run {self.id} is paused and would never end. Call resume() or stop() first")
                self._ended.wait(0.1)
        except KeyboardInterrupt:
            self.stop()
            self._ended.wait()
            raise
        if self._error is not None:
            raise RunError(f"run {self.id} failed: {self._error}") from self._error
        if self.status == "failed":  # in another process
            raise RunError(f"run {self.id} failed: {self.read(lambda state: state.message)}")
        return self

    def _catch_up(self) -> None:
        """Takes in what another process has stored since."""
        if not self.alive:
            with RunReader(self.id, self._runs) as reader, self._lock:
                fold(reader.records(after=self._state.seq), self._state)

    # -- the worker --------------------------------------------------------------------------------------------------

    def _launch(self, store: RunStore, bound: Bound) -> None:
        search, threads = bound.search, bound.threads
        self._search, self._error, self._ending = search, None, False
        thread = threading.Thread(
            target=self._work, args=(store, search, threads), name=f"nbnas {self.id}", daemon=True
        )
        self._ended.clear()
        try:
            thread.start()
        except BaseException:
            self._ended.set()
            store.close()
            raise

    def _go_on(self, options: Mapping[str, Any]) -> None:
        """Wakes the worker and takes a stop back that it has not seen yet; starts a new one where it ends or ended."""
        with self._control:
            self._stopping = False
            ending = self._ending
            self._control.notify_all()
        if ending:
            self._ended.wait()
        with self._restarting:
            if not self.alive:
                self._restart(options)

    def _restart(self, options: Mapping[str, Any]) -> None:
        if self.status == "finished":
            raise RunError(f"run {self.id} is finished. Start a new one with a larger budget")
        store = RunStore.open(self.id, self._runs)
        try:
            state = fold(store.records())
            if state.status == "finished":  # by another process, since this one looked
                with self._lock:
                    self._state = state
                raise RunError(f"run {self.id} is finished. Start a new one with a larger budget")
            bound = self.spec.bind()
            now = identity(bound.device, bound.threads)
            compare(state.identity, now, **options)
            point = store.resume_point()
            seq = point.seq if point is not None else 0
            bound.search.resume(point.state if point is not None else None, store.last_seq, store.records(after=seq))
            with self._lock:
                self._state, self.device = state, bound.device
            self._record(store, bound.search.stamp(RunResumed(now)))
        except BaseException:
            store.close()
            raise
        self._launch(store, bound)

    def _work(self, store: RunStore, search: Search, threads: int) -> None:
        try:
            try:
                with using(threads):
                    self._loop(store, search)
            except _Stop:
                self._record(store, search.stamp(RunStopped()))
        except Exception as cause:
            with self._control:
                self._error, self._ending = cause, True
            message = str(cause) if isinstance(cause, NbnasError) else f"{type(cause).__name__}: {cause}"
            try:
                search.seq = store.last_seq  # what could not be stored has no number
                self._record(store, search.stamp(RunFailed(message[:2000])))
            except Exception as second:  # the store itself is broken: only memory can tell
                with self._lock:
                    self._state.status, self._state.message = "failed", f"{message}; and could not be stored: {second}"
        finally:
            self.progress = None
            try:
                store.close()
            finally:
                self._ended.set()

    def _loop(self, store: RunStore, search: Search) -> None:
        saved_at, cost = time.monotonic(), 0.0
        while search.end is None:
            self._gate(store, search)
            new = False
            with contextlib.closing(search.step()) as step:
                for item in step:
                    if isinstance(item, Progress):
                        self.progress = item
                    else:
                        self._record(store, item)
                        new = True
                    self._gate(store, search)
            with self._control:
                self._steps = max(0, self._steps - new)  # what is only repeated is no step for who looks on
            if self._holding or time.monotonic() - saved_at >= max(_SAVE_SECONDS, _SAVE_SHARE * cost):
                cost, saved_at = self._save(store, search), time.monotonic()
        self._record(store, search.finish())

    @property
    def _holding(self) -> bool:
        return self._paused and not self._steps

    def _gate(self, store: RunStore, search: Search) -> None:
        """Holds here while paused; raises `_Stop` when stopped."""
        with self._control:
            self._raise_if_stopping()
        if not self._holding:
            return
        self._record(store, search.stamp(RunPaused()))
        with self._control:
            self._control.wait_for(lambda: self._stopping or not self._holding)
            self._raise_if_stopping()
        self._record(store, search.stamp(RunResumed()))

    def _raise_if_stopping(self) -> None:
        if self._stopping:
            self._ending = True  # from here on the stop cannot be taken back
            raise _Stop

    def _record(self, store: RunStore, record: Record) -> None:
        store.append(record)  # committed first, shown afterwards
        with self._lock:
            self._state.apply(record)

    def _save(self, store: RunStore, search: Search) -> float:
        """Writes a resume point; returns the seconds it took."""
        start = time.monotonic()
        digest = store.save_resume_point(search.done_seq, search.state_dict())
        if digest is not None:
            self._record(store, search.stamp(CheckpointSaved("resume", digest)))
        return time.monotonic() - start


def start(spec: RunSpec, runs: Path | None = None) -> Run:
    """Starts a new run in the background. Nothing is written before everything fits together.

    Args:
        spec: what it does.
        runs: the folder of runs; `None` for the usual one.

    Raises:
        NbnasError: the parts do not fit together, or the device is not there.
    """
    bound = spec.bind()
    store = RunStore.create(spec.to_json(), runs)
    try:
        if spec.name:
            store.set_label(spec.name)
        run = Run(store.run_id, spec, RunState(), runs)
        run.device = bound.device
        run._record(store, bound.search.stamp(RunStarted(spec.to_json(), identity(bound.device, bound.threads))))
    except BaseException:
        store.close()
        raise
    run._launch(store, bound)
    return run


def open_run(
    run_id: str,
    runs: Path | None = None,
    *,
    task: Task | None = None,
    evaluator: EvaluatorSettings | None = None,
) -> Run:
    """Opens a stored run to look at, and to resume with `run.resume()`.

    Args:
        run_id: as `nb.runs()` lists it.
        runs: the folder of runs; `None` for the usual one.
        task: the task again, where its data are the user's own and not stored.
        evaluator: likewise.

    Raises:
        StoreError: there is no such run, or it cannot be read.
    """
    live = _LIVE.get((str(runs), run_id))
    if live is not None:
        live._catch_up()
        return live
    with RunReader(run_id, runs) as reader:
        spec = RunSpec.from_json(reader.spec, f"run {run_id}", task=task, evaluator=evaluator)
        return Run(run_id, spec, fold(reader.records()), runs)
