"""A sampler of Optuna: tree-structured Parzen estimators, Gaussian processes, or random draws.

Akiba, Sano, Yanase, Ohta & Koyama, Optuna: A Next-generation Hyperparameter Optimization Framework, KDD 2019,
arXiv:1907.10902; Bergstra, Bardenet, Bengio & Kégl, Algorithms for Hyper-Parameter Optimization, NIPS 2011 (TPE);
Watanabe, Tree-Structured Parzen Estimator, 2023, arXiv:2304.11127 (as Optuna has it); for the Gaussian process the
documentation of `optuna.samplers.GPSampler`. The samplers are those of the package, driven by ask and tell.
Differs from the paper: each proposal comes from a new sampler whose seed is drawn from the run's generator, so that a
resumed run goes on exactly; a Gaussian process is therefore always fitted from its own start.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from typing_extensions import override

from nbnas.errors import SettingsError
from nbnas.events import Evaluation, Event
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.spaces.architecture import parse_choices
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

if TYPE_CHECKING:
    import optuna

__all__ = ["OptunaSampler"]

_MOST_DRAWS = 100
_BEST = 0.25

_RUNNING, _FAILED = "running", "failed"


@dataclass(frozen=True)
class OptunaSampler(BlackBoxSettings):
    """Proposes what a sampler of Optuna suggests, one decision after the other."""

    title: ClassVar[str] = "Optuna: TPE, Gaussian process"

    sampler: str = setting(
        "tpe",
        "Tree-structured Parzen estimator, Gaussian process (slow beyond some hundred trials), or random.",
        options=("tpe", "gp", "random"),
    )
    startup: int = setting(10, "Random architectures before the model is asked.", minimum=1, maximum=100_000)
    multivariate: bool = setting(True, "One density over all decisions together, or one for each (tpe).")

    @override
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        try:
            import optuna  # noqa: F401
        except ImportError:
            raise SettingsError(
                "optuna must be installed for OptunaSampler, got no such package. "
                "Install it: pip install 'nbnas[optuna]'"
            ) from None
        return _OptunaSampler(self, space, rng)


class _OptunaSampler:
    """`records` holds what the study holds, in its order: an architecture, and its score or how it stands."""

    def __init__(self, settings: OptunaSampler, space: SearchSpace, rng: np.random.Generator) -> None:
        self.settings = settings
        self.space = space
        self.rng = rng
        self.records: list[tuple[Architecture, float | str]] = []
        self.told = 0
        self.study = self._new_study()

    def ask(self) -> Proposal:
        for _ in range(_MOST_DRAWS):
            suggested = self._suggest()
            if not self.space.broken(suggested):
                return Proposal(suggested, operator=self.settings.sampler)
            self._finish(len(self.records) - 1, _FAILED)  # a limit of the space
        drawn = self.space.sample(self.rng)
        self._add(drawn, _RUNNING)
        return Proposal(drawn)

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        self.told += 1
        number = self.records.index((proposal.architecture, _RUNNING))
        self._finish(number, _FAILED if isinstance(answer, Failure) else score_of(answer))
        known = [(score, one) for one, score in self.records if not isinstance(score, str)]
        if self.told % SHOW_EVERY or not known:
            return ()
        known.sort(key=lambda pair: -pair[0])
        best = [one for _, one in known[: max(1, round(_BEST * len(known)))]]
        return distribution_event("population", self.told, frequencies(self.space, best))

    def draw(self, rng: np.random.Generator) -> Architecture:
        return self.space.sample(rng)

    def _suggest(self) -> Architecture:
        """A new trial of the study: each active decision is suggested in turn."""
        seed = int(self.rng.integers(2**32))
        with _quiet():
            self.study.sampler = _sampler(self.settings, seed)
            trial = self.study.ask()
            choices: list[int | None] = [None] * len(self.space.decisions)
            for place, decision in enumerate(self.space.decisions):
                if not self.space.active(place, choices):
                    continue
                last = len(decision.options) - 1
                if last == 0:
                    choices[place] = 0
                elif decision.ordered:
                    choices[place] = trial.suggest_int(decision.name, 0, last)
                else:
                    choices[place] = int(trial.suggest_categorical(decision.name, range(last + 1)))
        architecture = Architecture(self.space.digest, tuple(choices))
        self.records.append((architecture, _RUNNING))
        return architecture

    def _finish(self, number: int, value: float | str) -> None:
        """Tells the study about its trial `number`."""
        from optuna.trial import TrialState

        self.records[number] = (self.records[number][0], value)
        if isinstance(value, str):
            self.study.tell(number, state=TrialState.FAIL)
        else:
            self.study.tell(number, value)

    def _add(self, architecture: Architecture, value: float | str) -> None:
        """Adds a trial to the study as if it had been asked for and, unless it runs, told."""
        from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
        from optuna.trial import TrialState, create_trial

        distributions: dict[str, BaseDistribution] = {}
        choices: dict[str, int] = {}
        for decision, choice in zip(self.space.decisions, architecture.choices, strict=True):
            last = len(decision.options) - 1
            if choice is not None and last:
                distributions[decision.name] = (
                    IntDistribution(0, last) if decision.ordered else CategoricalDistribution(range(last + 1))
                )
                choices[decision.name] = choice
        states = {_RUNNING: TrialState.RUNNING, _FAILED: TrialState.FAIL}
        self.study.add_trial(
            create_trial(state=states[value], params=choices, distributions=distributions)
            if isinstance(value, str)
            else create_trial(value=value, params=choices, distributions=distributions)
        )
        self.records.append((architecture, value))

    def _new_study(self) -> optuna.Study:
        import optuna

        with _quiet():
            return optuna.create_study(direction="maximize", sampler=_sampler(self.settings, 0))

    def state_dict(self) -> dict[str, Any]:
        return {
            "rng": self.rng.bit_generator.state,
            "records": [[str(architecture), value] for architecture, value in self.records],
            "told": self.told,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.told = state["told"]
        self.records, self.study = [], self._new_study()
        for text, value in state["records"]:
            # One that broke a limit was told as failed; it is not valid.
            self._add(Architecture(self.space.digest, parse_choices(text)), value)


def _sampler(settings: OptunaSampler, seed: int) -> optuna.samplers.BaseSampler:
    """A new sampler; its experimental parts are meant."""
    from optuna import samplers

    if settings.sampler == "tpe":
        return samplers.TPESampler(
            n_startup_trials=settings.startup,
            multivariate=settings.multivariate,
            seed=seed,
        )
    if settings.sampler == "gp":
        return samplers.GPSampler(n_startup_trials=settings.startup, warn_independent_sampling=False, seed=seed)
    return samplers.RandomSampler(seed=seed)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Optuna logs about studies and conditional decisions, and warns of as experimental."""
    from optuna import logging
    from optuna.exceptions import ExperimentalWarning

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        logging.set_verbosity(before)
