"""Local search: hill climbing from neighbour to neighbour, again and again.

White, Nolen & Savani, Exploring the Loss Landscape in Neural Architecture Search, UAI 2021, arXiv:2005.02960: start at
the best of some random architectures, evaluate those around it, move while one of them is better (the best of all, or
the first that is better), and start anew at a local optimum.
Differs from the paper: a later start has `restart` random architectures instead of `initial`. An architecture that was
evaluated before is never evaluated again, but its score still counts: an optimum is one whose neighbours are all known.
Where one has more than `neighbourhood` neighbours (conditional decisions can make that), so many random mutations stand
for them. A trial that fails is never better.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from nbnas.events import Evaluation, Event, PopulationUpdated
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import (
    BlackBoxSettings,
    BlackBoxStrategy,
    Done,
    Failure,
    Proposal,
    Wait,
    check_changeable,
    score_of,
)

__all__ = ["LocalSearch"]

_MOST_DRAWS = 100
_MOST_BROKEN = 100_000


@dataclass(frozen=True)
class LocalSearch(BlackBoxSettings):
    """Moves to a better neighbour while there is one; then starts anew elsewhere. Nothing is evaluated twice."""

    title: ClassVar[str] = "Local search (hill climbing)"

    initial: int = setting(
        10, "Random architectures at first; the best is where it starts.", minimum=1, maximum=100_000
    )
    query_until: str = setting(
        "better", "Move to the first neighbour that is better, or to the best of all.", options=("better", "all")
    )
    restart: int = setting(1, "Random architectures at each later start.", minimum=1, maximum=100_000)
    neighbourhood: int = setting(
        1000, "Most neighbours of one architecture; of more, so many random mutations.", minimum=1, maximum=100_000
    )

    @override
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        check_changeable(space)
        return _LocalSearch(self, space, rng)


class _LocalSearch:
    """Architectures are kept as their texts; `known` has the trial and the score (`None`: failed) of each."""

    def __init__(self, settings: LocalSearch, space: SearchSpace, rng: np.random.Generator) -> None:
        self.settings = settings
        self.space = space
        self.rng = rng
        # Limits would filter inside a walk that may be endless; without them each step of a walk is one architecture.
        self._free = SearchSpace(space.name, space.component, dims=space.dims) if space.limits else space
        self.known: dict[str, tuple[int, float | None]] = {}
        self.pending: set[str] = set()
        self.wanted = settings.initial
        self.starts: list[str] = []
        self.current: str | None = None
        self.neighbours: list[str] = []
        self.asked = 0  # so many of the neighbours

    def ask(self) -> Proposal | Wait | Done:
        if self.current is None and len(self.starts) < self.wanted:
            drawn = self._unseen()
            if drawn is None:
                return Wait() if self.pending else Done()
            self.starts.append(str(drawn))
            self.pending.add(str(drawn))
            return Proposal(drawn)
        while self.current is not None and self.asked < len(self.neighbours):
            text = self.neighbours[self.asked]
            self.asked += 1
            if self._is_new(text):
                self.pending.add(text)
                return Proposal(self.space.architecture(text), (self.known[self.current][0],), "neighbour")
        return Wait()

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        text = str(proposal.architecture)
        self.pending.discard(text)
        self.known[text] = (trial, None if isinstance(answer, Failure) else score_of(answer))
        events: list[Event] = []
        while (moved := self._advance()) is not None:
            events.append(moved)
        return events

    def draw(self, rng: np.random.Generator) -> Architecture:
        return self.space.sample(rng)

    def _advance(self) -> Event | None:
        """One move that what is known allows: to a start, to a neighbour, or away from a local optimum."""
        if self.current is None:
            if len(self.starts) < self.wanted or not self._all_known(self.starts):
                return None
            best = self._best(self.starts)
            if best is None:  # all failed
                self.wanted += 1
                return None
            return self._move(best)
        better = self._better()
        if better is not None:
            return self._move(better)
        return self._move(None) if self._all_known(self.neighbours) else None

    def _better(self) -> str | None:
        """The neighbour to move to; `None` where there is none, or where it is not known yet."""
        assert self.current is not None
        here = self._score(self.current)
        if self.settings.query_until == "better":
            return next((text for text in self.neighbours if self._score(text) > here), None)
        best = self._best(self.neighbours) if self._all_known(self.neighbours) else None
        return best if best is not None and self._score(best) > here else None

    def _move(self, to: str | None) -> Event:
        """Goes to an architecture with its neighbours in random order, or, with `None`, to a new start."""
        died = () if self.current is None else (self.known[self.current][0],)
        self.current, self.asked, self.neighbours = to, 0, []
        self.starts, self.wanted = [], self.settings.restart
        if to is None:
            return PopulationUpdated((), died)
        around = [str(architecture) for architecture in self._around(self.space.architecture(to))]
        self.neighbours = [around[place] for place in self.rng.permutation(len(around))]
        return PopulationUpdated(((self.known[to][0], self._score(to)),), died)

    def _around(self, architecture: Architecture) -> Iterable[Architecture]:
        """All neighbours, or random ones where there are too many."""
        most = self.settings.neighbourhood
        free = Architecture(self._free.digest, architecture.choices)
        found = [Architecture(self.space.digest, one.choices) for one in islice(self._free.neighbours(free), most + 1)]
        if len(found) <= most:
            return [one for one in found if not self.space.broken(one)]
        drawn: dict[Architecture, None] = {}
        for _ in range(4 * most):
            drawn[self.space.mutate(architecture, self.rng)] = None
            if len(drawn) == most:
                break
        return drawn

    def _unseen(self) -> Architecture | None:
        """A random architecture that was not proposed before; `None` when there is no more."""
        for _ in range(_MOST_DRAWS):
            drawn = self.space.sample(self.rng)
            if self._is_new(str(drawn)):
                return drawn
        most = len(self.known) + len(self.pending) + _MOST_BROKEN
        left = (Architecture(self.space.digest, one.choices) for one in islice(self._free.enumerate(), most))
        return next((one for one in left if self._is_new(str(one)) and not self.space.broken(one)), None)

    def _is_new(self, text: str) -> bool:
        return text not in self.known and text not in self.pending

    def _all_known(self, texts: Sequence[str]) -> bool:
        return all(text in self.known for text in texts)

    def _score(self, text: str) -> float:
        """Minus infinity where it failed or is not known."""
        score = self.known[text][1] if text in self.known else None
        return float("-inf") if score is None else score

    def _best(self, texts: Sequence[str]) -> str | None:
        """The first of those with the best score; `None` when all failed."""
        best = max(texts, key=self._score, default=None)
        return None if best is None or self._score(best) == float("-inf") else best

    def state_dict(self) -> dict[str, Any]:
        return {
            "rng": self.rng.bit_generator.state,
            "known": {text: list(pair) for text, pair in self.known.items()},
            "pending": sorted(self.pending),
            "wanted": self.wanted,
            "starts": list(self.starts),
            "current": self.current,
            "neighbours": list(self.neighbours),
            "asked": self.asked,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.known = {text: (trial, score) for text, (trial, score) in state["known"].items()}
        self.pending = set(state["pending"])
        self.wanted, self.starts = state["wanted"], list(state["starts"])
        self.current, self.neighbours, self.asked = state["current"], list(state["neighbours"]), state["asked"]
