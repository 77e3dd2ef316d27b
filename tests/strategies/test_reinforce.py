"""REINFORCE (Williams 1992; Zoph & Le 2017): its mean step is the gradient of the expected score, exactly."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from nbnas import spaces
from nbnas.errors import SettingsError
from nbnas.events import DistributionUpdated, Evaluation, PolicyUpdated
from nbnas.strategies import Failure, Proposal, Reinforce


def scored(value):
    return Evaluation({"valid_accuracy": value}, (value,))


class Fixed:
    """A baseline that learns nothing."""

    def __init__(self, value):
        self.value = value

    def update(self, reward):
        return self.value


def flat(policy):
    return torch.cat([parameter.detach().flatten() for parameter in policy.parameters()]).clone()


def put(policy, values):
    torch.nn.utils.vector_to_parameters(values.clone(), policy.parameters())


@pytest.fixture
def strategy(double_precision, space, controller, policy):
    """A controller that steps by plain gradient ascent of size 1, so that a step is the gradient estimate itself."""
    made = Reinforce(controller=controller, hidden=3, entropy_weight=0.0).bind(space, np.random.default_rng(0))
    made.policy.load_state_dict(policy.state_dict())
    made.optimizer = torch.optim.SGD(made.policy.parameters(), lr=1.0)
    return made


@pytest.fixture
def rewards(space):
    rng = np.random.default_rng(5)
    return {one: float(rng.normal()) for one in space.enumerate()}


def expected_score(policy, rewards):
    """Sum over all architectures of probability times score."""
    with torch.no_grad():
        return math.fsum(
            math.exp(float(policy.follow(one.choices).log_probability)) * reward for one, reward in rewards.items()
        )


def slope(policy, at, direction, function, size=1e-5):
    """The numerical derivative of `function(policy)` along a direction."""
    put(policy, at + size * direction)
    up = function(policy)
    put(policy, at - size * direction)
    down = function(policy)
    put(policy, at)
    return (up - down) / (2 * size)


@pytest.mark.parametrize("baseline", [0.0, 3.0])
def test_the_mean_step_over_all_architectures_is_the_gradient_of_the_expected_score(strategy, rewards, baseline):
    """Whatever the baseline. Eight random directions; also where decisions are conditional on others."""
    policy, start = strategy.policy, flat(strategy.policy)
    strategy.baseline = Fixed(baseline)
    mean = torch.zeros_like(start)
    for one, reward in rewards.items():
        with torch.no_grad():
            probability = math.exp(float(policy.follow(one.choices).log_probability))
        put(policy, start)
        strategy.tell(1, Proposal(one), scored(reward))
        mean += probability * (flat(policy) - start)
        put(policy, start)
    generator = torch.Generator().manual_seed(2)
    slopes = []
    for _ in range(8):
        direction = torch.randn(len(start), generator=generator)
        slopes.append(slope(policy, start, direction, lambda now: expected_score(now, rewards)))
        assert float(mean @ direction) == pytest.approx(slopes[-1], abs=1e-7)
    assert max(map(abs, slopes)) > 1e-2  # not a comparison of zeros


def test_the_entropy_bonus_ascends_the_entropy(strategy, space, controller):
    """At the first answer the advantage is 0, so that only the bonus moves the policy."""
    strategy.settings = Reinforce(controller=controller, hidden=3, entropy_weight=0.5)
    policy, start = strategy.policy, flat(strategy.policy)
    one = next(iter(space.enumerate()))
    strategy.tell(1, Proposal(one), scored(0.7))
    step = flat(policy) - start
    generator = torch.Generator().manual_seed(3)
    for _ in range(4):
        direction = torch.randn(len(start), generator=generator)
        expected = slope(policy, start, direction, lambda now: float(now.follow(one.choices).entropy.detach()))
        assert float(step @ direction) == pytest.approx(0.5 * expected, abs=1e-7)
    assert step.norm() > 1e-3


@pytest.mark.parametrize("entropy_weight", [0.0, 0.5])
def test_a_minibatch_step_is_the_mean_of_the_steps_of_its_rewards(strategy, space, controller, entropy_weight):
    """ENAS: gradients are averaged over so many architectures, all taken at one policy; nothing moves before."""
    settings = {"controller": controller, "hidden": 3, "entropy_weight": entropy_weight}
    policy, start = strategy.policy, flat(strategy.policy)
    strategy.baseline = Fixed(0.2)
    told = [(one, 0.1 * place**2) for place, one in enumerate(list(space.enumerate())[::9])]
    assert len(told) >= 3
    strategy.settings = Reinforce(**settings)
    single = torch.zeros_like(start)
    for one, reward in told:
        strategy.tell(1, Proposal(one), scored(reward))
        single += flat(policy) - start
        put(policy, start)
    strategy.settings = Reinforce(aggregate=len(told), **settings)
    for one, reward in told:
        assert torch.equal(flat(policy), start)
        strategy.tell(1, Proposal(one), scored(reward))
    assert torch.allclose(flat(policy) - start, single / len(told), atol=1e-12)
    assert (single / len(told)).norm() > 1e-3
    assert strategy.waiting == []


def test_a_failed_trial_is_not_waited_for(space, controller):
    """A minibatch is so many rewards, not so many trials."""
    strategy = Reinforce(controller=controller, hidden=3, aggregate=2).bind(space, np.random.default_rng(0))
    before = flat(strategy.policy)
    strategy.tell(1, strategy.ask(), scored(0.4))
    strategy.tell(2, strategy.ask(), Failure("nan", "it was"))
    assert torch.equal(flat(strategy.policy), before)
    strategy.tell(3, strategy.ask(), scored(0.9))
    assert not torch.equal(flat(strategy.policy), before)


def test_a_late_answer_is_taken_at_the_policy_of_then(strategy, space):
    """The score function is that of the policy when the answer comes, not of the one that proposed."""
    policy, architectures = strategy.policy, list(space.enumerate())
    strategy.baseline = Fixed(0.0)
    late = Proposal(architectures[5])
    old = torch.autograd.grad(policy.follow(late.architecture.choices).log_probability, list(policy.parameters()),
                              materialize_grads=True, allow_unused=True)  # fmt: skip
    strategy.tell(2, Proposal(architectures[1]), scored(0.8))
    moved = flat(policy)
    now = torch.autograd.grad(policy.follow(late.architecture.choices).log_probability, list(policy.parameters()),
                              materialize_grads=True, allow_unused=True)  # fmt: skip
    strategy.tell(1, late, scored(0.6))
    step = flat(policy) - moved
    assert torch.allclose(step, 0.6 * torch.cat([one.flatten() for one in now]), atol=1e-12)
    assert not torch.allclose(step, 0.6 * torch.cat([one.flatten() for one in old]), atol=1e-3)


def test_the_baseline_lowers_the_variance_of_the_step_and_not_its_mean(strategy, rewards):
    """Rewards around 10: exactly, over all architectures. The mean is held by the test of the mean step."""
    policy, start = strategy.policy, flat(strategy.policy)

    def variance(baseline):
        strategy.baseline = Fixed(baseline)
        weighted, squares = torch.zeros_like(start), 0.0
        for one, reward in rewards.items():
            with torch.no_grad():
                probability = math.exp(float(policy.follow(one.choices).log_probability))
            strategy.tell(1, Proposal(one), scored(10 + reward))
            step = flat(policy) - start
            weighted += probability * step
            squares += probability * float(step @ step)
            put(policy, start)
        return squares - float(weighted @ weighted), weighted

    (without, mean), (with_it, same) = variance(0.0), variance(10.0)
    assert with_it < without / 10
    assert torch.allclose(mean, same, atol=1e-9)


MACRO = spaces.enas_macro(layers=4, channels=2)
"""Skip connections: one of layer 2, two of layer 3, three of layer 4."""


def test_the_skip_penalty_is_the_divergence_from_the_prior(double_precision):
    """ENAS: KL(policy ‖ 0.4), summed over the skip connections of a layer, the mean over layers; weight 0.8."""
    made = Reinforce(controller="softmax", entropy_weight=0.0, skip_weight=0.8).bind(MACRO, np.random.default_rng(0))
    made.optimizer = torch.optim.SGD(made.policy.parameters(), lr=1.0)
    made.baseline = Fixed(0.0)
    rng = np.random.default_rng(1)
    places = [place for place, one in enumerate(MACRO.decisions) if "skip" in one.name]
    assert len(places) == 6
    with torch.no_grad():
        for row in made.policy.theta:
            row.copy_(torch.from_numpy(rng.normal(size=len(row))))
    before = [row.detach().numpy().copy() for row in made.policy.theta]
    made.tell(1, made.ask(), scored(0.0))  # no advantage: the penalty alone
    for place, (row, old) in enumerate(zip(made.policy.theta, before, strict=True)):
        step = row.detach().numpy() - old
        if place not in places:
            assert np.abs(step).max() == 0
            continue
        share = np.exp(old) / np.exp(old).sum()
        ratio = np.log(share / np.array([0.6, 0.4]))
        gradient = share * (ratio - (share * ratio).sum())  # of KL by the logits
        assert step == pytest.approx(-0.8 * gradient / 3, abs=1e-12)
        assert np.abs(step).max() > 1e-3


def test_the_skip_penalty_alone_leads_to_the_prior():
    settings = Reinforce(controller="softmax", learning_rate=0.1, entropy_weight=0.0, skip_weight=0.8, skip_rate=0.25)
    made = settings.bind(MACRO, np.random.default_rng(0))
    for trial in range(150):
        made.tell(trial, made.ask(), scored(0.5))
    for row, decision in zip(made.policy.theta, MACRO.decisions, strict=True):
        if "skip" in decision.name:
            assert float(row.softmax(0)[1].detach()) == pytest.approx(0.25, abs=0.02)


def test_a_skip_penalty_without_skip_connections_is_refused(space):
    with pytest.raises(SettingsError, match=rf"skip_weight must be 0 for space '{space.name}', which has no decisions"):
        Reinforce(skip_weight=0.8).bind(space, np.random.default_rng(0))


def updates(strategy, values):
    found = []
    for trial, value in enumerate(values, start=1):
        found += strategy.tell(trial, strategy.ask(), scored(value))
    return [event for event in found if isinstance(event, PolicyUpdated)]


@pytest.mark.parametrize("decay", [0.9, 0.0, 0.5])
def test_the_baseline_is_the_average_without_bias_and_takes_in_the_reward_first(space, controller, decay):
    """As in the code of NAS-Bench-201; so the first advantage is 0."""
    values = [0.3, 0.9, 0.1, 0.7, 0.7]
    strategy = Reinforce(controller=controller, hidden=3, baseline_decay=decay).bind(space, np.random.default_rng(0))
    found = updates(strategy, values)
    assert found[0].advantage == 0
    for count, event in enumerate(found, start=1):
        weights = [decay ** (count - place) for place in range(1, count + 1)]
        average = math.fsum(w * value for w, value in zip(weights, values, strict=False)) / math.fsum(weights)
        assert event.baseline == pytest.approx(average, rel=1e-12)
        assert event.reward == values[count - 1]
        assert event.advantage == pytest.approx(values[count - 1] - average, abs=1e-12)


def test_the_first_answer_moves_nothing_without_entropy(space, controller):
    strategy = Reinforce(controller=controller, hidden=3, entropy_weight=0.0).bind(space, np.random.default_rng(0))
    before = flat(strategy.policy)
    updates(strategy, [0.9])
    assert torch.equal(flat(strategy.policy), before)
    updates(strategy, [0.1])
    assert not torch.equal(flat(strategy.policy), before)


def test_a_failed_trial_teaches_nothing(space, controller):
    strategy = Reinforce(controller=controller, hidden=3).bind(space, np.random.default_rng(0))
    updates(strategy, [0.2, 0.8, 0.5])
    before, baseline = flat(strategy.policy), strategy.state_dict()["baseline"]
    step = {key: value["step"].clone() for key, value in strategy.optimizer.state_dict()["state"].items()}
    events = []
    for trial in range(4, 12):
        events += strategy.tell(trial, strategy.ask(), Failure("nan", "it was"))
    assert events == []
    assert torch.equal(flat(strategy.policy), before)
    assert strategy.state_dict()["baseline"] == baseline
    assert {key: value["step"] for key, value in strategy.optimizer.state_dict()["state"].items()} == step


def test_what_is_rewarded_becomes_more_probable(space, controller):
    """60 answers: 1 for one architecture and 0 for all others, told by turns."""
    every = list(space.enumerate())
    good, others = every[7], every[:7] + every[8:]
    strategy = Reinforce(controller=controller, hidden=8, learning_rate=0.05).bind(space, np.random.default_rng(0))

    def probability():
        with torch.no_grad():
            return float(strategy.policy.follow(good.choices).log_probability.exp())

    seen = [probability()]
    for turn in range(30):
        strategy.tell(2 * turn + 1, Proposal(good), scored(1.0))
        strategy.tell(2 * turn + 2, Proposal(others[turn % len(others)]), scored(0.0))
        seen.append(probability())
    assert seen[-1] > max(3 * seen[0], 0.5 if controller == "softmax" else 0.3)
    assert sum(after > before for before, after in pairwise(seen)) > 20


def test_it_shows_the_rows_of_its_most_probable_walk(space, controller):
    strategy = Reinforce(controller=controller, hidden=3).bind(space, np.random.default_rng(0))
    events = []
    for trial in range(1, 6):
        events += strategy.tell(trial, strategy.ask(), scored(trial / 5))
    (shown,) = [event for event in events if isinstance(event, DistributionUpdated)]
    rows = shown.groups["policy"]
    best = []
    for place, decision in enumerate(space.decisions):
        if not space.active(place, [*best, *[None] * len(space.decisions)]):
            best.append(None)
            assert decision.name not in rows
            continue
        row = rows[decision.name]
        assert list(row) == [str(option) for option in decision.options]
        assert math.fsum(row.values()) == pytest.approx(1, abs=1e-6)
        best.append(max(range(len(row)), key=list(row.values()).__getitem__))
    with torch.no_grad():
        walk = strategy.policy.follow(best)
    assert {space.decisions[place].name: row.tolist() for place, row in walk.rows.items()} == {
        name: list(row.values()) for name, row in rows.items()
    }


def test_the_defaults_are_those_of_the_papers():
    """Adam 0.01 and baseline 0.9 as the table of NAS-Bench-201 was recomputed; entropy 1e-4 as in ENAS."""
    defaults = Reinforce()
    assert (defaults.learning_rate, defaults.baseline_decay, defaults.entropy_weight) == (0.01, 0.9, 1e-4)
