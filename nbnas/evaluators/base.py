"""What an evaluator is: settings that bind to a space and a task, and what then scores architectures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from nbnas.errors import SettingsError
from nbnas.events import Evaluation, Event, PopulationUpdated, Progress
from nbnas.settings import Settings
from nbnas.spaces import SearchSpace
from nbnas.strategies.base import Proposal, kind_from_json

if TYPE_CHECKING:
    from nbnas.tasks.bound import BoundTask

__all__ = [
    "EVALUATORS",
    "Evaluator",
    "EvaluatorSettings",
    "KeepingEvaluator",
    "Scoring",
    "evaluator_from_json",
    "evaluator_to_json",
]

EVALUATORS: dict[str, type[EvaluatorSettings]] = {}
"""All evaluators by class name."""

Scoring = Generator[Event | Progress, None, Evaluation]
"""Yields progress (once a batch) and events, returns the evaluation. Closing it cancels within the batch."""


class Evaluator(Protocol):
    """What scores architectures."""

    def evaluate(self, trial: int, proposal: Proposal) -> Scoring:
        """Scores one proposal.

        Raises:
            TrialError: the trial failed; the run goes on.
        """


@runtime_checkable
class KeepingEvaluator(Evaluator, Protocol):
    """What scores architectures and keeps something of its trials, such as weights that children inherit."""

    def follow(self, event: PopulationUpdated) -> None:
        """Learns who lives and who has died; called before the next trial."""

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly after a whole trial: JSON values, arrays and tensors."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes the state over."""


class EvaluatorSettings(Settings):
    """Base of the settings of all evaluators; a subclass with a `title` joins `EVALUATORS` under its class name."""

    title: ClassVar[str] = ""
    needs_task: ClassVar[bool] = True
    """Whether it trains on the data of a task."""
    shares_weights: ClassVar[bool] = False
    """Whether it trains shared weights between trials, which the process `OneShot` drives."""
    counts_epochs: ClassVar[bool] = True
    """Whether its work counts against a budget in epochs."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if cls.title:
            known = EVALUATORS.get(cls.__name__)
            if known is not None and known.__module__.startswith("nbnas.") and cls.__module__ != known.__module__:
                raise SettingsError(f"evaluator class must have a new name, got {cls.__name__}, which is built in.")
            EVALUATORS[cls.__name__] = cls

    def does_same(self, stored: Mapping[str, Any]) -> bool:
        """Whether it does what the evaluator did whose settings a run has stored."""
        return self.to_json() == stored

    @abstractmethod
    def bind(self, space: SearchSpace, task: BoundTask | None, seed: int) -> Evaluator:
        """The evaluator at its start.

        Args:
            space: whose architectures it scores.
            task: the data, without test; `None` where no task is needed.
            seed: from which all its generators come.

        Raises:
            NbnasError: the settings do not fit space or task.
        """


def evaluator_to_json(settings: EvaluatorSettings) -> dict[str, Any]:
    """`{"kind", "settings"}`."""
    return {"kind": type(settings).__name__, "settings": settings.to_json()}


def evaluator_from_json(value: Any, where: str) -> EvaluatorSettings:
    """Reads what `evaluator_to_json` wrote; only registered kinds exist."""
    settings: EvaluatorSettings = kind_from_json(value, where, EVALUATORS, "evaluator")
    return settings
