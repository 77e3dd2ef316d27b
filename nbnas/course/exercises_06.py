"""Exercises of lesson 06: tournaments, a generation that lowers the mean, ageing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nbnas.course import digits64
from nbnas.course.checking import called, judged
from nbnas.course.evolution import mutation_matrix
from nbnas.course.exercises import Exercise
from nbnas.course.profile import rng
from nbnas.errors import SpaceError
from nbnas.strategies import GeneticAlgorithm

__all__ = ["EXERCISES", "expected_change"]

Array = npt.NDArray[np.float64]


# -- a ---------------------------------------------------------------------------------------------------------------


def _tournament(fitness: Array, size: int) -> Array:
    return GeneticAlgorithm(population=len(fitness), tournament=size, crossover_rate=0.0).probabilities(list(fitness))


def _judge_tournament(answer: Any) -> str:
    random = rng("06", "a")
    cases = [{"fitness": random.random(count), "size": size} for count, size in ((2, 2), (5, 2), (6, 3), (9, 9))]

    def ranks(fitness: Array) -> Array:
        return np.argsort(np.argsort(fitness)).astype(np.float64)

    def without_replacement(fitness: Array, size: int) -> Array:
        rank, count = ranks(fitness), len(fitness)
        below = np.array([[(r - k) / (count - 1 - k) for k in range(size - 1)] for r in rank])
        return np.asarray(size / count * below.clip(min=0).prod(axis=1))

    return judged(
        answer,
        cases,
        _tournament,
        {
            "The order is turned: the worst wins here.": lambda fitness, size: _tournament(-fitness, size),
            "This is without replacement; here one member may be drawn several times.": without_replacement,
            "This is the probability that the winner is at most that good. Take the difference of two of them.": (
                lambda fitness, size: ((ranks(fitness) + 1) / len(fitness)) ** size
            ),
            "Off by one: the worst member can win too, when it is drawn each time.": (
                lambda fitness, size: (
                    (ranks(fitness) / len(fitness)) ** size - ((ranks(fitness) - 1).clip(min=0) / len(fitness)) ** size
                )
            ),
        },
    )


# -- b ---------------------------------------------------------------------------------------------------------------


def expected_change(members: Sequence[int], fitness: Array, mutation: Array) -> float:
    """The expected change of the mean in one generation with one elite, tournaments of 2, and mutation only.

    Args:
        members: places of the members among all architectures.
        fitness: of all architectures.
        mutation: from `mutation_matrix`.
    """
    own = fitness[list(members)]
    chance = GeneticAlgorithm(population=len(own), tournament=2).probabilities(list(own))
    child = chance @ (mutation @ fitness)[list(members)]
    return float((own.max() + (len(own) - 1) * child) / len(own) - own.mean())


def _judge_population(answer: Any) -> str:
    value = answer
    if callable(answer):
        value, wrong = called(answer, {})
        if wrong:
            return wrong
    if isinstance(value, str) or not isinstance(value, Sequence):
        return f"The answer must be a list of texts such as ['0-0-0', '3-1-2'], got {value!r:.80}."
    if len(value) < 2:
        return f"A population needs 2 members or more, got {len(value)}."
    space = digits64.space()
    every = [str(one) for one in space.enumerate()]
    places = []
    for text in value:
        try:
            places.append(every.index(str(space.architecture(text))))
        except SpaceError as cause:
            return f"{text!r:.40} is no architecture of digits64: {cause!s:.120}"
    fitness = digits64.measured().valid[:, :, -1].mean(axis=0)
    change = expected_change(places, fitness, mutation_matrix(space, 1 / len(space.decisions)))
    if change >= 0:
        return (
            f"One generation changes the mean of this population by {change:+.4f} in expectation. "
            f"Mutation must lose more than selection wins: how much can selection win when all members are alike?"
        )
    return ""


# -- c ---------------------------------------------------------------------------------------------------------------


def _judge_ageing(answer: Any) -> str:
    if not callable(answer):
        return f"The answer must be a function, got {answer!r:.80}."
    random = rng("06", "c")
    for size in (1, 2, 3, 5, 8):
        ages = random.permutation(size)  # members are not sorted by age
        values = np.round(random.random(size), 3)
        population = [(int(born), float(value)) for born, value in zip(ages, values, strict=True)]
        # The oldest is the best, so that only ageing lets it die; the newcomer is the worst.
        oldest = population.index(min(population))
        population[oldest] = (0, 2.0)
        child = (size, -1.0)
        case = {"population": population, "child": child}
        found, wrong = called(answer, case)
        if wrong:
            return wrong
        if found is None:
            return "It returns None. Is the return statement there?"
        try:
            alive = sorted(tuple(member) for member in found)
        except TypeError:
            return f"It must return a list of (born, fitness), got {found!r:.80}."
        right = sorted([*population[:oldest], *population[oldest + 1 :], child])
        if alive == right:
            continue
        where = f"; for population = {population}, child = {child}"
        if len(alive) != size:
            return f"The population must keep its size {size}, got {len(alive)}{where}."
        if child not in alive:
            return f"The child joins always, however bad it is: no one selects who survives{where}."
        if (0, 2.0) in alive:
            return f"The oldest dies even when it is the best: the one with the smallest birth number{where}."
        return f"Expected {right}, got {alive}{where}."
    return ""


EXERCISES = (
    Exercise(
        "06.a",
        "Write tournament(fitness, size): how likely each member (all different) wins `size` draws with replacement.",
        (
            "When is the winner at most as good as the member of rank r? When all draws are.",
            "With ranks 0..n-1 from the worst, P(winner has rank <= r) = ((r + 1) / n) ** size.",
            "Take the difference of two neighbours: ((r + 1) / n) ** size - (r / n) ** size.",
        ),
        _judge_tournament,
    ),
    Exercise(
        "06.b",
        "Give a population of digits64 whose mean falls, in expectation, in a generation with one elite.",
        (
            "Selection wins nothing when all members are equally fit.",
            "And mutation loses most where everything else is worse.",
            "All members at the optimum: find it with fitness.argmax().",
        ),
        _judge_population,
    ),
    Exercise(
        "06.c",
        "Write next_population(population, child) of ageing evolution; members are pairs (born, fitness).",
        (
            "Who dies does not depend on fitness.",
            "The oldest has the smallest number of birth; the list is in no order.",
            "[member for member in population if member != min(population)] + [child].",
        ),
        _judge_ageing,
    ),
)
