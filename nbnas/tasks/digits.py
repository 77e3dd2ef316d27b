"""Digits: 1,797 handwritten digits of 8×8 pixels, a test bed for minutes on a laptop.

The data are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, UCI, 1998), as
scikit-learn ships it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from nbnas.settings import setting
from nbnas.tasks.data import Data, Split, stratified
from nbnas.tasks.task import Task

__all__ = ["Digits"]


@dataclass(frozen=True)
class Digits(Task):
    """8×8 images of handwritten digits, scaled to mean 0 and standard deviation 1 by the statistics of train."""

    kind = "digits"
    title = "Digits (8×8 images, 10 classes)"

    valid_fraction: float = setting(0.2, "Share of all images that a search scores on.", minimum=0.05, maximum=0.4)
    test_fraction: float = setting(0.2, "Share of all images kept for the final report.", minimum=0.05, maximum=0.4)
    split_seed: int = setting(0, "Seed of the split, which is stratified by digit.", minimum=0, maximum=2**32 - 1)

    @override
    def make(self) -> Data:
        # Here, because scikit-learn takes a second to import.
        from sklearn.datasets import load_digits

        pixels, y = load_digits(return_X_y=True)  # whole numbers 0..16, (1797, 64)
        whole = pixels.astype(np.int64).reshape(-1, 1, 8, 8)
        test, valid, train = stratified(y.astype(np.int64), (self.test_fraction, self.valid_fraction), self.split_seed)
        # Sums of whole numbers are exact, so the scaled values are the same on every machine.
        count = whole[train].size
        mean = whole[train].sum() / count
        deviation = np.sqrt((whole[train] ** 2).sum() / count - mean**2)

        def split(index: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Split:
            return Split(((whole[index] - mean) / deviation).astype(np.float32), y[index].astype(np.int64))

        return Data(split(train), split(valid), split(test), classes=10, labels=tuple("0123456789"))
