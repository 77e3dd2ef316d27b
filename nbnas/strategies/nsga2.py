"""NSGA-II: evolution towards several objectives at once.

Deb, Pratap, Agarwal & Meyarivan, A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, IEEE Transactions on
Evolutionary Computation 6(2), 2002: fast non-dominated sorting (Sec. III-A), crowding distance (III-B), the crowded
comparison in a binary tournament and in survival (III-C), constraint domination (Sec. VI, Def. 1).
Differs from the paper: choices are crossed over decision by decision and mutated by the space (one active decision)
instead of simulated binary crossover and polynomial mutation of real vectors. A trial that fails is no member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from typing_extensions import override

from nbnas.events import Evaluation, Event, PopulationUpdated
from nbnas.front import dominates
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import (
    BlackBoxSettings,
    BlackBoxStrategy,
    Failure,
    Proposal,
    check_changeable,
    distribution_event,
    frequencies,
)

__all__ = ["NSGA2", "crowding_distances", "non_dominated_fronts"]


@dataclass(frozen=True)
class NSGA2(BlackBoxSettings):
    """Keeps the non-dominated, of equals those in the least crowded places; parents by binary tournament."""

    title: ClassVar[str] = "NSGA-II (several objectives)"
    several: ClassVar[bool] = True

    population: int = setting(100, "Members N, and children a generation.", minimum=2, maximum=10_000)
    crossover_rate: float = setting(0.9, "Share of children with two parents.", minimum=0, maximum=1)
    mutation_rate: float = setting(1.0, "Share of children that are mutated.", minimum=0, maximum=1)

    @override
    def check(self) -> None:
        if self.crossover_rate == 0 and self.mutation_rate == 0:
            self.fail("mutation_rate", "above 0 when crossover_rate is 0", remedy="Otherwise children are copies")

    @override
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        check_changeable(space)
        return _NSGA2(self, space, rng)


class _Member(NamedTuple):
    trial: int
    architecture: Architecture
    objectives: tuple[float, ...]
    violation: float


class _NSGA2:
    def __init__(self, settings: NSGA2, space: SearchSpace, rng: np.random.Generator) -> None:
        self.settings = settings
        self.space = space
        self.rng = rng
        self.parents: list[_Member] = []
        self.children: list[_Member] = []
        self.told = 0
        self._order: list[tuple[int, float]] = []  # rank and crowding of each parent

    def ask(self) -> Proposal:
        if not self.parents:
            return Proposal(self.space.sample(self.rng))
        first, second = self._tournament(), self._tournament()
        crossed = self.rng.random() < self.settings.crossover_rate
        mutated = self.rng.random() < self.settings.mutation_rate or not crossed
        child = (
            self.space.crossover(first.architecture, second.architecture, self.rng) if crossed else first.architecture
        )
        if mutated:
            child = self.space.mutate(child, self.rng)
        operator = " + ".join(name for name, done in (("crossover", crossed), ("mutation", mutated)) if done)
        return Proposal(child, (first.trial, second.trial) if crossed else (first.trial,), operator)

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        self.told += 1
        if isinstance(answer, Failure):
            return ()
        self.children.append(_Member(trial, proposal.architecture, answer.objectives, answer.violation))
        if len(self.children) < self.settings.population:
            return ()
        before = {member.trial for member in self.parents}
        self._survive()
        after = {member.trial: member for member in self.parents}
        # What the population chart shows is the first objective.
        born = tuple((trial, member.objectives[0]) for trial, member in after.items() if trial not in before)
        died = tuple(sorted(before - set(after)))
        rows = frequencies(self.space, [member.architecture for member in self.parents])
        return [PopulationUpdated(born, died), *distribution_event("population", self.told, rows)]

    def draw(self, rng: np.random.Generator) -> Architecture:
        return self.space.sample(rng)

    def _survive(self) -> None:
        """Sec. III-C: whole fronts of parents and children, then the least crowded of the front that does not fit."""
        pool, self.children = self.parents + self.children, []
        kept: list[_Member] = []
        order: list[tuple[int, float]] = []
        for rank, front in enumerate(non_dominated_fronts(pool)):
            crowding = crowding_distances([pool[place].objectives for place in front])
            by_room = sorted(range(len(front)), key=lambda index: -crowding[index])
            for index in by_room[: self.settings.population - len(kept)]:
                kept.append(pool[front[index]])
                order.append((rank, crowding[index]))
        self.parents, self._order = kept, order

    def _tournament(self) -> _Member:
        """The better of two by the crowded comparison: lower rank, then more room."""
        one, other = (int(place) for place in self.rng.integers(len(self.parents), size=2))
        return self.parents[min((one, other), key=lambda place: (self._order[place][0], -self._order[place][1]))]

    def state_dict(self) -> dict[str, Any]:
        return {
            "rng": self.rng.bit_generator.state,
            "parents": [_plain(member) for member in self.parents],
            "children": [_plain(member) for member in self.children],
            "order": [list(pair) for pair in self._order],
            "told": self.told,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.parents = [self._member(values) for values in state["parents"]]
        self.children = [self._member(values) for values in state["children"]]
        self._order = [(rank, crowding) for rank, crowding in state["order"]]
        self.told = state["told"]

    def _member(self, values: Sequence[Any]) -> _Member:
        trial, text, objectives, violation = values
        return _Member(trial, self.space.architecture(text), tuple(objectives), violation)


def non_dominated_fronts(members: Sequence[Any]) -> list[list[int]]:
    """Sec. III-A: the places of members, front by front.

    Args:
        members: each with `objectives` (higher is better) and `violation`.
    """
    over: list[list[int]] = [[] for _ in members]
    under = [0] * len(members)
    for one, a in enumerate(members):
        for other, b in enumerate(members):
            if dominates(a.objectives, b.objectives, (a.violation, b.violation)):
                over[one].append(other)
                under[other] += 1
    fronts = [[place for place, count in enumerate(under) if count == 0]]
    while fronts[-1]:
        following = []
        for place in fronts[-1]:
            for other in over[place]:
                under[other] -= 1
                if under[other] == 0:
                    following.append(other)
        fronts.append(sorted(following))
    return fronts[:-1]


def crowding_distances(objectives: Sequence[Sequence[float]]) -> list[float]:
    """Sec. III-B: how much room each member of a front has; infinite for those at an end.

    It is the sum over objectives of the gap between its neighbours, as a share of the range.
    """
    distances = [0.0] * len(objectives)
    for values in zip(*objectives, strict=True):
        order = sorted(range(len(values)), key=lambda place: values[place])
        span = values[order[-1]] - values[order[0]]
        distances[order[0]] = distances[order[-1]] = float("inf")
        for before, place, after in zip(order, order[1:], order[2:], strict=False):
            if span > 0:
                distances[place] += (values[after] - values[before]) / span
    return distances


def _plain(member: _Member) -> list[Any]:
    return [member.trial, str(member.architecture), list(member.objectives), member.violation]
