"""Regularized (ageing) evolution, the search of AmoebaNet.

Real, Aggarwal, Huang & Le, Regularized Evolution for Image Classifier Architecture Search, AAAI 2019, arXiv:1802.01548,
Algorithm 1: tournament selection, mutation only, the oldest member dies; its mutations (hidden state, operation,
identity with probability 0.05) with `mutation="amoebanet"`; its control without ageing, in which the worst of the
random sample dies, with `ageing=False`.

Differs from the paper: by default a mutation changes one decision of the space, drawn uniformly. A mutation of an
operation always takes another one, where the paper may draw the same again; it changes any decision that is no choice
of inputs, such as a width. Where a node takes two different inputs, a hidden-state mutation draws another pair. A trial
that fails never becomes a member, and nobody dies for it. Where trials run at the same time and the worst of a sample
is dead already, the next worst of it dies, and the worst of the population when all of it are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

import numpy as np
from typing_extensions import override

from nbnas.events import Evaluation, Event, PopulationUpdated
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import (
    SHOW_EVERY,
    BlackBoxSettings,
    BlackBoxStrategy,
    Failure,
    Proposal,
    check_changeable,
    distribution_event,
    frequencies,
    score_of,
)

__all__ = ["RegularizedEvolution"]

_IDENTITY = 0.05
"""Probability of the identity mutation: fixed and not tuned in the paper; the other two are equally likely."""


@dataclass(frozen=True)
class RegularizedEvolution(BlackBoxSettings):
    """Mutates the best of a random tournament; the oldest member dies, even when it is the best."""

    title: ClassVar[str] = "Regularized evolution"

    population: int = setting(100, "Members P; so many random architectures come first.", minimum=1, maximum=100_000)
    tournament: int = setting(25, "Members S that are drawn, with replacement; the fittest becomes parent.", minimum=1)
    mutation: str = setting(
        "decision",
        "What a child changes: one decision; or, by equal chance, an input or an operation, sometimes nothing.",
        options=("decision", "amoebanet"),
    )
    ageing: bool = setting(True, "Whether the oldest member dies; otherwise the worst of those drawn for the child.")

    @override
    def check(self) -> None:
        if self.tournament > self.population:
            self.fail("tournament", f"in 1..population ({self.population})", remedy="Lower it or raise population")

    @override
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        check_changeable(space)
        return _RegularizedEvolution(self, space, rng)


class _Member(NamedTuple):
    trial: int
    architecture: Architecture
    fitness: float


_fitness = attrgetter("fitness")


class _Pending(NamedTuple):
    """A child that is under way, and those who may die for it."""

    architecture: str
    parents: tuple[int, ...]
    sample: list[int]
    """Trials, the worst first."""


class _RegularizedEvolution:
    def __init__(self, settings: RegularizedEvolution, space: SearchSpace, rng: np.random.Generator) -> None:
        self.settings = settings
        self.space = space
        self.rng = rng
        self.population: deque[_Member] = deque()
        self.pending: list[_Pending] = []
        self.told = 0
        places = range(len(space.decisions))
        wiring = {place for place in places if space.decisions[place].wiring}
        self._kinds = (wiring, set(places) - wiring)

    def ask(self) -> Proposal:
        if len(self.population) < self.settings.population:
            return Proposal(self.space.sample(self.rng))
        # Alg. 1: drawn members stay in the population, so the S draws are with replacement.
        drawn = self.rng.integers(len(self.population), size=self.settings.tournament)
        sample = [self.population[place] for place in drawn.tolist()]
        parent = max(sample, key=_fitness)
        child, operator = self._mutated(parent.architecture)
        if not self.settings.ageing:
            worst_first = sorted(set(sample), key=lambda member: (member.fitness, member.trial))
            self.pending.append(_Pending(str(child), (parent.trial,), [member.trial for member in worst_first]))
        return Proposal(child, parents=(parent.trial,), operator=operator)

    def _mutated(self, parent: Architecture) -> tuple[Architecture, str]:
        """A child and what was done: Methods, the three mutations, of which one is applied."""
        if self.settings.mutation == "decision":
            return self.space.mutate(parent, self.rng), "mutation"
        if self.rng.random() < _IDENTITY:
            return parent, "identity mutation"
        child = self.space.mutate(parent, self.rng, self._kinds)
        pairs = enumerate(zip(parent.choices, child.choices, strict=True))
        place = next(place for place, (old, new) in pairs if old != new)  # what it activates comes later
        decision = self.space.decisions[place]
        return child, f"{'hidden state' if decision.wiring else 'operation'} mutation of {decision.name}"

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        self.told += 1
        sample = self._sample_of(proposal)
        if isinstance(answer, Failure):
            return ()
        fitness = score_of(answer)
        died = (self._kill(sample).trial,) if len(self.population) >= self.settings.population else ()
        self.population.append(_Member(trial, proposal.architecture, fitness))
        events: list[Event] = [PopulationUpdated(((trial, fitness),), died)]
        if self.told % SHOW_EVERY == 0:
            rows = frequencies(self.space, [member.architecture for member in self.population])
            events += distribution_event("population", self.told, rows)
        return events

    def _kill(self, sample: Sequence[int]) -> _Member:
        """Takes a member out of the population: the oldest (Alg. 1), or without ageing the worst of the sample."""
        if self.settings.ageing:
            return self.population.popleft()
        alive = {member.trial: member for member in self.population}
        worst = min(self.population, key=lambda member: (member.fitness, member.trial))
        dead = next((alive[trial] for trial in sample if trial in alive), worst)
        self.population.remove(dead)
        return dead

    def _sample_of(self, proposal: Proposal) -> Sequence[int]:
        """The sample that a proposal came from, which is under way no longer; empty where nobody dies for it."""
        for place, (architecture, parents, sample) in enumerate(self.pending):
            if (architecture, parents) == (str(proposal.architecture), proposal.parents):
                del self.pending[place]
                return sample
        return ()

    def draw(self, rng: np.random.Generator) -> Architecture:
        return self.space.sample(rng)

    def state_dict(self) -> dict[str, Any]:
        members = [[member.trial, str(member.architecture), member.fitness] for member in self.population]
        pending = {} if self.settings.ageing else {"pending": [list(one) for one in self.pending]}
        return {"rng": self.rng.bit_generator.state, "population": members, "told": self.told, **pending}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.told = state["told"]
        self.population = deque(
            _Member(trial, self.space.architecture(text), fitness) for trial, text, fitness in state["population"]
        )
        self.pending = [
            _Pending(architecture, tuple(parents), list(sample))
            for architecture, parents, sample in state.get("pending", ())
        ]
