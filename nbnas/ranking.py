"""Whether the scores that shared weights give rank architectures as their own training does.

Sciuto, Yu, Jaggi, Musat & Salzmann, Evaluating the Search Phase of Neural Architecture Search, ICLR 2020,
arXiv:1902.08142, Sec. 4.2: Kendall's tau between the two rankings of architectures drawn at random.
Differs from the paper: tau within the best by their own training is told too, where a search ends up, and each tau has
a bootstrap interval; scores are those of one run and of one training each.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbnas.errors import RunError, SettingsError, TrialError
from nbnas.evaluators import Training
from nbnas.events import Progress, TrialProgressed
from nbnas.honesty import Agreement, accuracy, agreement
from nbnas.processes import OneShot, Process, Relaxation
from nbnas.seeds import generator, seed_of
from nbnas.session import Run
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import Proposal
from nbnas.threads import suiting, using

if TYPE_CHECKING:
    from nbnas.tasks.bound import BoundTask

__all__ = ["RankCorrelation", "Ranked", "ranking"]

FEWEST, MOST = 4, 1000
MOST_DRAWS = 50  # for each architecture, until it is a new one


@dataclass(frozen=True)
class Ranked:
    """One architecture: its accuracy on valid with shared weights and after a training of its own, in [0, 1]."""

    architecture: str
    shared: float
    alone: float


@dataclass(frozen=True)
class RankCorrelation:
    """How far shared weights rank as own training does.

    Attributes:
        all: over all architectures of the sample.
        top: over those that are best by their own training.
        share: how large a part of the sample `top` is.
        epochs: of the own trainings.
        ranked: the sample, best own training first.
        failed: how many trainings failed; they are left out.
    """

    all: Agreement
    top: Agreement
    share: float
    epochs: int
    ranked: tuple[Ranked, ...]
    failed: int = 0

    def __str__(self) -> str:
        return f"all: {self.all}\ntop {self.share:.0%}: {self.top}"


def ranking(
    run: Run, *, sample: int = 20, epochs: int = 10, top: float = 0.25, seed: int = 0
) -> Generator[Progress, None, RankCorrelation]:
    """Trains architectures drawn at random, none twice, and compares; yields an epoch at a time, returns the result.

    The same arguments give the same result. Reads train and valid, never test.

    Args:
        run: one that trains a supernet; not under way.
        sample: how many architectures, fewer where the space has fewer.
        epochs: of each training.
        top: the share of the sample, best by their own training, within which tau is told too.
        seed: of the draws, the trainings and the bootstrap.

    Raises:
        SettingsError: an argument is out of its range.
        RunError: the run has no supernet, or is searching now.
    """
    _check(sample, epochs, top, seed)
    process = yield from run.process()
    task, shared = _scorer(process, run)
    space: SearchSpace = run.space
    drawn = _draw(space, sample, seed)
    settings = Training(epochs=epochs)
    trainings = settings.bind(space, task, seed_of(seed, "own training"))
    threads, total, done, failed = suiting(task.input_shape), len(drawn) * epochs, 0, 0
    found = []
    for number, architecture in enumerate(drawn, start=1):
        with using(threads):
            score = shared(architecture, number)
        scoring = trainings.evaluate(number, Proposal(architecture))
        try:
            while True:
                with using(threads):
                    item = next(scoring)
                if isinstance(item, TrialProgressed):
                    done += 1
                    yield Progress(done, total, "epoch")
        except StopIteration as end:
            found.append(Ranked(str(architecture), score, float(end.value.metrics["valid_accuracy"])))
        except TrialError:
            failed += 1
            done = number * epochs
    return _compared(found, epochs, top, seed, failed)


def _check(sample: int, epochs: int, top: float, seed: int) -> None:
    for name, value, low, high in (
        ("sample", sample, FEWEST, MOST),
        ("epochs", epochs, 1, 100_000),
        ("seed", seed, 0, 2**63 - 1),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            wanted = f"a whole number in {low}..{high}"
            raise SettingsError(f"{name} must be {wanted}, got {value!r:.80}; in rank_correlation.", field=name)
    if isinstance(top, bool) or not isinstance(top, int | float) or not 0 < top <= 1:
        raise SettingsError(f"top must be a share above 0 and at most 1, got {top!r:.80}; in rank_correlation.")


def _scorer(process: Process, run: Run) -> tuple[BoundTask, Callable[[Architecture, int], float]]:
    """The task, and what scores with a copy of the shared weights, as the search itself does."""
    if isinstance(process, Relaxation):
        task, supernet = process.task, copy.deepcopy(process.strategy.supernet)
        if supernet.built != run.space:
            raise RunError(
                f"run must search one space to the end, got {supernet.space.name!r} instead of {run.space.name!r} in "
                f"run {run.id}. Use a strategy that does not change its space"
            )
        return task, lambda architecture, _: accuracy(supernet, task, architecture)
    if isinstance(process, OneShot):
        evaluator = copy.copy(process.evaluator)
        evaluator.supernet = copy.deepcopy(evaluator.supernet)

        def score(architecture: Architecture, number: int) -> float:
            scoring = evaluator.evaluate(number, Proposal(architecture))
            while True:
                try:
                    next(scoring)
                except StopIteration as end:
                    return float(end.value.metrics["valid_accuracy"])

        return evaluator.task, score
    raise RunError(
        f"run must train a supernet for its ranking to be checked, got {type(run.spec.strategy).__name__} in run "
        f"{run.id}. Use a strategy such as Darts, or the evaluator SharedWeights"
    )


def _draw(space: SearchSpace, sample: int, seed: int) -> list[Architecture]:
    """Architectures drawn at random that compute different functions."""
    rng = generator(seed, "sample")
    found: dict[str, Architecture] = {}
    for _ in range(sample * MOST_DRAWS):
        drawn = space.sample(rng)
        found.setdefault(space.canonical(drawn), drawn)
        if len(found) == sample:
            break
    return list(found.values())


def _compared(found: list[Ranked], epochs: int, top: float, seed: int, failed: int) -> RankCorrelation:
    ranked = sorted(found, key=lambda one: -one.alone)
    best = ranked[: max(2, math.ceil(top * len(ranked)))]

    def agree(members: list[Ranked], name: str) -> Agreement:
        pairs: tuple[list[Any], list[Any]] = [one.shared for one in members], [one.alone for one in members]
        return agreement(*pairs, seed=seed_of(seed, f"bootstrap of {name}"))

    return RankCorrelation(agree(ranked, "all"), agree(best, "top"), top, epochs, tuple(ranked), failed)
