"""Random search: the baseline that every other strategy must beat.

Li & Talwalkar, Random Search and Reproducibility for Neural Architecture Search, UAI 2019, arXiv:1902.07638. With the
evaluator `SharedWeights` it is their random search with weight sharing.
Differs from the paper: with `SharedWeights`, architectures are scored in between the epochs of the shared weights
instead of once at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from nbnas.events import Evaluation, Event
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import BlackBoxSettings, BlackBoxStrategy, Failure, Proposal

__all__ = ["RandomSearch"]


@dataclass(frozen=True)
class RandomSearch(BlackBoxSettings):
    """Draws every architecture anew, whatever was learned before."""

    title: ClassVar[str] = "Random search"

    @override
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        return _RandomSearch(space, rng)


class _RandomSearch:
    def __init__(self, space: SearchSpace, rng: np.random.Generator) -> None:
        self.space = space
        self.rng = rng

    def ask(self) -> Proposal:
        return Proposal(self.space.sample(self.rng))

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        return ()

    def draw(self, rng: np.random.Generator) -> Architecture:
        return self.space.sample(rng)

    def state_dict(self) -> dict[str, Any]:
        return {"rng": self.rng.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
