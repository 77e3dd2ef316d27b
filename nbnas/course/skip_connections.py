"""Why a relaxed search likes skips: an optimum in closed form, a flow of two numbers, and the means of a benchmark.

Wang, Cheng, Chen, Tang & Hsieh, Rethinking Architecture Selection in Differentiable NAS, ICLR 2021, arXiv:2108.04392,
Prop. 1 (the best mixture of two unbiased options). Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326, and Dong et
al., NATS-Bench, TPAMI 2021, arXiv:2009.00437 (accuracies; MIT licence). `python -m nbnas.course.skip_connections FILE`
makes the table of means again from a file with the columns `op0..op5` and `cifar10_test_200`.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Flow", "SkipTable", "best_share", "conserved", "expected_loss", "flow", "skip_table", "table_of"]

FILE = "skips.json"
SKIP = 1
"""The number of a skip in the columns `op0..op5`."""

Array = npt.NDArray[np.float64]


def best_share(error_skip: float, error_other: float) -> float:
    """The share of the skip in the best mixture of two unbiased options with independent errors.

    Args:
        error_skip: standard deviation of the skip's error.
        error_other: that of the other option.
    """
    return error_other**2 / (error_skip**2 + error_other**2)


def expected_loss(share: npt.ArrayLike, error_skip: float, error_other: float) -> Array:
    """The expected squared error of the mixture, `share` being that of the skip."""
    part = np.asarray(share, dtype=np.float64)
    return np.asarray(part**2 * error_skip**2 + (1 - part) ** 2 * error_other**2)


class Flow(NamedTuple):
    """Where a gradient flow is: share of the skip, weight of the other option, loss; the shape of what was given."""

    skip: Array
    weight: Array
    loss: Array


def flow(
    strength: npt.ArrayLike, ratio: npt.ArrayLike, time: float, *, warm_up: float = 0.0, step: float = 0.01
) -> Flow:
    """Gradient flow of y = p_skip c x + p_other w x towards y = x: loss (1 - p_skip c - p_other w)² / 2, for x² = 1.

    It starts with equal shares and w = 0. By itself w reaches loss 0, as 1 - exp(-time).

    Args:
        strength: c, what the skip does without learning; with c < 1 it is not enough alone.
        ratio: learning rate of alpha over that of w.
        time: how long both learn, in units of one over the learning rate of w.
        warm_up: how long w learns alone before.
        step: of the fourth-order Runge-Kutta method; where the ratio is large, a smaller one is taken.
    """
    c, rate = np.broadcast_arrays(np.asarray(strength, np.float64), np.asarray(ratio, np.float64))
    state = np.zeros((2, *c.shape))  # the difference of the two alphas, and w
    for length, of_alpha in ((warm_up, 0.0 * rate), (time, rate)):
        steps = int(np.ceil(length / step * max(1.0, float(of_alpha.max()) / 10)))
        for _ in range(steps):
            state = _runge_kutta(state, c, of_alpha, length / steps)
    share = _sigmoid(state[0])
    return Flow(share, state[1], (1 - share * c - (1 - share) * state[1]) ** 2 / 2)


def conserved(skip: Array, weight: Array, strength: npt.ArrayLike, ratio: npt.ArrayLike) -> Array:
    """A number that the flow of both never changes; 0 at its start.

    With a = log(p_skip / p_other): da/dw = 2 ratio p_skip (c - w), which integrates to a - exp(-a) + 1 =
    ratio (2 c w - w²). So p_skip is largest where w = c.
    """
    a = np.log(skip / (1 - skip))
    return np.asarray(a - np.exp(-a) + 1 - np.asarray(ratio) * weight * (2 * np.asarray(strength) - weight))


def _sigmoid(a: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-a)))


def _slope(state: Array, c: Array, rate: Array) -> Array:
    share = _sigmoid(state[0])
    rest = 1 - share * c - (1 - share) * state[1]
    # Softmax of two: alpha_skip rises by rest p q (c - w), and alpha_other falls by as much.
    return np.stack([2 * rate * rest * share * (1 - share) * (c - state[1]), rest * (1 - share)])


def _runge_kutta(state: Array, c: Array, rate: Array, step: float) -> Array:
    first = _slope(state, c, rate)
    second = _slope(state + step / 2 * first, c, rate)
    third = _slope(state + step / 2 * second, c, rate)
    fourth = _slope(state + step * third, c, rate)
    return np.asarray(state + step / 6 * (first + 2 * second + 2 * third + fourth))


class SkipTable(NamedTuple):
    """NAS-Bench-201 by number of skips on the six edges of the cell, 0 first.

    Attributes:
        cells: how many of the 15,625 cells.
        mean: their mean accuracy on the test images of CIFAR-10 after 200 epochs, in percent.
        best: the accuracy of the best of them, in percent.
        rank: of the cell of six skips among all cells, 1 the best.
    """

    cells: tuple[int, ...]
    mean: tuple[float, ...]
    best: tuple[float, ...]
    rank: int


@cache
def skip_table() -> SkipTable:
    """The table as it ships with the package."""
    stored = json.loads(files(__package__).joinpath("data", FILE).read_text(encoding="utf-8"))
    return SkipTable(tuple(stored["cells"]), tuple(stored["mean"]), tuple(stored["best"]), stored["rank"])


def table_of(path: str | Path) -> SkipTable:
    """Computes the table from a file of the benchmark (npz)."""
    with np.load(path, allow_pickle=False) as arrays:
        operations = np.stack([arrays[f"op{edge}"] for edge in range(6)], axis=1)
        accuracy = arrays["cifar10_test_200"].astype(np.float64)
    skips = (operations == SKIP).sum(axis=1)
    groups = [accuracy[skips == count] for count in range(7)]
    return SkipTable(
        tuple(len(group) for group in groups),
        tuple(round(float(group.mean()), 3) for group in groups),
        tuple(round(float(group.max()), 3) for group in groups),
        int((accuracy > groups[6][0]).sum()) + 1,
    )


if __name__ == "__main__":
    made = {"source": "NAS-Bench-201, CIFAR-10 test, 200 epochs, percent", **table_of(sys.argv[1])._asdict()}
    target = Path(__file__).parent / "data" / FILE
    target.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    print(made)
