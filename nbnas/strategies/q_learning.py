"""Q-learning: the search of MetaQNN.

Baker, Gupta, Naik & Raskar, Designing Neural Network Architectures using Reinforcement Learning, ICLR 2017,
arXiv:1611.02167: an agent chooses decision after decision; Q-learning (Eq. 3) with an epsilon-greedy policy, experience
replay, Q at 0.5 at the start, the schedule of epsilon of Table 2, scaled to `trials`; the reward is the final score.
Watkins, Learning from Delayed Rewards, 1989.
Differs from the paper: what the agent sees before a decision is what the component of the space says (`state`), by
default the choice before it. A new reward is learnt once before the replay, which alone brings it in Algorithm 1. An
architecture that was tried before, or breaks a limit of the space, is drawn anew, up to 100 times; the paper looks the
former up and learns again. A trial that fails teaches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from nbnas.events import Evaluation, Event, ValuesUpdated
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import (
    SHOW_EVERY,
    BlackBoxSettings,
    BlackBoxStrategy,
    Failure,
    Proposal,
    distribution_event,
    score_of,
)

__all__ = ["EPSILONS", "QLearning"]

EPSILONS = ((1.0, 1500), (0.9, 100), (0.8, 100), (0.7, 100), *((step / 10, 150) for step in range(6, 0, -1)))
"""Table 2: epsilon, and how many models are trained with it; 2,700 together."""

_MOST_DRAWS = 100


@dataclass(frozen=True)
class QLearning(BlackBoxSettings):
    """Learns the value of each choice; first draws at random, then more and more what it values highest."""

    title: ClassVar[str] = "Q-learning (MetaQNN)"

    trials: int = setting(2700, "Trials over which epsilon falls from 1 to 0.1.", minimum=1, maximum=10_000_000)
    learning_rate: float = setting(0.01, "Step size of Q.", above=0, maximum=1)
    discount: float = setting(1.0, "Worth of a reward one decision later.", minimum=0, maximum=1)
    initial: float = setting(0.5, "Q at the start.", minimum=-1e6, maximum=1e6)
    replay: int = setting(
        128, "Architectures of the past that are learnt again after each trial.", minimum=0, maximum=100_000
    )

    @override
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        return _QLearning(self, space, rng)

    def epsilon(self, trial: int) -> float:
        """The share of random choices in a trial, counted from 0."""
        total = sum(count for _, count in EPSILONS)
        reached = 0.0
        for epsilon, count in EPSILONS:
            reached += count / total * self.trials
            if trial < reached:
                return epsilon
        return EPSILONS[-1][0]


class _QLearning:
    def __init__(self, settings: QLearning, space: SearchSpace, rng: np.random.Generator) -> None:
        self.settings, self.space, self.rng = settings, space, rng
        self.q: dict[str, list[float]] = {}
        self.memory: list[tuple[Architecture, float]] = []
        self.seen: set[str] = set()
        self.asked = 0
        self.told = 0

    def ask(self) -> Proposal:
        epsilon = self.settings.epsilon(self.asked)
        self.asked += 1
        for _ in range(_MOST_DRAWS):
            drawn = self._kept(self.rng, epsilon)
            if str(drawn) not in self.seen:
                break
        self.seen.add(str(drawn))
        return Proposal(drawn, operator=f"epsilon {epsilon:g}")

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        self.told += 1
        if isinstance(answer, Failure):
            return ()
        self.memory.append((proposal.architecture, score_of(answer)))
        self._learn(*self.memory[-1])
        for place in self.rng.integers(len(self.memory), size=self.settings.replay):
            self._learn(*self.memory[place])
        if self.told % SHOW_EVERY:
            return ()
        values, policy = self._shown()
        return [ValuesUpdated("Q", self.told, values), *distribution_event("policy", self.told, {"policy": policy})]

    def draw(self, rng: np.random.Generator) -> Architecture:
        return self._kept(rng, self.settings.epsilon(self.asked))

    def _kept(self, rng: np.random.Generator, epsilon: float) -> Architecture:
        """A walk that keeps the limits of the space; one drawn uniformly where 100 do not."""
        for _ in range(_MOST_DRAWS):
            walked = self._walk(rng, epsilon)
            if not self.space.broken(walked):
                return walked
        return self.space.sample(rng)

    def _walk(self, rng: np.random.Generator, epsilon: float) -> Architecture:
        choices: list[int | None] = [None] * len(self.space.decisions)
        for place, decision in enumerate(self.space.decisions):
            if not self.space.active(place, choices):
                continue
            if rng.random() < epsilon:
                choices[place] = int(rng.integers(len(decision.options)))
            else:
                values = np.asarray(self._values(place, choices))
                choices[place] = int(rng.choice(np.flatnonzero(values == values.max())))  # ties at random
        return Architecture(self.space.digest, tuple(choices))

    def _learn(self, architecture: Architecture, reward: float) -> None:
        """Eq. 3 along one architecture, from its last decision to its first, so that the reward travels at once."""
        rate, discount = self.settings.learning_rate, self.settings.discount
        following: list[float] | None = None  # Q of the next state
        places = [place for place, choice in enumerate(architecture.choices) if choice is not None]
        for place in reversed(places):
            before = [*architecture.choices[:place], *[None] * (len(architecture.choices) - place)]
            values = self._values(place, before)
            choice = architecture.choices[place]
            assert choice is not None
            # The reward comes with the last choice; before it a choice is worth what can be made of it.
            target = reward if following is None else discount * max(following)
            values[choice] += rate * (target - values[choice])
            following = values

    def _values(self, place: int, choices: Sequence[int | None]) -> list[float]:
        """Q of all options of a decision in the state before it."""
        key = self.space.state(place, choices)
        return self.q.setdefault(key, [self.settings.initial] * len(self.space.decisions[place].options))

    def _shown(self) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
        """Q, and the epsilon-greedy policy, along the greedy architecture, by decision and option."""
        epsilon = self.settings.epsilon(self.asked)
        choices: list[int | None] = [None] * len(self.space.decisions)
        values: dict[str, dict[str, float]] = {}
        policy: dict[str, dict[str, float]] = {}
        for place, decision in enumerate(self.space.decisions):
            if not self.space.active(place, choices):
                continue
            row = self._values(place, choices)
            best = [choice for choice, value in enumerate(row) if value == max(row)]
            names = list(map(str, decision.options))
            values[decision.name] = dict(zip(names, row, strict=True))
            policy[decision.name] = {
                name: epsilon / len(row) + (1 - epsilon) / len(best) * (choice in best)
                for choice, name in enumerate(names)
            }
            choices[place] = best[0]
        return values, policy

    def state_dict(self) -> dict[str, Any]:
        return {
            "rng": self.rng.bit_generator.state,
            "q": {key: list(row) for key, row in self.q.items()},
            "memory": [[str(architecture), score] for architecture, score in self.memory],
            "seen": sorted(self.seen),
            "asked": self.asked,
            "told": self.told,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.q = {key: list(row) for key, row in state["q"].items()}
        self.memory = [(self.space.architecture(text), score) for text, score in state["memory"]]
        self.seen = set(state["seen"])
        self.asked, self.told = state["asked"], state["told"]
