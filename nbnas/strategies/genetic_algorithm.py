"""A genetic algorithm: generations of selection, crossover and mutation.

Goldberg, Genetic Algorithms in Search, Optimization and Machine Learning, 1989 (roulette, one-point crossover); Bäck,
Fogel & Michalewicz, Handbook of Evolutionary Computation, 1997 (the other selections, plus and comma survival); Baker,
Adaptive Selection Methods for Genetic Algorithms, ICGA 1985 (linear ranking); Syswerda, Uniform Crossover in Genetic
Algorithms, ICGA 1989. For architectures: Xie & Yuille, Genetic CNN, ICCV 2017, arXiv:1703.01513 (roulette on what
exceeds the worst fitness; crossover that exchanges whole stages).
Differs from the papers: a string is the choices of a space, so what a child has beyond both parents is drawn. Selection
draws parents, never survivors, where Genetic CNN draws survivors and then crosses adjacent ones. One child is made of
two parents, not two. The elite is copied with the fitness that it has, not evaluated again; a child that is a copy of
something known is evaluated like any other and becomes a member of its own. A trial that fails never becomes a member:
another child takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from nbnas.events import Evaluation, Event, PopulationUpdated
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import (
    BlackBoxSettings,
    BlackBoxStrategy,
    Failure,
    Proposal,
    Wait,
    check_changeable,
    distribution_event,
    frequencies,
    score_of,
)

__all__ = ["GeneticAlgorithm"]

_MOST_DRAWS = 100
_MOST_NAMES = 3


@dataclass(frozen=True)
class GeneticAlgorithm(BlackBoxSettings):
    """Makes a generation of children from selected parents; what survives are the parents of the next one."""

    title: ClassVar[str] = "Genetic algorithm"

    population: int = setting(20, "Members (mu); so many random architectures come first.", minimum=2, maximum=10_000)
    selection: str = setting(
        "tournament",
        "How parents are drawn: by fitness (roulette), by what exceeds the worst fitness, by rank, among the best.",
        options=("tournament", "roulette", "roulette_above_worst", "rank", "truncation"),
    )
    tournament: int = setting(2, "Members that are drawn, with replacement; the fittest becomes parent.", minimum=1)
    pressure: float = setting(
        1.5, "Selection by rank: how much likelier than on average the best is parent.", minimum=1, maximum=2
    )
    truncation: float = setting(0.5, "Selection by truncation: share of the best.", above=0, maximum=1)
    crossover: str = setting(
        "one_point",
        "What a child has of two parents: before and after a point, each decision, each group of decisions.",
        options=("one_point", "uniform", "cell_aware"),
    )
    crossover_rate: float = setting(0.9, "Share of children with two parents.", minimum=0, maximum=1)
    mutation_rate: float | None = setting(
        None, "Probability that a decision changes; none: one over the number of decisions.", minimum=0, maximum=1
    )
    survival: str = setting(
        "generational",
        "Who survives: children and the elite, the best of parents and children (plus), of children only (comma).",
        options=("generational", "plus", "comma"),
    )
    elitism: int = setting(1, "Best members that stay with generational survival, not evaluated again.", minimum=0)
    children: int | None = setting(
        None,
        "Children a generation (lambda) with plus and comma; none: as many as members.",
        minimum=1,
        maximum=100_000,
    )

    @override
    def check(self) -> None:
        if self.tournament > self.population:
            self.fail("tournament", f"in 1..population ({self.population})", remedy="Lower it or raise population")
        if self.elitism >= self.population:
            self.fail("elitism", f"below population ({self.population})", remedy="Lower it or raise population")
        if self.survival == "comma" and self.brood < self.population:
            self.fail("children", f"at least population ({self.population}) with comma", remedy="Raise it or use plus")

    @property
    def brood(self) -> int:
        """Children a generation."""
        if self.survival == "generational":
            return self.population - self.elitism
        return self.population if self.children is None else self.children

    @override
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        check_changeable(space)
        return _GeneticAlgorithm(self, space, rng)

    def probabilities(self, fitness: Sequence[float]) -> npt.NDArray[np.float64]:
        """With which probability each member becomes parent, shape (members,); equal fitness, equal probability."""
        values = np.asarray(fitness, dtype=np.float64)
        count = len(values)
        if self.selection.startswith("roulette"):
            floor = values.min() if self.selection == "roulette_above_worst" else min(0.0, values.min())
            weights = values / 2 - floor / 2  # halves, so that the difference stays finite
            return np.full(count, 1 / count) if weights.max() <= 0 else _shares(weights / weights.max())
        rank = np.arange(count)  # 0 is the worst
        if self.selection == "tournament":
            # The best of k draws has at most rank r with probability ((r + 1) / n)^k.
            row = ((rank + 1) / count) ** self.tournament - (rank / count) ** self.tournament
        elif self.selection == "rank":
            # Baker: (2 - s) / n for the worst up to s / n for the best, linear between.
            row = (2 - self.pressure + 2 * (self.pressure - 1) * rank / max(1, count - 1)) / count
        else:
            best = min(count, max(1, ceil(self.truncation * count - 1e-9)))
            row = (rank >= count - best) / best
        _, group, members = np.unique(values, return_inverse=True, return_counts=True)
        totals = np.bincount(np.sort(group), weights=row)
        return _shares((totals / members)[group])


def _shares(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(weights / weights.sum(), dtype=np.float64)


class _Member(NamedTuple):
    trial: int
    architecture: Architecture
    fitness: float


class _GeneticAlgorithm:
    def __init__(self, settings: GeneticAlgorithm, space: SearchSpace, rng: np.random.Generator) -> None:
        self.settings = settings
        self.space = space
        self.rng = rng
        self.population: list[_Member] = []
        self.children: list[_Member] = []
        self.pending = 0
        self.told = 0
        self._open = [place for place, decision in enumerate(space.decisions) if len(decision.options) > 1]
        rate = settings.mutation_rate
        self._mutation_rate = 1 / len(self._open) if rate is None else rate

    def ask(self) -> Proposal | Wait:
        if len(self.children) + self.pending >= self._wanted():
            return Wait()  # a generation is complete before the next one is born
        self.pending += 1
        return self._child() if self.population else Proposal(self.space.sample(self.rng))

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        self.pending -= 1
        self.told += 1
        if isinstance(answer, Failure):
            return ()
        self.children.append(_Member(trial, proposal.architecture, score_of(answer)))
        if len(self.children) < self._wanted():
            return ()
        before, self.population, self.children = self.population, self._survivors(), []
        old, new = ({member.trial for member in members} for members in (before, self.population))
        born = tuple((member.trial, member.fitness) for member in self.population if member.trial not in old)
        died = tuple(member.trial for member in before if member.trial not in new)
        rows = frequencies(self.space, [member.architecture for member in self.population])
        return [PopulationUpdated(born, died), *distribution_event("population", self.told, rows)]

    def draw(self, rng: np.random.Generator) -> Architecture:
        return self.space.sample(rng)

    def _wanted(self) -> int:
        """Children that complete the generation under way; the first one is drawn."""
        return self.settings.brood if self.population else self.settings.population

    def _survivors(self) -> list[_Member]:
        """The next population; of equal fitness, children come before parents."""
        if not self.population:
            return self.children
        if self.settings.survival == "generational":
            return _best(self.population)[: self.settings.elitism] + self.children
        pool = self.children + (self.population if self.settings.survival == "plus" else [])
        return _best(pool)[: self.settings.population]

    def _child(self) -> Proposal:
        """One child; after 100 that break a limit of the space, a copy of its parent."""
        first = self._parent()
        crossed = self.rng.random() < self.settings.crossover_rate
        second = self._parent() if crossed else first
        for _ in range(_MOST_DRAWS):
            choices = list(first.architecture.choices)
            if crossed:
                choices = self._crossed(choices, second.architecture.choices)
            names = self._mutate(choices)
            child = Architecture(self.space.digest, tuple(choices))
            if not self.space.broken(child):
                done = [f"{self.settings.crossover} crossover"] if crossed else []
                done += [f"mutation of {_listed(names)}"] if names else []
                parents = (first.trial, second.trial) if crossed else (first.trial,)
                return Proposal(child, parents, " + ".join(done) or "copy")
        return Proposal(first.architecture, (first.trial,), "copy")

    def _parent(self) -> _Member:
        chances = self.settings.probabilities([member.fitness for member in self.population])
        return self.population[int(self.rng.choice(len(self.population), p=chances))]

    def _crossed(self, first: Sequence[int | None], second: Sequence[int | None]) -> list[int | None]:
        """Each active decision from the parent that the mask names, or from the only one that has it."""
        choices: list[int | None] = [None] * len(first)
        for place, from_first in enumerate(self._mask()):
            if self.space.active(place, choices):
                one, other = (first[place], second[place]) if from_first else (second[place], first[place])
                choice = one if one is not None else other
                choices[place] = self._drawn(place) if choice is None else choice
        return choices

    def _mask(self) -> list[bool]:
        """For each decision whether it comes from the first parent."""
        decisions = self.space.decisions
        if self.settings.crossover == "one_point":
            # Between two open decisions, so that each side has one.
            cut = self._open[int(self.rng.integers(1, len(self._open)))] if len(self._open) > 1 else len(decisions)
            return [place < cut for place in range(len(decisions))]
        if self.settings.crossover == "uniform":
            return [bool(coin) for coin in self.rng.random(len(decisions)) < 0.5]
        coins: dict[str, bool] = {}
        for decision in decisions:
            coins.setdefault(decision.group or decision.name, bool(self.rng.random() < 0.5))
        return [coins[decision.group or decision.name] for decision in decisions]

    def _mutate(self, choices: list[int | None]) -> list[str]:
        """Changes each active decision with the mutation rate, in place; returns which ones it changed."""
        changed = []
        for place, decision in enumerate(self.space.decisions):
            old, options = choices[place], len(decision.options)
            if not self.space.active(place, choices):
                choices[place] = None
            elif old is None:  # a change before it made it active
                choices[place] = self._drawn(place)
            elif options > 1 and self.rng.random() < self._mutation_rate:
                new = int(self.rng.integers(options - 1))
                choices[place] = new + (new >= old)
                changed.append(decision.name)
        return changed

    def _drawn(self, place: int) -> int:
        return int(self.rng.integers(len(self.space.decisions[place].options)))

    def state_dict(self) -> dict[str, Any]:
        return {
            "rng": self.rng.bit_generator.state,
            "population": [_plain(member) for member in self.population],
            "children": [_plain(member) for member in self.children],
            "pending": self.pending,
            "told": self.told,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.population = [self._member(*values) for values in state["population"]]
        self.children = [self._member(*values) for values in state["children"]]
        self.pending, self.told = state["pending"], state["told"]

    def _member(self, trial: int, text: str, fitness: float) -> _Member:
        return _Member(trial, self.space.architecture(text), fitness)


def _best(members: Sequence[_Member]) -> list[_Member]:
    """From the fittest to the least fit; of equal ones the earlier first."""
    return sorted(members, key=lambda member: -member.fitness)


def _plain(member: _Member) -> list[Any]:
    return [member.trial, str(member.architecture), member.fitness]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
