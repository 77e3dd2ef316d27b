"""Counting without enumerating, and where it gives up."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbnas.errors import SpaceError
from nbnas.spaces import Choice, Head, Network, SearchSpace, Stem
from nbnas.spaces.counting import TooEntangled, count


@st.composite
def problems(draw):
    counts = draw(st.lists(st.integers(1, 3), max_size=6))
    when = []
    for place in range(len(counts)):
        needs = []
        for _ in range(draw(st.integers(0, 2)) if place else 0):
            parents = draw(st.lists(st.integers(0, place - 1), min_size=1, max_size=2))
            needs.append([(one, draw(st.frozensets(st.integers(0, counts[one] - 1)))) for one in parents])
        when.append(needs)
    return counts, when


@given(problems())
def test_it_counts_what_can_be_chosen(problem):
    """Against trying all combinations, with `None` for what is not active."""
    counts, when = problem
    found = 0
    for choices in itertools.product(*(range(-1, number) for number in counts)):
        active = [all(any(choices[one] in allowed for one, allowed in either) for either in needs) for needs in when]
        found += all((choice >= 0) == there for choice, there in zip(choices, active, strict=True))
    assert count(counts, when) == found


def test_alike_options_are_one_case():
    """64 depths of which each later layer asks: 64 cases, and not 2^64."""
    depths = 64
    when = [[], *([[(0, frozenset(range(place, depths)))]] for place in range(depths))]
    assert count([depths] + [2] * depths, when) == sum(2 ** (depth + 1) for depth in range(depths))


def test_entangled_conditions_are_given_up_soon():
    """40 coins, each needed by one of 40 later decisions: 2^40 cases would be open at a time."""
    when = [[] for _ in range(40)] + [[[(coin, frozenset({1}))]] for coin in range(40)]
    with pytest.raises(TooEntangled):
        count([2] * 80, when)
    # The control: the same conditions, each asked at once, are easy: 2 decisions have 1 + 2 ways.
    near = [needs for coin in range(40) for needs in ([], [[(2 * coin, frozenset({1}))]])]
    assert count([2] * 80, near) == 3**40


def test_a_space_that_cannot_be_counted_is_refused_with_the_place():
    coins = [Stem(4, kernel=Choice(1, 3), name=f"coin_{place}") for place in range(20)]
    users = [
        Stem(4, kernel=Choice(1, 3, when={f"/coin_{place}/kernel": [3]}), name=f"user_{place}") for place in range(20)
    ]
    said = r"^/component/parts/\d+/kernel: conditions must be such that .*at most 20,000 .*got more at decision 'coin_"
    with pytest.raises(SpaceError, match=said):
        SearchSpace("knot", Network((*coins, *users, Head())))
