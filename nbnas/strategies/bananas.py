"""BANANAS: Bayesian optimisation with an ensemble of neural networks that predicts scores from paths through the cell.

White, Neiswanger & Savani, BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture Search,
AAAI 2021, arXiv:1910.11858: random architectures at first; then, again and again, fit the ensemble to all that is
known, make candidates by mutation of the best, and evaluate those with the highest acquisition.
Differs from the paper: the global lower bound of the error in its loss lies a quarter of the distance between best and
median beyond the best score so far, since scores have no known bound. Mutations are those of the space, one to
`mutations` of them one after the other, where the published code changes each edge with a fixed probability. Expected
improvement takes the ensemble's deviation as it is; the published code divides it by 5. All items are one batch, see
`predictor_ensemble`; for the paths see `codes`. With several trials at once, the ensemble is fitted to the answers that
are there. A trial that fails teaches nothing and is not proposed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from nbnas.errors import SettingsError
from nbnas.events import Evaluation, Event, ValuesUpdated
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.acquisition import expected_improvement, independent_thompson, upper_confidence_bound
from nbnas.strategies.base import (
    BlackBoxSettings,
    BlackBoxStrategy,
    Done,
    Failure,
    Proposal,
    check_changeable,
    distribution_event,
    frequencies,
    score_of,
)
from nbnas.strategies.codes import CELLS, Coder, OneHotCoder, PathCoder, cells_of
from nbnas.strategies.predictor_ensemble import PredictorEnsemble

__all__ = ["Bananas"]

_MOST_DRAWS = 100
_MOST_PARENTS = 5
_MOST_BROKEN = 100_000
_PROBES = 100
_BOUND = 0.25


@dataclass(frozen=True)
class Bananas(BlackBoxSettings):
    """Predicts scores by an ensemble of small networks and evaluates the most promising mutants of the best."""

    title: ClassVar[str] = "BANANAS (Bayesian optimisation with a neural predictor)"

    initial: int = setting(10, "Random architectures at first.", minimum=2, maximum=100_000)
    batch: int = setting(10, "Architectures between two fits of the ensemble.", minimum=1, maximum=10_000)
    encoding: str = setting(
        "auto",
        "Paths through the cell, or one entry an option; auto: paths where the space has cells.",
        options=("auto", "path", "one_hot"),
    )
    path_length: int = setting(3, "Longest paths that count, in operations.", minimum=1, maximum=16)
    acquisition: str = setting(
        "its",
        "Independent Thompson sampling, expected improvement, or upper confidence bound.",
        options=("its", "ei", "ucb"),
    )
    ucb_weight: float = setting(0.5, "Deviations above the mean (ucb).", minimum=0, maximum=100)
    candidates: int = setting(100, "Mutants among which the acquisition chooses.", minimum=1, maximum=100_000)
    mutations: int = setting(1, "Most mutations from a known architecture to a candidate.", minimum=1, maximum=100)
    isomorphic: bool = setting(False, "Whether architectures that compute the same as a known one are proposed.")
    loss: str = setting(
        "mape", "Error relative to the distance from the bound (mape), or absolute (mae).", options=("mape", "mae")
    )
    members: int = setting(5, "Networks of the ensemble.", minimum=2, maximum=100)
    layers: int = setting(10, "Hidden layers of a network.", minimum=1, maximum=100)
    width: int = setting(20, "Units of a hidden layer.", minimum=1, maximum=1024)
    steps: int = setting(200, "Steps of Adam at each fit.", minimum=1, maximum=100_000)
    learning_rate: float = setting(0.01, "First step size of Adam.", above=0, maximum=1)

    @override
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        check_changeable(space)
        if self.encoding == "path" and not cells_of(space):
            raise SettingsError(
                f"space must have a cell ({', '.join(CELLS)}) for encoding 'path', got {space.component.kind!r}; "
                f"in {space.name!r}. Use encoding 'one_hot'",
                field="encoding",
            )
        return _Bananas(self, space, rng)


class _Known(NamedTuple):
    trial: int
    architecture: Architecture
    score: float


class _Bananas:
    """`seen` has all that was proposed or waits in `queue`, in the form in which it must not come again."""

    def __init__(self, settings: Bananas, space: SearchSpace, rng: np.random.Generator) -> None:
        self.settings = settings
        self.space = space
        self.rng = rng
        paths = settings.encoding == "path" or (settings.encoding == "auto" and bool(cells_of(space)))
        self.coder: Coder = PathCoder(space, settings.path_length) if paths else OneHotCoder(space)
        self.probes = [space.sample(rng) for _ in range(_PROBES)]
        self.known: list[_Known] = []
        self.seen: set[str] = set()
        self.queue: list[Proposal] = []
        self.asked = 0
        self.values: dict[str, dict[str, float]] = {}  # what the last fit expects, until it is shown

    def ask(self) -> Proposal | Done:
        if self.asked >= self.settings.initial and not self.queue and len(self.known) > 1:
            self._refill()
        self.asked += 1
        if self.queue:
            return self.queue.pop(0)
        drawn = self._unseen()
        if drawn is None:
            return Done()
        self.seen.add(self._key(drawn))
        return Proposal(drawn)

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        if not isinstance(answer, Failure):
            self.known.append(_Known(trial, proposal.architecture, score_of(answer)))
        if not self.values:
            return ()
        values, self.values = self.values, {}
        rows = frequencies(self.space, [one.architecture for one in self._parents()])
        return [ValuesUpdated("predictor", trial, values), *distribution_event("population", trial, rows)]

    def draw(self, rng: np.random.Generator) -> Architecture:
        return self.space.sample(rng)

    def _refill(self) -> None:
        """One round of the paper: candidates, a fit, and the best by acquisition into the queue."""
        candidates = self._candidates()
        if not candidates:
            return
        mean, deviation = self._predicted([one.architecture for one in candidates])
        if self.settings.acquisition == "its":
            worth = independent_thompson(mean, deviation, self.rng)
        elif self.settings.acquisition == "ei":
            worth = expected_improvement(mean, deviation, max(one.score for one in self.known))
        else:
            worth = upper_confidence_bound(mean, deviation, self.settings.ucb_weight)
        best = np.argsort(-worth, kind="stable")[: self.settings.batch]
        self.queue = [candidates[place] for place in best]
        self.seen |= {self._key(one.architecture) for one in self.queue}

    def _parents(self) -> list[_Known]:
        """The best that are known, best first; of equal ones the earlier trial."""
        return sorted(self.known, key=lambda one: (-one.score, one.trial))[:_MOST_PARENTS]

    def _candidates(self) -> list[Proposal]:
        """Mutants of the best, then of the next best, until there are enough; none was seen, none is there twice."""
        found: dict[str, Proposal] = {}
        for parent in self._parents():
            for _ in range(self.settings.candidates):
                if len(found) == self.settings.candidates:
                    break
                mutant = parent.architecture
                for _ in range(int(self.rng.integers(self.settings.mutations)) + 1):
                    mutant = self.space.mutate(mutant, self.rng)
                key = self._key(mutant)
                if key not in self.seen and key not in found:
                    found[key] = Proposal(mutant, (parent.trial,), "mutation")
        return list(found.values())

    def _predicted(self, candidates: Sequence[Architecture]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Fits the ensemble; mean and standard deviation of its predictions, in the unit of the score."""
        given = len(self.known)
        codes = self.coder.codes([*(one.architecture for one in self.known), *candidates, *self.probes])
        scores = np.array([one.score for one in self.known])
        errors, bound, unit = errors_of(scores)
        settings = self.settings
        ensemble = PredictorEnsemble(codes.shape[1], settings.members, settings.layers, settings.width, self.rng)
        weights = 1 / errors if settings.loss == "mape" else np.ones(given)
        ensemble.fit(codes[:given], errors, weights, settings.steps, settings.learning_rate)
        predicted = bound - unit * ensemble.predict(codes[given:])
        mean, deviation = predicted.mean(axis=0), predicted.std(axis=0)
        self.values = self._worth(mean[len(candidates) :])
        return mean[: len(candidates)], deviation[: len(candidates)]

    def _worth(self, predicted: npt.NDArray[np.float64]) -> dict[str, dict[str, float]]:
        """The mean prediction of the probes that have an option, by decision and option."""
        rows: dict[str, dict[str, float]] = {}
        for place, decision in enumerate(self.space.decisions):
            choices = np.array([-1 if one.choices[place] is None else one.choices[place] for one in self.probes])
            row = {
                str(option): float(predicted[choices == choice].mean())
                for choice, option in enumerate(decision.options)
                if (choices == choice).any()
            }
            if row:
                rows[decision.name] = row
        return rows

    def _key(self, architecture: Architecture) -> str:
        return str(architecture) if self.settings.isomorphic else self.space.canonical(architecture)

    def _unseen(self) -> Architecture | None:
        """A random architecture that was not seen; `None` when there is no more."""
        for _ in range(_MOST_DRAWS):
            drawn = self.space.sample(self.rng)
            if self._key(drawn) not in self.seen:
                return drawn
        left = islice(self.space.enumerate(), _MOST_BROKEN)
        return next((one for one in left if self._key(one) not in self.seen), None)

    def state_dict(self) -> dict[str, Any]:
        return {
            "rng": self.rng.bit_generator.state,
            "known": [[one.trial, str(one.architecture), one.score] for one in self.known],
            "seen": sorted(self.seen),
            "queue": [[str(one.architecture), list(one.parents)] for one in self.queue],
            "probes": [str(one) for one in self.probes],
            "asked": self.asked,
            "values": {name: dict(row) for name, row in self.values.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.known = [_Known(trial, self.space.architecture(text), score) for trial, text, score in state["known"]]
        self.seen = set(state["seen"])
        self.queue = [
            Proposal(self.space.architecture(text), tuple(parents), "mutation") for text, parents in state["queue"]
        ]
        self.probes = [self.space.architecture(text) for text in state["probes"]]
        self.asked = state["asked"]
        self.values = {name: dict(row) for name, row in state["values"].items()}


def errors_of(scores: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float, float]:
    """Scores as errors above a bound, in the unit of their mean; all are positive.

    Args:
        scores: shape (items,).

    Returns:
        errors, the bound as a score, and the unit: scores are bound - unit * errors.
    """
    best = float(scores.max())
    margin = _BOUND * (best - float(np.median(scores)))
    bound = best + (margin if margin > 0 else float(scores.std()) or 1.0)
    errors = bound - scores
    unit = float(errors.mean())
    return errors / unit, bound, unit
