"""How far apart two architectures are, decision by decision: the distances that a kernel weighs and adds.

Hutter, Hoos & Leyton-Brown, Sequential Model-Based Optimization for General Algorithm Configuration, LION 2011, Sec. 4:
the weighted Hamming distance, in which options of a category are equal or not; steps of a quantity differ by their
distance on a scale from 0 to 1.
Hutter & Osborne, A Kernel for Hierarchical Parameter Spaces, 2013, arXiv:1310.5738: decisions that are not active in
both are equal there, and one that is active in only one of them differs, whatever its option.
Differs from the paper: the scale of a quantity is that of its logarithm where its steps are more even on it. Not to be
active lies beside the middle of a quantity's scale, at a squared distance from 3/4 to 1 from its steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from nbnas.spaces import Architecture, SearchSpace
from nbnas.spaces.decision import Decision

__all__ = ["Codes", "OptionDistances", "positions"]

Codes = npt.NDArray[np.int64]
"""One row an architecture: for each open decision the choice, or the number of options where it is not active."""

Floats = npt.NDArray[np.float64]

_BESIDE = 0.75


class OptionDistances:
    """Squared distances in each decision with at least two options, at most 1.

    They are those of points (categories at the corners of a simplex, quantities on a line, not active beside it), so
    that any kernel of Euclidean distance is positive definite on them.

    Attributes:
        places: of the open decisions in the space.
        tables: for each of them the squared distances between its options, the last one being "not active", shape
            (options + 1, options + 1).
    """

    def __init__(self, space: SearchSpace) -> None:
        self.places = [place for place, decision in enumerate(space.decisions) if len(decision.options) > 1]
        self.tables = [_table(space.decisions[place]) for place in self.places]

    def codes(self, architectures: Sequence[Architecture]) -> Codes:
        """The architectures as numbers, shape (architectures, open decisions)."""
        found = np.empty((len(architectures), len(self.places)), dtype=np.int64)
        for column, (place, table) in enumerate(zip(self.places, self.tables, strict=True)):
            away = len(table) - 1
            found[:, column] = [away if (choice := one.choices[place]) is None else choice for one in architectures]
        return found

    def weighted(self, codes: Codes, others: Codes, weights: Floats) -> Floats:
        """The weighted sum over decisions, shape (codes, others); `weights` has shape (open decisions,)."""
        total = np.zeros((len(codes), len(others)))
        for column, (table, weight) in enumerate(zip(self.tables, weights, strict=True)):
            total += np.take((weight * table)[codes[:, column]], others[:, column], axis=1)
        return total

    def of_pairs(self, codes: Codes) -> Floats:
        """By decision those of each pair i < j, in the order of `numpy.triu_indices`, shape (open decisions, pairs)."""
        one, other = np.triu_indices(len(codes), 1)
        found = np.empty((len(self.tables), len(one)))
        for column, table in enumerate(self.tables):
            found[column] = table[codes[one, column], codes[other, column]]
        return found


def positions(options: Sequence[int | float]) -> Floats:
    """Where increasing numbers stand from 0 to 1, by their logs where these are more even."""
    values = np.array(options, dtype=np.float64)
    if values[0] > 0 and _unevenness(np.log(values)) < _unevenness(values):
        values = np.log(values)
    scaled: Floats = (values - values[0]) / (values[-1] - values[0])
    return scaled


def _unevenness(values: Floats) -> float:
    """Deviation of the steps in the unit of their mean, without the last digits."""
    steps = np.diff(values)
    return round(float(steps.std() / steps.mean()), 6)


def _table(decision: Decision) -> Floats:
    count = len(decision.options)
    table = 1 - np.eye(count + 1)
    numbers = [option for option in decision.options if isinstance(option, int | float)]
    if decision.ordered and len(numbers) == count and all(one < other for one, other in pairwise(numbers)):
        line = positions(numbers)
        table[:count, :count] = (line[:, None] - line[None, :]) ** 2
        table[count, :count] = table[:count, count] = _BESIDE + (line - 0.5) ** 2
    return table
