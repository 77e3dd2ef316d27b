"""Breast cancer: 569 rows of 30 measures of cell nuclei, malignant or benign.

The data are "Breast Cancer Wisconsin (Diagnostic)" (W. Wolberg, O. Mangasarian, N. Street, W. Street, UCI, 1995), as
scikit-learn ships it.
"""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from nbnas.settings import setting
from nbnas.tasks.data import Data
from nbnas.tasks.tables import table
from nbnas.tasks.task import Task

__all__ = ["BreastCancer"]


@dataclass(frozen=True)
class BreastCancer(Task):
    """A table of 569 × 30, each feature scaled to mean 0 and standard deviation 1 by the statistics of train."""

    kind = "breast_cancer"
    title = "Breast cancer (table of 569 × 30, 2 classes)"

    valid_fraction: float = setting(0.2, "Share of all rows that a search scores on.", minimum=0.05, maximum=0.4)
    test_fraction: float = setting(0.2, "Share of all rows kept for the final report.", minimum=0.05, maximum=0.4)
    split_seed: int = setting(0, "Seed of the split, which is stratified by class.", minimum=0, maximum=2**32 - 1)

    @override
    def make(self) -> Data:
        # Here, because scikit-learn takes a second to import.
        from sklearn.datasets import load_breast_cancer

        x, y = load_breast_cancer(return_X_y=True)
        return table(
            x,
            y,
            labels=("malignant", "benign"),
            valid_fraction=self.valid_fraction,
            test_fraction=self.test_fraction,
            seed=self.split_seed,
        )
