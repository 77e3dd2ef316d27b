"""What stands between two architectures, decision by decision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbnas import spaces
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.spaces.decision import Decision
from nbnas.strategies.option_distances import OptionDistances, _table, positions

PLAIN = SearchSpace("plain", CellNetwork(3, ("none", "skip", "conv_1x1")))
CHAIN = spaces.chain(max_depth=3)


def test_of_categories_the_weighted_sum_is_the_weighted_hamming_distance():
    """Hutter et al. 2011, Sec. 4: each decision that differs adds its weight."""
    distances, weights = OptionDistances(PLAIN), np.array([0.5, 2.0, 7.0])
    every = list(PLAIN.enumerate())
    codes = distances.codes(every)
    found = distances.weighted(codes, codes, weights)
    for row, one in enumerate(every):
        for column, other in enumerate(every):
            differ = np.array(one.choices) != np.array(other.choices)
            assert found[row, column] == pytest.approx(weights[differ].sum())


def test_decisions_that_are_inactive_in_both_are_equal_and_in_one_differ_by_the_same():
    distances = OptionDistances(CHAIN)
    shallow, deep = (CHAIN.sample(np.random.default_rng(seed)) for seed in (0, 1))
    assert [one is None for one in shallow.choices] != [one is None for one in deep.choices]
    codes = distances.codes([shallow, deep])
    for column, place in enumerate(distances.places):
        one, other = shallow.choices[place], deep.choices[place]
        weight = np.eye(len(distances.places))[column]
        found = distances.weighted(codes[:1], codes[1:], weight).item()
        if one is None and other is None:
            assert found == 0
        elif (one is None) != (other is None):
            assert found == 1 if not CHAIN.decisions[place].ordered else 0.75 <= found <= 1
        else:
            assert (found == 0) == (one == other)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((1, 2, 3, 4, 5), [0, 0.25, 0.5, 0.75, 1]),
        ((16, 32, 64, 256), [0, 0.25, 0.5, 1]),
        ((0.0, 0.5, 2.0), [0, 0.25, 1]),
        ((1e-4, 1e-3, 1e-2), [0, 0.5, 1]),
        ((3, 9), [0, 1]),
    ],
)
def test_a_quantity_is_measured_on_the_scale_on_which_its_steps_are_more_even(options, expected):
    assert positions(options) == pytest.approx(expected)


def test_a_quantity_has_squared_distances_of_its_scale_and_a_category_has_none():
    steps = _table(Decision("width", (8, 16, 32), ordered=True))
    assert steps[:3, :3] == pytest.approx(np.array([[0, 0.25, 1], [0.25, 0, 0.25], [1, 0.25, 0]]))
    assert steps[3] == pytest.approx([1, 0.75, 1, 0])
    assert _table(Decision("width", (8, 16, 32))) == pytest.approx(1 - np.eye(4))


@given(options=st.lists(st.integers(-1000, 1000), min_size=2, max_size=8, unique=True), ordered=st.booleans())
def test_distances_are_those_of_points(options, ordered):
    """Centred twice, squared distances of points have no negative eigenvalue: kernels on them are positive definite."""
    table = _table(Decision("one", tuple(sorted(options)), ordered=ordered))
    middle = np.eye(len(table)) - 1 / len(table)
    assert np.linalg.eigvalsh(-middle @ table @ middle).min() > -1e-9
    assert table.max() <= 1 + 1e-12


def test_pairs_are_the_upper_triangle():
    distances = OptionDistances(CHAIN)
    codes = distances.codes([CHAIN.sample(np.random.default_rng(seed)) for seed in range(6)])
    for column, pairs in enumerate(distances.of_pairs(codes)):
        whole = distances.weighted(codes, codes, np.eye(len(distances.tables))[column])
        assert pairs == pytest.approx(whole[np.triu_indices(6, 1)])
