"""Data in three splits: checked once, then read-only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbnas.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Data", "Split", "stratified"]


class Split(NamedTuple):
    """Items and their classes.

    Attributes:
        x: Inputs, float32 of shape (items, channels, *spatial), or (items, features) for vectors.
        y: Classes, int64 of shape (items,), in 0..classes - 1.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Data:
    """Train, valid and test items of one classification task.

    The arrays are read-only, because one `Data` may serve many runs.

    Attributes:
        train: What weights (and alpha) are trained on.
        valid: What a search scores on.
        test: What only a final report reads.
        classes: The number of classes, 2 or more.
        labels: The name of each class, in the order of `y`.

    Raises:
        TaskError: If shapes, types or classes do not agree, a value is not finite, or a split is empty.
    """

    train: Split
    valid: Split
    test: Split
    classes: int
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise TaskError(f"classes must be 2 or more, got {self.classes}. Give data with at least two classes")
        if len(self.labels) != self.classes or len(set(self.labels)) != self.classes:
            raise TaskError(
                f"labels must be {self.classes} different names, one a class, "
                f"got {len(self.labels)}: {self.labels!r:.200}"
            )
        for name in ("train", "valid", "test"):
            split: Split = getattr(self, name)
            _check(name, split, self.classes)
            if split.x.shape[1:] != self.train.x.shape[1:]:
                raise TaskError(
                    f"{name}.x must have items of the same shape as train.x, {self.train.x.shape[1:]}, "
                    f"got {split.x.shape[1:]}"
                )
            object.__setattr__(self, name, Split(_read_only(split.x), _read_only(split.y)))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one item: (channels, *spatial), or (features,)."""
        return self.train.x.shape[1:]

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over the shapes and bytes of all arrays, equal on every machine for equal data."""
        digest = hashlib.sha256()
        for name in ("train", "valid", "test"):
            split: Split = getattr(self, name)
            for array, stored in ((split.x, "<f4"), (split.y, "<i8")):
                digest.update(f"{name} {stored} {array.shape};".encode())
                digest.update(np.ascontiguousarray(array, dtype=stored).data)
        return digest.hexdigest()


def stratified(y: NDArray[np.int64], fractions: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Splits items so that every part has the classes in the proportions of the whole.

    Each part of `fractions` gets `round(items * fraction)` items, of each class its proportion rounded down or up; the
    last part gets the rest, and at least one item of each class, even where another part then gets fewer.

    Args:
        y: Classes, int64 of shape (items,).
        fractions: The share of each part but the last, in (0, 1); their sum is below 1.
        seed: Of the draw within each class.

    Returns:
        The indices of each part, ascending; together every item once.
    """
    # RandomState, not Generator: numpy promises its stream for ever, so a split stays what it was.
    rng = np.random.RandomState(seed)
    left = [rng.permutation(np.flatnonzero(y == label)) for label in np.unique(y)]
    sizes = np.array([len(members) for members in left])
    parts: list[NDArray[np.int64]] = []
    for fraction in fractions:
        share = sizes * fraction
        counts = np.floor(share).astype(np.int64)
        free = np.array([len(members) for members in left]) - 1
        counts = np.minimum(counts, free)
        missing = round(len(y) * fraction) - int(counts.sum())
        by_remainder = np.argsort(counts - share, kind="stable")
        for index in [i for i in by_remainder if counts[i] < free[i]][: max(missing, 0)]:
            counts[index] += 1
        parts.append(_sorted([members[:count] for members, count in zip(left, counts, strict=True)]))
        left = [members[count:] for members, count in zip(left, counts, strict=True)]
    return [*parts, _sorted(left)]


def _sorted(pieces: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.sort(np.concatenate(pieces)).astype(np.int64)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def _check(name: str, split: Split, classes: int) -> None:
    x, y = split
    if x.dtype != np.float32 or y.dtype != np.int64:
        raise TaskError(f"{name} must be x of float32 and y of int64, got {x.dtype} and {y.dtype}")
    if y.ndim != 1 or not 2 <= x.ndim <= 4:
        raise TaskError(
            f"{name} must be x of shape (items, channels, *spatial) with at most two spatial dimensions and y of shape "
            f"(items,), got {x.shape} and {y.shape}"
        )
    if len(x) != len(y):
        raise TaskError(f"{name} must have one label an item, got {len(x)} items and {len(y)} labels")
    if x.size == 0:
        raise TaskError(f"{name} must have at least one item that is not empty, got x of shape {x.shape}")
    if not np.isfinite(x).all():
        bad = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
        raise TaskError(
            f"{name}.x must be finite, got nan or infinity in {len(bad)} of {len(x)} items, first in item {bad[0]}. "
            "Fill or drop those items"
        )
    if y.min() < 0 or y.max() >= classes:
        raise TaskError(f"{name}.y must be in 0..classes - 1 ({classes - 1}), got {y.min()}..{y.max()}")
