"""Acquisition functions against what they are defined as."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from nbnas.strategies.acquisition import expected_improvement, independent_thompson, upper_confidence_bound

NUMBERS = st.floats(-3, 3)


@given(mean=NUMBERS, deviation=st.floats(0.05, 3), best=NUMBERS)
def test_expected_improvement_is_the_integral(mean, deviation, best):
    """Jones et al. 1998, Eq. 15, against the integral that defines it."""
    integral, _ = quad(
        lambda score: (score - best) * norm.pdf(score, mean, deviation), best, max(best, mean) + 12 * deviation
    )
    found = expected_improvement(np.array([mean]), np.array([deviation]), best)
    assert found == pytest.approx([integral], abs=1e-6)


def test_expected_improvement_without_deviation_is_the_improvement():
    found = expected_improvement(np.array([1.0, 3.0]), np.zeros(2), 2.0)
    assert found.tolist() == [0.0, 1.0]


def test_thompson_draws_have_mean_and_deviation_of_the_ensemble_and_are_independent():
    rng = np.random.default_rng(0)
    mean, deviation = np.array([1.0, -2.0, 0.5]), np.array([0.1, 2.0, 0.0])
    drawn = np.array([independent_thompson(mean, deviation, rng) for _ in range(20_000)])
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=0.05)
    assert drawn.std(axis=0) == pytest.approx(deviation, abs=0.03)
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]) < 0.03


def test_upper_confidence_bound():
    assert upper_confidence_bound(np.array([1.0, 2.0]), np.array([2.0, 0.0]), 0.5).tolist() == [2.0, 2.0]
