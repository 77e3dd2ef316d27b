"""Grid search: every architecture once, in order or shuffled.

The exhaustive baseline of experimental design; for its weakness against random draws see Bergstra & Bengio, Random
Search for Hyper-Parameter Optimization, JMLR 13, 2012. The n-th architecture is found by counting (ranking and
unranking: Kreher & Stinson, Combinatorial Algorithms, 1998), and the shuffled order is a Feistel network (Luby &
Rackoff, SIAM Journal on Computing 17(2), 1988) that is walked until it falls into the space (Black & Rogaway, Ciphers
with Arbitrary Finite Domains, CT-RSA 2002), so nothing is stored but a position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from nbnas.errors import SettingsError
from nbnas.events import Evaluation, Event
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.spaces.decision import Option
from nbnas.strategies.base import BlackBoxSettings, BlackBoxStrategy, Done, Failure, Proposal

__all__ = ["GridSearch"]


@dataclass(frozen=True)
class GridSearch(BlackBoxSettings):
    """Goes through all architectures, each once; the limit on the run cuts it short."""

    title: ClassVar[str] = "Grid search"

    order: str = setting(
        "lexicographic",
        "The last decision changes fastest (lexicographic), or a random order that the seed sets (shuffled).",
        options=("lexicographic", "shuffled"),
    )
    most: int = setting(1_000_000, "Architectures that a space may have.", minimum=1, maximum=10**15)

    @override
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        if space.size > self.most:
            raise SettingsError(
                f"space must have at most {self.most:,} architectures (most) for a grid search, got {space.size:,}; "
                f"in {space.name!r}. Close decisions, raise most, or use RandomSearch",
                field="most",
            )
        return _GridSearch(self, space, rng)


class _GridSearch:
    def __init__(self, settings: GridSearch, space: SearchSpace, rng: np.random.Generator) -> None:
        self.space = space
        self.shuffled = settings.order == "shuffled"
        self.key = int(rng.integers(2**63))
        self.position = 0
        self._ranking = Ranking(space)

    def ask(self) -> Proposal | Done:
        while self.position < self._ranking.size:
            rank = shuffled(self.position, self._ranking.size, self.key) if self.shuffled else self.position
            self.position += 1
            architecture = self._ranking.architecture(rank)
            if not self.space.broken(architecture):
                return Proposal(architecture, operator="grid")
        return Done()

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        return ()

    def draw(self, rng: np.random.Generator) -> Architecture:
        return self.space.sample(rng)

    def state_dict(self) -> dict[str, Any]:
        return {"key": self.key, "position": self.position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.key, self.position = state["key"], state["position"]


_State = tuple[tuple[int, int | None], ...]
"""`(place, choice)` of those decisions on which later ones still depend; of choices that act alike the first."""

_MOST_STATES = 100_000


class Ranking:
    """Which architecture is the n-th in lexicographic order, without those before it; limits are not considered.

    Attributes:
        size: how many architectures there are.

    Raises:
        SettingsError: the conditions are too entangled for it.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        places = {decision.name: place for place, decision in enumerate(space.decisions)}
        last_use: dict[int, int] = {}
        asked: dict[int, list[Sequence[Option]]] = {}  # by earlier decision: what conditions ask of it
        for user, decision in enumerate(space.decisions):
            for rule in (one for first in decision.when for one in (first, *first.otherwise)):
                last_use[places[rule.decision]] = user
                asked.setdefault(places[rule.decision], []).append(rule.options)
        # Before each decision, for each state: its choices in order, and the state that each leads to.
        self._ways: list[dict[_State, list[tuple[int | None, _State]]]] = []
        states: set[_State] = {()}
        for place, decision in enumerate(space.decisions):
            alike = _alike(decision.options, asked.get(place, []))
            ways: dict[_State, list[tuple[int | None, _State]]] = {}
            for state in states:
                choices: list[int | None] = [None] * len(places)
                for earlier, choice in state:
                    choices[earlier] = choice
                options: Sequence[int | None] = range(len(decision.options)) if space.active(place, choices) else [None]
                kept = tuple(pair for pair in state if last_use[pair[0]] > place)
                ways[state] = [
                    (choice, (*kept, (place, None if choice is None else alike[choice])) if place in last_use else kept)
                    for choice in options
                ]
            self._ways.append(ways)
            states = {following for row in ways.values() for _, following in row}
            if len(states) > _MOST_STATES:
                raise SettingsError(
                    f"conditions must be such that at most {_MOST_STATES:,} cases are open at a time for a grid "
                    f"search, got {len(states):,} at {decision.name}; in space {space.name!r}. Use RandomSearch",
                    field="space",
                )
        # From behind: how many architectures each state can still become.
        self._counts: list[dict[_State, int]] = [dict.fromkeys(states, 1)]
        for ways in reversed(self._ways):
            later = self._counts[-1]
            self._counts.append({state: sum(later[following] for _, following in row) for state, row in ways.items()})
        self._counts.reverse()
        self.size = self._counts[0][()]

    def architecture(self, rank: int) -> Architecture:
        """The architecture at `rank`, in 0..size - 1."""
        assert 0 <= rank < self.size
        choices: list[int | None] = []
        state: _State = ()
        for ways, later in zip(self._ways, self._counts[1:], strict=True):
            for choice, following in ways[state]:
                if rank < later[following]:
                    choices.append(choice)
                    state = following
                    break
                rank -= later[following]
        return Architecture(self.space.digest, tuple(choices))


def _alike(options: Sequence[Option], asked: Sequence[Sequence[Option]]) -> list[int]:
    """For each option the first one that no condition tells from it."""
    # The type as well, since True and 1 are equal.
    sets = [{(type(option), option) for option in allowed} for allowed in asked]
    first: dict[tuple[bool, ...], int] = {}
    return [
        first.setdefault(tuple((type(option), option) in one for one in sets), place)
        for place, option in enumerate(options)
    ]


_ROUNDS = 8


def shuffled(position: int, size: int, key: int) -> int:
    """Where a position goes in a permutation of 0..size - 1 that `key` (below 2**63) chooses."""
    bits = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << bits) - 1
    while True:
        left, right = position >> bits, position & mask
        for number in range(_ROUNDS):
            text = key.to_bytes(8, "big") + bytes([number]) + right.to_bytes(8, "big")
            mixed = int.from_bytes(blake2b(text, digest_size=8).digest(), "big")
            left, right = right, left ^ (mixed & mask)
        position = (left << bits) | right
        if position < size:  # a walk along a cycle comes back into the space, so this stays a permutation
            return position
