"""A Gaussian process over architectures: what scores are likely, given those that are known.

Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, Eq. 2.25, 2.26 (posterior), 5.8, 5.9 (marginal
likelihood and its gradient). Snoek, Larochelle & Adams, Practical Bayesian Optimization of Machine Learning Algorithms,
NIPS 2012, arXiv:1206.2944: the Matérn 5/2 kernel with one length scale a dimension. Hutter, Hoos & Leyton-Brown,
Sequential Model-Based Optimization for General Algorithm Configuration, LION 2011: the exponential of a weighted
Hamming distance. Hvarfner, Hellsten & Nardi, Vanilla Bayesian Optimization Performs Great in High Dimensions, ICML
2024, arXiv:2402.02229: length scales are expected to grow with the square root of the number of dimensions.
Differs from the paper: what the kernel has is set to its most likely value, where Snoek et al. average over draws.
Hvarfner et al. fix the kernel's scale at 1; here it is fitted too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nbnas.strategies.option_distances import Codes, OptionDistances

__all__ = ["KERNELS", "GaussianProcess", "Kernel", "fitted", "loss"]

Floats = npt.NDArray[np.float64]

KERNELS = ("matern", "exponential")

_LENGTH, _SCALE, _NOISE = (math.sqrt(2), math.sqrt(3)), (0.0, 1.0), (-4.0, 1.0)
"""Mean and deviation of the logs that are expected; for lengths, that of one dimension."""
_BOUNDS = ((-5.0, 7.0), (-5.0, 5.0), (math.log(1e-6), 0.0))
_MOST_STEPS = 100


@dataclass(frozen=True)
class Kernel:
    """How alike the scores of architectures are, by their distance.

    Attributes:
        shape: one of `KERNELS`.
        lengths: by open decision, the distance over which scores change; a long one where the decision hardly matters.
        scale: variance of the scores.
        noise: variance of what is added to a score when it is measured.
    """

    shape: str
    lengths: tuple[float, ...]
    scale: float = 1.0
    noise: float = 1e-2

    @classmethod
    def expected(cls, shape: str, decisions: int) -> Kernel:
        """What is most likely before any score is known."""
        length = math.exp(_LENGTH[0]) * math.sqrt(max(1, decisions))
        return cls(shape, (length,) * decisions, math.exp(_SCALE[0]), math.exp(_NOISE[0]))

    @property
    def weights(self) -> Floats:
        """Of the squared distance in each decision."""
        return np.array(self.lengths) ** -2

    def between(self, distances: OptionDistances, codes: Codes, others: Codes) -> Floats:
        """The covariances without noise, shape (codes, others)."""
        return self.scale * _value(self.shape, distances.weighted(codes, others, self.weights))


class GaussianProcess:
    """Knows architectures one by one or in blocks, and keeps what it needs for some fixed candidates.

    Attributes:
        kernel: of the scores.
        codes: of the architectures whose scores are known, shape (known, open decisions).
    """

    def __init__(self, kernel: Kernel, distances: OptionDistances, candidates: Codes) -> None:
        self.kernel = kernel
        self.codes: Codes = candidates[:0]
        self._distances = distances
        self._candidates = candidates
        self._factor = np.empty((0, 0))  # L, lower triangular, with L Lᵀ = K + noise
        self._rows = np.empty((16, len(candidates)))  # L⁻¹ k(known, candidates), with room below
        self._explained = np.zeros(len(candidates))  # sums of their squares

    def extend(self, codes: Codes) -> None:
        """Adds architectures; their scores are given to `mean`."""
        from scipy.linalg import cholesky  # here, because settings are read without scipy

        old, new = len(self.codes), len(self.codes) + len(codes)
        kernel, distances = self.kernel, self._distances
        beside = self._whitened(codes)
        corner = kernel.between(distances, codes, codes) + kernel.noise * np.eye(len(codes)) - beside.T @ beside
        factor = np.zeros((new, new))
        factor[:old, :old] = self._factor
        factor[old:, :old] = beside.T
        factor[old:, old:] = cholesky(corner, lower=True)
        if new > len(self._rows):
            self._rows = np.concatenate([self._rows[:old], np.empty((2 * new - old, self._rows.shape[1]))])
        below = kernel.between(distances, codes, self._candidates) - beside.T @ self._rows[:old]
        self._rows[old:new] = _solved(factor[old:, old:], below)
        self._explained += np.einsum("ij,ij->j", self._rows[old:new], self._rows[old:new])
        self._factor = factor
        self.codes = np.concatenate([self.codes, codes])

    @contextmanager
    def supposing(self, codes: Codes) -> Iterator[None]:
        """Within, architectures count as known, with the scores that are expected: it changes deviations alone."""
        before = self.codes, self._factor, self._explained.copy()
        self.extend(codes)
        try:
            yield
        finally:
            self.codes, self._factor, self._explained = before

    def mean(self, scores: Floats, codes: Codes | None = None) -> Floats:
        """Expected scores of the candidates, or of others.

        Args:
            scores: of the first architectures that are known; the others have the expected ones.
            codes: of the others, shape (others, open decisions).
        """
        count = len(scores)
        whitened = _solved(self._factor[:count, :count], scores)
        return whitened @ (self._rows[:count] if codes is None else self._whitened(codes)[:count])

    def deviation(self, codes: Codes | None = None) -> Floats:
        """Standard deviation of the scores of the candidates, or of others, without noise."""
        explained = self._explained if codes is None else (self._whitened(codes) ** 2).sum(axis=0)
        return np.sqrt(np.maximum(self.kernel.scale - explained, 0))

    def _whitened(self, codes: Codes) -> Floats:
        """L⁻¹ k(known, codes)."""
        return _solved(self._factor, self.kernel.between(self._distances, self.codes, codes))


def fitted(distances: OptionDistances, codes: Codes, scores: Floats, starts: Sequence[Kernel]) -> Kernel:
    """The kernel that makes the scores most likely, expectations included; the best of those found from some starts.

    Args:
        distances: of the space.
        codes: of the architectures, shape (known, open decisions).
        scores: with mean 0 and deviation 1, shape (known,).
        starts: of one shape.
    """
    from scipy.optimize import minimize

    shape, pairs = starts[0].shape, distances.of_pairs(codes)
    decisions = len(distances.tables)
    bounds = [_BOUNDS[0]] * decisions + [_BOUNDS[1], _BOUNDS[2]]
    found = [
        minimize(
            lambda logs: loss(logs, shape, pairs, scores),
            np.log([*start.lengths, start.scale, start.noise]),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": _MOST_STEPS},
        )
        for start in starts
    ]
    best = np.exp(min(found, key=lambda one: float(one.fun)).x).tolist()
    return Kernel(shape, tuple(best[:-2]), best[-2], best[-1])


def loss(logs: Floats, shape: str, pairs: Floats, scores: Floats) -> tuple[float, Floats]:
    """Minus the log of likelihood times expectation, but for a constant, and its gradient.

    Args:
        logs: of lengths, scale and noise.
        shape: of the kernel.
        pairs: squared distances, from `OptionDistances.of_pairs`.
        scores: shape (known,).
    """
    from scipy.linalg import cho_solve, cholesky

    count, upper = len(scores), np.triu_indices(len(scores), 1)
    lengths, scale, noise = np.exp(logs[:-2]), math.exp(logs[-2]), math.exp(logs[-1])
    squares = lengths**-2 @ pairs
    values = _value(shape, squares)
    covariance = np.zeros((count, count))
    covariance[upper] = scale * values
    covariance += covariance.T
    covariance[np.diag_indices(count)] = scale + noise
    factor = cholesky(covariance, lower=True, check_finite=False)
    inverse = cho_solve((factor, True), np.eye(count), check_finite=False)
    solved = inverse @ scores
    # Eq. 5.9: half the trace of (K⁻¹ - K⁻¹ y yᵀ K⁻¹) dK; pairs stand twice in it.
    slopes = inverse - np.outer(solved, solved)
    of_pairs, of_self = slopes[upper], float(np.trace(slopes))
    gradient = np.empty(len(logs))
    gradient[:-2] = -2 * lengths**-2 * (pairs @ (of_pairs * scale * _slope(shape, squares)))
    gradient[-2] = scale * (float(of_pairs @ values) + of_self / 2)
    gradient[-1] = noise * of_self / 2
    value = float(scores @ solved) / 2 + float(np.log(np.diag(factor)).sum())
    middle, spread = _expectation(len(logs) - 2)
    apart = (logs - middle) / spread
    return value + float(apart @ apart) / 2, gradient + apart / spread


def _expectation(decisions: int) -> tuple[Floats, Floats]:
    """Mean and deviation of the logs of lengths, scale and noise."""
    middle = [_LENGTH[0] + math.log(max(1, decisions)) / 2] * decisions
    return np.array([*middle, _SCALE[0], _NOISE[0]]), np.array([_LENGTH[1]] * decisions + [_SCALE[1], _NOISE[1]])


def _value(shape: str, squares: Floats) -> Floats:
    """The kernel by squared distance in lengths; 1 at 0."""
    if shape == "exponential":
        return np.exp(-squares)
    far = np.sqrt(5 * squares)
    return (1 + far + 5 / 3 * squares) * np.exp(-far)


def _slope(shape: str, squares: Floats) -> Floats:
    """Its derivative."""
    if shape == "exponential":
        return -np.exp(-squares)
    far = np.sqrt(5 * squares)
    return -5 / 6 * (1 + far) * np.exp(-far)


def _solved(factor: Floats, right: Floats) -> Floats:
    """L⁻¹ times something."""
    from scipy.linalg import solve_triangular

    if not len(factor):
        return right
    solved: Floats = solve_triangular(factor, right, lower=True, check_finite=False)
    return solved
