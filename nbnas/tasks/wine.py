"""Wine: 178 rows of 13 chemical measures of wines from three cultivars.

The data are "Wine" (S. Aeberhard, M. Forina, UCI, 1992), as scikit-learn ships it.
"""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from nbnas.settings import setting
from nbnas.tasks.data import Data
from nbnas.tasks.tables import table
from nbnas.tasks.task import Task

__all__ = ["Wine"]


@dataclass(frozen=True)
class Wine(Task):
    """A table of 178 × 13, each feature scaled to mean 0 and standard deviation 1 by the statistics of train."""

    kind = "wine"
    title = "Wine (table of 178 × 13, 3 classes)"

    valid_fraction: float = setting(0.2, "Share of all rows that a search scores on.", minimum=0.05, maximum=0.4)
    test_fraction: float = setting(0.2, "Share of all rows kept for the final report.", minimum=0.05, maximum=0.4)
    split_seed: int = setting(0, "Seed of the split, which is stratified by class.", minimum=0, maximum=2**32 - 1)

    @override
    def make(self) -> Data:
        # Here, because scikit-learn takes a second to import.
        from sklearn.datasets import load_wine

        x, y = load_wine(return_X_y=True)
        return table(
            x,
            y,
            labels=("first cultivar", "second cultivar", "third cultivar"),
            valid_fraction=self.valid_fraction,
            test_fraction=self.test_fraction,
            seed=self.split_seed,
        )
