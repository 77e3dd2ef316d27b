"""The state of a run: a fold over its events. Live view, stored run and replay all use this one."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbnas.events import (
    DistributionUpdated,
    EpochFinished,
    Event,
    FrontChanged,
    IncumbentChanged,
    PolicyUpdated,
    PopulationUpdated,
    Record,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    RunStopped,
    SpaceChanged,
    TrialFailed,
    TrialFinished,
    TrialProgressed,
    TrialStarted,
    ValuesUpdated,
)
from nbnas.front import Member
from nbnas.series import Series

__all__ = ["Incumbent", "RunState", "fold"]

_KEPT_FAILURES = 20
_MAX_LINES = 500
_MAX_TRIED = 2000


@dataclass(frozen=True)
class Incumbent:
    """The best architecture so far (short text form); `trial` is `None` where it was derived instead of tried."""

    trial: int | None
    architecture: str
    score: float


@dataclass
class RunState:
    """Everything that views show of a run. Bounded: series are decimated, lists are short.

    Attributes:
        status: `created`, `running`, `paused`, `stopped`, `finished` or `failed`.
        seconds: time in which the run was running, until the last event.
        spec: the run's specification as JSON.
        scores: trial -> score; `best`: trial -> best score so far.
        front: trial -> member of those that no other is better than, where there are several objectives.
        tried: trial and its objectives, where there are several; the latest 1,000 to 2,000 trials.
        tried_dropped: how many earlier ones have been left out of `tried`.
        policy: reward, baseline, advantage, entropy, each trial -> value.
        epochs: metric -> series over epochs of shared or relaxed weights.
        alive: trial -> fitness of the living members of a population.
        fitness: best, upper quartile, median, lower quartile of the living, each over births.
        distribution: the latest one, group -> decision -> option -> probability.
        values: the latest of what options are expected to be worth.
        lines: (group, decision, option) -> probability over steps.
        current: trial, architecture, epoch and epochs of the trial under way.
        changes: step -> reason of each change of the space; `searched`: row -> options that still are, after the last.
        failures: cause -> count; `failed`: the last failures `(trial, cause, message)`.
    """

    status: str = "created"
    message: str = ""
    seq: int = 0
    started: float = 0.0
    updated: float = 0.0
    seconds: float = 0.0
    spec: Mapping[str, Any] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)
    trials_started: int = 0
    trials_finished: int = 0
    trials_failed: int = 0
    epochs_trained: int = 0
    incumbent: Incumbent | None = None
    front: dict[int, Member] = field(default_factory=dict)
    tried: list[tuple[int, tuple[float, ...]]] = field(default_factory=list)
    tried_dropped: int = 0
    scores: Series = field(default_factory=Series)
    best: Series = field(default_factory=Series)
    policy: dict[str, Series] = field(default_factory=dict)
    epochs: dict[str, Series] = field(default_factory=dict)
    alive: dict[int, float] = field(default_factory=dict)
    fitness: dict[str, Series] = field(default_factory=dict)
    births: int = 0
    distribution: DistributionUpdated | None = None
    values: ValuesUpdated | None = None
    lines: dict[tuple[str, str, str], Series] = field(default_factory=dict)
    current: tuple[int, str, int, int] | None = None
    changes: dict[int, str] = field(default_factory=dict)
    searched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    failed: list[tuple[int, str, str]] = field(default_factory=list)

    def apply(self, record: Record) -> None:
        """Takes in one record; records come in order."""
        # Between the end of a process and its resume by another one nothing was searched.
        reopened = isinstance(record.event, RunResumed) and bool(record.event.identity)
        if self.status == "running" and self.updated and not reopened:
            self.seconds += max(0.0, record.time - self.updated)
        self.updated = record.time
        self.seq = record.seq
        handler = _HANDLERS.get(type(record.event))
        if handler is not None:
            handler(self, record.event, record.time)

    @property
    def ended(self) -> bool:
        """Whether nothing happens any more unless the run is resumed."""
        return self.status in ("stopped", "finished", "failed")


def fold(records: Iterable[Record], state: RunState | None = None) -> RunState:
    """Applies all records to `state` (a new one by default) and returns it."""
    state = RunState() if state is None else state
    for record in records:
        state.apply(record)
    return state


def _run_started(state: RunState, event: RunStarted, time: float) -> None:
    state.status, state.started = "running", time
    state.spec, state.identity = event.spec, event.identity


def _run_paused(state: RunState, event: RunPaused, time: float) -> None:
    state.status = "paused"


def _run_resumed(state: RunState, event: RunResumed, time: float) -> None:
    state.status, state.message = "running", ""
    state.identity = event.identity or state.identity


def _run_stopped(state: RunState, event: RunStopped, time: float) -> None:
    state.status, state.current = "stopped", None


def _run_finished(state: RunState, event: RunFinished, time: float) -> None:
    state.status, state.message, state.current = "finished", event.reason, None


def _run_failed(state: RunState, event: RunFailed, time: float) -> None:
    state.status, state.message, state.current = "failed", event.message, None


def _trial_started(state: RunState, event: TrialStarted, time: float) -> None:
    state.trials_started += 1
    state.current = (event.trial, event.architecture, 0, 0)


def _trial_progressed(state: RunState, event: TrialProgressed, time: float) -> None:
    architecture = state.current[1] if state.current else ""
    state.current = (event.trial, architecture, event.epoch, event.epochs)
    state.epochs_trained += 1


def _trial_finished(state: RunState, event: TrialFinished, time: float) -> None:
    state.trials_finished += 1
    state.current = None
    if event.score is not None:
        state.scores.append(event.trial, event.score)
        if state.incumbent is not None:
            state.best.append(event.trial, max(state.incumbent.score, event.score))
        else:
            state.best.append(event.trial, event.score)
    elif event.objectives:
        state.tried.append((event.trial, event.objectives))
        if len(state.tried) > _MAX_TRIED:
            del state.tried[: _MAX_TRIED // 2]
            state.tried_dropped += _MAX_TRIED // 2


def _trial_failed(state: RunState, event: TrialFailed, time: float) -> None:
    state.trials_failed += 1
    state.current = None
    state.failures[event.cause] = state.failures.get(event.cause, 0) + 1
    state.failed = [*state.failed[1 - _KEPT_FAILURES :], (event.trial, event.cause, event.message)]


def _epoch_finished(state: RunState, event: EpochFinished, time: float) -> None:
    state.epochs_trained += 1
    for name, value in event.metrics.items():
        state.epochs.setdefault(name, Series()).append(event.epoch, value)


def _distribution_updated(state: RunState, event: DistributionUpdated, time: float) -> None:
    state.distribution = event
    for group, rows in event.groups.items():
        for decision, row in rows.items():
            for option, probability in row.items():
                key = (group, decision, option)
                if key in state.lines or len(state.lines) < _MAX_LINES:
                    state.lines.setdefault(key, Series()).append(event.step, probability)


def _policy_updated(state: RunState, event: PolicyUpdated, time: float) -> None:
    for name in ("reward", "baseline", "advantage", "entropy"):
        state.policy.setdefault(name, Series()).append(event.trial, getattr(event, name))


def _population_updated(state: RunState, event: PopulationUpdated, time: float) -> None:
    for trial, fitness in event.born:
        state.alive[trial] = fitness
    for trial in event.died:
        state.alive.pop(trial, None)
    state.births += len(event.born)
    if state.alive:
        living = sorted(state.alive.values())
        quartiles = statistics.quantiles(living, method="inclusive") if len(living) > 1 else [living[0]] * 3
        values = {"best": living[-1], "upper": quartiles[2], "median": quartiles[1], "lower": quartiles[0]}
        for name, value in values.items():
            state.fitness.setdefault(name, Series()).append(state.births, value)


def _incumbent_changed(state: RunState, event: IncumbentChanged, time: float) -> None:
    state.incumbent = Incumbent(event.trial, event.architecture, event.score)


def _front_changed(state: RunState, event: FrontChanged, time: float) -> None:
    for trial in event.left:
        state.front.pop(trial, None)
    state.front[event.trial] = Member(event.trial, event.architecture, event.objectives, event.violation)


def _space_changed(state: RunState, event: SpaceChanged, time: float) -> None:
    state.changes[event.step] = event.reason
    state.searched = {row: tuple(options) for row, options in event.options.items()}


def _values_updated(state: RunState, event: ValuesUpdated, time: float) -> None:
    state.values = event


_HANDLERS: dict[type[Event], Any] = {
    RunStarted: _run_started,
    RunPaused: _run_paused,
    RunResumed: _run_resumed,
    RunStopped: _run_stopped,
    RunFinished: _run_finished,
    RunFailed: _run_failed,
    TrialStarted: _trial_started,
    TrialProgressed: _trial_progressed,
    TrialFinished: _trial_finished,
    TrialFailed: _trial_failed,
    EpochFinished: _epoch_finished,
    DistributionUpdated: _distribution_updated,
    PolicyUpdated: _policy_updated,
    PopulationUpdated: _population_updated,
    IncumbentChanged: _incumbent_changed,
    FrontChanged: _front_changed,
    SpaceChanged: _space_changed,
    ValuesUpdated: _values_updated,
}
