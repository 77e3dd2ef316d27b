"""What users give as inputs and labels, read into one form: axes, numbers, classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from nbnas.errors import TaskError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Layout", "array", "classes", "encoded", "inputs", "statistics"]

Layout: TypeAlias = Literal["nchw", "nhwc", "nhw", "ncl", "nlc", "nl", "nf"]
"""What the axes of `x` are: n items, c channels, h height, w width, l length, f features."""

# For each layout, how its axes become (items, channels, *spatial); None is a new axis.
_AXES: dict[str, tuple[int | None, ...]] = {
    "nchw": (0, 1, 2, 3),
    "nhwc": (0, 3, 1, 2),
    "nhw": (0, None, 1, 2),
    "ncl": (0, 1, 2),
    "nlc": (0, 2, 1),
    "nl": (0, None, 1),
    "nf": (0, 1),
}
_DEFAULT_LAYOUT = {2: "nl", 3: "nhw", 4: "nchw"}
_FEW = 4  # an axis as short as this may be the channels


def array(value: Any) -> NDArray[Any]:
    """Arrays as they are, tensors from any device, lists."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        return np.asarray(value)
    except ValueError as error:
        raise TaskError(f"data must be arrays of one shape: {error}") from None


def inputs(subject: str, value: Any, layout: str | None) -> NDArray[Any]:
    """Finite numbers of shape (items, channels, *spatial) or (items, features), of the type given.

    Raises:
        TaskError: If they are not numbers, not finite, or their axes do not fit the layout or may mean two things.
    """
    x = array(value)
    if x.dtype.kind not in "biuf":
        raise TaskError(f"{subject} must be numbers, got {x.dtype}")
    if layout is None:
        layout = _guessed(subject, x.shape)
    if layout not in _AXES:
        raise TaskError(f"layout must be one of {', '.join(_AXES)}, got {layout!r}")
    if x.ndim != len(layout):
        raise TaskError(f"{subject} must have {len(layout)} axes for layout {layout!r}, got shape {x.shape}")
    axes = [axis for axis in _AXES[layout] if axis is not None]
    x = np.transpose(x.astype(np.uint8) if x.dtype.kind == "b" else x, axes)
    if not np.isfinite(x).all():
        bad = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
        raise TaskError(
            f"{subject} must be finite, got nan or infinity in {len(bad)} of {len(x)} items, first in item {bad[0]}. "
            "Fill or drop those items"
        )
    return x[:, None] if None in _AXES[layout] else x


def _guessed(subject: str, shape: tuple[int, ...]) -> str:
    layout = _DEFAULT_LAYOUT.get(len(shape))
    if layout is None:
        raise TaskError(f"{subject} must have 2 axes (sequences), 3 or 4 (images), got shape {shape}")
    others = {"nhw": ("ncl", "nlc"), "nchw": ("nhwc",)}.get(layout, ())
    unclear = (layout == "nhw" and min(shape[1:]) <= _FEW) or (layout == "nchw" and shape[3] <= _FEW < shape[1])
    if unclear:
        raise TaskError(
            f"layout must be given where the axes may mean two things, got {subject} of shape {shape}. "
            f"Pass layout={layout!r}, {' or '.join(map(repr, others))}"
        )
    return layout


def classes(subject: str, value: Any, items: int) -> NDArray[Any]:
    """Labels of shape (items,): int64 or texts.

    Raises:
        TaskError: If they are something else, or not as many as the items.
    """
    y = array(value)
    if y.ndim != 1 or y.dtype.kind not in "biuUO":
        raise TaskError(
            f"{subject} must be whole numbers or texts of shape (items,), got {y.dtype} of shape {y.shape}. "
            "Pass class numbers, not one-hot rows"
        )
    if y.dtype.kind == "O":
        if not all(isinstance(label, str) for label in y):
            raise TaskError(f"{subject} must be whole numbers or texts, got other objects")
        y = y.astype(np.str_)
    if len(y) != items:
        raise TaskError(f"{subject} must have one label an item ({items}), got {len(y)}")
    if y.dtype.kind == "U":
        return y
    whole = y.astype(np.int64)
    if y.dtype.kind == "u" and (whole < 0).any():
        raise TaskError(f"{subject} must be below 2^63, got {y.max()}")
    return whole


def encoded(ys: list[NDArray[Any]], labels: Sequence[str] | None) -> tuple[tuple[str, ...], list[NDArray[np.int64]]]:
    """The names of the classes, and every `y` as numbers 0..classes - 1.

    Raises:
        TaskError: If the splits differ in kind, or a class is not among the labels.
    """
    texts = ys[0].dtype.kind == "U"
    if any((y.dtype.kind == "U") != texts for y in ys):
        raise TaskError("y must be of one kind in all splits, got whole numbers and texts")
    found = np.unique(np.concatenate(ys))
    if labels is None:
        return tuple(str(label) for label in found), [np.searchsorted(found, y).astype(np.int64) for y in ys]
    names = tuple(str(label) for label in labels)
    if not texts:
        if len(found) and (found[0] < 0 or found[-1] >= len(names)):
            raise TaskError(
                f"y must be in 0..{len(names) - 1} with {len(names)} labels, got {found[0]}..{found[-1]}. "
                "Count classes from 0, or leave labels out"
            )
        return names, ys
    unknown = [str(label) for label in found if str(label) not in names]
    if unknown:
        raise TaskError(f"y must be among the labels ({', '.join(names):.80}), got {unknown[0]!r}")
    return names, [np.array([names.index(label) for label in y], dtype=np.int64) for y in ys]


def statistics(x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel or feature, ready to be broadcast; a constant one has deviation 1.

    Both are rounded to 2^-20 of the deviation: a machine that sums in another order gets the same bits.
    """
    axes = (0, *range(2, x.ndim))
    mean = x.mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = x.std(axis=axes, keepdims=True, dtype=np.float64)
    deviation = np.where(deviation > 1e-12 * np.abs(mean), deviation, 1.0)
    fraction, exponent = np.frexp(deviation)
    step = np.ldexp(1.0, exponent - 20)
    return np.rint(mean / step) * step, np.rint(np.ldexp(fraction, 20)) * step
