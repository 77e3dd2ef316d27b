"""Evolution on an enumerated space: exact generations against the library's own strategies."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from nbnas.course import digits64
from nbnas.course.evolution import (
    chain,
    children,
    drops,
    generations,
    hitting_times,
    mutation_matrix,
    optimism,
    price,
)
from nbnas.strategies import GeneticAlgorithm, RegularizedEvolution

SPACE = digits64.space()
EVERY = list(SPACE.enumerate())
FITNESS = np.random.default_rng(0).permutation(64) / 64
KNOWN = {str(one): float(value) for one, value in zip(EVERY, FITNESS, strict=True)}


def test_mutation_is_a_symmetric_chain_of_which_three_decisions_stay_with_eight_of_27():
    matrix = mutation_matrix(SPACE, 1 / 3)
    assert np.abs(matrix.sum(axis=1) - 1).max() < 1e-12
    assert np.array_equal(matrix, matrix.T)
    assert np.diag(matrix) == pytest.approx(np.full(64, 8 / 27))
    assert (matrix > 0).all()
    # 0-0-0 to 0-0-1: two stay, one changes to this of three others.
    assert matrix[0, 1] == pytest.approx(4 / 9 * 1 / 9)


def test_the_library_mutates_as_the_matrix_says():
    """4,000 children of one parent; a frequency is within 5 standard errors of its probability."""
    settings = GeneticAlgorithm(population=2, crossover_rate=0.0)
    family = children(settings, SPACE, [(str(EVERY[27]), 0.5)] * 2, 4000, np.random.default_rng(1))
    seen = np.array([family.count(str(one)) for one in EVERY])
    wanted = mutation_matrix(SPACE, 1 / 3)[27]
    assert (np.abs(seen / 4000 - wanted) <= 5 * np.sqrt(wanted * (1 - wanted) / 4000)).all()


@pytest.mark.parametrize("selection", ["roulette", "tournament", "rank"])
def test_prices_two_parts_add_up(selection):
    rng = np.random.default_rng(2)
    own = rng.integers(64, size=10)
    chance = GeneticAlgorithm(selection=selection).probabilities(list(FITNESS[own]))
    found = price(FITNESS[own], chance, (mutation_matrix(SPACE, 1 / 3) @ FITNESS)[own])
    assert found.change == pytest.approx(found.selection + found.transmission, abs=1e-15)
    assert found.selection > 0
    if selection == "roulette":  # Fisher: the variance over the mean
        assert found.selection == pytest.approx(FITNESS[own].var() / FITNESS[own].mean(), rel=1e-12)


def fitness_of(text):
    return KNOWN[text]


def test_a_generation_is_what_the_library_keeps():
    """With plus survival: the best six of the six before and of six children."""
    settings = GeneticAlgorithm(population=6, survival="plus")
    alive = list(generations(settings, SPACE, fitness_of, np.random.default_rng(3), 4))
    assert [len(one) for one in alive] == [6] * 5
    assert all(one == sorted(one, reverse=True) for one in alive)
    assert all(value == KNOWN[text] for one in alive for value, text in one)
    assert all(after[0] >= before[0] for before, after in pairwise(alive))


def test_a_generation_of_ageing_is_as_many_children_as_members():
    told = []

    def counted(text):
        told.append(text)
        return KNOWN[text]

    settings = RegularizedEvolution(population=5, tournament=2)
    alive = list(generations(settings, SPACE, counted, np.random.default_rng(4), 3))
    assert len(told) == 5 * 4
    assert sorted(text for _, text in alive[-1]) == sorted(told[-5:])  # nobody of before is left


def test_falls_are_counted_by_run(monkeypatch):
    series = iter([[(2, 1), (2, 2), (3, 1)], [(2, 1), (1, 1), (5, 5)], [(1, 1), (1, 1), (1, 1)]])

    def told(*_):
        return ([(float(value), "") for value in one] for one in next(series))

    monkeypatch.setattr("nbnas.course.evolution.generations", told)
    found = drops(GeneticAlgorithm(), SPACE, FITNESS, runs=3, count=2, rng=np.random.default_rng(0), top=1)
    assert found == (1, 1, 1)
    series = iter([[(3, 0), (3, -1), (3, 2)]])
    assert drops(GeneticAlgorithm(), SPACE, FITNESS, runs=1, count=2, rng=np.random.default_rng(0)) == (0, 1, 1)


def test_without_noise_nothing_claims_more_than_it_is_worth():
    settings = GeneticAlgorithm(population=6)
    trainings = np.tile(FITNESS, (2, 1))
    found = optimism(settings, SPACE, trainings, runs=3, count=3, rng=np.random.default_rng(5))
    assert found == pytest.approx(np.zeros(3), abs=1e-12)
    noisy = np.stack([FITNESS - 0.1, FITNESS + 0.1])
    claimed = optimism(settings, SPACE, noisy, runs=3, count=10, rng=np.random.default_rng(5))
    assert claimed == pytest.approx(np.full(3, 0.1))


def test_a_better_parent_stays_and_the_optimum_is_found_at_last():
    mutation = mutation_matrix(SPACE, 1 / 3)
    best = int(FITNESS.argmax())
    transition = chain(mutation, FITNESS, plus=True)
    assert np.abs(transition.sum(axis=1) - 1).max() < 1e-12
    assert transition[best, best] == pytest.approx(1)
    assert (transition[FITNESS[:, None] > FITNESS[None, :]] == 0).all()
    assert chain(mutation, FITNESS, plus=False) is mutation


def test_hitting_times_solve_their_own_equation_and_are_64_for_random_draws():
    """h = 1 + T h away from the target; a uniform draw hits one of 64 after 64 on average."""
    transition = chain(mutation_matrix(SPACE, 1 / 3), FITNESS, plus=True)
    times = hitting_times(transition, [int(FITNESS.argmax())])
    away = np.arange(64) != FITNESS.argmax()
    assert (1 + transition @ times)[away] == pytest.approx(times[away], rel=1e-9)
    assert hitting_times(np.full((64, 64), 1 / 64), [5])[0] == pytest.approx(64)
    assert hitting_times(np.full((64, 64), 1 / 64), [5, 9])[0] == pytest.approx(32)
