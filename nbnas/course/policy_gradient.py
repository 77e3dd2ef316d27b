"""The policy gradient on a space so small that every expectation is a finite sum.

A policy is `theta`, shape (decisions, options): one independent softmax a decision. Williams, Simple Statistical
Gradient-Following Algorithms for Connectionist Reinforcement Learning, Machine Learning 8, 1992; Weaver & Tao, The
Optimal Reward Baseline for Gradient-Based Reinforcement Learning, UAI 2001, arXiv:1301.2315 (the constant baseline of
smallest variance).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbnas.events import Evaluation
from nbnas.spaces import SearchSpace
from nbnas.strategies import Proposal, Reinforce

__all__ = [
    "Moments",
    "ascend",
    "choices",
    "library_steps",
    "moments",
    "numerical_gradient",
    "probabilities",
    "sample_run",
    "scores",
]

Array = npt.NDArray[np.float64]


def choices(space: SearchSpace) -> npt.NDArray[np.int64]:
    """The choices of all architectures, shape (architectures, decisions); each decision must always be open."""
    return np.array([one.choices for one in space.enumerate()], dtype=np.int64)


def _rows(theta: Array) -> Array:
    weights = np.exp(theta - theta.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def probabilities(theta: Array, every: npt.NDArray[np.int64]) -> Array:
    """The probability of each architecture, shape (..., architectures).

    Args:
        theta: of shape (..., decisions, options).
        every: the choices of all architectures.
    """
    places = np.arange(every.shape[1])
    return np.asarray(_rows(theta)[..., places, every].prod(axis=-1))


def scores(theta: Array, every: npt.NDArray[np.int64]) -> Array:
    """The gradient of log pi(a) for each architecture a, shape (..., architectures, decisions, options)."""
    return np.asarray(np.eye(theta.shape[-1])[every] - _rows(theta)[..., None, :, :])


def numerical_gradient(function: Callable[[Array], float], theta: Array, size: float = 1e-5) -> Array:
    """The gradient of a function of theta by central differences."""
    found = np.empty_like(theta)
    for place in np.ndindex(theta.shape):
        change = np.zeros_like(theta)
        change[place] = size
        found[place] = (function(theta + change) - function(theta - change)) / (2 * size)
    return found


class Moments(NamedTuple):
    """The mean of a random step, and the sum of the variances of its entries."""

    mean: Array
    variance: float


def moments(steps: Array, probability: Array) -> Moments:
    """Exact, for a step that is `steps[a]` with probability `probability[a]`."""
    flat = steps.reshape(len(steps), -1)
    mean = probability @ flat
    return Moments(mean.reshape(steps.shape[1:]), float(probability @ ((flat - mean) ** 2).sum(axis=1)))


def library_steps(space: SearchSpace, theta: Array, rewards: Array, baseline: float) -> Array:
    """The step that `nb.strategies.Reinforce` takes when it is told the reward of an architecture, for each of them.

    Its Adam is replaced by plain gradient ascent of size 1 in double precision and its baseline is held, so that a
    step is the estimate of the gradient itself. Shape (architectures, decisions, options).

    Args:
        space: of which all architectures are told, one at a time, each from `theta`.
        theta: the policy, shape (decisions, options).
        rewards: of all architectures, in the order of `space.enumerate()`.
        baseline: which the average of rewards is, and stays.
    """
    import torch

    strategy: Any = Reinforce(controller="softmax", entropy_weight=0.0).bind(space, np.random.default_rng(0))
    strategy.policy.double()
    strategy.optimizer = torch.optim.SGD(strategy.policy.parameters(), lr=1.0)
    strategy.baseline.decay = 1.0  # no reward moves it any more
    given = torch.tensor(theta)
    found = np.empty((len(rewards), *theta.shape))
    for trial, (one, reward) in enumerate(zip(space.enumerate(), rewards, strict=True)):
        with torch.no_grad():
            for parameter, row in zip(strategy.policy.theta, given, strict=True):
                parameter.copy_(row)
        strategy.baseline.total, strategy.baseline.weight = baseline, 1.0
        strategy.tell(trial, Proposal(one), Evaluation({"valid_accuracy": float(reward)}, (float(reward),)))
        found[trial] = np.array([row.detach().numpy() for row in strategy.policy.theta]) - theta
    return found


def ascend(theta: Array, every: npt.NDArray[np.int64], rewards: Array, *, rate: float, steps: int) -> Array:
    """Exact gradient ascent on the expected reward, from many starts at once.

    Args:
        theta: of shape (starts, decisions, options).
        every: the choices of all architectures.
        rewards: of all architectures.
        rate: step size.
        steps: how many.
    """
    for _ in range(steps):
        probability = probabilities(theta, every)
        value = probability @ rewards
        weights = probability * (rewards - value[:, None])
        # grad J = sum over a of pi(a) (R(a) - J) grad log pi(a); of the score only the first term does not sum to 0.
        gradient = np.einsum("sa,ado->sdo", weights, np.eye(theta.shape[-1])[every])
        theta = theta + rate * gradient
    return theta


def sample_run(
    theta: Array,
    every: npt.NDArray[np.int64],
    rewards: Array,
    *,
    rate: float,
    steps: int,
    with_baseline: bool,
    rng: np.random.Generator,
) -> Array:
    """REINFORCE with one draw a step, from many starts at once; the baseline is J itself, or 0.

    Args:
        theta: of shape (starts, decisions, options).
        every: the choices of all architectures.
        rewards: of all architectures.
        rate: step size.
        steps: draws a start.
        with_baseline: whether J is subtracted from a reward.
        rng: its chance.
    """
    theta, starts = theta.copy(), np.arange(len(theta))
    for _ in range(steps):
        probability = probabilities(theta, every)
        below = probability.cumsum(axis=1)
        drawn = (below < rng.random((len(theta), 1)) * below[:, -1:]).sum(axis=1)
        baseline = probability @ rewards if with_baseline else 0.0
        theta += rate * (rewards[drawn] - baseline)[:, None, None] * scores(theta, every)[starts, drawn]
    return theta
