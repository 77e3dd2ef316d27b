"""Steps on some parameters while others are constants, so that gradients nobody uses are not computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn

__all__ = ["constant"]


@contextmanager
def constant(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Within it no gradients flow to `parameters`; afterwards they do as before."""
    changed = [parameter for parameter in parameters if parameter.requires_grad]
    for parameter in changed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in changed:
            parameter.requires_grad_(True)
