"""Checkpoint files: safetensors, named by the SHA-256 of their bytes."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from nbnas import jsonio
from nbnas.errors import StoreError
from nbnas.store.files import TEMPORARY, read_file, sync_folder, write_file

__all__ = ["checkpoint_bytes", "checkpoint_names", "load_checkpoint", "save_checkpoint", "sweep"]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_METADATA = {"format": "nbnas 1"}


def save_checkpoint(folder: Path, arrays: Mapping[str, Any]) -> str:
    """Writes tensors and numpy arrays to a file that is durable on return; its digest.

    Raises:
        StoreError: a tensor is of a kind that safetensors lacks, or the disk is full.
    """
    content = _pack(arrays)
    digest = hashlib.sha256(content).hexdigest()
    path = folder / digest
    try:
        folder.mkdir(exist_ok=True)
        with suppress(StoreError):
            if read_file(path) == content:  # may be of a save that was interrupted before its folder was synced
                sync_folder(folder)
                return digest
        write_file(path, content)
    except OSError as cause:
        raise StoreError(
            f"checkpoint must be written, got: {cause.strerror or cause}; {path}. "
            "The run keeps its previous checkpoint. Free space on the disk, then resume the run"
        ) from cause
    return digest


def checkpoint_bytes(folder: Path, digest: str) -> bytes:
    """The bytes of a checkpoint, checked.

    Raises:
        StoreError: it is absent or has other bytes than those that were saved.
    """
    if not _DIGEST.fullmatch(digest):
        raise StoreError(f"{folder}: {digest!r:.80} must be the SHA-256 of a checkpoint. Restore the run from a copy")
    content = read_file(folder / digest)
    if (found := hashlib.sha256(content).hexdigest()) != digest:
        raise StoreError(f"{folder / digest} must have the SHA-256 in its name, got {found}. Restore it from a copy")
    return content


def load_checkpoint(folder: Path, digest: str, *, with_torch: bool) -> Mapping[str, Any]:
    """The arrays of a checkpoint: torch tensors, or numpy arrays where no tensor was saved."""
    content = checkpoint_bytes(folder, digest)
    try:
        if with_torch:
            from safetensors.torch import load as load_tensors

            return load_tensors(content)
        from safetensors.numpy import load as load_arrays

        return load_arrays(content)
    except Exception as cause:  # whatever safetensors raises: the file may have been made by anybody
        raise StoreError(f"{folder / digest} is not a safetensors file: {cause}. Restore it from a copy") from cause


def checkpoint_names(folder: Path, digest: str) -> set[str]:
    """The names of the arrays in a checkpoint whose bytes are right; torch is not needed for it."""
    content = checkpoint_bytes(folder, digest)
    length = int.from_bytes(content[:8], "little")  # a safetensors file begins with its JSON header
    header = jsonio.loads(content[8 : 8 + length], str(folder / digest), error=StoreError)
    return set(header) - {"__metadata__"} if isinstance(header, dict) else set()


def sweep(folder: Path, keep: Collection[str]) -> None:
    """Deletes checkpoints that are not among `keep`, and what interrupted saves left. Failures wait for later."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name.startswith(TEMPORARY) or (_DIGEST.fullmatch(path.name) and path.name not in keep):
                with suppress(OSError):
                    path.unlink()


def _pack(arrays: Mapping[str, Any]) -> bytes:
    foreign = {name: array for name, array in arrays.items() if not isinstance(array, np.ndarray | np.generic)}
    own = {name: _contiguous(array) for name, array in arrays.items() if name not in foreign}
    try:
        if not foreign:
            from safetensors.numpy import save as save_arrays

            return save_arrays(own, _METADATA)
        import safetensors.torch

        return safetensors.torch.save(_tensors(foreign, own), _METADATA)
    except Exception as cause:  # safetensors and torch raise what they like for kinds that they lack
        raise StoreError(f"tensors must be of a kind that safetensors has, got: {cause}. Convert them first") from cause


def _contiguous(array: Any) -> np.ndarray[Any, np.dtype[Any]]:
    native = np.asarray(array).astype(array.dtype.newbyteorder("="), copy=False)
    return np.array(native, order="C", copy=True)  # writable, as torch asks


def _tensors(tensors: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    torch = sys.modules["torch"]  # loaded: there are tensors
    result: dict[str, Any] = {name: torch.from_numpy(array) for name, array in arrays.items()}
    memories: set[int] = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
        memory = tensor.untyped_storage().data_ptr()
        # safetensors refuses two tensors on one memory.
        result[name] = tensor.clone() if memory in memories else tensor
        memories.add(memory)
    return result
