"""NSGA-II against its paper (Deb et al. 2002)."""

from types import SimpleNamespace

import numpy as np
import pytest

from nbnas.errors import SettingsError
from nbnas.events import Evaluation, PopulationUpdated
from nbnas.front import dominates
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.strategies import NSGA2
from nbnas.strategies.nsga2 import crowding_distances, non_dominated_fronts
from nbnas.testing import check_strategy

SPACE = SearchSpace("cells", CellNetwork(nodes=4, channels=2, cells=1))


def members(points, violations=None):
    violations = violations or [0.0] * len(points)
    return [
        SimpleNamespace(objectives=point, violation=violation)
        for point, violation in zip(points, violations, strict=True)
    ]


def test_it_keeps_the_promises_of_a_strategy():
    check_strategy(NSGA2(population=4))


def test_fronts_are_peeled_one_after_the_other():
    """Sec. III-A: front k is what is not dominated once the fronts before it are taken away."""
    rng = np.random.default_rng(0)
    points = [tuple(map(float, row)) for row in rng.integers(0, 9, size=(60, 3))]
    left = list(range(len(points)))
    wanted = []
    while left:
        wanted.append([one for one in left if not any(dominates(points[other], points[one]) for other in left)])
        left = [one for one in left if one not in wanted[-1]]
    assert non_dominated_fronts(members(points)) == wanted
    assert len(wanted) > 3


def test_crowding_is_the_sum_of_the_gaps_between_neighbours():
    """Sec. III-B: (0.5 - 0) + (1 - 0.4) for the middle one, and so on; the ends are infinite."""
    points = [(0.0, 1.0), (0.2, 0.6), (0.5, 0.4), (1.0, 0.0)]
    distances = crowding_distances(points)
    assert distances[0] == distances[3] == float("inf")
    assert distances[1:3] == pytest.approx([0.5 + 0.6, 0.8 + 0.6])


def test_what_keeps_the_constraints_comes_first():
    fronts = non_dominated_fronts(members([(9.0, 9.0), (0.0, 0.0), (5.0, 5.0)], [0.3, 0.0, 0.1]))
    assert fronts == [[1], [2], [0]]


def played(population, trials, objectives, seed=0, **settings):
    strategy = NSGA2(population=population, **settings).bind(SPACE, np.random.default_rng(seed))
    events = []
    for trial in range(1, trials + 1):
        proposal = strategy.ask()
        events += strategy.tell(trial, proposal, Evaluation({}, objectives(proposal.architecture)))
    return strategy, events


def two(architecture):
    """Two objectives that pull in opposite directions, and one decision that serves neither."""
    choices = architecture.choices
    return float(sum(choices)), float(-sum(choice**2 for choice in choices))


def test_survival_takes_whole_fronts_and_then_the_least_crowded():
    strategy, _ = played(8, 40, two)
    before = list(strategy.parents)
    for trial in range(41, 48):
        proposal = strategy.ask()
        strategy.tell(trial, proposal, Evaluation({}, two(proposal.architecture)))
    pool = before + strategy.children
    proposal = strategy.ask()
    strategy.tell(48, proposal, Evaluation({}, two(proposal.architecture)))
    pool.append(SimpleNamespace(trial=48, objectives=two(proposal.architecture), violation=0.0))
    kept = {member.trial for member in strategy.parents}
    assert len(kept) == 8
    for front in non_dominated_fronts(pool):
        inside = [pool[place].trial in kept for place in front]
        if not all(inside):
            distances = crowding_distances([pool[place].objectives for place in front])
            taken = [distance for distance, there in zip(distances, inside, strict=True) if there]
            out = [distance for distance, there in zip(distances, inside, strict=True) if not there]
            assert not taken or min(taken) >= max(out)
            break


def test_elitism_no_member_of_the_first_front_is_lost_to_a_worse_one():
    """Sec. III-C: the best front never falls back."""
    strategy, _ = played(6, 6, two)
    best = [member.objectives for member in strategy.parents]
    for trial in range(7, 67):
        proposal = strategy.ask()
        strategy.tell(trial, proposal, Evaluation({}, two(proposal.architecture)))
        now = [member.objectives for member in strategy.parents]
        assert not any(dominates(old, new) for old in best for new in [max(now)])
        best = now


def test_children_name_their_parents_and_how_they_came_about():
    strategy, _ = played(4, 4, two)
    proposals = [strategy.ask() for _ in range(40)]
    assert {proposal.operator for proposal in proposals} == {"crossover + mutation", "mutation"}
    assert all(len(proposal.parents) == (2 if "crossover" in proposal.operator else 1) for proposal in proposals)
    trials = {member.trial for member in strategy.parents}
    assert all(set(proposal.parents) <= trials for proposal in proposals)


def test_the_population_that_is_shown_is_the_population():
    strategy, events = played(5, 30, two)
    alive = {}
    for event in events:
        if isinstance(event, PopulationUpdated):
            alive |= dict(event.born)
            for trial in event.died:
                del alive[trial]
    assert alive == {member.trial: member.objectives[0] for member in strategy.parents}


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"population": 1}, "population must be >= 2"), ({"crossover_rate": 0, "mutation_rate": 0}, "mutation_rate must")],
)
def test_bad_settings(settings, said):
    with pytest.raises(SettingsError, match=said):
        NSGA2(**settings)
