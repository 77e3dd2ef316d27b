"""What bit-equality of a run depends on, besides its specification."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Mapping
from typing import Any

from nbnas.errors import ResumeError

__all__ = ["compare", "identity"]


def identity(device: str, threads: int) -> dict[str, Any]:
    """Device, threads, machine and versions; `reproducible` says whether they suffice."""
    versions = {name: importlib.metadata.version(name) for name in ("torch", "numpy")}
    versions["nbnas"] = sys.modules["nbnas"].__version__
    return {
        "device": device,
        "threads": threads,
        "machine": platform.machine(),
        "python": platform.python_version(),
        **versions,
        "reproducible": device == "cpu",
    }


def compare(before: Mapping[str, Any], now: Mapping[str, Any], *, accept_differences: bool = False) -> None:
    """Raises `ResumeError` where two identities differ, unless differences are accepted."""
    differs = [
        f"{name} was {before[name]}, is {now[name]}"
        for name in now
        if name in before and before[name] is not None and now[name] is not None and before[name] != now[name]
    ]
    if differs and not accept_differences:
        raise ResumeError(
            f"run must be resumed where it can repeat itself, but {'; '.join(differs)}. "
            f"Call resume(accept_differences=True), or nbnas resume --accept-differences, to go on all the same"
        )
