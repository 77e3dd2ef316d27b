"""Schulman et al. 2017, Eq. 6: the gradient of the surrogate, written down for one softmax."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nbnas.events import Evaluation
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.strategies import Ppo

SPACE = SearchSpace("one edge", CellNetwork(nodes=2, operations=("none", "skip", "conv_1x1")))


def bound(theta, **settings):
    """One softmax with the given logits, a step of size 1 after each reward, a baseline of 0."""
    chosen = {"controller": "softmax", "batch": 1, "minibatch": 1, "epochs": 1, "entropy_weight": 0.0, "clip": 0.9}
    strategy = Ppo(**{**chosen, **settings}).bind(SPACE, np.random.default_rng(0))
    strategy.optimizer = torch.optim.SGD(strategy.policy.parameters(), lr=1.0)
    strategy.baseline = 0.0
    put(strategy, theta)
    return strategy


def put(strategy, theta):
    with torch.no_grad():
        strategy.policy.theta[0].copy_(torch.tensor(theta))


def logits(strategy):
    return strategy.policy.theta[0].detach().double().numpy().copy()


def softmax(values):
    return np.exp(values) / np.exp(values).sum()


def test_a_step_is_the_ratio_to_the_old_policy_times_that_of_reinforce():
    """The policy moves between proposal and answer, as it does from the first minibatch to the second."""
    old, new, reward = np.array([0.5, 0.0, -0.5]), np.array([0.1, 0.3, -0.2]), 0.7
    strategy = bound(old)
    proposal = strategy.ask()
    (choice,) = proposal.architecture.choices
    put(strategy, new)
    strategy.tell(1, proposal, Evaluation({}, (reward,)))
    ratio = softmax(new)[choice] / softmax(old)[choice]
    expected = new + ratio * reward * (np.eye(3)[choice] - softmax(new))
    assert abs(ratio - 1) > 0.05
    assert logits(strategy) == pytest.approx(expected, abs=1e-6)


def test_the_entropy_bonus_flattens_the_policy():
    """Without an advantage the step is the gradient of the entropy, -p (log p + H)."""
    theta = np.array([1.0, 0.0, -1.0])
    strategy = bound(theta, entropy_weight=0.5)
    strategy.tell(1, strategy.ask(), Evaluation({}, (0.0,)))
    row = softmax(theta)
    entropy = -(row * np.log(row)).sum()
    assert logits(strategy) == pytest.approx(theta - 0.5 * row * (np.log(row) + entropy), abs=1e-6)
