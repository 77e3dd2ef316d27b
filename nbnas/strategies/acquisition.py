"""How much an architecture promises, given what a model believes of it; higher is better.

Expected improvement: Mockus, Tiesis & Zilinskas, 1978, in the form of Jones, Schonlau & Welch, Efficient Global
Optimization of Expensive Black-Box Functions, 1998, Eq. 15. Independent Thompson sampling: White, Neiswanger & Savani,
BANANAS, AAAI 2021, arXiv:1910.11858.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["expected_improvement", "independent_thompson", "upper_confidence_bound"]

Floats = npt.NDArray[np.float64]


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


def independent_thompson(mean: Floats, deviation: Floats, rng: np.random.Generator) -> Floats:
    """One draw from each item's own normal distribution, independently of those of the others."""
    return mean + deviation * rng.standard_normal(len(mean))


def upper_confidence_bound(mean: Floats, deviation: Floats, weight: float) -> Floats:
    """The mean and `weight` standard deviations."""
    return mean + weight * deviation
