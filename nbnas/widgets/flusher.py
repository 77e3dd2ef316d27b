"""The one thread of a process that writes to widgets which are on display and follow a run.

Writes from several threads at once lose messages and raise in `hold_sync`. So callbacks of buttons and workers of runs
only note what happened and `wake` the flusher; forms, which follow no run, are written by their own callbacks alone.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

__all__ = ["FLUSHER", "PERIOD", "Flusher", "View"]

PERIOD = 0.2
"""Seconds between two flushes of a view that is under way."""

_SHARE = 5  # a flush may take at most one in so many seconds; after a slow one there is a longer break
_log = logging.getLogger(__name__)


class View(Protocol):
    """What a flusher writes."""

    def flush(self) -> float | None:
        """Shows what is new. Returns the seconds until the next time, or `None` when nothing will come any more."""


class Flusher:
    """Calls `flush` of its views on one thread, which lives as long as there are views."""

    def __init__(self) -> None:
        self._due: dict[View, float] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self.errors: dict[int, str] = {}
        """id of a view -> the error of its last flush; it is tried again."""

    @property
    def alive(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def add(self, view: View) -> None:
        """Flushes `view` now and from now on; it may be there already."""
        with self._changed:
            self._due[view] = 0.0
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="nbnas-flusher", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def remove(self, view: View) -> None:
        """Forgets `view`."""
        with self._changed:
            self._due.pop(view, None)
            self.errors.pop(id(view), None)
            self._changed.notify_all()

    def wake(self, view: View) -> None:
        """Flushes `view` at once, if it is there."""
        with self._changed:
            if view in self._due:
                self._due[view] = 0.0
                self._changed.notify_all()

    def join(self, timeout: float | None = None) -> None:
        """Waits until the thread has ended."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def _work(self) -> None:
        while (view := self._next()) is not None:
            before = time.monotonic()
            try:
                pause = view.flush()
                self.errors.pop(id(view), None)
            except Exception as error:  # one broken view must not stop the others
                pause = 1.0
                said = f"{type(error).__name__}: {error}"
                if self.errors.get(id(view)) != said:
                    self.errors[id(view)] = said
                    _log.debug("a view failed", exc_info=True)
            with self._changed:
                if pause is None:
                    # A press on a button during this flush has set its time to 0: then it is not the last one.
                    if self._due.get(view):
                        self._due.pop(view, None)
                elif self._due.get(view):
                    now = time.monotonic()
                    self._due[view] = now + max(pause, (now - before) * (_SHARE - 1))

    def _next(self) -> View | None:
        """Waits for the next view that is due; `None` when there is none left, and then the thread ends."""
        with self._changed:
            while self._due:
                view = min(self._due, key=self._due.__getitem__)
                wait = self._due[view] - time.monotonic()
                if wait <= 0:
                    self._due[view] = time.monotonic()
                    return view
                self._changed.wait(wait)
            self._thread = None
            return None


FLUSHER = Flusher()
"""The one of this process."""
