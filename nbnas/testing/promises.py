"""How a promise is checked, and what is said when it is broken."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from nbnas.errors import NbnasError
from nbnas.events import Event, Record

__all__ = ["explained", "require", "same", "semantic", "shaken"]


def require(condition: bool, message: str) -> None:
    """Raises `AssertionError` unless the condition holds."""
    if not condition:
        raise AssertionError(message)


def semantic(records: Iterable[Record]) -> list[Event]:
    """The events that a repeated run must repeat."""
    return [record.event for record in records if record.event.semantic]


def same(found: Sequence[Event], expected: Sequence[Event], promise: str, name: str) -> None:
    """Raises `AssertionError` that shows the first difference, unless the events are the same."""
    for place, (one, other) in enumerate(zip(found, expected, strict=False), start=1):
        if one.semantic_json() != other.semantic_json():
            raise AssertionError(
                f"{promise}, got another event {place}: {one.semantic_json()!r:.300} instead of "
                f"{other.semantic_json()!r:.300}; {name}. {_REMEDY}"
            )
    if len(found) != len(expected):
        raise AssertionError(f"{promise}, got {len(found)} events instead of {len(expected)}; {name}. {_REMEDY}")


_REMEDY = (
    "All chance must come from the rng or seed that bind gets, and state_dict must hold all that changes, the "
    "generator's state included"
)


@contextlib.contextmanager
def explained(promise: str) -> Iterator[None]:
    """Turns an error into one that says which promise is broken."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as cause:
        text = str(cause) if isinstance(cause, NbnasError) else f"{type(cause).__name__}: {cause}"
        raise AssertionError(f"{promise}; got {text}. {_REMEDY}") from cause


@contextlib.contextmanager
def shaken(seed: int) -> Iterator[None]:
    """Other global generators within, so that whoever uses them gets other numbers; the old ones afterwards."""
    import torch

    numpy_state, python_state, torch_state = np.random.get_state(), random.getstate(), torch.get_rng_state()
    np.random.seed(seed)
    random.seed(seed)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        torch.set_rng_state(torch_state)
