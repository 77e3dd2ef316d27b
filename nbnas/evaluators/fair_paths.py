"""Paths of a supernet that train every option equally often: strict fairness.

Chu, Zhang & Xu, FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture Search, ICCV 2021,
arXiv:1907.01845, Algorithm 1: for each batch a random permutation of the options of every row; the k-th path takes the
k-th option of each, so that with m options a row, m paths train every option exactly once.
Differs from the paper: rows may have different numbers of options. Then m is the largest of them, and a row takes one
permutation after the other, also across batches: at any time its options were taken equally often, or once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nbnas.errors import SettingsError
from nbnas.spaces import Architecture, SearchSpace

__all__ = ["FairPaths"]


class FairPaths:
    """Draws the paths of one batch after the other.

    Args:
        space: each decision is a row of its relaxed view, always active, and no limit forbids an option.
        rng: the only source of chance; it is held, not copied.

    Raises:
        SettingsError: the space is another one.
    """

    def __init__(self, space: SearchSpace, rng: np.random.Generator) -> None:
        if reason := _unfair(space):
            raise SettingsError(
                f"draws must be strategy or uniform for space {space.name!r}, since {reason}, got 'fair'; in "
                "SharedWeights. Choose one of them, or a space of plain rows such as nb.spaces.nas_bench_201()",
                field="draws",
            )
        self.space, self.rng = space, rng
        self.counts = [len(decision.options) for decision in space.decisions]
        self.left: list[list[int]] = [[] for _ in self.counts]  # of each row's permutation

    def batch(self) -> list[Architecture]:
        """As many paths as the longest row has options."""
        return [
            Architecture(self.space.digest, tuple(map(self._take, range(len(self.counts)))))
            for _ in range(max(self.counts))
        ]

    def _take(self, row: int) -> int:
        if not self.left[row]:
            self.left[row] = self.rng.permutation(self.counts[row]).tolist()
        return self.left[row].pop()

    def state_dict(self) -> dict[str, Any]:
        """What is left of the permutations; the generator belongs to whom gave it."""
        return {"left": [list(row) for row in self.left]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes the state over."""
        self.left = [list(row) for row in state["left"]]


def _unfair(space: SearchSpace) -> str:
    """Why options of a space cannot be trained equally often, in words; empty when they can."""
    if space.limits:
        return "its limits forbid some combinations of options"
    if any(decision.when for decision in space.decisions):
        return "some of its decisions are active in some architectures only"
    if [(row.name, row.options) for row in space.rows] != [(one.name, one.options) for one in space.decisions]:
        return "an architecture does not take one option in each row of the supernet"
    return ""
