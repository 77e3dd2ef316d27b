"""One specification, one run: everything that decides what a run does, as plain data and as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbnas import jsonio
from nbnas.errors import SettingsError, SpecError
from nbnas.evaluators.base import EvaluatorSettings, evaluator_from_json, evaluator_to_json
from nbnas.evaluators.judging import Judge, check_several
from nbnas.evaluators.shared_weights import SharedWeightsEvaluator
from nbnas.objectives import Objective, objective_from_json, objective_to_json
from nbnas.processes import Budget, OneShot, Process, Relaxation, Search, Trials
from nbnas.seeds import generator, seed_of
from nbnas.spaces import SearchSpace
from nbnas.strategies.base import (
    BlackBoxSettings,
    DifferentiableSettings,
    StrategySettings,
    strategy_from_json,
    strategy_to_json,
)
from nbnas.tasks import Task
from nbnas.tasks.task import task_from_json, task_to_json
from nbnas.threads import suiting

if TYPE_CHECKING:
    from nbnas.tasks.bound import BoundTask

__all__ = ["SCHEMA", "Bound", "RunSpec"]

SCHEMA = 1
_DEFAULT_EPOCHS = 50
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:[0-9]{1,3})?")
_KEYS = ("schema", "name", "space", "task", "strategy", "evaluator", "budget", "seed", "device", "objective")


@dataclass(frozen=True)
class Bound:
    """A specification brought to life: the search, where it computes, and with how many torch threads."""

    search: Search
    device: str
    threads: int


@dataclass(frozen=True)
class RunSpec:
    """What a run does. The parts are checked against each other when it is made.

    Attributes:
        space: what is searched.
        task: the data; `None` only where the evaluator needs none.
        strategy: how it is searched.
        evaluator: how the score is got; `None` for a differentiable strategy.
        budget: when it ends.
        seed: from which all chance comes.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        name: a label for people; never a path.
        objective: what is maximised, of the metrics of each trial; `None` for the evaluator's own score.
    """

    space: SearchSpace
    task: Task | None
    strategy: StrategySettings
    evaluator: EvaluatorSettings | None = None
    budget: Budget = field(default_factory=lambda: Budget(trials=100))
    seed: int = 0
    device: str = "auto"
    name: str = ""
    objective: Objective | None = None

    def __post_init__(self) -> None:
        _check_types(self)
        _check_plain(self)
        _check_parts(self)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "space": self.space.to_json(),
            "task": None if self.task is None else task_to_json(self.task),
            "strategy": strategy_to_json(self.strategy),
            "evaluator": None if self.evaluator is None else evaluator_to_json(self.evaluator),
            "budget": self.budget.to_json(),
            "seed": self.seed,
            "device": self.device,
            **({} if self.objective is None else {"objective": objective_to_json(self.objective)}),
        }

    @classmethod
    def from_json(
        cls, value: Any, where: str = "spec", *, task: Task | None = None, evaluator: EvaluatorSettings | None = None
    ) -> RunSpec:
        """Reads what `to_json` wrote; `name`, `task`, `evaluator`, `seed` and `device` may be left out.

        Args:
            value: parsed JSON.
            where: its source, for messages.
            task: taken instead of the one in `value`, where that is data of the user's own; it must be the same.
            evaluator: likewise.

        Raises:
            NbnasError: with the JSON pointer of the place.
        """
        if not isinstance(value, dict):
            raise SpecError(f"{where} must be an object, got {value!r:.80}")
        schema = value.get("schema", SCHEMA)
        if schema != SCHEMA or isinstance(schema, bool):
            raise SpecError(
                f"{where}: /schema must be {SCHEMA}, got {schema!r:.40}. A newer nbnas wrote it: update nbnas"
            )
        for key in value:
            if key not in _KEYS:
                raise SpecError(f"{where}: {key!r:.80} is not a part of a specification; known: {', '.join(_KEYS)}")
        for key in ("space", "strategy", "budget"):
            if key not in value:
                raise SpecError(f"{where}: /{key} is missing; a specification needs space, strategy and budget")
        stored_task, stored_evaluator = value.get("task"), value.get("evaluator")
        if task is None and stored_task is not None:
            task = task_from_json(stored_task, f"{where}: /task")
        elif task is not None and stored_task is not None and task_to_json(task) != stored_task:
            raise _another("task", stored_task, task_to_json(task), where)
        if evaluator is None and stored_evaluator is not None:
            evaluator = evaluator_from_json(stored_evaluator, f"{where}: /evaluator")
        elif evaluator is not None and stored_evaluator is not None and not _does_same(evaluator, stored_evaluator):
            raise _another("evaluator", stored_evaluator, evaluator_to_json(evaluator), where)
        space = SearchSpace.from_json(value["space"], f"{where}: /space")
        strategy = strategy_from_json(value["strategy"], f"{where}: /strategy")
        budget = Budget.from_json(value["budget"], f"{where}: /budget")
        seed, device, name = value.get("seed", 0), value.get("device", "auto"), value.get("name", "")
        stored = value.get("objective")
        objective = None if stored is None else objective_from_json(stored, f"{where}: /objective")
        try:
            return cls(space, task, strategy, evaluator, budget, seed, device, name, objective)
        except SettingsError as cause:
            raise SpecError(f"{where}: {cause}", field=cause.field) from None

    @classmethod
    def load(cls, path: str | Path) -> RunSpec:
        """Reads a specification from a JSON file."""
        path = Path(path)
        try:
            text = path.read_bytes()
        except OSError as cause:
            raise SpecError(f"spec must be a file that can be read, got {str(path)!r}: {cause.strerror}") from None
        return cls.from_json(jsonio.loads(text, path.name), path.name)

    def save(self, path: str | Path) -> None:
        """Writes the specification to a JSON file."""
        Path(path).write_text(jsonio.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")

    def bind(self) -> Bound:
        """Loads the data, builds what is needed on the device, and returns the search at its start.

        Raises:
            NbnasError: data, device, space and settings do not fit together.
        """
        task = None if self.task is None else self.task.bind(self.device)
        device = "cpu" if task is None else str(task.device)
        threads = suiting(None if task is None else task.input_shape)
        if task is not None:
            from nbnas.evaluators.recipes import check_recipes

            check_recipes(self.space, task)
        return Bound(Search(self._process(task), self.budget, self.space), device, threads)

    def _process(self, task: BoundTask | None) -> Process:
        if isinstance(self.strategy, DifferentiableSettings):
            assert task is not None
            supernet = self.strategy.make_supernet(self.space, task, seed_of(self.seed, "weights"))
            epochs = self.budget.epochs or _DEFAULT_EPOCHS
            strategy = self.strategy.bind(self.space, supernet, task, seed_of(self.seed, "strategy"), epochs)
            return Relaxation(strategy, task)
        assert isinstance(self.strategy, BlackBoxSettings)
        assert self.evaluator is not None
        black_box = self.strategy.bind(self.space, generator(self.seed, "strategy"))
        evaluator = self.evaluator.bind(self.space, task, seed_of(self.seed, "evaluator"))
        judge = None if self.objective is None else Judge(self.objective, self.space, task)
        if isinstance(evaluator, SharedWeightsEvaluator):
            return OneShot(black_box, evaluator, judge)
        return Trials(black_box, evaluator, judge)


def _does_same(evaluator: EvaluatorSettings, stored: Any) -> bool:
    kind, settings = (stored.get("kind"), stored.get("settings")) if isinstance(stored, dict) else (None, None)
    return kind == type(evaluator).__name__ and isinstance(settings, dict) and evaluator.does_same(settings)


def _another(name: str, stored: Any, given: Any, where: str) -> SpecError:
    return SpecError(
        f"{where}: {name} must be the one of the run, {stored!r:.300}, got {given!r:.300}. Make it as it was",
        field=name,
    )


def _check_types(spec: RunSpec) -> None:
    wanted: Mapping[str, type | tuple[type, ...]] = {
        "space": SearchSpace,
        "task": (Task, type(None)),
        "strategy": StrategySettings,
        "evaluator": (EvaluatorSettings, type(None)),
        "objective": (Objective, type(None)),
        "budget": Budget,
    }
    examples = {
        "space": "nb.spaces.nas_bench_201()",
        "task": "nb.tasks.digits()",
        "strategy": "nb.strategies.RandomSearch()",
        "evaluator": "nb.evaluators.Training()",
        "objective": "nb.objectives.Score('valid_accuracy')",
        "budget": "nb.Budget(trials=100)",
    }
    for name, kind in wanted.items():
        value = getattr(spec, name)
        if not isinstance(value, kind):
            raise SpecError(f"{name} must be one such as {examples[name]}, got {value!r:.80}; in a run.", field=name)


def _check_plain(spec: RunSpec) -> None:
    if isinstance(spec.seed, bool) or not isinstance(spec.seed, int) or not 0 <= spec.seed < 2**63:
        raise SpecError(f"seed must be a whole number in 0..2^63-1, got {spec.seed!r:.80}; in a run.", field="seed")
    if not isinstance(spec.device, str) or not _DEVICE.fullmatch(spec.device):
        raise SpecError(f"device must be auto, cpu, cuda, cuda:N or mps, got {spec.device!r:.80}.", field="device")
    if not isinstance(spec.name, str) or len(spec.name) > 200 or not (spec.name.isprintable()):
        raise SpecError(f"name must be at most 200 printable characters, got {spec.name!r:.80}.", field="name")


def _check_parts(spec: RunSpec) -> None:
    title = type(spec.strategy).__name__
    if spec.strategy.differentiable:
        if spec.evaluator is not None:
            raise SpecError(
                f"evaluator must be left out for {title}, which trains its own supernet, got "
                f"{type(spec.evaluator).__name__}. Leave it out, or use a strategy such as RegularizedEvolution",
                field="evaluator",
            )
        _need_relaxation(spec, title)
        if isinstance(spec.strategy, DifferentiableSettings):
            spec.strategy.check_space(spec.space, spec.budget.epochs)
        if spec.space.limits:
            raise SpecError(
                f"space must have no limits for {title}, which derives one architecture, whatever it costs, got "
                f"{len(spec.space.limits)} in {spec.space.name!r}. Leave the limits out, or use a strategy such as "
                "RegularizedEvolution",
                field="space",
            )
        if spec.objective is not None:
            raise SpecError(
                f"objective must be left out for {title}, which minimises its own loss, got "
                f"{type(spec.objective).__name__}. Leave it out, or use a strategy such as RegularizedEvolution",
                field="objective",
            )
    elif spec.evaluator is None:
        raise SpecError(
            f"evaluator must say how {title} gets its scores, got none. Give one, such as "
            f"nb.evaluators.Training(epochs=3)",
            field="evaluator",
        )
    elif spec.evaluator.shares_weights:
        _need_relaxation(spec, type(spec.evaluator).__name__)
    if isinstance(spec.strategy, BlackBoxSettings):
        check_several(spec.objective, spec.strategy.several, title)
    if spec.task is None and (spec.evaluator is None or spec.evaluator.needs_task):
        raise SpecError("task must be given, such as nb.tasks.digits(); only a table needs none.", field="task")
    _check_budget(spec, title)
    if spec.task is not None and (spec.evaluator is None or spec.evaluator.needs_task):
        data, taken = spec.task.load(), spec.space.component.flow_in()
        wanted = taken if taken in ("tokens", "nodes") else "values"
        if data.inputs != wanted:
            raise SpecError(
                f"space must take the inputs of its task, {data.inputs}, got {spec.space.name!r}, which takes "
                f"{wanted}. Choose a space or a task that fits",
                field="space",
            )
        if taken == "map" and data.dims == 0:
            raise SpecError(
                f"space must take vectors, as inputs of this task have shape {data.input_shape}, got "
                f"{spec.space.name!r}, which needs positions to convolve over. Choose a space or a task that fits",
                field="space",
            )
        if data.dims != spec.space.dims:
            raise SpecError(
                f"space must have dims={data.dims}, as inputs of this task have shape {data.input_shape}, got "
                f"dims={spec.space.dims}. Make the space with dims={data.dims}",
                field="space",
            )


def _need_relaxation(spec: RunSpec, title: str) -> None:
    if reason := spec.space.component.relaxable():
        raise SpecError(f"space must have a relaxed view for {title}, got {spec.space.name!r}: {reason}", field="space")


def _check_budget(spec: RunSpec, title: str) -> None:
    budget = spec.budget
    if budget.seconds is not None:
        return
    if spec.strategy.differentiable and budget.epochs is None:
        raise SettingsError(
            f"epochs must be given for {title}, which tries no trials, got only trials={budget.trials}. "
            f"Use Budget(epochs=30)",
            field="epochs",
        )
    if spec.evaluator is not None and not spec.evaluator.counts_epochs and budget.trials is None:
        raise SettingsError(
            f"trials must be given for {type(spec.evaluator).__name__}, which trains no epochs, got only "
            f"epochs={budget.epochs}. Use Budget(trials=100)",
            field="trials",
        )
