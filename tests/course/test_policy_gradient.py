"""The policy gradient on an enumerated space: closed forms, and what the library's own strategy does."""

from __future__ import annotations

import numpy as np
import pytest

from nbnas.course import digits64
from nbnas.course.policy_gradient import (
    ascend,
    choices,
    library_steps,
    moments,
    numerical_gradient,
    probabilities,
    scores,
)

SPACE = digits64.space()
EVERY = choices(SPACE)


@pytest.fixture
def theta():
    return np.random.default_rng(0).normal(size=(3, 4))


@pytest.fixture
def rewards():
    return np.random.default_rng(1).random(64)


def test_probabilities_are_products_of_softmaxes(theta):
    every = probabilities(theta, EVERY)
    assert every.sum() == pytest.approx(1, abs=1e-12)
    rows = np.exp(theta) / np.exp(theta).sum(axis=1, keepdims=True)
    assert every[27] == pytest.approx(rows[0, 1] * rows[1, 2] * rows[2, 3], rel=1e-12)  # 1-2-3 is 16 + 8 + 3


def test_the_mean_score_is_zero(theta):
    assert np.abs(np.tensordot(probabilities(theta, EVERY), scores(theta, EVERY), axes=1)).max() < 1e-15


def test_scores_are_gradients_of_log_probabilities(theta):
    for place in (0, 27, 63):
        numerical = numerical_gradient(lambda now, place=place: np.log(probabilities(now, EVERY)[place]), theta)
        assert np.abs(numerical - scores(theta, EVERY)[place]).max() < 1e-9


@pytest.mark.parametrize("baseline", [0.0, 0.6])
def test_the_steps_of_the_library_are_score_times_advantage(theta, rewards, baseline):
    steps = library_steps(SPACE, theta, rewards, baseline)
    assert np.abs(steps - (rewards - baseline)[:, None, None] * scores(theta, EVERY)).max() < 1e-12


def test_moments_are_those_of_many_draws():
    rng = np.random.default_rng(2)
    steps, probability = rng.normal(size=(4, 2, 3)), np.array([0.1, 0.2, 0.3, 0.4])
    found = moments(steps, probability)
    drawn = steps[rng.choice(4, size=200_000, p=probability)].reshape(-1, 6)
    assert np.abs(found.mean.ravel() - drawn.mean(axis=0)).max() < 0.02
    assert found.variance == pytest.approx(drawn.var(axis=0).sum(), rel=0.02)


def test_one_step_of_ascent_is_the_numerical_gradient(theta, rewards):
    moved = ascend(theta[None], EVERY, rewards, rate=1.0, steps=1)[0]
    wanted = numerical_gradient(lambda now: float(probabilities(now, EVERY) @ rewards), theta)
    assert np.abs(moved - theta - wanted).max() < 1e-9


def test_ascent_of_several_starts_is_that_of_each(rewards):
    starts = np.random.default_rng(3).normal(size=(3, 3, 4))
    together = ascend(starts, EVERY, rewards, rate=0.5, steps=5)
    alone = [ascend(one[None], EVERY, rewards, rate=0.5, steps=5)[0] for one in starts]
    assert np.abs(together - np.array(alone)).max() < 1e-12
