"""Real et al. 2019, Algorithm 1: what is born, what dies, and who becomes a parent."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from scipy import stats

from nbnas import spaces
from nbnas.errors import SettingsError
from nbnas.events import DistributionUpdated, Evaluation, PopulationUpdated
from nbnas.strategies import Failure, RegularizedEvolution

SPACE = spaces.nas_bench_201()
FALSE_ALARM = 1e-6
"""Of each chi-square test, were its draws not fixed by a seed."""


def bound(population, tournament, seed=0):
    return RegularizedEvolution(population=population, tournament=tournament).bind(SPACE, np.random.default_rng(seed))


def scored(value):
    return Evaluation({"valid_accuracy": value}, (value,))


def grown(population, tournament, fitness, seed=0):
    """A strategy that was told of as many first members as it wants."""
    strategy = bound(population, tournament, seed)
    for trial, value in enumerate(fitness, start=1):
        strategy.tell(trial, strategy.ask(), scored(value))
    return strategy


def change(events):
    (found,) = [event for event in events if isinstance(event, PopulationUpdated)]
    return found


def test_ageing_kills_the_oldest_even_when_it_is_the_best():
    strategy = grown(3, 2, [0.9, 0.1, 0.5])
    died = []
    for trial, value in [(4, 0.05), (5, 0.99), (6, 0.2), (7, 0.3), (8, 0.4)]:
        event = change(strategy.tell(trial, strategy.ask(), scored(value)))
        assert event.born == ((trial, value),)
        died += event.died
    assert died == [1, 2, 3, 4, 5]  # 1 was the best ever when it died, and so was 5


def test_the_population_grows_to_its_size_and_stays():
    strategy = bound(4, 2)
    alive: dict[int, float] = {}
    for trial in range(1, 20):
        event = change(strategy.tell(trial, strategy.ask(), scored(trial % 5 / 5)))
        alive |= dict(event.born)
        for dead in event.died:
            del alive[dead]
        assert len(alive) == min(trial, 4)


def test_the_first_members_are_random_and_all_others_are_mutated_children():
    strategy = bound(5, 2)
    of = {}
    for trial in range(1, 40):
        proposal = strategy.ask()
        if trial <= 5:
            assert (proposal.parents, proposal.operator) == ((), "sample")
        else:
            (parent,) = proposal.parents
            assert proposal.operator == "mutation"
            assert trial - 5 <= parent < trial  # one that is alive
            assert proposal.architecture in set(SPACE.neighbours(of[parent]))
        of[trial] = proposal.architecture
        strategy.tell(trial, proposal, scored((trial * 7 % 11) / 11))


@pytest.mark.parametrize(("population", "tournament"), [(3, 2), (3, 3), (4, 3), (4, 1)])
def test_the_tournament_draws_with_replacement(population, tournament):
    """The parent's distribution, by enumeration of all P^S equally likely draws.

    Without replacement a tournament as large as the population would take the best always.
    """
    fitness = [0.4, 0.1, 0.3, 0.2][:population]
    expected = Counter()
    for drawn in product(range(population), repeat=tournament):
        expected[max(drawn, key=lambda member: fitness[member]) + 1] += 1
    strategy = grown(population, tournament, fitness)
    asked = 6_000
    counts = Counter(strategy.ask().parents[0] for _ in range(asked))
    assert set(counts) <= set(expected)
    share = asked / population**tournament
    assert stats.chisquare(
        [counts[trial] for trial in expected], [count * share for count in expected.values()]
    ).pvalue > FALSE_ALARM  # fmt: skip


def test_a_tournament_of_one_is_random_and_a_large_one_takes_the_best_mostly():
    strategy = grown(10, 10, [place / 10 for place in range(10)])
    counts = Counter(strategy.ask().parents[0] for _ in range(3_000))
    assert abs(counts[10] / 3_000 - (1 - 0.9**10)) < 0.05


def test_a_failed_trial_never_becomes_a_member():
    strategy = grown(3, 3, [0.1, 0.2, 0.3])
    before = strategy.state_dict()["population"]
    for trial in range(4, 20):
        assert not [
            event
            for event in strategy.tell(trial, strategy.ask(), Failure("nan", "it was"))
            if isinstance(event, PopulationUpdated)
        ]
    assert strategy.state_dict()["population"] == before
    assert {strategy.ask().parents[0] for _ in range(100)} == {1, 2, 3}


def test_when_all_first_trials_fail_it_goes_on_drawing():
    strategy = bound(3, 2)
    for trial in range(1, 50):
        proposal = strategy.ask()
        assert proposal.operator == "sample"
        strategy.tell(trial, proposal, Failure("error", "again"))


def test_what_it_shows_are_the_frequencies_of_the_living():
    strategy = grown(5, 2, [0.1, 0.2, 0.3, 0.4])
    (shown,) = [
        event for event in strategy.tell(5, strategy.ask(), scored(0.5)) if isinstance(event, DistributionUpdated)
    ]
    members = [SPACE.architecture(text) for _, text, _ in strategy.state_dict()["population"]]
    assert len(members) == 5
    for place, decision in enumerate(SPACE.decisions):
        for choice, option in enumerate(decision.options):
            expected = sum(member.choices[place] == choice for member in members) / 5
            assert shown.groups["population"][decision.name][option] == pytest.approx(expected)


def test_frequencies_count_only_those_in_which_a_decision_is_active():
    space = spaces.chain(max_depth=2, max_dense=0)
    strategy = RegularizedEvolution(population=30, tournament=2).bind(space, np.random.default_rng(0))
    shown = []
    for trial in range(1, 31):
        shown += strategy.tell(trial, strategy.ask(), scored(0.5))
    rows = [event for event in shown if isinstance(event, DistributionUpdated)][-1].groups["population"]
    members = [space.architecture(text) for _, text, _ in strategy.state_dict()["population"]]
    deep = [member.choices[5] for member in members if member.choices[5] is not None]
    assert 0 < len(deep) < 30
    assert rows["layer_2/kind"] == {"conv": deep.count(0) / len(deep), "pool": deep.count(1) / len(deep)}


def test_children_of_several_trials_at_once_become_members_in_the_order_of_their_answers():
    strategy = grown(3, 2, [0.1, 0.2, 0.3])
    proposals = {trial: strategy.ask() for trial in (4, 5, 6)}
    died = [change(strategy.tell(trial, proposals[trial], scored(0.5))).died for trial in (6, 4, 5)]
    assert died == [(1,), (2,), (3,)]
    assert [trial for trial, _, _ in strategy.state_dict()["population"]] == [6, 4, 5]


def test_a_tournament_larger_than_the_population_is_refused():
    with pytest.raises(SettingsError, match=r"tournament must be in 1\.\.population \(100\), got 250.*Lower it"):
        RegularizedEvolution(population=100, tournament=250)


def test_several_objectives_are_refused_with_a_remedy():
    strategy = bound(3, 2)
    with pytest.raises(SettingsError, match=r"objectives must be exactly one for this strategy, got 2\. Combine"):
        strategy.tell(1, strategy.ask(), Evaluation({}, (0.5, 0.6)))
