"""Regularized (ageing) evolution, the search of AmoebaNet.

Real, Aggarwal, Huang & Le, Regularized Evolution for Image Classifier Architecture Search, AAAI 2019, arXiv:1802.01548,
Algorithm 1: tournament selection, mutation only, the oldest member dies.
Differs from the paper: a mutation changes one decision of the space, drawn uniformly, instead of choosing first between
hidden-state and operation mutations, and there is no identity mutation. A trial that fails never becomes a member.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from typing_extensions import override

from nbnas.errors import SettingsError
from nbnas.events import Evaluation, Event, PopulationUpdated
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import (
    SHOW_EVERY,
    BlackBoxSettings,
    BlackBoxStrategy,
    Failure,
    Proposal,
    distribution_event,
    frequencies,
    score_of,
)

__all__ = ["RegularizedEvolution"]


@dataclass(frozen=True)
class RegularizedEvolution(BlackBoxSettings):
    """Mutates the best of a random tournament; the oldest member dies, even when it is the best."""

    title: ClassVar[str] = "Regularized evolution"

    population: int = setting(100, "Members P; so many random architectures come first.", minimum=1, maximum=100_000)
    tournament: int = setting(25, "Members S that are drawn, with replacement; the fittest becomes parent.", minimum=1)

    @override
    def check(self) -> None:
        if self.tournament > self.population:
            self.fail("tournament", f"in 1..population ({self.population})", remedy="Lower it or raise population")

    @override
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        if all(len(decision.options) < 2 for decision in space.decisions):
            raise SettingsError(f"space must have a decision with two options to mutate, got none in {space.name!r}.")
        return _RegularizedEvolution(self, space, rng)


class _Member(NamedTuple):
    trial: int
    architecture: Architecture
    fitness: float


class _RegularizedEvolution:
    def __init__(self, settings: RegularizedEvolution, space: SearchSpace, rng: np.random.Generator) -> None:
        self.population_size = settings.population
        self.tournament = settings.tournament
        self.space = space
        self.rng = rng
        self.population: deque[_Member] = deque()
        self.told = 0

    def ask(self) -> Proposal:
        if len(self.population) < self.population_size:
            return Proposal(self.space.sample(self.rng))
        # Alg. 1: drawn members stay in the population, so the S draws are with replacement.
        drawn = self.rng.integers(len(self.population), size=self.tournament)
        parent = max((self.population[place] for place in drawn), key=lambda member: member.fitness)
        child = self.space.mutate(parent.architecture, self.rng)
        return Proposal(child, parents=(parent.trial,), operator="mutation")

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        self.told += 1
        if isinstance(answer, Failure):
            return ()
        fitness = score_of(answer)
        self.population.append(_Member(trial, proposal.architecture, fitness))
        died = (self.population.popleft().trial,) if len(self.population) > self.population_size else ()
        events: list[Event] = [PopulationUpdated(((trial, fitness),), died)]
        if self.told % SHOW_EVERY == 0:
            rows = frequencies(self.space, [member.architecture for member in self.population])
            events += distribution_event("population", self.told, rows)
        return events

    def draw(self, rng: np.random.Generator) -> Architecture:
        return self.space.sample(rng)

    def state_dict(self) -> dict[str, Any]:
        members = [[member.trial, str(member.architecture), member.fitness] for member in self.population]
        return {"rng": self.rng.bit_generator.state, "population": members, "told": self.told}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.told = state["told"]
        self.population = deque(
            _Member(trial, self.space.architecture(text), fitness) for trial, text, fitness in state["population"]
        )
