"""Policies are distributions over the architectures of a space: exact facts, by all architectures of tiny spaces."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats

from nbnas.events import Evaluation
from nbnas.spaces import Architecture, CellNetwork, Limit, SearchSpace
from nbnas.strategies import Ppo, QLearning, Reinforce
from nbnas.strategies.policies import LstmPolicy

PLAIN = SearchSpace("plain", CellNetwork(3, ("none", "skip", "conv_1x1")))
FALSE_ALARM = 1e-6
"""Of each chi-square test, were its draws not fixed by a seed."""


@pytest.fixture
def logs(policy, space):
    """The log-probability of each architecture."""
    with torch.no_grad():
        return {one: float(policy.follow(one.choices).log_probability) for one in space.enumerate()}


def test_probabilities_of_all_architectures_sum_to_one(logs, space):
    assert len(logs) == space.size
    assert math.fsum(map(math.exp, logs.values())) == pytest.approx(1, abs=1e-12)
    assert max(logs.values()) - min(logs.values()) > 1  # far from uniform, where a mistake might hide


def test_entropies_of_the_rows_met_are_on_average_the_entropy(policy, space, logs):
    """The chain rule: what a walk reports has the policy's entropy as its mean."""
    exact = -math.fsum(math.exp(log) * log for log in logs.values())
    with torch.no_grad():
        found = math.fsum(math.exp(log) * float(policy.follow(one.choices).entropy) for one, log in logs.items())
    assert found == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(("space", "controller"), [(PLAIN, "softmax")], indirect=True, ids=["plain softmax"])
def test_the_entropy_of_independent_rows_is_exact_in_every_walk(policy, logs):
    exact = -math.fsum(math.exp(log) * log for log in logs.values())
    for one in logs:
        assert float(policy.follow(one.choices).entropy.detach()) == pytest.approx(exact, abs=1e-12)


def test_a_walk_meets_the_active_decisions_only(policy, space):
    for one in space.enumerate():
        walk = policy.follow(one.choices)
        assert walk.choices == one.choices
        assert set(walk.rows) == {place for place, choice in enumerate(one.choices) if choice is not None}
        product = math.prod(float(row[one.choices[place]]) for place, row in walk.rows.items())
        assert math.log(product) == pytest.approx(float(walk.log_probability.detach()), abs=1e-12)


def test_draws_follow_the_policy(policy, space, controller, logs):
    """1,000 draws by the strategy itself; one chi-square test over all architectures that are likely enough."""
    strategy = Reinforce(controller=controller, hidden=3).bind(space, np.random.default_rng(0))
    strategy.policy = policy
    rng = np.random.default_rng(1)
    counts = Counter(strategy.draw(rng) for _ in range(1_000))
    likely = [one for one, log in logs.items() if 1_000 * math.exp(log) > 5]
    rest = 1_000 - sum(counts[one] for one in likely)
    seen = [*(counts[one] for one in likely), rest]
    expected = [1_000 * math.exp(logs[one]) for one in likely]
    expected.append(1_000 - sum(expected))
    assert len(likely) > 4
    assert stats.chisquare(seen, expected).pvalue > FALSE_ALARM


def test_later_rows_of_the_lstm_depend_on_earlier_choices(policy, space, controller):
    """What tells the controller of Zoph & Le from independent rows."""
    first, second = next(iter(space.enumerate())), list(space.enumerate())[-1]
    one, other = policy.follow(first.choices).rows, policy.follow(second.choices).rows
    shared = [place for place in one if place in other and len(one[place]) > 1]
    assert torch.equal(one[0], other[0])  # before any choice
    later = [torch.equal(one[place], other[place]) for place in shared if place > 0]
    assert all(later) if controller == "softmax" else not any(later)


def test_the_lstm_starts_as_published(space):
    """Zoph & Le 2017: weights from U(-0.08, 0.08)."""
    policy = LstmPolicy(space, torch.Generator().manual_seed(0), 35)
    values = torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])
    assert values.abs().max() <= 0.08
    assert values.std() == pytest.approx(0.16 / math.sqrt(12), rel=0.02)


def test_upper_layers_follow_those_below_as_in_torch(double_precision, space):
    """Zoph & Le 2017: two layers of 35; against `nn.LSTM` with the same weights, fed the same vectors."""
    policy = LstmPolicy(space, torch.Generator().manual_seed(0), 35, layers=2)
    reference = torch.nn.LSTM(35, 35, num_layers=2)
    with torch.no_grad():
        for layer, cell in enumerate((policy.cell, *policy.upper)):
            for name, parameter in cell.named_parameters():
                getattr(reference, f"{name}_l{layer}").copy_(parameter)
        one = list(space.enumerate())[-1]
        walk = policy.follow(one.choices)
        active = [place for place, choice in enumerate(one.choices) if choice is not None]
        vectors = [policy.start, *(policy.embeddings[place][one.choices[place]] for place in active[:-1])]
        outputs, _ = reference(torch.stack(vectors).unsqueeze(1))
        for place, output in zip(active, outputs, strict=True):
            assert torch.allclose(policy.heads[place](output[0]).softmax(0), walk.rows[place], atol=1e-12)
    assert len(active) > 1


def test_a_second_layer_leaves_the_start_of_the_first_alone(space):
    one, two = (LstmPolicy(space, torch.Generator().manual_seed(0), 4, layers=layers) for layers in (1, 2))
    assert torch.equal(one.cell.weight_ih, two.cell.weight_ih)
    assert all(torch.equal(a, b) for a, b in zip(one.embeddings, two.embeddings, strict=True))


LIMITED = SearchSpace("limited", CellNetwork(3, ("none", "skip", "conv_1x1", "conv_3x3")), limits=(Limit(maximum=2e5),))
"""27 of 64 architectures keep the limit."""


@pytest.mark.parametrize(
    "settings",
    [Reinforce(controller="softmax"), Ppo(controller="softmax", batch=2, minibatch=2), QLearning(trials=10)],
    ids=lambda one: type(one).__name__,
)
def test_proposals_and_draws_keep_the_limits_of_the_space(settings):
    strategy = settings.bind(LIMITED, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    for trial in range(1, 31):
        proposal = strategy.ask()
        assert not LIMITED.broken(proposal.architecture)
        assert not LIMITED.broken(strategy.draw(rng))
        strategy.tell(trial, proposal, Evaluation({"valid_accuracy": 0.5}, (0.5,)))


def test_a_policy_that_is_sure_of_what_is_forbidden_proposes_something_else():
    strategy = Reinforce(controller="softmax").bind(LIMITED, np.random.default_rng(0))
    with torch.no_grad():
        for row in strategy.policy.theta:
            row[3] = 100.0  # a 3x3 convolution on each edge
    assert LIMITED.broken(Architecture(LIMITED.digest, (3, 3, 3)))
    assert not LIMITED.broken(strategy.ask().architecture)


def test_the_softmax_policy_starts_almost_uniform(space):
    strategy = Reinforce(controller="softmax").bind(space, np.random.default_rng(0))
    for row in strategy.policy.follow(next(iter(space.enumerate())).choices).rows.values():
        assert torch.allclose(row, torch.full_like(row, 1 / len(row)), atol=0.003)
        assert isinstance(strategy.draw(np.random.default_rng(0)), Architecture)
