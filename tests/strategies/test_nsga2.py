"""NSGA-II against its paper (Deb et al. 2002)."""

from collections import Counter
from itertools import product
from types import SimpleNamespace

import moocore
import numpy as np
import pytest
from scipy import stats

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


def played(population, trials, objectives, seed=0, violation=lambda architecture: 0.0, **settings):
    strategy = NSGA2(population=population, **settings).bind(SPACE, np.random.default_rng(seed))
    events = []
    for trial in range(1, trials + 1):
        proposal = strategy.ask()
        found = Evaluation({}, objectives(proposal.architecture), violation(proposal.architecture))
        events += strategy.tell(trial, proposal, found)
    return strategy, events


def told(points, violations, population):
    """The trials that survive of members with these objectives, one trial each."""
    strategy = NSGA2(population=population).bind(SPACE, np.random.default_rng(0))
    for trial, (point, violation) in enumerate(zip(points, violations, strict=True), start=1):
        strategy.tell(trial, strategy.ask(), Evaluation({}, point, violation))
    return {member.trial for member in strategy.parents}, strategy


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


# -- facts that a version without crowding, or without constraints, does not keep -----------------------------------

LINE = [(0.0, 10.0), (1.0, 9.0), (1.5, 8.5), (5.0, 5.0), (6.0, 4.0), (6.5, 3.5), (7.0, 3.0), (10.0, 0.0)]
"""One front. Room, as shares of the range, twice: ends infinite, then 0.15, 0.4, 0.45, 0.15, 0.1, 0.35."""


def test_of_one_front_those_with_most_room_survive():
    """Sec. III-C: N members and as many children that do not dominate each other; the four with most room stay."""
    assert crowding_distances(LINE)[1:-1] == pytest.approx([2 * room for room in (0.15, 0.4, 0.45, 0.15, 0.1, 0.35)])
    for turned in range(len(LINE)):  # whatever the order in which they came
        points = LINE[turned:] + LINE[:turned]
        survived, _ = told(points, [0.0] * len(points), population=4)
        assert {points[trial - 1] for trial in survived} == {LINE[0], LINE[2], LINE[3], LINE[7]}


def test_what_breaks_a_constraint_survives_only_after_what_keeps_it():
    """Sec. VI, Def. 1: first those that keep it, then those that break it less, whatever their objectives."""
    points = [(9.0, 9.0), (8.0, 8.0), (1.0, 0.0), (7.0, 7.0), (0.0, 1.0), (9.5, 9.5)]
    violations = [0.5, 0.2, 0.0, 0.1, 0.0, 2.0]
    assert told(points, violations, population=3)[0] == {3, 4, 5}
    assert told(points, [0.0] * 6, population=3)[0] != {3, 4, 5}


def test_parents_are_drawn_by_rank_and_then_by_room():
    """Sec. III-B, crowded comparison: by enumeration of all pairs in a binary tournament with replacement."""
    front, behind = LINE[:1] + LINE[2:4] + LINE[-1:], [(0.0, 9.0), (4.0, 4.0)]
    _, strategy = told(front + behind, [0.0] * 6, population=6)
    room = {1: 9.0, 2: 1.0, 3: 1.7, 4: 9.0, 5: -1.0, 6: -1.0}  # 9: infinite; below 0: the second front
    assert [crowding_distances(front)[place] for place in (1, 2)] == pytest.approx([1.0, 1.7])
    places = [member.trial for member in strategy.parents]
    expected = Counter()
    for one, other in product(places, repeat=2):
        best = max(room[one], room[other])
        expected[best] += 1 / 36
    asked = 6_000
    counts = Counter(room[strategy._tournament().trial] for _ in range(asked))
    groups = sorted(expected)
    assert (
        stats.chisquare([counts[group] for group in groups], [asked * expected[group] for group in groups]).pvalue
        > 1e-6
    )


# -- the front that it finds, by its hypervolume -----------------------------------------------------------------------

WORST = (-1.0, -97.0)
"""A reference point below the least that `two` gives."""
MOST = 12
"""The constraint: the sum of the choices is at most this."""


def too_many(architecture):
    return float(max(0, sum(architecture.choices) - MOST))


def hypervolume(points):
    """By moocore, of points of which all are to be maximised."""
    return moocore.hypervolume(np.array(list(points)), ref=WORST, maximise=True)


@pytest.fixture(scope="module")
def everything():
    """The objectives of all 15,625 architectures."""
    return {two(architecture) for architecture in SPACE.enumerate()}


def test_the_front_it_finds_is_almost_the_true_one(everything, monkeypatch):
    """With more members than the 25 points of the true front; without crowding (the control) it misses many."""
    best = hypervolume(everything)
    # For each sum of the choices the squares are least when the choices are even.
    even = [divmod(total, 6) for total in range(25)]
    true = {(6.0 * q + r, -(r * (q + 1) ** 2 + (6.0 - r) * q**2)) for q, r in even}
    assert hypervolume(true) == best
    assert all(any(dominates(one, point) for one in true) for point in everything - true)
    drawn = np.random.default_rng(0)
    random = hypervolume([two(SPACE.sample(drawn)) for _ in range(1_200)])
    found = hypervolume(member.objectives for member in played(30, 1_200, two)[0].parents)
    assert found <= best
    assert found > 0.99 * best > random
    monkeypatch.setattr("nbnas.strategies.nsga2.crowding_distances", lambda objectives: [0.0] * len(objectives))
    control = hypervolume(member.objectives for member in played(30, 1_200, two)[0].parents)
    assert control < 0.97 * best


def test_with_a_constraint_it_finds_the_front_of_what_keeps_it(everything, monkeypatch):
    """The control without constraint domination keeps what breaks the constraint."""
    best = hypervolume(point for point in everything if point[0] <= MOST)

    def kept():
        members = played(20, 800, two, violation=too_many)[0].parents
        return hypervolume(member.objectives for member in members if member.violation == 0), members

    found, members = kept()
    assert all(member.violation == 0 for member in members)
    assert 0.99 * best < found <= best
    monkeypatch.setattr("nbnas.strategies.nsga2.dominates", lambda one, other, violations: dominates(one, other))
    _, members = kept()
    assert any(member.violation > 0 for member in members)
