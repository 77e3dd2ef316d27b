"""What holds for any strategy."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nbnas import jsonio, spaces, tasks
from nbnas.errors import TrialError
from nbnas.evaluators.base import Scoring
from nbnas.events import DistributionUpdated, Evaluation, Event, Progress, Record, TrialStarted
from nbnas.processes import Budget, Search, Trials
from nbnas.seeds import generator
from nbnas.spaces import Architecture, SearchSpace
from nbnas.spec import RunSpec
from nbnas.strategies.base import (
    STRATEGIES,
    BlackBoxSettings,
    BlackBoxStrategy,
    DifferentiableSettings,
    Done,
    Failure,
    Proposal,
    StrategySettings,
    Wait,
)
from nbnas.tasks import Task
from nbnas.testing.promises import explained, require, same, shaken
from nbnas.testing.searches import check_any, check_records

__all__ = ["Score", "check_differentiable", "check_strategy", "tiny_spaces", "tiny_task"]

Score = Callable[[Architecture], float]
"""From an architecture to what it is worth: finite, higher is better, always the same."""

_SLOTS = 4
"""Trials under way at once where answers come late."""


def check_strategy(
    settings: BlackBoxSettings,
    space: SearchSpace | None = None,
    score: Score | None = None,
    *,
    trials: int = 40,
    seed: int = 0,
) -> None:
    """Checks a strategy that is asked and told.

    Args:
        settings: of the strategy, small enough that `trials` show all that it does (a population below `trials`).
        space: where it searches; by default both of `tiny_spaces()`, of which one has conditional decisions.
        score: what an architecture is worth, by default a number in [0, 1) made of its text.
        trials: how many; stopping is tried after each, so the work grows with the square.
        seed: of the runs.

    Raises:
        AssertionError: a promise is broken.
    """
    _check_settings(settings)
    for where in tiny_spaces() if space is None else (space,):
        case = _Case(settings, where, _of_text if score is None else score, trials, seed)
        check_any(case.search, where, case.name)
        for slots, fails in ((1, _the_first), (_SLOTS, _every_third), (_SLOTS, _all)):
            case.check_answers(slots, fails)
        case.check_draws()


def check_differentiable(
    settings: DifferentiableSettings,
    space: SearchSpace | None = None,
    task: Task | None = None,
    *,
    epochs: int = 3,
    seed: int = 0,
) -> None:
    """Checks a strategy that trains a supernet.

    Args:
        settings: of the strategy.
        space: where it searches, by default a small NAS-Bench-201.
        task: what it trains on, by default `tiny_task()`.
        epochs: how many; stopping is tried after each.
        seed: of the runs.

    Raises:
        AssertionError: a promise is broken.
    """
    _check_settings(settings)
    space = tiny_spaces()[0] if space is None else space
    spec = RunSpec(space, task or tiny_task(), settings, None, Budget(epochs=epochs), seed, "cpu")
    records = check_any(lambda: spec.bind().search, space, f"{type(settings).__name__} on {space.name}")
    shown = [record.event for record in records if isinstance(record.event, DistributionUpdated)]
    require(len(shown) == epochs, f"each of {epochs} epochs must show the distribution, got {len(shown)} events")
    wanted = {row.name for row in space.rows}
    for event in shown:
        missing = wanted - {name for rows in event.groups.values() for name in rows}
        require(not missing, f"probabilities must have each row of the relaxed view, got none for {sorted(missing)}")


def tiny_spaces() -> tuple[SearchSpace, SearchSpace]:
    """Two small spaces: one plain (NAS-Bench-201), one with conditional decisions (a chain)."""
    return spaces.nas_bench_201(channels=2, cells=1), spaces.chain(max_depth=3)


def tiny_task() -> Task:
    """96 random images of 8×8 pixels in 3 classes that differ in brightness."""
    rng = np.random.default_rng(0)
    y = np.arange(96) % 3
    x = rng.normal(size=(96, 1, 8, 8)) + y.reshape(-1, 1, 1, 1)
    return tasks.from_arrays(x, y, valid=0.25, test=0.1, name="tiny")


def _every_third(trial: int) -> bool:
    return trial % 3 == 0


def _the_first(trial: int) -> bool:
    return trial <= 5


def _all(trial: int) -> bool:
    return True


def _of_text(architecture: Architecture) -> float:
    return zlib.crc32(str(architecture).encode()) / 2**32


class _Scored:
    """An evaluator that calls a function, and fails now and then."""

    def __init__(self, score: Score, fails: Callable[[int], bool]) -> None:
        self.score, self.fails = score, fails

    def evaluate(self, trial: int, proposal: Proposal) -> Scoring:
        yield Progress(0, 1, "score")
        if self.fails(trial):
            raise TrialError("made to fail by the contract suite")
        value = float(self.score(proposal.architecture))
        return Evaluation({"valid_accuracy": value}, (value,))


class _Watched:
    """A strategy whose proposals are checked."""

    def __init__(self, strategy: BlackBoxStrategy, space: SearchSpace, name: str) -> None:
        self._strategy, self._space, self._name, self._asked = strategy, space, name, 0
        self.draw = strategy.draw
        self.state_dict, self.load_state_dict = strategy.state_dict, strategy.load_state_dict

    def ask(self) -> Proposal | Wait | Done:
        proposal = self._strategy.ask()
        if isinstance(proposal, Proposal):
            _check_proposal(proposal, self._space, self._name)
        return proposal

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        events = list(self._strategy.tell(trial, proposal, answer))
        require(
            all(isinstance(event, Event) for event in events),
            f"tell must return events, got {events!r:.200}; {self._name}",
        )
        return events


@dataclass(frozen=True)
class _Case:
    settings: BlackBoxSettings
    space: SearchSpace
    score: Score
    trials: int
    seed: int

    @property
    def name(self) -> str:
        return f"{type(self.settings).__name__} on {self.space.name}"

    def bind(self) -> _Watched:
        strategy = self.settings.bind(self.space, generator(self.seed, "strategy"))
        return _Watched(strategy, self.space, self.name)

    def search(self) -> Search:
        """One trial after the other, of which every seventh fails."""
        evaluator = _Scored(self.score, lambda trial: trial % 7 == 6)
        return Search(Trials(self.bind(), evaluator), Budget(trials=self.trials), self.space)

    def check_answers(self, slots: int, fails: Callable[[int], bool]) -> None:
        """Answers that come late, in any order, and say that the trial failed."""
        name = f"{self.name}, {slots} trials at once, of which fail: {fails.__name__.strip('_').replace('_', ' ')}"
        found = []
        for shake in (1, 2):
            with shaken(shake), explained(f"strategy must take answers late, out of order and failed; {name}"):
                found.append(list(self._answered(slots, fails)))
        same(found[1], found[0], "strategy must repeat itself with the same seed and the same answers", name)
        check_records([Record(number, 0.0, event) for number, event in enumerate(found[0], 1)], self.space, name)

    def check_draws(self) -> None:
        """What shared weights would be trained on."""
        strategy, rng = self.bind(), generator(self.seed, "draws")
        for _ in range(10):
            with explained(f"draw must give an architecture of the space; {self.name}"):
                self.space.validate(strategy.draw(rng))

    def _answered(self, slots: int, fails: Callable[[int], bool]) -> Iterator[Event]:
        strategy, order = self.bind(), generator(self.seed, "order of answers")
        pending: list[tuple[int, Proposal]] = []
        trial, done = 0, False
        while True:
            while not done and trial < self.trials and len(pending) < slots:
                proposal = strategy.ask()
                if isinstance(proposal, Wait):
                    require(bool(pending), f"ask must not give Wait while no trial is under way; {self.name}")
                    break
                if isinstance(proposal, Done):
                    done = True
                    break
                trial += 1
                pending.append((trial, proposal))
                yield TrialStarted(trial, str(proposal.architecture), proposal.parents, proposal.operator)
            if not pending:
                return
            number, proposal = pending.pop(order.integers(len(pending)))
            value = float(self.score(proposal.architecture))
            good = Evaluation({"valid_accuracy": value}, (value,))
            yield from strategy.tell(number, proposal, Failure("error", "made") if fails(number) else good)


def _check_proposal(proposal: Proposal, space: SearchSpace, name: str) -> None:
    with explained(f"proposed architecture must belong to the space; {name}"):
        space.validate(proposal.architecture)
    fidelity = proposal.fidelity
    require(fidelity is None or math.isfinite(fidelity), f"fidelity must be finite or None, got {fidelity}; {name}")


def _check_settings(settings: StrategySettings) -> None:
    kind = type(settings)
    require(
        STRATEGIES.get(kind.__name__) is kind,
        f"strategy class must have a title, with which it joins STRATEGIES, got none; {kind.__name__}",
    )
    text = jsonio.dumps(settings.to_json())
    again = kind.from_json(jsonio.loads(text, kind.__name__), kind.__name__)
    require(again == settings, f"settings must be the same after a round trip by JSON, got {again} for {settings}")
