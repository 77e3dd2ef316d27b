"""How much an architecture promises, given what a model believes of it; higher is better.

Expected improvement: Mockus, Tiesis & Zilinskas, 1978, in the form of Jones, Schonlau & Welch, Efficient Global
Optimization of Expensive Black-Box Functions, 1998, Eq. 15. Independent Thompson sampling: White, Neiswanger & Savani,
BANANAS, AAAI 2021, arXiv:1910.11858. The logarithm of expected improvement: Ament, Daulton, Eriksson, Balandat &
Bakshy, Unexpected Improvements to Expected Improvement for Bayesian Optimization, NeurIPS 2023, arXiv:2310.20708.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["expected_improvement", "independent_thompson", "log_expected_improvement", "upper_confidence_bound"]

Floats = npt.NDArray[np.float64]

_FAR = -1e4
"""Beyond it, 1 / ratio² is more exact than what is left after cancellation."""


def expected_improvement(mean: Floats, deviation: Floats, best: float) -> Floats:
    """The mean of max(0, score - best) where scores are normal; without deviation, what the mean improves.

    Args:
        mean: of the score, shape (items,).
        deviation: its standard deviation, >= 0, shape (items,).
        best: the highest score so far.
    """
    from scipy.special import ndtr  # here, because settings are read without scipy

    above = mean - best
    ratio = np.divide(above, deviation, out=np.zeros_like(above), where=deviation > 0)
    density = np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
    return np.where(deviation > 0, above * ndtr(ratio) + deviation * density, np.maximum(above, 0))


def log_expected_improvement(mean: Floats, deviation: Floats, best: float) -> Floats:
    """The logarithm of `expected_improvement`, also where that is too small for a number; minus infinity for 0."""
    from scipy.special import erfcx

    ratio = np.divide(mean - best, deviation, out=np.zeros_like(mean), where=deviation > 0)
    near = np.log(expected_improvement(np.maximum(ratio, -1.0), np.ones_like(ratio), 0.0))
    far = np.minimum(ratio, -1.0)
    # The density times 1 + ratio · (probability / density); for large -ratio that is 1 / ratio².
    rest = 1 + far * math.sqrt(math.pi / 2) * erfcx(-far / math.sqrt(2))
    tail = np.where(far < _FAR, -2 * np.log(-far), np.log(np.maximum(rest, 1e-300)))
    logs = np.where(ratio < -1, -(far**2) / 2 - math.log(2 * math.pi) / 2 + tail, near)
    with np.errstate(divide="ignore"):
        return np.where(deviation > 0, logs + np.log(deviation), np.log(np.maximum(mean - best, 0)))


def independent_thompson(mean: Floats, deviation: Floats, rng: np.random.Generator) -> Floats:
    """One draw from each item's own normal distribution, independently of those of the others."""
    return mean + deviation * rng.standard_normal(len(mean))


def upper_confidence_bound(mean: Floats, deviation: Floats, weight: float) -> Floats:
    """The mean and `weight` standard deviations."""
    return mean + weight * deviation
