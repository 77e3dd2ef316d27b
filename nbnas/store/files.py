"""Files that are whole or absent, also after a power loss."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path

from nbnas.errors import StoreError

__all__ = ["TEMPORARY", "read_file", "sync_folder", "write_file"]

TEMPORARY = ".writing-"
"""How the name of a file begins while it is written."""


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable."""
    if sys.platform == "win32":  # folders cannot be opened there; the file system's journal orders renames
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, content: bytes) -> None:
    """Writes `content` to `path` so that `path` is never half of it: temporary name, sync, rename, sync the folder.

    Raises:
        OSError: it failed; `path` is as it was before, or complete.
    """
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def read_file(path: Path) -> bytes:
    """The bytes of a regular file; links, pipes and devices, which a foreign folder may hold, are refused.

    Raises:
        StoreError: it is absent, not a regular file, or cannot be read.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise StoreError(f"{path} must be a regular file. Replace it by the file of the original run")
        return path.read_bytes()
    except FileNotFoundError:
        raise StoreError(f"{path} is missing. Copy it from the original run, if there is one") from None
    except OSError as cause:
        raise StoreError(f"{path} cannot be read: {cause.strerror}") from cause
