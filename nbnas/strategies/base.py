"""What a strategy is: settings that bind to a space, and what they then become.

Two interfaces, each fully true. A `BlackBoxStrategy` is asked for architectures and told what they are worth; it never
sees a network. A `DifferentiableStrategy` trains a supernet and derives an architecture from it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from nbnas.errors import SettingsError
from nbnas.events import DistributionUpdated, Evaluation, Event, Progress
from nbnas.settings import Settings
from nbnas.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from torch import Tensor

    from nbnas.networks import Supernet
    from nbnas.tasks.bound import BoundTask

__all__ = [
    "STRATEGIES",
    "BlackBoxSettings",
    "BlackBoxStrategy",
    "DifferentiableSettings",
    "DifferentiableStrategy",
    "Done",
    "Failure",
    "Proposal",
    "StrategySettings",
    "Wait",
    "strategy_from_json",
    "strategy_to_json",
]

STRATEGIES: dict[str, type[StrategySettings]] = {}
"""All strategies by class name, in the order of their definition; own ones join when their class is made."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An architecture that a strategy wants to have evaluated.

    Attributes:
        parents: trials it was made from.
        operator: how: `sample`, `mutation`, `crossover`, `policy`.
        fidelity: how cheaply (in the evaluator's unit); `None` for the evaluator's own.
        continues: the trial whose training it carries on.
    """

    architecture: Architecture
    parents: tuple[int, ...] = ()
    operator: str = "sample"
    fidelity: float | None = None
    continues: int | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """The strategy needs an answer before it can propose again."""


@dataclass(frozen=True, slots=True)
class Done:
    """The strategy has nothing left to propose."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The answer for a trial that failed. `cause` is one word."""

    cause: str
    message: str


class BlackBoxStrategy(Protocol):
    """A strategy that is asked and told. Answers may come late and out of order."""

    def ask(self) -> Proposal | Wait | Done:
        """The next architecture to evaluate."""

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        """Takes the answer to a proposal; returns what the strategy wants to show.

        Args:
            trial: the trial's number, unique in the run.
            proposal: what `ask` returned.
            answer: an evaluation with a score, or a failure.
        """

    def draw(self, rng: np.random.Generator) -> Architecture:
        """One architecture from what the strategy believes now, without expecting an answer.

        Shared weights are trained on such draws. A strategy without a belief draws from the space.
        """

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly, generators included: JSON values, arrays and tensors."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes the state over."""


class DifferentiableStrategy(Protocol):
    """A strategy that trains a supernet by gradient descent on weights and architecture weights.

    Attributes:
        supernet: what it trains now.
    """

    supernet: Supernet

    def epoch(self) -> Generator[Progress, None, Mapping[str, float]]:
        """One epoch; yields once a batch, returns metrics. Closing the generator stops within the batch."""

    def mixture(self) -> Mapping[str, Tensor]:
        """Row -> share of each option, shape (options,), differentiable in the architecture weights."""

    def probabilities(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        """Group -> decision -> option -> share; each row sums to 1."""

    def derive(self) -> Architecture:
        """The architecture that the architecture weights stand for now."""

    def advance(self) -> Sequence[Event]:
        """Called when an epoch was shown: may change what is searched, and says so."""

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes the state over."""


class StrategySettings(Settings):
    """Base of the settings of all strategies; a subclass joins `STRATEGIES` under its class name."""

    title: ClassVar[str] = ""
    differentiable: ClassVar[bool] = False

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if cls.title:
            known = STRATEGIES.get(cls.__name__)
            if known is not None and known.__module__.startswith("nbnas.") and cls.__module__ != known.__module__:
                raise SettingsError(f"strategy class must have a new name, got {cls.__name__}, which is built in.")
            STRATEGIES[cls.__name__] = cls


class BlackBoxSettings(StrategySettings):
    """Settings of a strategy that is asked and told."""

    several: ClassVar[bool] = False
    """Whether it can maximise several objectives at once."""

    @abstractmethod
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        """The strategy at its start.

        Args:
            space: where it searches.
            rng: its only source of chance.

        Raises:
            SettingsError: the settings do not fit the space.
        """


class DifferentiableSettings(StrategySettings):
    """Settings of a strategy that trains a supernet."""

    differentiable: ClassVar[bool] = True

    def check_space(self, space: SearchSpace, epochs: int | None) -> None:
        """Refuses, before anything starts, a space or a number of epochs that it cannot search.

        Args:
            space: has a relaxed view.
            epochs: of the budget; `None` when it is in seconds.

        Raises:
            SpaceError: the space does not fit.
            SettingsError: the settings or the epochs do not.
        """

    def make_supernet(self, space: SearchSpace, task: BoundTask, seed: int) -> Supernet:
        """The network that the strategy starts with, on the task's device."""
        from nbnas.networks import Supernet

        return Supernet(space, task, seed=seed)

    @abstractmethod
    def bind(
        self, space: SearchSpace, supernet: Supernet, task: BoundTask, seed: int, epochs: int
    ) -> DifferentiableStrategy:
        """The strategy at its start.

        Args:
            space: where it searches.
            supernet: the network that it trains, on the task's device.
            task: training data; valid and test are not used by it.
            seed: from which all its generators come.
            epochs: length of its schedules.
        """


def strategy_to_json(settings: StrategySettings) -> dict[str, Any]:
    """`{"kind", "settings"}`."""
    return {"kind": type(settings).__name__, "settings": settings.to_json()}


def strategy_from_json(value: Any, where: str) -> StrategySettings:
    """Reads what `strategy_to_json` wrote; only registered kinds exist."""
    settings: StrategySettings = kind_from_json(value, where, STRATEGIES, "strategy")
    return settings


def kind_from_json(value: Any, where: str, table: Mapping[str, type[Any]], subject: str) -> Any:
    """Makes the settings object of a registered kind from `{"kind", "settings"}`."""
    if not isinstance(value, dict) or set(value) != {"kind", "settings"}:
        raise SettingsError(f"{where} must be an object with kind and settings, got {value!r:.80}")
    if not isinstance(value["kind"], str) or value["kind"] not in table:
        raise SettingsError(
            f"{where}/kind: {value['kind']!r:.80} is not a known {subject}; known: {', '.join(table)}. "
            f"Define or import your own {subject} class first"
        )
    return table[value["kind"]].from_json(value["settings"], f"{where}/settings")


def score_of(evaluation: Evaluation) -> float:
    """The one value that a scalar strategy maximises.

    Raises:
        SettingsError: the evaluation has several objectives or none.
    """
    if evaluation.score is None:
        raise SettingsError(
            f"objectives must be exactly one for this strategy, got {len(evaluation.objectives)}. "
            f"Combine them into one score, or use a strategy for several objectives"
        )
    return evaluation.score


def check_changeable(space: SearchSpace) -> None:
    """Raises `SettingsError` for a space that has one architecture, of which nothing can be changed."""
    if all(len(decision.options) < 2 for decision in space.decisions):
        raise SettingsError(
            f"space must have a decision with two options to mutate, got none in {space.name!r}. Open one, or use "
            "RandomSearch",
            field="space",
        )


def frequencies(space: SearchSpace, architectures: Sequence[Architecture]) -> dict[str, dict[str, dict[str, float]]]:
    """How often each option occurs among architectures in which its decision is active; one group, `population`."""
    rows: dict[str, dict[str, float]] = {}
    for place, decision in enumerate(space.decisions):
        counts = [0] * len(decision.options)
        for architecture in architectures:
            if (choice := architecture.choices[place]) is not None:
                counts[choice] += 1
        if total := sum(counts):
            rows[decision.name] = {
                str(option): count / total for option, count in zip(decision.options, counts, strict=True)
            }
    return {"population": rows}


SHOW_EVERY = 5
"""A strategy shows its distribution after every so many answers."""


def distribution_event(source: str, step: int, groups: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[Event]:
    """The event for a distribution, or none when it has no rows."""
    return [DistributionUpdated(source, step, groups)] if any(groups.values()) else []
