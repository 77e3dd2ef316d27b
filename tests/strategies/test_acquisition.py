"""Acquisition functions against what they are defined as."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from nbnas.strategies.acquisition import (
    expected_improvement,
    independent_thompson,
    log_expected_improvement,
    upper_confidence_bound,
)

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


@given(mean=NUMBERS, deviation=st.floats(0.3, 3), best=NUMBERS)
def test_log_expected_improvement_is_its_logarithm(mean, deviation, best):
    given_ = np.array([mean]), np.array([deviation]), best
    # The direct formula loses digits by cancellation, 12 deviations below the best all of them.
    if (mean - best) / deviation > -5:
        assert log_expected_improvement(*given_) == pytest.approx(np.log(expected_improvement(*given_)), abs=1e-8)


def test_log_expected_improvement_far_below_the_best_is_the_published_limit():
    """Ament et al. 2023: for a far lower mean, the log of density / ratio², where improvement underflows to 0."""
    ratios = np.array([-50.0, -1e3, -9.9e3, -1.01e4, -1e6])
    found = log_expected_improvement(ratios, np.ones(5), 0.0)
    assert expected_improvement(ratios, np.ones(5), 0.0).tolist() == [0.0] * 5
    limit = norm.logpdf(ratios) - 2 * np.log(-ratios)
    assert found == pytest.approx(limit, abs=3 / 50**2)
    assert found[1:] == pytest.approx(limit[1:], abs=1e-5)


def test_log_expected_improvement_rises_with_the_mean_everywhere():
    means = np.concatenate([-np.logspace(6, -3, 400), np.logspace(-3, 2, 100)])
    assert (np.diff(log_expected_improvement(means, np.ones(500), 0.0)) > 0).all()


def test_log_expected_improvement_without_deviation():
    found = log_expected_improvement(np.array([1.0, 2.0, 4.0]), np.zeros(3), 2.0)
    assert found == pytest.approx([-np.inf, -np.inf, np.log(2)])


def test_thompson_draws_have_mean_and_deviation_of_the_ensemble_and_are_independent():
    rng = np.random.default_rng(0)
    mean, deviation = np.array([1.0, -2.0, 0.5]), np.array([0.1, 2.0, 0.0])
    drawn = np.array([independent_thompson(mean, deviation, rng) for _ in range(20_000)])
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=0.05)
    assert drawn.std(axis=0) == pytest.approx(deviation, abs=0.03)
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]) < 0.03


def test_upper_confidence_bound():
    assert upper_confidence_bound(np.array([1.0, 2.0]), np.array([2.0, 0.0]), 0.5).tolist() == [2.0, 2.0]
