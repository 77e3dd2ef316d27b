"""Evolution on a space so small that the next generation can be known exactly.

Price, Selection and Covariance, Nature 227, 1970, and Extension of Covariance Selection Mathematics, Annals of Human
Genetics 35, 1972 (the mean changes by selection and by transmission); Rudolph, Convergence Analysis of Canonical
Genetic Algorithms, IEEE Transactions on Neural Networks 5, 1994 (Markov chains of evolutionary algorithms).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nbnas.events import Evaluation
from nbnas.spaces import SearchSpace
from nbnas.strategies import GeneticAlgorithm, Proposal, RegularizedEvolution

__all__ = [
    "Drops",
    "Price",
    "breed",
    "chain",
    "children",
    "drops",
    "generations",
    "hitting_times",
    "mutation_matrix",
    "optimism",
    "price",
    "started",
]

Array = npt.NDArray[np.float64]


def mutation_matrix(space: SearchSpace, rate: float) -> Array:
    """From which architecture mutation leads where, and how often: rows are parents, columns children.

    Each decision changes with probability `rate`, to any other option alike; the order is that of `space.enumerate()`.
    """
    every = np.array([one.choices for one in space.enumerate()], dtype=np.int64)
    found = np.ones((len(every), len(every)))
    for place, decision in enumerate(space.decisions):
        same = every[:, None, place] == every[None, :, place]
        found *= np.where(same, 1 - rate, rate / (len(decision.options) - 1))
    return found


class Price(NamedTuple):
    """The expected change of the mean fitness in one generation, and its two parts."""

    change: float
    selection: float
    transmission: float


def price(fitness: Array, chance: Array, child: Array) -> Price:
    """Price's equation for one generation of children.

    Args:
        fitness: of the members, shape (members,).
        chance: with which each member becomes the parent of a child, shape (members,).
        child: the expected fitness of a child of each member, shape (members,).
    """
    offspring = len(fitness) * chance  # expected children a child's place; its mean is 1
    selection = float(np.mean(offspring * fitness) - offspring.mean() * fitness.mean())  # the covariance
    return Price(float(chance @ child - fitness.mean()), selection, float(np.mean(offspring * (child - fitness))))


def breed(strategy: Any, fitness: Callable[[str], float], count: int, *, first: int = 1) -> None:
    """Asks a strategy for architectures and tells it their fitness, one after the other.

    Args:
        strategy: bound to its space.
        fitness: from the short text of an architecture.
        count: how many.
        first: the number of the first trial.
    """
    for trial in range(first, first + count):
        proposal = strategy.ask()
        value = fitness(str(proposal.architecture))
        strategy.tell(trial, proposal, Evaluation({"valid_accuracy": value}, (value,)))


def generations(
    settings: GeneticAlgorithm | RegularizedEvolution,
    space: SearchSpace,
    fitness: Callable[[str], float],
    rng: np.random.Generator,
    count: int,
) -> Iterator[list[tuple[float, str]]]:
    """The living after each generation of a strategy of the library, as (fitness, short text), the best first.

    A generation of ageing evolution, which has none, is as many children as there are members.

    Args:
        settings: the strategy.
        space: where it searches.
        fitness: from the short text of an architecture.
        rng: its chance.
        count: generations after the first one.
    """
    strategy: Any = settings.bind(space, rng)
    brood = settings.brood if isinstance(settings, GeneticAlgorithm) else settings.population
    for number in range(count + 1):
        first = 1 if number == 0 else settings.population + 1 + (number - 1) * brood
        breed(strategy, fitness, brood if number else settings.population, first=first)
        yield sorted(((one.fitness, str(one.architecture)) for one in strategy.population), reverse=True)


class Drops(NamedTuple):
    """In how many runs the best, the mean of the `top` best, and the mean of all ever fell."""

    best: int
    top: int
    mean: int


def drops(
    settings: GeneticAlgorithm | RegularizedEvolution,
    space: SearchSpace,
    fitness: Array,
    *,
    runs: int,
    count: int,
    rng: np.random.Generator,
    top: int = 2,
) -> Drops:
    """Counts runs with a fall within `count` generations. What falls by less than 1e-12 is rounding.

    Args:
        settings: the strategy.
        space: where it searches.
        fitness: of all architectures, in the order of `space.enumerate()`.
        runs: how many, each with a stream of its own.
        count: generations after the first one.
        rng: all chance.
        top: how many of the best count as best.
    """
    known = {str(one): float(value) for one, value in zip(space.enumerate(), fitness, strict=True)}
    fell = np.zeros((runs, 3), dtype=bool)
    for run, own in enumerate(rng.spawn(runs)):
        seen = []
        for alive in generations(settings, space, known.__getitem__, own, count):
            values = np.array([value for value, _ in alive])
            seen.append((values[0], values[:top].mean(), values.mean()))
        fell[run] = (np.diff(seen, axis=0) < -1e-12).any(axis=0)
    return Drops(*map(int, fell.sum(axis=0)))


def optimism(
    settings: GeneticAlgorithm | RegularizedEvolution,
    space: SearchSpace,
    trainings: Array,
    *,
    runs: int,
    count: int,
    rng: np.random.Generator,
) -> Array:
    """By how much the best member claims more than it is worth at the end of each run, when fitness is measured once.

    Args:
        settings: the strategy.
        space: where it searches.
        trainings: of which one, by chance, is the fitness of a member, shape (trainings, architectures).
        runs: how many.
        count: generations after the first one.
        rng: all chance.
    """
    places = {str(one): place for place, one in enumerate(space.enumerate())}
    found = np.empty(runs)
    for run, own in enumerate(rng.spawn(runs)):
        luck = own.spawn(1)[0]

        def measure(text: str, luck: np.random.Generator = luck) -> float:
            return float(trainings[luck.integers(len(trainings)), places[text]])

        *_, alive = generations(settings, space, measure, own, count)
        claimed, text = alive[0]
        found[run] = claimed - trainings[:, places[text]].mean()
    return found


def started(
    settings: GeneticAlgorithm | RegularizedEvolution,
    space: SearchSpace,
    members: Sequence[tuple[str, float]],
    rng: np.random.Generator,
) -> Any:
    """A strategy of the library with a first population that one has chosen; trials count from 1.

    Args:
        settings: the strategy; its `population` is the number of members.
        space: where it searches.
        members: short text and fitness of each, the oldest first.
        rng: its chance.
    """
    strategy = settings.bind(space, rng)
    for trial, (text, value) in enumerate(members, start=1):
        strategy.ask()
        given = Evaluation({"valid_accuracy": value}, (value,))
        strategy.tell(trial, Proposal(space.architecture(text)), given)
    return strategy


def children(
    settings: GeneticAlgorithm,
    space: SearchSpace,
    members: Sequence[tuple[str, float]],
    count: int,
    rng: np.random.Generator,
) -> list[str]:
    """The short texts of many children that a genetic algorithm proposes for the same parents."""
    strategy = started(replace(settings, survival="comma", children=count), space, members, rng)
    return [str(strategy.ask().architecture) for _ in range(count)]


def chain(mutation: Array, fitness: Array, *, plus: bool) -> Array:
    """The transition matrix of one parent and one child: with `plus` the better stays, else the child always.

    Args:
        mutation: from `mutation_matrix`.
        fitness: of all architectures.
        plus: whether the parent competes; of equal fitness the child stays.
    """
    if not plus:
        return mutation
    accepted = mutation * (fitness[None, :] >= fitness[:, None])
    np.fill_diagonal(accepted, 0)
    return np.asarray(accepted + np.diag(1 - accepted.sum(axis=1)))


def hitting_times(transition: Array, targets: Sequence[int]) -> Array:
    """Expected steps until a chain is at one of `targets` for the first time, from each state."""
    others = ~np.isin(np.arange(len(transition)), targets)
    inner = transition[np.ix_(others, others)]
    found = np.zeros(len(transition))
    found[others] = np.linalg.solve(np.eye(len(inner)) - inner, np.ones(len(inner)))
    return found
