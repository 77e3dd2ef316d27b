"""Bayesian optimisation: a Gaussian process over decisions proposes where improvement is to be expected.

Snoek, Larochelle & Adams, Practical Bayesian Optimization of Machine Learning Algorithms, NIPS 2012, arXiv:1206.2944:
random architectures at first; then the one with the highest expected improvement under a Gaussian process with Matérn
5/2 kernel and a length scale a dimension. Hutter, Hoos & Leyton-Brown, Sequential Model-Based Optimization for General
Algorithm Configuration, LION 2011: distances between options of categories, and candidates in the neighbourhood of the
best. Ginsbourger, Le Riche & Carraro, Kriging Is Well-Suited to Parallelize Optimization, 2010: with several trials at
once, those under way count as told, with the scores that are expected. For distances and kernel see `option_distances`
and `gaussian_process`.
Differs from the paper: lengths, scale and noise are the most likely ones, not averaged over, and are fitted anew when
`refit` more scores are known. Expected improvement is compared by its logarithm; of equals one is drawn. A small space
is looked through as a whole; in others the candidates are random architectures and mutants, those with the highest
expected improvement being mutated again. Trials under way have expected scores where Snoek et al. average over draws.
An architecture is proposed once. A trial that fails teaches nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from nbnas.errors import SpaceError
from nbnas.events import Evaluation, Event, ValuesUpdated
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.acquisition import log_expected_improvement
from nbnas.strategies.base import (
    SHOW_EVERY,
    BlackBoxSettings,
    BlackBoxStrategy,
    Done,
    Failure,
    Proposal,
    check_changeable,
    score_of,
)
from nbnas.strategies.gaussian_process import KERNELS, GaussianProcess, Kernel, fitted
from nbnas.strategies.option_distances import Codes, OptionDistances

__all__ = ["BayesianOptimization"]

Floats = npt.NDArray[np.float64]

_MOST_DRAWS = 100
_MOST_BROKEN = 100_000
_MOST_KNOWN = 500
_BEST = 10
_ROUNDS = 4
_EQUAL = 1e-9


@dataclass(frozen=True)
class BayesianOptimization(BlackBoxSettings):
    """Predicts scores and their uncertainty by a Gaussian process; evaluates where it expects most improvement."""

    title: ClassVar[str] = "Bayesian optimisation (Gaussian process)"

    initial: int = setting(10, "Random architectures at first.", minimum=2, maximum=100_000)
    kernel: str = setting("matern", "Matérn 5/2, or the exponential of the squared distance.", options=KERNELS)
    refit: float = setting(
        0.1, "The kernel is fitted anew when this share more scores are known.", minimum=0, maximum=10
    )
    whole: int = setting(
        20_000,
        "Spaces with so many architectures and no limits are looked through as a whole.",
        minimum=0,
        maximum=200_000,
    )
    candidates: int = setting(1000, "Candidates for a proposal in other spaces.", minimum=10, maximum=100_000)

    @override
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        check_changeable(space)
        return _BayesianOptimization(self, space, rng)


class _Known(NamedTuple):
    architecture: Architecture
    score: float


class _BayesianOptimization:
    """The process knows the first `fit` of `known`, or the most important of them, and then the rest one by one."""

    def __init__(self, settings: BayesianOptimization, space: SearchSpace, rng: np.random.Generator) -> None:
        self.settings = settings
        self.space = space
        self.rng = rng
        self.distances = OptionDistances(space)
        small = not space.limits and space.size <= settings.whole
        self.all = list(space.enumerate()) if small else []
        self.codes = self.distances.codes(self.all)
        self.known: list[_Known] = []
        self.seen: set[str] = set()
        self.pending: list[Architecture] = []
        self.kernel = Kernel.expected(settings.kernel, len(self.distances.tables))
        self.fit = 0
        self.model: GaussianProcess | None = None  # made from what stands above where there is none
        self.order: list[int] = []  # the places in `known` of what the model knows
        self.values: dict[str, dict[str, float]] = {}  # what the model expects, until it is shown
        self._free = np.ones(len(self.all), dtype=np.bool_)
        self._places = {str(one): place for place, one in enumerate(self.all)}

    def ask(self) -> Proposal | Done:
        found: Proposal | None = None
        if len(self.seen) >= self.settings.initial and len(self.known) > 1:
            found = self._most_promising()
        if found is None:
            drawn = self._unseen()
            if drawn is None:
                return Done()
            found = Proposal(drawn)
        self._mark(str(found.architecture))
        self.pending.append(found.architecture)
        return found

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        if proposal.architecture in self.pending:
            self.pending.remove(proposal.architecture)
        if isinstance(answer, Failure):
            return ()
        self.known.append(_Known(proposal.architecture, score_of(answer)))
        if len(self.known) % SHOW_EVERY or not self.values:
            return ()
        values, self.values = self.values, {}
        return [ValuesUpdated("model", len(self.known), values)]

    def draw(self, rng: np.random.Generator) -> Architecture:
        return self.space.sample(rng)

    # -- what is proposed --------------------------------------------------------------------------------------------

    def _most_promising(self) -> Proposal | None:
        """The candidate with the highest expected improvement; `None` where there is none that was not seen."""
        model, scores, unit, middle = self._learned()
        pending = self.distances.codes(self.pending)
        best = max([float(scores.max()), *model.mean(scores, pending)]) if len(pending) else float(scores.max())
        with model.supposing(pending):
            if self.all:
                mean = model.mean(scores)
                self._note(middle + unit * mean, self.codes)
                free = np.flatnonzero(self._free)
                if not len(free):
                    return None
                worth = log_expected_improvement(mean[free], model.deviation()[free], best)
                return Proposal(self.all[free[self._one_of_the_best(worth)]], operator="model")
            return self._bred(model, scores, best, unit, middle)

    def _bred(self, model: GaussianProcess, scores: Floats, best: float, unit: float, middle: float) -> Proposal | None:
        """Candidates of a space that is not looked through: random ones and mutants, then mutants of the promising."""
        share = self.settings.candidates // (_ROUNDS + 1)
        found = dict.fromkeys(self.space.sample(self.rng) for _ in range(share))
        drawn = self.distances.codes(list(found))
        self._note(middle + unit * model.mean(scores, drawn), drawn)
        parents = [one.architecture for one in sorted(self.known, key=lambda one: -one.score)[:_BEST]]
        worth: Floats = np.empty(0)
        new: list[Architecture] = []
        for _ in range(_ROUNDS):
            found |= dict.fromkeys(self._mutants(parents, share))
            new = [one for one in found if str(one) not in self.seen]
            if not new:
                return None
            codes = self.distances.codes(new)
            worth = log_expected_improvement(model.mean(scores, codes), model.deviation(codes), best)
            parents = [new[place] for place in np.argsort(-worth, kind="stable")[:_BEST]]
        return Proposal(new[self._one_of_the_best(worth)], operator="model")

    def _mutants(self, parents: Sequence[Architecture], count: int) -> list[Architecture]:
        """So many mutants of parents in turn, fewer where limits leave none."""
        found = []
        for number in range(count):
            try:
                found.append(self.space.mutate(parents[number % len(parents)], self.rng))
            except SpaceError:  # no neighbour within the limits
                return found
        return found

    def _one_of_the_best(self, worth: Floats) -> int:
        """The place of one of the highest, drawn; those that differ in the last digits are equal."""
        highest = float(worth.max())
        return int(self.rng.choice(np.flatnonzero(worth >= highest - _EQUAL * max(1.0, abs(highest)))))

    def _note(self, expected: Floats, codes: Codes) -> None:
        """Keeps the mean of what is expected of architectures that have an option, by decision and option."""
        for column, place in enumerate(self.distances.places):
            decision = self.space.decisions[place]
            counts = np.bincount(codes[:, column], minlength=len(decision.options))
            sums = np.bincount(codes[:, column], expected, len(decision.options))
            self.values[decision.name] = {
                str(option): float(sums[choice] / counts[choice])
                for choice, option in enumerate(decision.options)
                if counts[choice]
            }
        self.values = {name: row for name, row in self.values.items() if row}

    def _unseen(self) -> Architecture | None:
        """A random architecture that was not seen; `None` when there is no more."""
        for _ in range(_MOST_DRAWS):
            drawn = self.space.sample(self.rng)
            if str(drawn) not in self.seen:
                return drawn
        left = islice(self.space.enumerate(), _MOST_BROKEN + len(self.seen))
        return next((one for one in left if str(one) not in self.seen), None)

    def _mark(self, text: str) -> None:
        self.seen.add(text)
        if self.all:
            self._free[self._places[text]] = False

    # -- what is learned ---------------------------------------------------------------------------------------------

    def _learned(self) -> tuple[GaussianProcess, Floats, float, float]:
        """The process with all that is known; the scores that it knows, their unit and middle."""
        if len(self.known) >= max(self.fit + 1, math.ceil(self.fit * (1 + self.settings.refit))):
            self.fit, self.model = len(self.known), None
            codes, scores, _, _ = self._given(self._chosen())
            usual = Kernel.expected(self.settings.kernel, codes.shape[1])
            self.kernel = fitted(self.distances, codes, scores, [self.kernel, usual])
        if self.model is None:
            self.order = self._chosen()
            self.model = GaussianProcess(self.kernel, self.distances, self.codes)
            self.model.extend(self._given(self.order)[0])
        for place in range(self.fit + len(self.order) - min(self.fit, _MOST_KNOWN), len(self.known)):
            self.order.append(place)
            self.model.extend(self._given([place])[0])
        _, scores, unit, middle = self._given(self.order)
        return self.model, scores, unit, middle

    def _chosen(self) -> list[int]:
        """The places of those to which the kernel is fitted: of too many the better half and the latest."""
        if self.fit <= _MOST_KNOWN:
            return list(range(self.fit))
        ranked = sorted(range(self.fit), key=lambda place: (-self.known[place].score, place))
        better = set(ranked[: _MOST_KNOWN // 2])
        latest = [place for place in range(self.fit) if place not in better][-(_MOST_KNOWN - len(better)) :]
        return sorted([*better, *latest])

    def _given(self, places: Sequence[int]) -> tuple[Codes, Floats, float, float]:
        """Codes and standardised scores of those at some places of `known`, with the unit and middle of the scores."""
        scores = np.array([self.known[place].score for place in places])
        middle, unit = float(scores.mean()), float(scores.std()) or 1.0
        codes = self.distances.codes([self.known[place].architecture for place in places])
        return codes, (scores - middle) / unit, unit, middle

    def state_dict(self) -> dict[str, Any]:
        kernel = self.kernel
        return {
            "rng": self.rng.bit_generator.state,
            "known": [[str(one.architecture), one.score] for one in self.known],
            "seen": sorted(self.seen),
            "pending": [str(one) for one in self.pending],
            "kernel": [list(kernel.lengths), kernel.scale, kernel.noise],
            "fit": self.fit,
            "values": {name: dict(row) for name, row in self.values.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.known = [_Known(self.space.architecture(text), score) for text, score in state["known"]]
        self.pending = [self.space.architecture(text) for text in state["pending"]]
        self.seen = set()
        self._free[:] = True
        for text in state["seen"]:
            self._mark(text)
        lengths, scale, noise = state["kernel"]
        self.kernel = Kernel(self.settings.kernel, tuple(lengths), scale, noise)
        self.fit, self.model = state["fit"], None
        self.values = {name: dict(row) for name, row in state["values"].items()}
