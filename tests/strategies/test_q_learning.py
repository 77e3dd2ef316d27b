"""Q-learning against Baker et al. 2017."""

from __future__ import annotations

import numpy as np
import pytest

from nbnas import spaces
from nbnas.events import Evaluation, ValuesUpdated
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.strategies import Proposal, QLearning

SPACE = SearchSpace("three edges", CellNetwork(nodes=3, operations=("none", "skip", "conv_1x1")))


def scored(value):
    return Evaluation({"valid_accuracy": value}, (value,))


def bound(space=SPACE, seed=0, **settings):
    return QLearning(**settings).bind(space, np.random.default_rng(seed))


def test_the_schedule_is_that_of_table_2():
    settings = QLearning()
    counts = {}
    for trial in range(2700):
        counts[settings.epsilon(trial)] = counts.get(settings.epsilon(trial), 0) + 1
    assert counts == {1.0: 1500, 0.9: 100, 0.8: 100, 0.7: 100, **{step / 10: 150 for step in range(6, 0, -1)}}
    short = QLearning(trials=27)
    assert [short.epsilon(trial) for trial in (0, 14, 15, 16, 17, 18, 19, 26, 99)] == [
        1.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.6, 0.1, 0.1
    ]  # fmt: skip


def test_one_update_is_equation_3_from_the_last_choice_to_the_first():
    """The last choice moves towards the reward, each before it towards the largest Q of what follows."""
    strategy = bound(replay=0, learning_rate=0.5, discount=0.9, initial=0.5)
    architecture = SPACE.architecture("1-2-0")
    strategy.tell(1, Proposal(architecture), scored(0.9))
    third = 0.5 + 0.5 * (0.9 - 0.5)
    second = 0.5 + 0.5 * (0.9 * third - 0.5)
    first = 0.5 + 0.5 * (0.9 * max(second, 0.5) - 0.5)
    rows = {
        "edge_0_1|": [0.5, first, 0.5],
        "edge_0_2|edge_0_1=skip": [0.5, 0.5, second],
        "edge_1_2|edge_0_2=conv_1x1": [third, 0.5, 0.5],
    }
    assert strategy.q == {name: pytest.approx(row) for name, row in rows.items()}


def test_the_target_is_the_best_that_can_follow_not_what_did_follow():
    """Off policy: after a good and a bad ending of one beginning, the beginning is worth the good one."""
    strategy = bound(replay=0, learning_rate=1.0, initial=0.0)
    strategy.tell(1, Proposal(SPACE.architecture("1-2-0")), scored(0.9))
    strategy.tell(2, Proposal(SPACE.architecture("1-2-1")), scored(0.1))
    assert strategy.q["edge_1_2|edge_0_2=conv_1x1"] == [0.9, 0.1, 0.0]
    assert strategy.q["edge_0_2|edge_0_1=skip"][2] == 0.9
    assert strategy.q["edge_0_1|"][1] == 0.9


def test_a_terminal_choice_is_worth_its_reward_alone_and_no_other_is_rewarded():
    """Nothing follows the last choice; with discount 0 nothing of the reward arrives before it."""
    strategy = bound(replay=0, learning_rate=1.0, discount=0.0, initial=0.5)
    strategy.tell(1, Proposal(SPACE.architecture("1-2-0")), scored(0.9))
    assert strategy.q["edge_1_2|edge_0_2=conv_1x1"][0] == 0.9
    assert strategy.q["edge_0_2|edge_0_1=skip"][2] == 0.0
    assert strategy.q["edge_0_1|"][1] == 0.0


def test_the_last_choice_of_a_shorter_architecture_is_terminal_too():
    """Where decisions are conditional, the reward comes with the last active one: Q(s, a) = reward at rate 1."""
    space = spaces.chain(2, 1, widths=(4, 8), kernels=(3,), dense_widths=(8,), activations=("relu",))
    for architecture in space.enumerate():
        strategy = bound(space, replay=0, learning_rate=1.0, initial=0.0)
        strategy.tell(1, Proposal(architecture), scored(0.7))
        active = [place for place, choice in enumerate(architecture.choices) if choice is not None]
        assert len(strategy.q) == len(active)
        for place in active:
            row = strategy.q[space.state(place, architecture.choices)]
            assert row[architecture.choices[place]] == 0.7
            assert sum(row) == 0.7


def test_the_replay_draws_uniformly_from_all_of_the_past(monkeypatch):
    """Algorithm 1: so many architectures after each trial, with replacement, the new one among them."""
    strategy = bound(replay=300)
    learnt = []
    monkeypatch.setattr(strategy, "_learn", lambda architecture, reward: learnt.append(str(architecture)))
    for trial, text in enumerate(("0-0-0", "1-0-0", "2-0-0"), start=1):
        learnt.clear()
        strategy.tell(trial, Proposal(SPACE.architecture(text)), scored(0.5))
        assert learnt[0] == text
        assert len(learnt) == 301
    counts = [learnt[1:].count(text) for text in ("0-0-0", "1-0-0", "2-0-0")]
    assert sum(counts) == 300
    assert min(counts) > 60  # five standard deviations below 100


def test_the_defaults_are_those_of_the_published_code():
    """Q learning rate 0.01, discount 1, Q 0.5 at the start, 128 architectures a replay; 2,700 models."""
    made = QLearning()
    assert (made.learning_rate, made.discount, made.initial) == (0.01, 1.0, 0.5)
    assert (made.replay, made.trials) == (128, 2700)


def test_with_epsilon_0_it_takes_the_highest_value_and_with_1_anything():
    strategy = bound(replay=0, learning_rate=1.0, initial=0.0)
    best = SPACE.architecture("2-1-1")
    strategy.tell(1, Proposal(best), scored(0.9))
    rng = np.random.default_rng(3)
    assert {strategy._walk(rng, 0.0) for _ in range(20)} == {best}
    assert len({strategy._walk(rng, 1.0) for _ in range(600)}) == SPACE.size
    half = [strategy._walk(rng, 0.5) for _ in range(3000)]
    # Each of the three choices is the greedy one with 0.5 + 0.5 / 3, since where it strayed all values are equal.
    first = sum(one.choices[0] == 2 for one in half) / len(half)
    assert first == pytest.approx(0.5 + 0.5 / 3, abs=0.03)


def test_replay_learns_the_past_again():
    once = bound(replay=0, learning_rate=0.1)
    often = bound(replay=50, learning_rate=0.1)
    for strategy in (once, often):
        strategy.tell(1, Proposal(SPACE.architecture("0-0-0")), scored(1.0))
    assert often.q["edge_1_2|edge_0_2=none"][0] == pytest.approx(1 - 0.5 * 0.9**51)
    assert once.q["edge_1_2|edge_0_2=none"][0] == pytest.approx(1 - 0.5 * 0.9)


def test_what_was_tried_is_not_tried_again_while_there_is_anything_else():
    strategy = bound(trials=1000)
    asked = [str(strategy.ask().architecture) for _ in range(20)]
    assert len(set(asked)) == 20


def test_it_shows_its_values_and_its_policy():
    strategy = bound(trials=10, replay=2)
    events = []
    for trial in range(1, 11):
        proposal = strategy.ask()
        events += strategy.tell(trial, proposal, scored(trial / 10))
    values = [event for event in events if isinstance(event, ValuesUpdated)]
    assert [event.step for event in values] == [5, 10]
    assert values[-1].rows["edge_0_1"] == dict(zip(("none", "skip", "conv_1x1"), strategy.q["edge_0_1|"], strict=True))


def test_it_finds_the_best_when_epsilon_has_fallen():
    rng = np.random.default_rng(0)
    worth = {str(one): float(value) for one, value in zip(SPACE.enumerate(), rng.random(SPACE.size), strict=True)}
    strategy = bound(trials=60, learning_rate=0.2, replay=64)
    for trial in range(1, 61):
        proposal = strategy.ask()
        strategy.tell(trial, proposal, scored(worth[str(proposal.architecture)]))
    greedy = strategy._walk(np.random.default_rng(0), 0.0)
    assert worth[str(greedy)] >= sorted(worth.values())[-3]
