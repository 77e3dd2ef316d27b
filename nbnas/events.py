"""What a search says while it runs: frozen, JSON-only events in the past tense.

*Semantic* events repeat exactly when a run is repeated or resumed; the others tell of the execution (pauses,
checkpoints). Fields named `measured` (times) are left out of what is semantic. Only `Search` stamps an event with its
number and time, which makes it a `Record`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from nbnas.errors import StoreError

__all__ = [
    "EVENTS",
    "SCHEMA",
    "CheckpointSaved",
    "DistributionUpdated",
    "EpochFinished",
    "Evaluation",
    "Event",
    "FrontChanged",
    "IncumbentChanged",
    "PolicyUpdated",
    "PopulationUpdated",
    "Progress",
    "Record",
    "RunFailed",
    "RunFinished",
    "RunPaused",
    "RunResumed",
    "RunStarted",
    "RunStopped",
    "SpaceChanged",
    "TrialFailed",
    "TrialFinished",
    "TrialProgressed",
    "TrialStarted",
    "ValuesUpdated",
]

SCHEMA = 1
"""The version of the event format; a stored run names it."""

EVENTS: dict[str, type[Event]] = {}

Metrics = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Progress:
    """Work within a step, for the progress line only: never stored, never folded. One a batch."""

    done: int
    total: int
    what: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluator found out about one architecture.

    Attributes:
        metrics: measured quantities, named with their unit (`valid_accuracy` in [0, 1], `parameters`).
        objectives: what the run maximises, one value or several, finite.
        violation: by how much constraints are broken, >= 0.
        measured: times and the like, which differ from run to run.
    """

    metrics: Metrics
    objectives: tuple[float, ...]
    violation: float = 0.0
    measured: Metrics = field(default_factory=dict)

    @property
    def score(self) -> float | None:
        """The value to maximise; `None` unless there is exactly one objective."""
        return self.objectives[0] if len(self.objectives) == 1 else None


@dataclass(frozen=True)
class Event:
    """Base of all events. Fields are JSON values; tuples stand for lists."""

    semantic: ClassVar[bool] = True

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        EVENTS[cls.__name__] = cls

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON values."""
        return {entry.name: _plain(getattr(self, entry.name)) for entry in fields(self)}

    def semantic_json(self) -> dict[str, Any]:
        """The fields that a repeated run must repeat."""
        return {"kind": type(self).__name__, **{k: v for k, v in self.to_json().items() if k != "measured"}}


@dataclass(frozen=True)
class RunStarted(Event):
    """First event of a run. `identity` holds what bit-equality depends on (device, threads, versions)."""

    semantic: ClassVar[bool] = False
    spec: Mapping[str, Any]
    identity: Mapping[str, Any]


@dataclass(frozen=True)
class TrialStarted(Event):
    """An architecture (its short text form) was proposed. `operator` tells how it came about."""

    trial: int
    architecture: str
    parents: tuple[int, ...] = ()
    operator: str = ""
    fidelity: float | None = None


@dataclass(frozen=True)
class TrialProgressed(Event):
    """A trial finished `epoch` (1-based) of `epochs`."""

    trial: int
    epoch: int
    epochs: int
    metrics: Metrics


@dataclass(frozen=True)
class TrialFinished(Event):
    """A trial got its evaluation."""

    trial: int
    architecture: str
    metrics: Metrics
    objectives: tuple[float, ...]
    violation: float = 0.0
    measured: Metrics = field(default_factory=dict)

    @property
    def score(self) -> float | None:
        """The value to maximise; `None` unless there is exactly one objective."""
        return self.objectives[0] if len(self.objectives) == 1 else None


@dataclass(frozen=True)
class TrialFailed(Event):
    """A trial failed; the run goes on. `cause` is one word to count by, `message` is for people."""

    trial: int
    architecture: str
    cause: str
    message: str


@dataclass(frozen=True)
class EpochFinished(Event):
    """Shared or relaxed weights finished `epoch` (1-based)."""

    epoch: int
    metrics: Metrics
    measured: Metrics = field(default_factory=dict)


@dataclass(frozen=True)
class DistributionUpdated(Event):
    """What the strategy now thinks of each option.

    Attributes:
        source: `alpha` (softmax of the architecture weights), `policy`, or `population` (frequencies).
        step: the epoch or trial after which it holds.
        groups: group -> decision -> option -> probability; each row sums to 1.
    """

    source: str
    step: int
    groups: Mapping[str, Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True)
class PolicyUpdated(Event):
    """A controller learned from one reward. `entropy` is that of the whole policy at the sample, in nats."""

    trial: int
    reward: float
    baseline: float
    advantage: float
    entropy: float


@dataclass(frozen=True)
class PopulationUpdated(Event):
    """Members `(trial, fitness)` were born into a population, and trials died out of it."""

    born: tuple[tuple[int, float], ...]
    died: tuple[int, ...]


@dataclass(frozen=True)
class ValuesUpdated(Event):
    """What a strategy expects each option to be worth, in the unit of the score: decision -> option -> value."""

    source: str
    step: int
    rows: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class SpaceChanged(Event):
    """From now on only these options are searched: row of the relaxed view -> options. `step`: after which epoch."""

    step: int
    reason: str
    options: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class FrontChanged(Event):
    """A trial joined those that no other trial is better than; trials in `left` are no longer among them."""

    trial: int
    architecture: str
    objectives: tuple[float, ...]
    violation: float = 0.0
    left: tuple[int, ...] = ()


@dataclass(frozen=True)
class IncumbentChanged(Event):
    """There is a new best architecture. `trial` is `None` where it was derived instead of tried."""

    trial: int | None
    architecture: str
    score: float


@dataclass(frozen=True)
class CheckpointSaved(Event):
    """A checkpoint is on disk. `digest` is the SHA-256 of its bytes."""

    semantic: ClassVar[bool] = False
    role: str
    digest: str


@dataclass(frozen=True)
class RunPaused(Event):
    """The run holds."""

    semantic: ClassVar[bool] = False


@dataclass(frozen=True)
class RunResumed(Event):
    """The run goes on, in the same process or in another one (then `identity` is given)."""

    semantic: ClassVar[bool] = False
    identity: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunStopped(Event):
    """The run was stopped on request; it can be resumed."""

    semantic: ClassVar[bool] = False


@dataclass(frozen=True)
class RunFinished(Event):
    """The run came to its end: `reason` is `budget` or `done` (the strategy has nothing left to ask)."""

    reason: str


@dataclass(frozen=True)
class RunFailed(Event):
    """The run cannot go on by itself; it can be resumed once the cause is gone."""

    semantic: ClassVar[bool] = False
    message: str


@dataclass(frozen=True, slots=True)
class Record:
    """An event with its number (1, 2, …) and its time (seconds since the epoch)."""

    seq: int
    time: float
    event: Event

    def to_json(self) -> dict[str, Any]:
        """`{"seq", "time", "kind", "event"}`."""
        return {"seq": self.seq, "time": self.time, "kind": type(self.event).__name__, "event": self.event.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Record:
        """Reads what `to_json` wrote.

        Raises:
            StoreError: the kind or a field is unknown, or a field is missing.
        """
        kind = EVENTS.get(value["kind"])
        if kind is None:
            raise StoreError(
                f"event {value['seq']}: {value['kind']!r:.80} is not a known event. A newer nbnas wrote it: update"
            )
        try:
            event = kind(**{name: _frozen(item) for name, item in value["event"].items()})
        except TypeError as cause:
            raise StoreError(f"event {value['seq']} ({value['kind']}): {cause}") from None
        return cls(value["seq"], value["time"], event)


def finite(value: float, subject: str) -> float:
    """`value` when it is finite; otherwise `ValueError` that names the subject."""
    if not math.isfinite(value):
        raise ValueError(f"{subject} must be finite, got {value}")
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
