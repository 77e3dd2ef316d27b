"""Deb et al. 2002, Sec. III-C: the crowded comparison, in survival and in the tournament."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
from scipy import stats

from nbnas.events import Evaluation
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.strategies import NSGA2

SPACE = SearchSpace("cells", CellNetwork(nodes=4, channels=2, cells=1))
FALSE_ALARM = 1e-6
"""Of a chi-square test, were its draws not fixed by a seed."""


def grown(points, population):
    """A strategy that was told the points, one a trial."""
    strategy = NSGA2(population=population, crossover_rate=0.0).bind(SPACE, np.random.default_rng(0))
    for trial, point in enumerate(points, start=1):
        strategy.tell(trial, strategy.ask(), Evaluation({}, point))
    return strategy


def test_of_a_front_that_does_not_fit_the_least_crowded_survive():
    """Eight on one front with room for four: both ends, and the two with the widest gaps around them."""
    first = [0.0, 0.1, 0.2, 0.3, 0.35, 0.6, 0.9, 1.0]
    order = [3, 0, 4, 1, 6, 2, 7, 5]  # what survives does not stand first
    strategy = grown([(first[place], 1 - first[place]) for place in order], 4)
    assert sorted(member.objectives[0] for member in strategy.parents) == [0.0, 0.6, 0.9, 1.0]


def test_the_tournament_is_won_by_rank_and_then_by_room():
    """The parent's distribution, by enumeration of all pairs, of which the better one wins."""
    points = [(0.0, 1.0), (0.4, 0.6), (0.5, 0.5), (1.0, 0.0), (0.3, 0.3), (0.2, 0.2)]
    strategy = grown(points, 6)
    # From the best: the ends of the first front, then (0.5, 0.5) with a room of 1.2 and (0.4, 0.6) with 1.0, then what
    # is dominated, front by front.
    places = {1: 0, 4: 0, 3: 1, 2: 2, 5: 3, 6: 4}
    expected: Counter[int] = Counter()
    for one, other in product(places, repeat=2):
        best = min(places[one], places[other])
        winners = {trial for trial in (one, other) if places[trial] == best}
        expected.update({trial: 1 / len(winners) for trial in winners})
    asked = 6_000
    counts = Counter(strategy.ask().parents[0] for _ in range(asked))
    observed = [counts[trial] for trial in places]
    assert stats.chisquare(observed, [expected[trial] * asked / 36 for trial in places]).pvalue > FALSE_ALARM


def test_ranks_are_those_of_the_fronts():
    strategy = grown([(0.3, 0.3), (0.0, 1.0), (0.2, 0.2), (1.0, 0.0), (0.4, 0.6), (0.5, 0.5)], 6)
    ranks = {member.trial: rank for member, (rank, _) in zip(strategy.parents, strategy._order, strict=True)}
    assert ranks == {1: 1, 2: 0, 3: 2, 4: 0, 5: 0, 6: 0}
