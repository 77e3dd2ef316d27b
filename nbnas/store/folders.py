"""Where runs lie on disk, and what they are called. A run's id is never a path."""

from __future__ import annotations

import os
import re
import secrets
import time
from pathlib import Path

from nbnas.errors import StoreError

__all__ = ["checked_id", "home", "is_run_id", "new_run_id", "run_folder", "runs_folder"]

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no i, l, o, 0, 1: they are read wrong


def home() -> Path:
    """The folder of everything that nbnas keeps: `NBNAS_HOME`, or `~/.nbnas`."""
    try:
        return Path(os.environ.get("NBNAS_HOME") or "~/.nbnas").expanduser().absolute()
    except RuntimeError as cause:  # no home folder, or `~nobody`
        raise StoreError(f"NBNAS_HOME must be a folder ({cause}). Set it to one that can be written") from None


def runs_folder(runs: Path | None = None) -> Path:
    """`runs` itself, or the folder of runs at home."""
    return home() / "runs" if runs is None else Path(runs).absolute()


def new_run_id() -> str:
    """A new id: UTC date and time, and four random characters. Ids sort by the second of their creation."""
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(4))
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{suffix}"


def is_run_id(value: object) -> bool:
    """Whether `value` has the form of an id."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def checked_id(run_id: object) -> str:
    """`run_id` when it has the form of one.

    Raises:
        StoreError: it has not; paths, empty and long texts have not.
    """
    if not isinstance(run_id, str) or not is_run_id(run_id):
        raise StoreError(
            f"run id must be 1 to 64 lower-case letters, digits, - and _, got {run_id!r:.80}. "
            "An id is not a path; list_runs shows the ids that there are"
        )
    return run_id


def run_folder(run_id: str, runs: Path | None = None) -> Path:
    """The folder of a run that exists.

    Raises:
        StoreError: the id is not one, or no such run exists.
    """
    folder = runs_folder(runs) / checked_id(run_id)
    if not os.path.isdir(folder):  # unlike Path.is_dir, False where the folder above is closed to this user
        raise StoreError(f"run {run_id} must exist; {folder.parent}. list_runs shows the runs that there are")
    return folder
