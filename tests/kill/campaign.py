"""Kill campaign: children that run a search and kill themselves, and what must hold of what they have stored.

Shared by the tests here and by `benchmarks/kill_campaign.py`.
"""

import json
import multiprocessing
import os
import random
import signal
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from nbnas import evaluators, spaces, strategies, tasks
from nbnas.events import Record
from nbnas.processes import Budget
from nbnas.spec import RunSpec
from nbnas.store import RunReader, verify
from nbnas.tasks import Task
from tests.kill.points import OF_SAVES, Kill, Visits, patch

__all__ = ["SUBJECTS", "Campaign", "Case", "Child", "Subject", "task"]

_PATIENCE = 60
_PROGRESS = ("TrialProgressed", "TrialFinished", "TrialFailed", "EpochFinished")


@dataclass(frozen=True)
class Subject:
    """A process with a strategy.

    Attributes:
        build: makes the specification; its argument is a folder for tables.
        forget: what the control does not save.
    """

    process: str
    strategy: str
    build: Callable[[Path], RunSpec]
    forget: str = "strategy/rng"

    @property
    def name(self) -> str:
        return f"{self.process}-{self.strategy}"


def task() -> Task:
    """361 digits to train on, 718 to score."""
    return tasks.digits(valid_fraction=0.4, test_fraction=0.4)


def _cells() -> spaces.SearchSpace:
    return spaces.nas_bench_201(channels=2, cells=1)


def _table(folder: Path) -> tuple[spaces.SearchSpace, evaluators.Tabular]:
    """A chain with conditional decisions and its table, in which every ninth score is missing, so that trials fail."""
    space = spaces.chain(max_depth=2, max_dense=0, widths=(4, 8), activations=("relu",))
    path = folder / "table.npz"
    if not path.exists():
        texts = [str(architecture) for architecture in space.enumerate()]
        numbers = [zlib.crc32(text.encode()) for text in texts]
        scores = [float("nan") if number % 9 == 0 else number / 2**32 for number in numbers]
        evaluators.Table(texts, {"valid_accuracy": scores}).save(path)
    return space, evaluators.Tabular(str(path))


def _random_search(folder: Path) -> RunSpec:
    training = evaluators.Training(epochs=2, batch=180)
    return RunSpec(_cells(), task(), strategies.RandomSearch(), training, Budget(trials=5), device="cpu")


def _regularized_evolution(folder: Path) -> RunSpec:
    space, table = _table(folder)
    return RunSpec(space, None, strategies.RegularizedEvolution(4, 2), table, Budget(trials=12), device="cpu")


def _reinforce(folder: Path) -> RunSpec:
    space, table = _table(folder)
    return RunSpec(space, None, strategies.Reinforce(hidden=4), table, Budget(trials=12), device="cpu")


def _darts(folder: Path) -> RunSpec:
    settings = strategies.Darts(batch=90, alpha_learning_rate=0.1)
    return RunSpec(_cells(), task(), settings, None, Budget(epochs=4), device="cpu")


def _enas(folder: Path) -> RunSpec:
    shared = evaluators.SharedWeights(controller_steps=3, batch=90, score_items=90)
    return RunSpec(_cells(), task(), strategies.Reinforce(hidden=4), shared, Budget(epochs=4), device="cpu")


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("Trials", "RandomSearch", _random_search),
        Subject("Trials", "RegularizedEvolution", _regularized_evolution),
        Subject("Trials", "Reinforce", _reinforce),
        # DARTS has no generator that moves: its order follows from the number of epochs done.
        Subject("Relaxation", "Darts", _darts, "strategy/done"),
        Subject("OneShot", "Reinforce", _enas, "evaluator/rng"),
    )
}


# -- the child ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """What a child does: starts the run of a subject, or resumes one."""

    subject: str
    folder: Path
    run_id: str | None
    kill: Kill | None
    save_every: int
    control: bool


def _child(job: Job, pipe: Connection) -> None:
    from nbnas.session import open_run, start

    visit, runs, subject = Visits(job.kill), job.folder / "runs", SUBJECTS[job.subject]

    def acknowledge(run_id: str, record: Record) -> None:
        pipe.send(("acknowledged", run_id, _text(record.to_json())))

    patch(visit, acknowledge, save_every=job.save_every, forget=subject.forget if job.control else "")
    try:
        if job.run_id is None:
            run = start(subject.build(job.folder), runs)
        else:
            run = open_run(job.run_id, runs)
            run.resume()
        run.wait()
    except Exception:
        pipe.send(("error", "", traceback.format_exc()))
    pipe.send(("trace", "", visit.trace))


@dataclass
class Child:
    """What became of a child.

    Attributes:
        killed: whether it died by SIGKILL.
        acknowledged: the records, as JSON, whose `append` had returned.
        error: the traceback where it failed.
        trace: all visits of points with the kinds of events, where it came to its end.
    """

    run_id: str | None
    killed: bool = False
    exit_code: int | None = None
    acknowledged: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    trace: list[tuple[str, str]] = field(default_factory=list)


# -- the campaign ------------------------------------------------------------------------------------------------------


@dataclass
class Case:
    """One run that was killed once or more, then resumed to its end.

    Attributes:
        kills: where it was killed.
        midway: whether each kill left a run with some trial or epoch stored, but not all events.
        acknowledged: how many records were.
        lost: those of them that are missing or differ.
        problems: what `verify` found, after any kill or at the end.
        equal: whether its semantic events are those of the run that was never killed.
        error: why it could not be resumed.
    """

    kills: list[Kill] = field(default_factory=list)
    midway: bool = True
    acknowledged: int = 0
    lost: int = 0
    problems: list[str] = field(default_factory=list)
    equal: bool = False
    error: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return self.midway and not self.lost and not self.problems and self.equal and not self.error


class Campaign:
    """All cases of one subject.

    Args:
        subject: what is killed.
        folder: an empty folder for runs and tables.
    """

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.subject = subject
        self.folder = folder
        self.runs = folder / "runs"

    @cached_property
    def whole(self) -> Child:
        """The run that is never killed, with a resume point after each step."""
        child = self.child()
        if child.exit_code != 0 or child.error:
            raise RuntimeError(f"{self.subject.name} does not run: exit {child.exit_code}, {child.error}")
        return child

    @cached_property
    def semantic(self) -> list[dict[str, Any]]:
        """The semantic events of the run that is never killed."""
        return _semantic(self.records(self.whole.run_id))

    @cached_property
    def midway(self) -> list[Kill]:
        """All visits that leave a trial or an epoch stored, but not all events."""
        return list(_midway(self.whole.trace))

    def places(self, point: str) -> list[Kill]:
        """Those of one point."""
        return [kill for kill in self.midway if kill.point == point]

    @cached_property
    def middle(self) -> list[Kill]:
        """Those with two resume points before them and one after them: where the control must show."""
        first = self.midway.index(Kill("after save", 2))
        last = self.midway.index(self.places("after save")[-1])
        return self.midway[first:last]

    def random_case(self, rng: random.Random, *, twice: bool) -> tuple[list[Kill], int]:
        """Where to kill, and how many steps lie between two resume points of the first process.

        Each point is as likely as any other, however often it is visited.
        """
        places = self.middle if twice else self.midway
        kill = _any(places, rng)
        kills = [kill]
        if twice:
            later = _any(self.midway[self.midway.index(kill) + 1 :], rng)
            # What the second process has still to do it does at least, so it comes there.
            kills.append(Kill(later.point, later.occurrence - self._visits(later.point, kill)))
        return kills, 1 if kill.point in OF_SAVES else rng.choice((1, 2, 3))

    def _visits(self, point: str, kill: Kill) -> int:
        """How often a point has been visited when the process is killed."""
        counts: Counter[str] = Counter()
        for visited, _ in self.whole.trace:
            counts[visited] += 1
            if (visited, counts[visited]) == kill:
                return counts[point]
        raise ValueError(kill)

    def case(self, *kills: Kill, save_every: int = 1, control: bool = False) -> Case:
        """Starts a run, kills it, resumes and kills it again, resumes it to its end, and looks at what is stored.

        Args:
            kills: where the first process kills itself, then the second, …; a process that never comes there ends the
                run, and that kill does not count.
            save_every: how many steps lie between two resume points of the first process; 1 in the others.
            control: a part of the state is not saved, so that the run cannot be resumed rightly.
        """
        case, acknowledged, run_id = Case(), [], None
        for kill in (*kills, None):
            child = self.child(run_id, kill, 1 if run_id else save_every, control)
            acknowledged += child.acknowledged
            run_id = child.run_id
            records = self.records(run_id)
            case.problems += verify(run_id, self.runs)
            case.error = child.error
            if child.killed:
                assert kill is not None
                case.kills.append(kill)
                stored = _semantic(records)
                progress = any(event["kind"] in _PROGRESS for event in stored)
                case.midway &= progress and len(stored) < len(self.semantic)
            elif child.exit_code != 0:
                case.error = case.error or f"exit code {child.exit_code}"
            if not child.killed:
                break
        texts = {record.seq: _text(record.to_json()) for record in records}
        case.acknowledged = len(acknowledged)
        case.lost = sum(texts.get(record["seq"]) != _text(record) for record in acknowledged)
        case.equal = _semantic(records) == self.semantic
        return case

    def records(self, run_id: str | None) -> list[Record]:
        """What is stored, each record checked; a gap raises."""
        assert run_id is not None
        with RunReader(run_id, self.runs) as reader:
            return list(reader.records())

    def child(
        self, run_id: str | None = None, kill: Kill | None = None, save_every: int = 1, control: bool = False
    ) -> Child:
        """Runs a child to its end."""
        job = Job(self.subject.name, self.folder, run_id, kill, save_every, control)
        mine, other = multiprocessing.Pipe(duplex=False)
        process = _server().Process(target=_child, args=(job, other))
        process.start()
        other.close()
        child = Child(run_id)
        for what, found_id, value in _messages(mine, process):
            if what == "acknowledged":
                child.run_id = found_id
                child.acknowledged.append(json.loads(value))
            elif what == "error":
                child.error = value
            else:
                child.trace = value
        process.join()
        child.exit_code = process.exitcode
        child.killed = process.exitcode == -signal.SIGKILL
        process.close()
        mine.close()
        return child


def _server() -> multiprocessing.context.ForkServerContext:
    """Forks children that have everything imported."""
    root = str(Path(__file__).parents[2])
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["PYTHONPATH"] = root  # for the server, which Python 3.11 starts without our sys.path
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.kill.preload"])
    return context


def _messages(pipe: Connection, process: multiprocessing.process.BaseProcess) -> Iterator[tuple[str, str, Any]]:
    while True:
        if not pipe.poll(_PATIENCE):
            process.kill()
            raise TimeoutError(f"a child has said nothing for {_PATIENCE} s")
        try:
            yield pipe.recv()
        except EOFError:
            return


def _semantic(records: Iterable[Record]) -> list[dict[str, Any]]:
    return [record.event.semantic_json() for record in records if record.event.semantic]


def _midway(trace: Sequence[tuple[str, str]]) -> Iterator[Kill]:
    counts: Counter[str] = Counter()
    started = False
    for point, detail in trace:
        counts[point] += 1
        if started and (point, detail) != ("after append", "RunFinished"):
            yield Kill(point, counts[point])
        started = started or (point == "after append" and detail in _PROGRESS)
        if detail == "RunFinished":
            return


def _any(kills: Sequence[Kill], rng: random.Random) -> Kill:
    point = rng.choice(sorted({kill.point for kill in kills}))
    return rng.choice([kill for kill in kills if kill.point == point])


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
