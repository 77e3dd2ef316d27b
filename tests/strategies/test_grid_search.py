"""Grid search: each architecture once, whatever the order."""

from __future__ import annotations

from collections import Counter
from itertools import islice, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nbnas import spaces
from nbnas.errors import SettingsError
from nbnas.events import Evaluation
from nbnas.measuring import measure
from nbnas.spaces import CellNetwork, Limit, SearchSpace
from nbnas.strategies import Done, GridSearch
from nbnas.strategies.grid_search import Ranking, _GridSearch, shuffled

PLAIN = SearchSpace("plain", CellNetwork(3, ("none", "skip", "conv_1x1")))
CONDITIONAL = spaces.chain(max_depth=2)
"""1,050 architectures of different numbers of decisions."""
SMALL = spaces.chain(2, 1, widths=(4, 8), kernels=(3,), dense_widths=(8,), activations=("relu",))
LIMITED = SearchSpace("limited", SMALL.component, limits=[Limit("parameters", maximum=1_000, input_shape=(1, 8, 8))])
FALSE_ALARM = 1e-6
SPACES = pytest.mark.parametrize("space", [PLAIN, CONDITIONAL, LIMITED], ids=lambda space: space.name)


def bound(space, seed=0, kind=_GridSearch, **settings):
    return kind(GridSearch(**settings), space, np.random.default_rng(seed))


def visited(strategy):
    found = []
    while not isinstance(proposal := strategy.ask(), Done):
        found.append(proposal.architecture)
        assert strategy.tell(len(found), proposal, Evaluation({}, (0.0,))) == ()
    assert isinstance(strategy.ask(), Done)
    return found


def check_lexicographic(space, kind=_GridSearch):
    # Compared apart from `assert`, which would explain the difference of long lists for minutes.
    same = visited(bound(space, kind=kind)) == list(space.enumerate())
    assert same


def check_shuffled(space, kind=_GridSearch):
    expected = list(space.enumerate())
    one, again, other = (visited(bound(space, seed, kind, order="shuffled")) for seed in (0, 0, 1))
    complete = set(one) == set(other) == set(expected)
    assert complete
    assert len(one) == len(other) == len(expected)
    repeated = one == again
    assert repeated
    assert len({tuple(map(str, order)) for order in (one, other, expected)}) == 3


@SPACES
def test_lexicographic_order_is_that_of_the_enumeration(space):
    check_lexicographic(space)


@SPACES
def test_shuffled_is_each_architecture_once_in_an_order_of_the_seed(space):
    check_shuffled(space)


def test_limited_space_is_a_part_of_the_other():
    inside = set(map(str, LIMITED.enumerate()))
    everything = {str(one): measure(SMALL, one, LIMITED.limits[0]) for one in SMALL.enumerate()}
    assert inside == {text for text, cost in everything.items() if cost <= 1_000}
    assert 0 < len(inside) < len(everything)


@given(size=st.integers(1, 300), key=st.integers(0, 2**63 - 1))
def test_shuffling_is_a_permutation(size, key):
    assert sorted(shuffled(position, size, key) for position in range(size)) == list(range(size))


def test_every_permutation_is_about_as_likely():
    rng = np.random.default_rng(0)
    keys = [int(key) for key in rng.integers(2**63, size=6_000)]
    counts = Counter(tuple(shuffled(position, 3, key) for position in range(3)) for key in keys)
    assert stats.chisquare([counts[order] for order in permutations(range(3))]).pvalue > FALSE_ALARM
    pairs = Counter((shuffled(0, 10, key), shuffled(1, 10, key)) for key in keys)
    assert stats.chisquare([pairs[pair] for pair in permutations(range(10), 2)]).pvalue > FALSE_ALARM


def test_a_huge_space_is_walked_without_making_it():
    space = spaces.chain(max_depth=8)
    ranking = Ranking(space)
    assert ranking.size == space.size > 10**9
    assert [ranking.architecture(rank) for rank in range(300)] == list(islice(space.enumerate(), 300))
    ranks = sorted({int(rank) for rank in np.random.default_rng(0).integers(space.size, size=300)})
    made = [ranking.architecture(rank) for rank in ranks]
    for architecture in made:
        space.validate(architecture)
    assert made == sorted(made, key=lambda one: tuple(-1 if choice is None else choice for choice in one.choices))
    assert len(set(made)) == len(ranks)
    strategy = bound(space, order="shuffled", most=10**15)
    assert len({strategy.ask().architecture for _ in range(100)}) == 100


@pytest.mark.parametrize("order", ["lexicographic", "shuffled"])
def test_it_goes_on_where_it_was(order):
    strategy = bound(CONDITIONAL, order=order)
    first = [strategy.ask().architecture for _ in range(400)]
    later = bound(CONDITIONAL, seed=5, order=order)
    later.load_state_dict(strategy.state_dict())
    assert set(first + visited(later)) == set(CONDITIONAL.enumerate())
    assert len(first) + len(visited(strategy)) == 1_050


def test_a_space_that_is_too_large_is_refused_with_a_remedy():
    said = (
        r"space must have at most 100 architectures \(most\) for a grid search, got 1,050; .*raise most, or use Random"
    )
    with pytest.raises(SettingsError, match=said) as caught:
        GridSearch(most=100).bind(CONDITIONAL, np.random.default_rng(0))
    assert caught.value.field == "most"
    with pytest.raises(SettingsError, match="at most 1,000,000 architectures"):
        GridSearch().bind(spaces.chain(max_depth=8), np.random.default_rng(0))
    assert len(visited(GridSearch(most=1_050).bind(CONDITIONAL, np.random.default_rng(0)))) == 1_050


def test_bad_settings():
    with pytest.raises(SettingsError, match="order must be one of lexicographic, shuffled"):
        GridSearch(order="sideways")


class SkipsTheFirst(_GridSearch):
    def __init__(self, *given):
        super().__init__(*given)
        self.position = 1


class DrawsAnew(_GridSearch):
    """As long as the grid, but drawn with replacement."""

    def ask(self):
        found = super().ask()
        drawn = np.random.default_rng(self.position).integers(self._ranking.size)
        return found if isinstance(found, Done) else type(found)(self._ranking.architecture(int(drawn)))


@pytest.mark.parametrize("kind", [SkipsTheFirst, DrawsAnew])
@pytest.mark.parametrize("check", [check_lexicographic, check_shuffled])
def test_broken_ones_are_seen(check, kind):
    with pytest.raises(AssertionError):
        check(CONDITIONAL, kind)
