"""Exercises of lesson 05: the score function, the best baseline, one step of REINFORCE."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nbnas.course.checking import called, judged
from nbnas.course.exercises import Exercise
from nbnas.course.profile import rng

__all__ = ["EXERCISES"]

Array = npt.NDArray[np.float64]


def _softmax(theta: Array) -> Array:
    weights = np.exp(theta - theta.max())
    return np.asarray(weights / weights.sum())


# -- a ---------------------------------------------------------------------------------------------------------------


def _score(theta: Array, choice: int) -> Array:
    return np.asarray(np.eye(len(theta))[choice] - _softmax(theta))


def _judge_score(answer: Any) -> str:
    random = rng("05", "a")
    sizes = (2, 3, 4, 4, 7)
    cases = [{"theta": random.normal(size=size) * 2, "choice": int(random.integers(size))} for size in sizes]
    wrong = judged(
        answer,
        cases,
        _score,
        {
            "The sign is turned: this points away from what was chosen.": lambda theta, choice: -_score(theta, choice),
            "This is where the choice was made; what the softmax gives to all options is missing.": (
                lambda theta, choice: np.eye(len(theta))[choice]
            ),
            "This is the gradient of pi(choice). Of log pi(choice) it is divided by pi(choice).": (
                lambda theta, choice: _softmax(theta)[choice] * _score(theta, choice)
            ),
        },
    )
    if wrong:
        return wrong
    large: dict[str, Any] = {"theta": np.array([1000.0, 0.0, -1000.0]), "choice": 1}
    value, raised = called(answer, large)
    if raised or not np.allclose(value, [-1.0, 1.0, 0.0]):
        return "For theta = [1000, 0, -1000] the exponentials overflow. Subtract the largest theta first."
    return ""


# -- b ---------------------------------------------------------------------------------------------------------------


def _best_baseline(probabilities: Array, rewards: Array, scores: Array) -> float:
    weights = probabilities * (scores**2).sum(axis=1)
    return float(weights @ rewards / weights.sum())


def _judge_baseline(answer: Any) -> str:
    random = rng("05", "b")
    cases = [
        {
            "probabilities": random.dirichlet(np.ones(size)),
            "rewards": random.normal(size=size),
            "scores": random.normal(size=(size, 3)),
        }
        for size in (2, 3, 5, 8)
    ]

    def unweighted(probabilities: Array, rewards: Array, scores: Array) -> float:
        weights = (scores**2).sum(axis=1)
        return float(weights @ rewards / weights.sum())

    def not_squared(probabilities: Array, rewards: Array, scores: Array) -> float:
        weights = probabilities * np.linalg.norm(scores, axis=1)
        return float(weights @ rewards / weights.sum())

    return judged(
        answer,
        cases,
        _best_baseline,
        {
            "This is J, the mean reward. The best baseline weighs each reward by the length of its score.": (
                lambda probabilities, rewards, scores: probabilities @ rewards
            ),
            "Both means are over the policy: the probabilities are missing.": unweighted,
            "The length of the score must be squared.": not_squared,
        },
    )


# -- c ---------------------------------------------------------------------------------------------------------------


def _step(theta: Array, choices: Array, rewards: Array, baseline: float, learning_rate: float) -> Array:
    scores = np.array([_score(theta, int(choice)) for choice in choices])
    return np.asarray(theta + learning_rate * ((rewards - baseline) @ scores) / len(choices))


def _judge_step(answer: Any) -> str:
    random = rng("05", "c")
    cases = [
        {
            "theta": random.normal(size=size),
            "choices": random.integers(size, size=draws),
            "rewards": random.random(draws),
            "baseline": float(random.random()),
            "learning_rate": float(random.uniform(0.1, 2)),
        }
        for size, draws in ((2, 2), (3, 5), (4, 8), (4, 6))
    ]
    return judged(
        answer,
        cases,
        _step,
        {
            "This goes downhill: rewards are maximised.": (
                lambda theta, choices, rewards, baseline, learning_rate: (
                    2 * theta - _step(theta, choices, rewards, baseline, learning_rate)
                )
            ),
            "This is the sum over the draws; the estimate is their mean.": (
                lambda theta, choices, rewards, baseline, learning_rate: _step(
                    theta, choices, rewards, baseline, learning_rate * len(choices)
                )
            ),
            "The baseline is not subtracted.": (
                lambda theta, choices, rewards, baseline, learning_rate: _step(
                    theta, choices, rewards, 0.0, learning_rate
                )
            ),
            "This is the step alone; it must be added to theta.": (
                lambda theta, choices, rewards, baseline, learning_rate: (
                    _step(theta, choices, rewards, baseline, learning_rate) - theta
                )
            ),
        },
    )


EXERCISES = (
    Exercise(
        "05.a",
        "Write score(theta, choice): the gradient of log softmax(theta)[choice] with respect to theta.",
        (
            "log softmax(theta)[choice] = theta[choice] - log(sum(exp(theta))). Differentiate both terms.",
            "The first term gives 1 where the choice is, the second gives the probabilities.",
            "np.eye(len(theta))[choice] - p, where p is the softmax of theta - theta.max().",
        ),
        _judge_score,
    ),
    Exercise(
        "05.b",
        "Write best_baseline(probabilities, rewards, scores), the constant b that makes the variance smallest.",
        (
            "The variance is E[|s|^2 (R - b)^2] minus something without b. Where is its derivative zero?",
            "E[|s|^2 (R - b)] = 0, and the expectation is a sum weighted by the probabilities.",
            "w = probabilities * (scores ** 2).sum(axis=1); the answer is w @ rewards / w.sum().",
        ),
        _judge_baseline,
    ),
    Exercise(
        "05.c",
        "Write step(theta, choices, rewards, baseline, learning_rate): one step of REINFORCE on several draws.",
        (
            "Each draw pulls theta along its score, as hard as its reward is above the baseline.",
            "Average (R - b) * score(theta, choice) over the draws, then go up.",
            "theta + learning_rate * np.mean([(r - b) * score(theta, c) for c, r in zip(choices, rewards)], axis=0).",
        ),
        _judge_step,
    ),
)
