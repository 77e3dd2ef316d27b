"""PPO against Schulman et al. 2017, Eq. 7, on policies small enough to write their gradients down."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nbnas.errors import SettingsError
from nbnas.events import Evaluation, PolicyUpdated
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.strategies import Failure, Ppo, Proposal, Reinforce

SPACE = SearchSpace("two edges", CellNetwork(nodes=2, operations=("none", "skip", "conv_1x1")))


def scored(value):
    return Evaluation({"valid_accuracy": value}, (value,))


def flat(policy):
    return torch.cat([parameter.detach().flatten() for parameter in policy.parameters()]).clone()


def bound(rewards, **settings):
    """A strategy that has asked as often as there are rewards, its proposals, and SGD of step size 1."""
    made = Ppo(
        **{
            "controller": "softmax",
            "entropy_weight": 0.0,
            "batch": len(rewards),
            "minibatch": len(rewards),
            "epochs": 1,
        }
        | settings
    ).bind(SPACE, np.random.default_rng(0))
    made.optimizer = torch.optim.SGD(made.policy.parameters(), lr=1.0)
    return made, [made.ask() for _ in rewards]


def tell(strategy, proposals, rewards):
    events = []
    for trial, (proposal, reward) in enumerate(zip(proposals, rewards, strict=True), start=1):
        events += strategy.tell(trial, proposal, scored(reward))
    return [event for event in events if isinstance(event, PolicyUpdated)]


def test_the_first_step_is_that_of_reinforce():
    """Where new and old policy are one, the ratio is 1 and the gradient is that of A log pi."""
    rewards = [0.2, 0.9, 0.4, 0.7]
    strategy, proposals = bound(rewards)
    start = flat(strategy.policy)
    expected = torch.zeros_like(start)
    baseline = rewards[0]
    for proposal, reward in zip(proposals, rewards, strict=True):
        theta = torch.autograd.grad(
            strategy.policy.follow(proposal.architecture.choices).log_probability, list(strategy.policy.parameters())
        )
        expected += (reward - baseline) * torch.cat([row.flatten() for row in theta]) / len(rewards)
        baseline = 0.95 * baseline + 0.05 * reward if proposal is not proposals[0] else reward
    events = tell(strategy, proposals, rewards)
    assert torch.allclose(flat(strategy.policy) - start, expected, atol=1e-7)
    assert expected.abs().max() > 1e-3
    assert [event.baseline for event in events][:3] == [0.2, 0.2, pytest.approx(0.95 * 0.2 + 0.05 * 0.9)]


def shifted(advantage, ratio):
    """The step on one architecture whose probability has become `ratio` times what it was when it was proposed."""
    strategy, (proposal,) = bound([0.0])
    strategy.baseline = 0.0
    strategy.asked = {text: [old[0] - float(np.log(ratio))] for text, old in strategy.asked.items()}
    start = flat(strategy.policy)
    tell(strategy, [proposal], [advantage])
    return float((flat(strategy.policy) - start).norm())


@pytest.mark.parametrize(
    ("advantage", "ratio", "moves"),
    [
        (1.0, 1.1, True),
        (1.0, 1.3, False),  # already more probable than 1 + clip: nothing to gain
        (1.0, 0.5, True),  # the minimum is the unclipped one
        (-1.0, 0.9, True),
        (-1.0, 0.7, False),  # already less probable than 1 - clip
        (-1.0, 1.5, True),
    ],
)
def test_the_surrogate_is_clipped_on_the_side_of_gain_only(advantage, ratio, moves):
    assert (shifted(advantage, ratio) > 1e-4) == moves


def test_the_ratio_is_to_the_policy_that_proposed():
    """In the second pass the policy has moved, so that a ratio without the old policy would give another step."""
    rewards = [0.0, 1.0, 1.0, 0.0]
    once, proposals = bound(rewards)
    tell(once, proposals, rewards)
    twice, proposals = bound(rewards, epochs=2)
    start = flat(twice.policy)
    tell(twice, proposals, rewards)
    first = flat(once.policy) - start
    second = flat(twice.policy) - flat(once.policy)
    assert not torch.allclose(first, second, atol=1e-4)
    assert second.norm() > 1e-4


def test_nothing_moves_before_the_batch_is_full():
    strategy, proposals = bound([0.1] * 3)
    start = flat(strategy.policy)
    tell(strategy, proposals[:2], [0.3, 0.9])
    assert torch.equal(flat(strategy.policy), start)
    assert len(strategy.batch) == 2


def test_one_architecture_proposed_twice_has_the_probability_of_each_time():
    """Answers to equal proposals are told apart by their order: what was proposed first is answered first."""
    strategy, (proposal,) = bound([0.0], batch=3, minibatch=3)
    first = float(strategy.policy.follow(proposal.architecture.choices).log_probability.detach())
    with torch.no_grad():
        strategy.policy.theta[0][proposal.architecture.choices[0]] += 2.0
    while (again := strategy.ask()) != proposal:
        strategy.tell(9, again, Failure("nan", "it was"))
    second = float(strategy.policy.follow(proposal.architecture.choices).log_probability.detach())
    assert second > first + 0.5
    strategy.tell(1, proposal, scored(0.5))
    strategy.tell(2, again, scored(0.7))
    assert [old for _, old, _ in strategy.batch] == pytest.approx([first, second], abs=1e-6)
    assert strategy.asked == {}


def test_what_failed_is_forgotten():
    strategy, proposals = bound([0.0] * 3)
    for trial, proposal in enumerate(proposals, start=1):
        assert strategy.tell(trial, proposal, Failure("nan", "it was")) == ()
    assert strategy.asked == {}
    assert strategy.batch == []


def test_a_batch_is_passed_over_in_minibatches_each_reward_once_a_pass():
    """5 passes over 6 rewards in minibatches of 4 and 2: 10 steps."""
    rewards = [0.1, 0.9, 0.3, 0.7, 0.5, 0.2]
    strategy, proposals = bound(rewards, epochs=5, minibatch=4)
    sizes, steps = [], []
    stack = torch.stack
    step = strategy.optimizer.step
    strategy.optimizer.step = lambda: (steps.append(1), step())

    def stacked(losses):
        sizes.append(len(losses))
        return stack(losses)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "stack", stacked)
        tell(strategy, proposals, rewards)
    assert sizes == [4, 2] * 5
    assert len(steps) == 10
    assert strategy.batch == []


def test_the_defaults_are_those_of_nasnet():
    """Zoph et al. 2018: one LSTM layer of 100, Adam 3.5e-4, entropy 1e-5, average of rewards 0.95; clip 0.2 of PPO."""
    made = Ppo()
    assert (made.controller, made.hidden, made.clip) == ("lstm", 100, 0.2)
    assert (made.learning_rate, made.entropy_weight, made.baseline_decay) == (3.5e-4, 1e-5, 0.95)


@pytest.mark.parametrize("controller", ["lstm", "softmax"])
def test_it_finds_the_best_of_three(controller):
    settings = Ppo(controller=controller, hidden=8, learning_rate=0.05, batch=8, minibatch=8)
    strategy = settings.bind(SPACE, np.random.default_rng(1))
    for trial in range(1, 241):
        proposal = strategy.ask()
        strategy.tell(trial, proposal, scored(float(proposal.architecture.choices == (2,))))
    drawn = [strategy.draw(np.random.default_rng(seed)).choices for seed in range(50)]
    assert drawn.count((2,)) > 40


def test_temperature_and_tanh_constant_shape_the_policy():
    """ENAS: logits are c tanh(logits / temperature), so that no probability ratio exceeds exp(2 c)."""
    plain = Reinforce(controller="softmax").bind(SPACE, np.random.default_rng(0)).policy
    bounded = Reinforce(controller="softmax", temperature=5.0, tanh_constant=1.5).bind(SPACE, np.random.default_rng(0))
    with torch.no_grad():
        for policy in (plain, bounded.policy):
            policy.theta[0].copy_(torch.tensor([100.0, 0.0, -100.0]))
        rows = [policy.walk(lambda place, row: 0).rows[0] for policy in (plain, bounded.policy)]
    assert rows[0][0] == 1.0
    assert rows[0][2] == 0.0
    assert rows[1].log()[0] - rows[1].log()[2] == pytest.approx(3.0, abs=1e-5)


def test_a_minibatch_larger_than_the_batch_is_refused():
    with pytest.raises(SettingsError, match=r"minibatch must be in 1\.\.batch \(4\), got 9"):
        Ppo(batch=4, minibatch=9)


def test_a_proposal_of_another_origin_is_taken_at_the_policy_of_now():
    strategy, _ = bound([0.0, 0.0])
    strategy.tell(1, Proposal(next(iter(SPACE.enumerate()))), scored(0.5))
    assert len(strategy.batch) == 1
