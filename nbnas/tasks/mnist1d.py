"""MNIST-1D: sequences of 40 values in ten classes, hard for linear models and easy for convolutions.

S. Greydanus, "Scaling down deep learning", arXiv:2011.14439, 2020 (ICML 2024 with D. Kobak). The data set published
with the paper is generated here from its recipe and its seed, 42: a template of 12 values a digit is padded, resampled,
scaled, shifted in a circle, given correlated noise where the padding is, white noise and a shear everywhere, and
resampled to 40 values; then all items together are shuffled and scaled to mean 0 and standard deviation 1.

Differs from the paper: values are rounded to multiples of 2^-21, so that every machine has the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import override

from nbnas.settings import setting
from nbnas.tasks.cache import cached
from nbnas.tasks.data import Data, Split, stratified
from nbnas.tasks.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Mnist1D", "generate"]

_DIGEST = "c7aba6f1e1e36c194a0f38b4c1719192f98ee9e6f4217f0efbff18ba4ef53d1f"
_TRAIN_ITEMS = 4_000
_ITEMS_PER_CLASS = 500
_LENGTH = 40
_CANVAS = 72  # of the padded template before it is resampled to _LENGTH
_PADDING = (36, 60)
_SHIFT = 48
_SCALE = 0.4
_CORRELATED_NOISE, _SMOOTHING = 0.25, 2.0  # deviation of the white noise, and of the Gaussian it is smoothed with
_WHITE_NOISE = 0.02
_SHEAR = 0.75
# Marks the template, which has zeros of its own, against the padding.
_MARK = 1e-8

_TEMPLATES = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)


@dataclass(frozen=True)
class Mnist1D(Task):
    """The published MNIST-1D: 4,000 sequences for train and valid, 1,000 for test, of shape (1, 40)."""

    kind = "mnist1d"
    title = "MNIST-1D (sequences of 40, 10 classes)"

    valid_fraction: float = setting(
        0.2, "Share of the 4,000 training sequences that a search scores on.", minimum=0.05, maximum=0.5
    )
    split_seed: int = setting(
        0, "Seed of the split into train and valid, stratified by digit.", minimum=0, maximum=2**32 - 1
    )

    @override
    def make(self) -> Data:
        arrays = cached("mnist1d", _DIGEST, generate)
        x, y = arrays["x"][:, None, :], arrays["y"]
        valid, train = stratified(y[:_TRAIN_ITEMS], (self.valid_fraction,), self.split_seed)
        return Data(
            Split(x[train], y[train]),
            Split(x[valid], y[valid]),
            Split(x[_TRAIN_ITEMS:], y[_TRAIN_ITEMS:]),
            classes=10,
            labels=tuple("0123456789"),
        )


def generate() -> dict[str, NDArray[Any]]:
    """All items: `x` float32 of shape (5000, 40), `y` int64 of shape (5000,); the first 4,000 are train."""
    # RandomState: the stream of the published data, which numpy promises for ever.
    rng = np.random.RandomState(42)
    templates = np.array(_TEMPLATES)
    templates = (templates - templates.mean(axis=1, keepdims=True)) / templates.std(axis=1, keepdims=True)
    templates = (templates - templates[:, :1]) / 6.0
    x = np.stack([_item(template, rng) for template in templates for _ in range(_ITEMS_PER_CLASS)])
    y = np.repeat(np.arange(len(templates)), _ITEMS_PER_CLASS)
    order = rng.permutation(len(y))
    x = (x[order] - x.mean()) / x.std()
    # Another order of summation moves values by 1e-15; none lies nearer than 1e-13 to where rounding would flip.
    # |x| < 8, so that a multiple of 2^-21 has at most 24 bits and is exact in float32.
    return {"x": (np.rint(x * 2.0**21) / 2.0**21).astype(np.float32), "y": y[order].astype(np.int64)}


def _item(template: Floats, rng: np.random.RandomState) -> Floats:
    """One sequence of 40 values; the order of the draws is that of the published data."""
    low, high = _PADDING
    padding = low + int(rng.rand() * (high - low + 1))
    x = _resampled(np.concatenate([template + _MARK, np.zeros(padding)]), _CANVAS)
    x *= 1 + _SCALE * (rng.rand() - 0.5)
    x = np.roll(x, rng.randint(_SHIFT))
    x = np.where(x != 0, x, _smoothed(_CORRELATED_NOISE * rng.randn(_CANVAS)))
    x += _WHITE_NOISE * rng.randn(_CANVAS)
    x -= _SHEAR * (rng.rand() - 0.5) * np.linspace(-0.5, 0.5, _CANVAS)
    return _resampled(x, _LENGTH)


def _resampled(x: Floats, length: int) -> Floats:
    """`x` at `length` evenly spaced places from its first to its last value, linear in between."""
    return np.interp(np.linspace(0, 1, length), np.linspace(0, 1, len(x)), x)


def _smoothed(x: Floats) -> Floats:
    """`x` filtered with a Gaussian cut off at 4 deviations, mirrored at its ends."""
    radius = round(4 * _SMOOTHING)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / _SMOOTHING) ** 2)
    return np.convolve(np.pad(x, radius, mode="symmetric"), weights / weights.sum(), mode="valid")
