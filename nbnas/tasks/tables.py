"""A table in three splits, scaled by the statistics of train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nbnas.tasks.data import Data, Split, stratified
from nbnas.tasks.inputs import statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["table"]


def table(
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    labels: Sequence[str],
    valid_fraction: float,
    test_fraction: float,
    seed: int,
) -> Data:
    """Splits rows, stratified by class; each feature gets mean 0 and standard deviation 1 in train.

    Args:
        x: Measured values of shape (items, features).
        y: Classes of shape (items,), in the order of `labels`.
        labels: The names of the classes.
        valid_fraction: The share of all items that a search scores on.
        test_fraction: The share of all items kept for the final report.
        seed: Of the split.
    """
    y = y.astype(np.int64)
    test, valid, train = stratified(y, (test_fraction, valid_fraction), seed)
    mean, deviation = statistics(x[train])
    train_part, valid_part, test_part = (
        Split(((x[index] - mean) / deviation).astype(np.float32), y[index]) for index in (train, valid, test)
    )
    return Data(train_part, valid_part, test_part, len(labels), tuple(labels))
