"""How many torch threads suit a search on the CPU.

For networks on tiny inputs a second thread costs more than it gives: threads wait for one another at every operation,
and on a busy machine they wait long. The number is part of what bit-equality of a run depends on, so it follows from
the data alone wherever it can.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["suiting", "using"]

_TINY = 1024
"""Values an item, up to which one thread is best."""


def suiting(input_shape: tuple[int, ...] | None) -> int:
    """The number of threads for items of this shape; `None` means that no network is trained on data."""
    import torch

    if input_shape is None or math.prod(input_shape) <= _TINY:
        return 1
    return torch.get_num_threads()


@contextmanager
def using(threads: int) -> Iterator[None]:
    """Uses so many torch threads for what the calling thread computes."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
