"""The lock of a run: who writes. Liveness is the lock itself, which the system frees when its process ends."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from nbnas.errors import RunBusyError, StoreError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["RunLock", "is_busy"]

_PATIENCE = 0.2
"""Seconds for which a writer tries: who asks whether a run is busy holds the lock for some microseconds."""

_HELD: weakref.WeakSet[RunLock] = weakref.WeakSet()


class RunLock:
    """The exclusive lock of one run, held from construction until `release` or the end of the process.

    Raises:
        RunBusyError: another writer holds it, in this process or in another one.
        StoreError: it cannot be taken at all.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        # Not through a link: a foreign folder's `lock` could lead to any file, and the holder is written into it.
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        try:
            self._file: IO[bytes] = os.fdopen(os.open(path, flags, 0o644), "r+b", buffering=0)
        except OSError as cause:
            raise StoreError(
                f"run {folder.name} must be writable to be continued, got: {cause.strerror}; {path}. "
                "Read it with RunReader, or copy its folder to a place of your own"
            ) from cause
        try:
            self._take(folder.name, path)
            self._sign()
        except BaseException:
            self._file.close()
            raise
        _HELD.add(self)

    def _take(self, run_id: str, path: Path) -> None:
        patience = time.monotonic() + _PATIENCE
        while not _try_lock(self._file.fileno(), path, shared=False):
            if time.monotonic() > patience:
                raise RunBusyError(
                    f"run {run_id} must be open for writing only once, got a second time; {_holder(path)} has it. "
                    "Close it there (a notebook: run.stop(), or restart its kernel), or read it with RunReader"
                )
            time.sleep(0.002)

    def _sign(self) -> None:
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        with suppress(OSError):  # only for the message; a full disk must not hinder
            self._file.truncate(0)
            self._file.seek(0)
            self._file.write(json.dumps(holder).encode())

    def release(self) -> None:
        """Frees the lock; again is fine."""
        _HELD.discard(self)
        self._file.close()


def _forget_in_child() -> None:
    """A forked child shares the lock, and would hold it after its parent's end."""
    for lock in list(_HELD):
        lock._file.close()
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


def is_busy(folder: Path) -> bool:
    """Whether somebody writes to the run now."""
    path = folder / "lock"
    try:
        # Not blocking: a foreign folder's `lock` could be a pipe.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:  # never locked, or a folder from elsewhere
        return False
    try:
        return not _try_lock(descriptor, path, shared=True)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, path: Path, *, shared: bool) -> bool:
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # far behind the text, which others read
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as cause:
        raise StoreError(
            f"{path} cannot be locked: {cause.strerror}. Set NBNAS_HOME to a folder on a disk of this machine"
        ) from cause
    return True


def _holder(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            text: Any = json.loads(file.read(1000))
        return f"process {int(text['pid'])} on {str(text['host'])[:80]}"
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return "another process"
