"""The user's cache of generated data: written whole or not at all, checked by digest, never trusted."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbnas.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

__all__ = ["cache_folder", "cached", "digest"]

_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """`cache` in the folder named by NBNAS_HOME, or in `~/.nbnas`."""
    home = os.environ.get("NBNAS_HOME")
    return (Path(home).expanduser() if home else Path.home() / ".nbnas") / "cache"


def digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 (hex) over names, types, shapes and values (little-endian), in the order of the mapping."""
    result = hashlib.sha256()
    for name, array in arrays.items():
        stored = array.dtype.newbyteorder("<")
        result.update(f"{name} {stored.str} {array.shape};".encode())
        result.update(np.ascontiguousarray(array, dtype=stored).tobytes())
    return result.hexdigest()


def cached(name: str, expected: str, generate: Callable[[], dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """The arrays of the cache file if they have the expected digest; otherwise generated, checked and stored.

    A folder that cannot be written only costs the time of generating again.

    Args:
        name: Of the file, without `.npz`.
        expected: What `digest` gives for the right arrays.
        generate: Makes the arrays.

    Raises:
        TaskError: If the generated arrays are not the expected ones.
    """
    path = cache_folder() / f"{name}.npz"
    arrays = _read(path, expected)
    if arrays is None:
        arrays = generate()
        if (got := digest(arrays)) != expected:
            raise TaskError(
                f"{name} must have the digest {expected[:12]}…, got {got[:12]}…; generated with numpy "
                f"{np.__version__}, which draws or rounds differently. Install the versions of constraints.txt"
            )
        _write(path, arrays)
    return arrays


def _read(path: Path, expected: str) -> dict[str, NDArray[Any]] | None:
    try:
        # Opened here: numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        right = digest(arrays) == expected
    except FileNotFoundError:
        return None
    except Exception as error:  # damage shows as any of a dozen errors of zip, zlib and numpy
        _log.warning("cache file %s cannot be read (%s); the data are generated again", path, error)
        return None
    if not right:
        _log.warning("cache file %s does not hold the expected values; the data are generated again", path)
        return None
    return arrays


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        _log.warning("cache file %s cannot be written (%s); the data will be generated again next time", path, error)
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
