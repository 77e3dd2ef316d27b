"""The three loops of architecture search, their budget, and `Search`, which stamps what they say.

Trials      ask → evaluate → tell
OneShot     an epoch of shared weights, then some trials on them
Relaxation  an epoch on weights and architecture weights, then derive

A process does one *step* at a time (a trial, or an epoch). A step is a generator: it yields events and, once a batch,
`Progress`; closing it cancels. Between two steps `state_dict` holds all that is needed to go on exactly.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from nbnas.errors import ResumeError, RunError, SettingsError, TrialError
from nbnas.evaluators.base import Evaluator, KeepingEvaluator, Scoring
from nbnas.evaluators.judging import Judge
from nbnas.evaluators.shared_weights import SharedWeightsEvaluator
from nbnas.events import (
    DistributionUpdated,
    EpochFinished,
    Evaluation,
    Event,
    FrontChanged,
    IncumbentChanged,
    PopulationUpdated,
    Progress,
    Record,
    RunFinished,
    TrialFailed,
    TrialFinished,
    TrialProgressed,
    TrialStarted,
)
from nbnas.front import Front, Member
from nbnas.honesty import hessian_due, honest_metrics
from nbnas.settings import Settings, setting
from nbnas.spaces import SearchSpace
from nbnas.strategies.base import BlackBoxStrategy, DifferentiableStrategy, Done, Failure, Proposal, Wait

if TYPE_CHECKING:
    from nbnas.tasks.bound import BoundTask

__all__ = ["Budget", "OneShot", "Process", "Relaxation", "Search", "Trials"]

MOST_FAILURES = 100
"""So many failed trials in a row end a run as failed: something is wrong with more than an architecture."""
MOST_ALIKE = 10
"""So many trials that failed with the very same message, none before them having succeeded, end it as well."""

Step = Generator[Event | Progress, None, bool]
"""One step; returns whether there is anything left to do."""


@dataclass(frozen=True)
class Budget(Settings):
    """The limit on a whole run; it ends after the step in which the first of them is reached.

    `epochs` counts epochs of training, of shared weights or, summed up, of all trials.
    """

    trials: int | None = setting(None, "Architectures to evaluate.", minimum=1)
    epochs: int | None = setting(None, "Epochs to train.", minimum=1)
    seconds: float | None = setting(None, "Seconds in which the search runs (not reproducible).", above=0)

    def check(self) -> None:
        if self.trials is None and self.epochs is None and self.seconds is None:
            raise SettingsError(
                "budget must have at least one of trials, epochs, seconds, got none. Give one, such as "
                "Budget(trials=100)",
                field="trials",
            )

    def fraction(self, trials: int, epochs: int, seconds: float) -> float:
        """How much of the budget is used, 1 or more when it is spent."""
        pairs = ((self.trials, trials), (self.epochs, epochs), (self.seconds, seconds))
        return max(used / limit for limit, used in pairs if limit is not None)


class Process(Protocol):
    """One of the loops."""

    def step(self) -> Step:
        """Does one step."""

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly after a whole step."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes the state over."""


class _Best:
    """The best so far: one trial where there is one objective, the front where there are several."""

    def __init__(self) -> None:
        self.score: float | None = None
        self.violation = 0.0
        self.front = Front()

    def events(self, trial: int, proposal: Proposal, evaluation: Evaluation) -> Iterable[Event]:
        text, score, violation = str(proposal.architecture), evaluation.score, evaluation.violation
        if score is None:
            left = self.front.offer(Member(trial, text, evaluation.objectives, violation))
            if left is not None:
                yield FrontChanged(trial, text, evaluation.objectives, violation, left)
        elif self.score is None or (-violation, score) > (-self.violation, self.score):
            self.score, self.violation = score, violation
            yield IncumbentChanged(trial, text, score)

    def state(self) -> list[Any]:
        """JSON values."""
        return [self.score, self.violation, self.front.to_json()]

    def load(self, state: Any) -> None:
        """Takes over what `state` returned."""
        self.score, self.violation, self.front = state[0], state[1], Front.from_json(state[2])


class Trials:
    """A black-box strategy and an evaluator: a step is a trial."""

    step_name: ClassVar[str] = "trial"

    def __init__(self, strategy: BlackBoxStrategy, evaluator: Evaluator, judge: Judge | None = None) -> None:
        self.strategy = strategy
        self.evaluator = evaluator
        self.judge = judge
        self.trials = 0
        self.failures = 0
        self.message: str | None = None  # that all trials so far have failed with
        self.best = _Best()

    def step(self) -> Step:
        proposal = self.strategy.ask()
        if isinstance(proposal, Done):
            return False
        if isinstance(proposal, Wait):
            raise RunError("strategy must propose while no trial is under way, got Wait; it would wait for ever")
        trial = self.trials + 1
        yield TrialStarted(trial, str(proposal.architecture), proposal.parents, proposal.operator, proposal.fidelity)
        answer = yield from _evaluated(trial, proposal, self.evaluator.evaluate(trial, proposal), self.judge)
        for event in self.strategy.tell(trial, proposal, answer):
            if isinstance(event, PopulationUpdated) and isinstance(self.evaluator, KeepingEvaluator):
                self.evaluator.follow(event)
            yield event
        if not isinstance(answer, Failure):
            yield from self.best.events(trial, proposal, answer)
        self.trials = trial
        self.failures = self.failures + 1 if isinstance(answer, Failure) else 0
        message = answer.message if isinstance(answer, Failure) else None
        self.message = message if trial == 1 or message == self.message else None
        if self.message is not None and trial >= MOST_ALIKE:
            raise RunError(f"each of the first {trial} trials failed with: {self.message}")
        if isinstance(answer, Failure) and self.failures >= MOST_FAILURES:
            # A budget in epochs would otherwise never be used up.
            raise RunError(f"{self.failures} trials in a row failed, the last one with: {answer.message}")
        return True

    def state_dict(self) -> dict[str, Any]:
        kept = {"evaluator": self.evaluator.state_dict()} if isinstance(self.evaluator, KeepingEvaluator) else {}
        return {
            "strategy": self.strategy.state_dict(),
            "trials": self.trials,
            "failures": self.failures,
            "message": self.message,
            "best": self.best.state(),
            **kept,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.strategy.load_state_dict(state["strategy"])
        if isinstance(self.evaluator, KeepingEvaluator):
            self.evaluator.load_state_dict(state["evaluator"])
        self.trials, self.failures, self.message = state["trials"], state["failures"], state.get("message")
        self.best.load(state["best"])


def _evaluated(
    trial: int, proposal: Proposal, scoring: Scoring, judge: Judge | None
) -> Generator[Event | Progress, None, Any]:
    """Runs one evaluation to its end; says that it finished or failed and returns the answer."""
    text = str(proposal.architecture)
    try:
        evaluation = yield from scoring
        if judge is not None:
            evaluation = judge(proposal.architecture, evaluation)
    except Exception as cause:
        failure = _failure(cause)
        yield TrialFailed(trial, text, failure.cause, failure.message)
        return failure
    for name, value in (*evaluation.metrics.items(), *enumerate(evaluation.objectives)):
        if value != value or value in (float("inf"), float("-inf")):
            failure = Failure("nan", f"{name} must be finite, got {value}; architecture {text}, trial {trial}")
            yield TrialFailed(trial, text, failure.cause, failure.message)
            return failure
    yield TrialFinished(
        trial, text, evaluation.metrics, evaluation.objectives, evaluation.violation, evaluation.measured
    )
    return evaluation


def _failure(cause: Exception) -> Failure:
    if isinstance(cause, TrialError):
        return Failure(cause.cause, str(cause))
    name = type(cause).__name__
    if "OutOfMemory" in name or isinstance(cause, MemoryError):
        return Failure("out_of_memory", f"{cause}. Lower batch, channels or cells")
    return Failure("error", f"{name}: {cause}"[:2000])


class OneShot:
    """A black-box strategy on shared weights: a step is an epoch of them, then `controller_steps` trials."""

    step_name: ClassVar[str] = "epoch"

    def __init__(
        self, strategy: BlackBoxStrategy, evaluator: SharedWeightsEvaluator, judge: Judge | None = None
    ) -> None:
        self.trials = Trials(strategy, evaluator, judge)
        self.strategy = strategy
        self.evaluator = evaluator

    def step(self) -> Step:
        start = time.perf_counter()
        metrics = yield from self.evaluator.epoch(self.strategy)
        measured = {"train_seconds": time.perf_counter() - start}
        yield EpochFinished(self.evaluator.done, metrics, measured)
        for _ in range(self.evaluator.settings.controller_steps):
            if not (yield from self.trials.step()):
                return False
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"trials": self.trials.state_dict(), "shared": self.evaluator.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.trials.load_state_dict(state["trials"])
        self.evaluator.load_state_dict(state["shared"])


class Relaxation:
    """A differentiable strategy on a supernet: a step is an epoch.

    After each epoch the incumbent is the architecture derived then, as in the papers: the last one counts, not the one
    that scored best. Its score is the accuracy on valid with the supernet's weights.
    """

    step_name: ClassVar[str] = "epoch"

    def __init__(self, strategy: DifferentiableStrategy, task: BoundTask) -> None:
        self.strategy = strategy
        self.task = task
        self.epochs = 0

    def step(self) -> Step:
        start = time.perf_counter()
        batches, metrics = yield from _counted(self.strategy.epoch())
        measured = {"train_seconds": time.perf_counter() - start}
        derived = self.strategy.derive()
        epoch = self.epochs + 1
        rows = self.strategy.probabilities()
        honest = honest_metrics(
            self.strategy.supernet,
            self.task,
            self.strategy.mixture(),
            derived,
            hessian=hessian_due(epoch, batches),
        )
        yield EpochFinished(epoch, {**metrics, **honest}, measured)
        yield DistributionUpdated("alpha", epoch, rows)
        yield IncumbentChanged(None, str(derived), honest["valid_accuracy"])
        yield from self.strategy.advance()
        self.epochs = epoch
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"strategy": self.strategy.state_dict(), "epochs": self.epochs}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.strategy.load_state_dict(state["strategy"])
        self.epochs = state["epochs"]


def _counted(
    epoch: Generator[Progress, None, Mapping[str, float]],
) -> Generator[Progress, None, tuple[int, Mapping[str, float]]]:
    """An epoch, which also returns its number of batches."""
    batches = 0

    def watched() -> Generator[Progress, None, Mapping[str, float]]:
        nonlocal batches
        with closing(epoch):
            while True:
                try:
                    progress = next(epoch)
                except StopIteration as end:
                    metrics: Mapping[str, float] = end.value
                    return metrics
                batches = progress.total
                yield progress

    metrics = yield from watched()
    return batches, metrics


class Search:
    """A process under a budget: numbers and times its events, counts, and repeats itself exactly.

    Args:
        process: the loop.
        budget: its limit.
        space: what is searched.

    Attributes:
        trials, epochs: done so far, counted for the budget.
        seconds: in which steps were running.
    """

    def __init__(self, process: Process, budget: Budget, space: SearchSpace) -> None:
        self.process = process
        self.budget = budget
        self.space = space
        self.seq = 0
        self.trials = 0
        self.epochs = 0
        self.seconds = 0.0
        self.exhausted = False
        self._expected: deque[Record] = deque()

    @property
    def end(self) -> str | None:
        """Why the search is at its end (`budget`, `done`), or `None`."""
        repeating = bool(self._expected) and self.budget.seconds is not None  # which there was time for already
        if self.fraction >= 1 and not repeating:
            return "budget"
        return "done" if self.exhausted else None

    @property
    def fraction(self) -> float:
        """How much of the budget is used."""
        return self.budget.fraction(self.trials, self.epochs, self.seconds)

    @property
    def done_seq(self) -> int:
        """The number of the last event that this process has given or repeated: where a resume point belongs.

        Smaller than `seq` while a resumed search repeats what is stored.
        """
        return self._expected[0].seq - 1 if self._expected else self.seq

    @property
    def repeating(self) -> bool:
        """Whether a resumed search has yet to repeat something that is stored."""
        return bool(self._expected)

    def stamp(self, event: Event) -> Record:
        """Gives an event its number and time."""
        self.seq += 1
        return Record(self.seq, time.time(), event)

    def finish(self) -> Record:
        """The last record of a search that is at its end.

        Raises:
            ResumeError: more is stored than the resumed search has repeated.
        """
        assert self.end is not None
        if self._expected:
            raise _not_repeated(self._expected[0], "its end")
        return self.stamp(RunFinished(self.end))

    def step(self) -> Generator[Record | Progress, None, None]:
        """Does one step; yields new records, each to be stored before it is shown.

        Raises:
            ResumeError: a resumed search does not repeat what is stored.
        """
        generator = self.process.step()
        since = time.monotonic()
        try:
            while True:
                try:
                    item = next(generator)
                except StopIteration as end:
                    self.exhausted = not end.value
                    return
                finally:
                    self.seconds += time.monotonic() - since
                if isinstance(item, Progress):
                    yield item
                else:
                    self._count(item)
                    if not self._repeats(item):
                        yield self.stamp(item)
                since = time.monotonic()  # time in the consumer (a pause) is not the search's
        finally:
            generator.close()

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly after a whole step."""
        counters = {"trials": self.trials, "epochs": self.epochs, "seconds": self.seconds, "exhausted": self.exhausted}
        return {"process": self.process.state_dict(), "counters": counters}

    def resume(self, state: Mapping[str, Any] | None, seq: int, later: Iterable[Record]) -> None:
        """Goes back to a resume point; what is stored after it is repeated, compared and not yielded again.

        Args:
            state: what `state_dict` returned then; `None` for the very start.
            seq: the number of the last stored record.
            later: the records stored after the resume point.
        """
        if state is not None:
            self.process.load_state_dict(state["process"])
            counters = state["counters"]
            self.trials, self.epochs = counters["trials"], counters["epochs"]
            self.seconds, self.exhausted = counters["seconds"], counters["exhausted"]
        self.seq = seq
        self._expected = deque(record for record in later if record.event.semantic)

    def _count(self, event: Event) -> None:
        self.trials += isinstance(event, TrialFinished | TrialFailed)
        self.epochs += isinstance(event, TrialProgressed | EpochFinished)

    def _repeats(self, event: Event) -> bool:
        """Whether the event is stored already; it must then be the same."""
        if not self._expected:
            return False
        stored = self._expected.popleft()
        if stored.event.semantic_json() != event.semantic_json():
            text = f"{type(event).__name__}: {event.semantic_json()!r:.200} instead of "
            raise _not_repeated(stored, f"{text}{stored.event.semantic_json()!r:.200}")
        return True


def _not_repeated(stored: Record, found: str) -> ResumeError:
    return ResumeError(
        f"resumed run must repeat event {stored.seq} ({type(stored.event).__name__}), got {found}. "
        f"Something that the run depends on has changed: code, data or versions"
    )
