"""The Gaussian process against textbook formulas, numerical gradients, and tables with known structure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.strategies.acquisition import expected_improvement, log_expected_improvement
from nbnas.strategies.gaussian_process import KERNELS, GaussianProcess, Kernel, fitted, loss
from nbnas.strategies.option_distances import OptionDistances

PLAIN = SearchSpace("plain", CellNetwork(3, ("none", "skip", "conv_1x1")))
"""27 architectures, 3 decisions."""
DISTANCES = OptionDistances(PLAIN)
EVERY = DISTANCES.codes(list(PLAIN.enumerate()))
EXACT = {"noise": 1e-12}

each_shape = pytest.mark.parametrize("shape", KERNELS)


def kernel(shape="matern", **given):
    return Kernel(shape, (0.7, 1.5, 4.0), **{"scale": 1.3, "noise": 0.05, **given})


def made(places, kind=GaussianProcess, **given):
    process = kind(kernel(**given), DISTANCES, EVERY)
    process.extend(EVERY[places])
    return process


def by_hand(given, codes, others):
    """Covariances written out: Snoek et al. 2012, Eq. 3, 4, and Hutter et al. 2011, on Hamming distances."""
    squares = ((codes[:, None, :] != others[None, :, :]) / np.array(given.lengths) ** 2).sum(axis=2)
    if given.shape == "exponential":
        return given.scale * np.exp(-squares)
    return given.scale * (1 + np.sqrt(5 * squares) + 5 * squares / 3) * np.exp(-np.sqrt(5 * squares))


def check_the_posterior_is_that_of_the_textbook(shape="matern", kind=GaussianProcess):
    """Rasmussen & Williams, Eq. 2.25, 2.26, with a dense inverse, on 5 architectures."""
    places, scores = [0, 4, 11, 17, 26], np.array([0.3, -1.2, 0.8, 1.5, -1.4])
    process = made(places, kind, shape=shape)
    given = process.kernel
    inverse = np.linalg.inv(by_hand(given, EVERY[places], EVERY[places]) + given.noise * np.eye(5))
    cross = by_hand(given, EVERY[places], EVERY)
    variance = np.diag(by_hand(given, EVERY, EVERY) - cross.T @ inverse @ cross)
    assert process.mean(scores) == pytest.approx(cross.T @ inverse @ scores, abs=1e-12)
    assert process.deviation() == pytest.approx(np.sqrt(variance), abs=1e-9)
    assert process.mean(scores, EVERY[:7]) == pytest.approx(process.mean(scores)[:7], abs=1e-12)
    assert process.deviation(EVERY[:7]) == pytest.approx(process.deviation()[:7], abs=1e-12)


@each_shape
def test_the_posterior_is_that_of_the_textbook(shape):
    check_the_posterior_is_that_of_the_textbook(shape)


@each_shape
def test_the_mean_interpolates_scores_without_noise(shape):
    places, scores = [1, 5, 9, 20], np.array([0.5, -0.5, 2.0, 1.0])
    process = made(places, shape=shape, **EXACT)
    assert process.mean(scores)[places] == pytest.approx(scores, abs=1e-8)
    assert process.deviation()[places] == pytest.approx(np.zeros(4), abs=1e-5)
    others = [place for place in range(27) if place not in places]
    assert (process.deviation()[others] > 0.1).all()


def test_expected_improvement_of_a_known_architecture_without_noise_is_0():
    places, scores = [1, 5, 9, 20], np.array([0.5, -0.5, 2.0, 1.0])
    process = made(places, **EXACT)
    worth = expected_improvement(process.mean(scores), process.deviation(), scores.max())
    assert worth[places] == pytest.approx(np.zeros(4), abs=1e-5)
    logs = log_expected_improvement(process.mean(scores), process.deviation(), scores.max())
    assert int(logs.argmax()) not in places


def test_one_after_the_other_is_the_same_as_all_at_once():
    places, scores = [0, 4, 11, 17, 26, 3, 8], np.arange(7.0)
    process = made(places[:2])
    process.extend(EVERY[[11]])
    process.extend(EVERY[[17, 26, 3]])
    process.extend(EVERY[[8]])
    assert process.mean(scores) == pytest.approx(made(places).mean(scores), abs=1e-12)
    assert process.deviation() == pytest.approx(made(places).deviation(), abs=1e-12)


def test_more_than_there_was_room_for():
    process = made(list(range(10)))
    process.extend(EVERY[10:])
    assert process.mean(np.arange(27.0)) == pytest.approx(made(list(range(27))).mean(np.arange(27.0)), abs=1e-10)


def test_a_supposed_score_changes_deviations_but_not_the_mean():
    """Kriging believer, Ginsbourger et al. 2010: to be told what is expected moves no expectation."""
    places, scores = [0, 4, 11], np.array([1.0, -1.0, 0.5])
    process = made(places)
    mean, deviation = process.mean(scores), process.deviation()
    with process.supposing(EVERY[[13, 20]]):
        supposed = process.mean(scores), process.deviation()
    told = made([*places, 13, 20])
    assert supposed[0] == pytest.approx(told.mean(np.append(scores, mean[[13, 20]])), abs=1e-12)
    assert supposed[0] == pytest.approx(mean, abs=1e-12)
    assert supposed[1] == pytest.approx(told.deviation(), abs=1e-12)
    assert (supposed[1] < deviation).all()
    assert process.deviation().tolist() == deviation.tolist()
    assert process.mean(scores).tolist() == mean.tolist()


@each_shape
def test_the_gradient_of_the_loss_is_the_numerical_one(shape):
    rng = np.random.default_rng(0)
    pairs, scores = DISTANCES.of_pairs(EVERY[:15]), rng.normal(size=15)
    for _ in range(5):
        logs = rng.normal([0, 0, 0, 0, -3], 1)
        _, gradient = loss(logs, shape, pairs, scores)
        for place in range(5):
            change = 1e-6 * np.eye(5)[place]
            ends = [loss(logs + sign * change, shape, pairs, scores)[0] for sign in (1, -1)]
            assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-5)


@each_shape
def test_the_loss_is_minus_the_log_density_of_the_scores_and_of_what_is_expected(shape):
    """Two kernels differ in it as in the density of a normal distribution times that of the logs."""
    from scipy.stats import multivariate_normal, norm

    rng = np.random.default_rng(1)
    codes, scores = EVERY[:12], rng.normal(size=12)

    def by_scipy(logs):
        given = Kernel(shape, tuple(np.exp(logs[:3])), *np.exp(logs[3:]))
        covariance = by_hand(given, codes, codes) + given.noise * np.eye(12)
        means, deviations = [2**0.5 + np.log(3) / 2] * 3 + [0, -4], [3**0.5] * 3 + [1, 1]
        return (
            -multivariate_normal.logpdf(scores, np.zeros(12), covariance) - norm.logpdf(logs, means, deviations).sum()
        )

    one, other = rng.normal([0, 0, 0, 0, -3], 1), rng.normal([1, 0, 2, 0, -3], 1)
    found = [loss(logs, shape, DISTANCES.of_pairs(codes), scores)[0] for logs in (one, other)]
    assert found[0] - found[1] == pytest.approx(by_scipy(one) - by_scipy(other), abs=1e-9)


@each_shape
def test_a_decision_that_does_not_matter_gets_a_long_length(shape):
    """Relevance: scores depend on the first decision and a bit on the second, not on the third."""
    scores = np.array([0.0, 1.0, -2.0])[EVERY[:, 0]] + np.array([0.2, 0.0, -0.2])[EVERY[:, 1]]
    start = Kernel.expected(shape, 3)
    lengths = fitted(DISTANCES, EVERY[::2], (scores / scores.std())[::2], [start]).lengths
    assert lengths[0] * 2 < lengths[1]
    assert lengths[1] * 2 < lengths[2]


def test_the_fit_is_at_least_as_likely_as_each_start():
    rng = np.random.default_rng(0)
    codes, scores = EVERY[::2], rng.normal(size=14)
    starts = [Kernel.expected("matern", 3), kernel()]
    pairs = DISTANCES.of_pairs(codes)

    def of(one):
        return loss(np.log([*one.lengths, one.scale, one.noise]), "matern", pairs, scores)

    found = fitted(DISTANCES, codes, scores, starts)
    value, gradient = of(found)
    assert value <= min(of(one)[0] for one in starts)
    assert np.abs(gradient).max() < 0.05


class ForgetsNoise(GaussianProcess):
    def extend(self, codes):
        given, self.kernel = self.kernel, replace(self.kernel, noise=1e-9)
        super().extend(codes)
        self.kernel = given


class HasVarianceOfOne(GaussianProcess):
    def deviation(self, codes=None):
        return super().deviation(codes) / np.sqrt(self.kernel.scale)


class ForgetsWhatIsBeside(GaussianProcess):
    """Adds each block as if it knew nothing of the others."""

    def extend(self, codes):
        for one in codes:
            super().extend(one[None])

    def _whitened(self, codes):
        return super()._whitened(codes) * (len(codes) > 1)


@pytest.mark.parametrize("kind", [ForgetsNoise, HasVarianceOfOne, ForgetsWhatIsBeside])
def test_broken_ones_are_seen(kind):
    with pytest.raises(AssertionError):
        check_the_posterior_is_that_of_the_textbook(kind=kind)
