"""Building within bounds: what does not fit into the memory is refused before its weights are written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from nbnas.errors import TrialError

__all__ = ["MAX_MODULES", "free_memory", "within_memory"]

MAX_MODULES = 200_000

_SHARE = 0.5  # of the free memory; gradients and optimizer need theirs too


def free_memory() -> int:
    """Bytes of main memory that can still be had, within the limits of a container."""
    free = int(psutil.virtual_memory().available)
    try:
        most, used = (Path(f"/sys/fs/cgroup/memory.{name}").read_text().strip() for name in ("max", "current"))
        free = free if most == "max" else min(free, max(0, int(most) - int(used)))
    except (OSError, ValueError):
        pass  # not Linux, or no container
    return free


@contextmanager
def within_memory() -> Iterator[None]:
    """Within it, this thread's new modules may have so many parameters as fit into half of the free memory.

    Raises:
        TrialError: they have more, or are too many modules; it says `out_of_memory`.
    """
    thread, limit = threading.get_ident(), _SHARE * free_memory()
    taken = modules = 0

    def parameter(module: nn.Module, name: str, value: torch.Tensor | None) -> None:
        nonlocal taken
        if value is None or value.is_meta or threading.get_ident() != thread:
            return
        taken += value.numel() * value.element_size()
        # The memory of a tensor is there when it is first written, which comes after this.
        if taken > limit:
            _refuse(
                f"weights of at most {limit / 1e9:.3g} GB, half of the free memory, got more than {taken / 1e9:.3g}"
            )

    def part(module: nn.Module, name: str, value: nn.Module | None) -> None:
        nonlocal modules
        modules += threading.get_ident() == thread
        if modules > MAX_MODULES:
            _refuse(f"at most {MAX_MODULES:,} modules, got more")

    hooks = [register_module_parameter_registration_hook(parameter), register_module_module_registration_hook(part)]
    try:
        yield
    except RuntimeError as cause:
        if isinstance(cause, TrialError) or "allocat" not in str(cause):
            raise
        _refuse(f"weights that fit into the memory ({free_memory() / 1e9:.3g} GB are free), got more")
    finally:
        for hook in hooks:
            hook.remove()


def _refuse(expected: str) -> None:
    raise TrialError(
        f"network must have {expected}. Make the space narrower or less deep", cause="out_of_memory"
    ) from None
