"""Drawing, mutation, crossover and neighbours: exactly what they may do, and how often."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nbnas import spaces
from nbnas.errors import SpaceError
from nbnas.spaces import CellNetwork, Component, Condition, Decision, SearchSpace
from nbnas.spaces.component import COMPONENTS

NB201 = spaces.nas_bench_201()
CHAIN = spaces.chain(max_depth=3, max_dense=2)
TINY = spaces.chain(max_depth=2, max_dense=1, widths=(4, 8), kernels=(3,), dense_widths=(8,), activations=("relu",))
"""24 architectures, of which every neighbour can be looked at; kernel and activation have one option."""

FALSE_ALARM = 1e-6
"""Of each chi-square test, were its draws not fixed by a seed."""

some_space = st.sampled_from([NB201, CHAIN, TINY])
some_seed = st.integers(0, 2**32 - 1)


def open_and_active(space, architecture):
    return [
        place
        for place, choice in enumerate(architecture.choices)
        if choice is not None and len(space.decisions[place].options) > 1
    ]


def first_difference(one, other):
    pairs = enumerate(zip(one.choices, other.choices, strict=True))
    return next(place for place, (before, after) in pairs if before != after)


@settings(deadline=None, max_examples=200)
@given(some_space, some_seed)
def test_samples_belong_to_the_space(space, seed):
    architecture = space.sample(np.random.default_rng(seed))
    space.validate(architecture)
    for place, choice in enumerate(architecture.choices):
        assert (choice is None) == (not active_by_name(space, architecture, place))


def active_by_name(space, architecture, place):
    """By the conditions as they are written, without the indices that a space makes of them."""
    chosen = {
        decision.name: decision.options[choice]
        for decision, choice in zip(space.decisions, architecture.choices, strict=True)
        if choice is not None
    }
    return all(
        rule.decision in chosen and chosen[rule.decision] in rule.options for rule in space.decisions[place].when
    )


@settings(deadline=None, max_examples=300)
@given(some_space, some_seed)
def test_mutation_changes_one_active_decision_and_those_it_activates(space, seed):
    rng = np.random.default_rng(seed)
    before = space.sample(rng)
    after = space.mutate(before, rng)
    space.validate(after)
    place = first_difference(before, after)
    assert before.choices[place] is not None
    assert after.choices[place] is not None
    for later in range(place + 1, len(before.choices)):
        old, new = before.choices[later], after.choices[later]
        if old is not None and new is not None:
            assert old == new  # active before and after: kept
        assert (new is None) == (not active_by_name(space, after, later))


def test_mutation_without_a_second_option_says_so():
    space = SearchSpace("one", CellNetwork(3, ("skip",)))
    only = next(iter(space.enumerate()))
    with pytest.raises(SpaceError, match="must have a decision with two options to mutate, got none active"):
        space.mutate(only, np.random.default_rng(0))
    assert list(space.neighbours(only)) == []


def test_neighbours_are_what_mutation_can_reach_and_nothing_else():
    """Every architecture of a conditional space; a neighbour that is missed has probability below 10^-9."""
    rng = np.random.default_rng(0)
    for architecture in TINY.enumerate():
        neighbours = list(TINY.neighbours(architecture))
        assert len(set(neighbours)) == len(neighbours)
        assert architecture not in neighbours
        for neighbour in neighbours:
            TINY.validate(neighbour)
        reached = {TINY.mutate(architecture, rng) for _ in range(600)}
        assert reached == set(neighbours)


def test_neighbours_of_nas_bench_201_differ_in_one_edge():
    cell = NB201.architecture("0-1-2-3-4-0")
    found = set(NB201.neighbours(cell))
    expected = {
        other
        for other in NB201.enumerate()
        if sum(a != b for a, b in zip(other.choices, cell.choices, strict=True)) == 1
    }
    assert found == expected
    assert len(found) == 6 * 4


def test_each_active_decision_is_drawn_uniformly():
    """Also within conditions: 20,000 draws, one chi-square test a decision."""
    rng = np.random.default_rng(1)
    drawn = [CHAIN.sample(rng) for _ in range(20_000)]
    for place, decision in enumerate(CHAIN.decisions):
        if len(decision.options) == 1:
            continue
        counts = Counter(one.choices[place] for one in drawn if one.choices[place] is not None)
        seen = [counts[choice] for choice in range(len(decision.options))]
        assert sum(seen) > 500
        assert stats.chisquare(seen).pvalue > FALSE_ALARM, decision.name


def test_plain_spaces_are_drawn_uniformly_over_architectures():
    space = SearchSpace("plain", CellNetwork(3, ("none", "skip", "conv_1x1")))
    rng = np.random.default_rng(2)
    counts = Counter(space.sample(rng) for _ in range(27 * 400))
    assert stats.chisquare([counts[one] for one in space.enumerate()]).pvalue > FALSE_ALARM


def test_mutation_draws_the_decision_and_then_the_option_uniformly():
    """Real et al. 2019 mutate one thing, drawn uniformly; here a decision, then another option of it."""
    rng = np.random.default_rng(3)
    architecture = CHAIN.architecture(
        {
            "depth": 2,
            "layer_1/kind": "conv",
            "layer_1/kernel": 3,
            "layer_1/width": 16,
            "layer_1/activation": "relu",
            "layer_2/kind": "pool",
            "layer_2/kernel": 5,
            "dense_depth": 0,
        }
    )
    places = open_and_active(CHAIN, architecture)
    assert len(places) == 8
    counts = Counter()
    for _ in range(8_000):
        after = CHAIN.mutate(architecture, rng)
        place = first_difference(architecture, after)
        counts[place, after.choices[place]] += 1
    expected = {
        (place, choice): 8_000 / 8 / (len(CHAIN.decisions[place].options) - 1)
        for place in places
        for choice in range(len(CHAIN.decisions[place].options))
        if choice != architecture.choices[place]
    }
    assert set(counts) == set(expected)
    assert stats.chisquare([counts[key] for key in expected], list(expected.values())).pvalue > FALSE_ALARM


@settings(deadline=None, max_examples=200)
@given(some_space, some_seed)
def test_crossover_takes_each_active_decision_from_a_parent(space, seed):
    rng = np.random.default_rng(seed)
    a, b = space.sample(rng), space.sample(rng)
    child = space.crossover(a, b, rng)
    space.validate(child)
    for one, other, choice in zip(a.choices, b.choices, child.choices, strict=True):
        inherited = {one, other} - {None}
        assert choice is None or not inherited or choice in inherited
    assert space.crossover(a, a, rng) == a


def test_crossover_takes_either_parent_equally_often():
    a, b = NB201.architecture((0,) * 6), NB201.architecture((1,) * 6)
    rng = np.random.default_rng(4)
    counts = Counter(NB201.crossover(a, b, rng) for _ in range(64 * 200))
    assert len(counts) == 64  # every combination of the two
    assert stats.chisquare(list(counts.values())).pvalue > FALSE_ALARM


def test_crossover_takes_what_one_parent_alone_has_from_that_one():
    pool = {"layer_1/kind": "pool", "layer_1/kernel": 3, "dense_depth": 0}
    a = TINY.architecture({"depth": 1, **pool})
    conv = {"layer_2/kind": "conv", "layer_2/kernel": 3, "layer_2/width": 8, "layer_2/activation": "relu"}
    b = TINY.architecture({"depth": 2, **pool, **conv})
    rng = np.random.default_rng(5)
    assert {TINY.crossover(a, b, rng) for _ in range(100)} == {a, b}


@pytest.fixture
def two_conditions():
    """A space with a decision that is active only where two others agree."""

    @dataclass(frozen=True)
    class TwoConditions(Component):
        kind: ClassVar[str] = "two_conditions"

        def decisions(self):
            both = (Condition("p", ("yes",)), Condition("q", ("yes",)))
            return Decision("p", ("no", "yes")), Decision("q", ("no", "yes")), Decision("r", ("a", "b", "c"), when=both)

    yield SearchSpace("two", TwoConditions())
    del COMPONENTS["two_conditions"]


def test_crossover_draws_uniformly_what_neither_parent_has(two_conditions):
    space = two_conditions
    assert {str(one) for one in space.enumerate()} == {"0-0-.", "0-1-.", "1-0-.", "1-1-0", "1-1-1", "1-1-2"}
    a, b = space.architecture("1-0-."), space.architecture("0-1-.")
    rng = np.random.default_rng(6)
    counts = Counter(str(space.crossover(a, b, rng)) for _ in range(6_000))
    quarter = dict.fromkeys(["0-0-.", "0-1-.", "1-0-."], 1500) | dict.fromkeys(["1-1-0", "1-1-1", "1-1-2"], 500)
    assert set(counts) == set(quarter)
    assert stats.chisquare([counts[key] for key in quarter], list(quarter.values())).pvalue > FALSE_ALARM


@pytest.mark.parametrize("space", [NB201, CHAIN], ids=lambda space: space.name)
def test_the_generator_is_the_only_source_of_chance(space):
    def moves(seed):
        rng = np.random.default_rng(seed)
        np.random.seed(seed + 1)
        a, b = space.sample(rng), space.sample(rng)
        return a, b, space.mutate(a, rng), space.crossover(a, b, rng), rng.random()

    assert moves(0) == moves(0)
    assert moves(0)[:2] != moves(1)[:2]
