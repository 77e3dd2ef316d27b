"""A torch data set as a task: read once, into memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbnas.errors import TaskError
from nbnas.tasks.arrays import from_arrays
from nbnas.tasks.inputs import array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbnas.tasks.inputs import Layout
    from nbnas.tasks.task import Task

__all__ = ["from_dataset"]


def from_dataset(
    dataset: Any,
    *,
    valid: Any = None,
    test: Any = None,
    seed: int = 0,
    name: str = "dataset",
    labels: Sequence[str] | None = None,
    layout: Layout | None = None,
    normalize: bool = True,
    limit_bytes: int = 2 * 1024**3,
) -> Task:
    """A classification task on a torch `Dataset` of pairs (input, label); it is read once, into memory.

    Args:
        dataset: Gives pairs of a tensor or array and a label, by index or by iteration. Random augmentation in it would
            be frozen: leave it out.
        valid: Another data set, or a share as in `from_arrays`.
        test: Another data set, or a share as in `from_arrays`.
        seed: As in `from_arrays`, as are `name`, `labels`, `layout` and `normalize`.
        name: See there.
        labels: See there.
        layout: See there.
        normalize: See there.
        limit_bytes: The most that the inputs of one data set may take in memory, at 4 bytes a number.

    Raises:
        TaskError: As `from_arrays`; and if the inputs differ in shape or are larger than the limit.
    """

    def part(value: Any, subject: str) -> Any:
        share = value is None or isinstance(value, int | float)
        return value if share else _materialised(value, subject, limit_bytes)

    x, y = _materialised(dataset, "dataset", limit_bytes)
    return from_arrays(
        x,
        y,
        valid=part(valid, "valid"),
        test=part(test, "test"),
        seed=seed,
        name=name,
        labels=labels,
        layout=layout,
        normalize=normalize,
    )


def _materialised(dataset: Any, subject: str, limit_bytes: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """All inputs and labels of a data set, read once."""
    count = len(dataset) if hasattr(dataset, "__len__") else None
    if count is not None and hasattr(dataset, "__getitem__"):
        pairs: Iterable[Any] = (dataset[index] for index in range(count))
    elif hasattr(dataset, "__iter__"):
        pairs = iter(dataset)
    else:
        raise TaskError(f"{subject} must be a torch Dataset or another source of pairs, got {type(dataset).__name__}")
    xs: list[NDArray[Any]] = []
    ys: list[Any] = []
    for index, pair in zip(itertools.count(), pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TaskError(f"{subject}[{index}] must be a pair (input, label), got {type(pair).__name__}")
        x, y = array(pair[0]), array(pair[1])
        if xs and x.shape != xs[0].shape:
            raise TaskError(
                f"{subject}[{index}] must have the shape of {subject}[0], {xs[0].shape}, got {x.shape}. "
                "Resize, crop or pad the items"
            )
        if y.ndim != 0 and y.size != 1:
            raise TaskError(f"{subject}[{index}] must have one label, got an array of shape {y.shape}")
        total = 4 * x.size * (count or index + 1)  # as float32
        if total > limit_bytes:
            raise TaskError(
                f"{subject} must take at most {limit_bytes:,} bytes in memory (limit_bytes), got "
                f"{'at least ' if count is None else ''}{total:,}. Take fewer or smaller items, or raise the limit"
            )
        xs.append(x)
        ys.append(y.reshape(()).item())
    if not xs:
        raise TaskError(f"{subject} must have at least one item, got 0")
    return np.stack(xs), np.array(ys)
