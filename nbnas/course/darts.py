"""DARTS on digits64, and what becomes of its mixture when it is made one network.

Liu, Simonyan & Yang, DARTS: Differentiable Architecture Search, ICLR 2019, arXiv:1806.09055 (Secs. 2.2-2.4). Zela et
al., Understanding and Robustifying Differentiable Architecture Search, ICLR 2020, arXiv:1909.09656 (accuracy lost where
a mixture is made discrete). Wang et al., Rethinking Architecture Selection in Differentiable NAS, ICLR 2021,
arXiv:2108.04392 (the option whose removal costs most). `python -m nbnas.course.darts` measures many seeds (minutes).
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nbnas.course import digits64
from nbnas.events import DistributionUpdated, EpochFinished
from nbnas.processes import Relaxation
from nbnas.seeds import seed_of
from nbnas.spaces import Architecture
from nbnas.strategies import Darts

if TYPE_CHECKING:
    from torch import Tensor

    from nbnas.networks import Supernet
    from nbnas.tasks.bound import BoundTask

__all__ = [
    "EPOCHS",
    "SETTINGS",
    "Discretised",
    "Searched",
    "borrowing",
    "discretised",
    "influence",
    "measured",
    "search",
]

SETTINGS = Darts(alpha_learning_rate=3e-3, batch=32)
"""As published, but alpha learns ten times as fast: here it has hundreds of steps, not tens of thousands."""
EPOCHS = 12
SEEDS = range(24)
FILE = "darts_seeds.json"
_BATCH = 64
_BATCHES = 8


class Searched(NamedTuple):
    """A search that is over.

    Attributes:
        strategy: with its supernet and alpha; its `derive()` is the last architecture.
        task: the data.
        epochs: metrics after each epoch, as the run of a search logs them.
        shares: after each epoch by layer the share of each option, shape (epochs, layers, options).
    """

    strategy: Any
    task: BoundTask
    epochs: tuple[Mapping[str, float], ...]
    shares: tuple[tuple[tuple[float, ...], ...], ...]

    @property
    def architecture(self) -> Architecture:
        """What is derived at the end."""
        derived: Architecture = self.strategy.derive()
        return derived


def search(seed: int, settings: Darts = SETTINGS, epochs: int = EPOCHS) -> Searched:
    """Searches digits64 by the library's own strategy and loop; only the store and the view are left out.

    Args:
        seed: of weights, halves and order.
        settings: of the strategy.
        epochs: of the supernet.
    """
    task = digits64.task().bind("cpu")
    strategy = _bound(settings, task, seed, epochs)
    process = Relaxation(strategy, task)
    metrics: list[Mapping[str, float]] = []
    shares = []
    for _ in range(epochs):
        for event in process.step():
            if isinstance(event, EpochFinished):
                metrics.append(event.metrics)
            elif isinstance(event, DistributionUpdated):
                shares.append(tuple(tuple(row.values()) for row in event.groups["alpha"].values()))
    return Searched(strategy, task, tuple(metrics), tuple(shares))


class Discretised(NamedTuple):
    """Accuracies on valid in [0, 1], the weights being those of the supernet in all of them.

    Attributes:
        mixed: of the mixture.
        borrowed: of the derived architecture, normalised by statistics that the mixture gathered on train.
        recalibrated: of the derived architecture, by statistics that it gathered on train itself.
        inherited: of the derived architecture, by the statistics of valid: the score that a search logs.
    """

    mixed: float
    borrowed: float
    recalibrated: float
    inherited: float


def discretised(searched: Searched) -> Discretised:
    """Makes the mixture one network, in several ways."""
    from nbnas import honesty
    from nbnas.networks.recalibration import recalibrate

    strategy, task, one = searched.strategy, searched.task, searched.architecture
    supernet, mixture = strategy.supernet, {name: row.detach() for name, row in strategy.mixture().items()}
    alone = supernet.extract(one)
    for _ in recalibrate(alone, _inputs(task)):
        pass
    return Discretised(
        mixed=honesty.accuracy(supernet, task, mixture),
        borrowed=honesty.accuracy(borrowing(searched), task, one),
        recalibrated=_accuracy(alone, task),
        inherited=honesty.accuracy(supernet, task, one),
    )


def borrowing(searched: Searched) -> Supernet:
    """A copy of the supernet that normalises by the statistics that its mixture gathers on train."""
    import torch

    from nbnas.networks.recalibration import recalibrate

    mixture = {name: row.detach() for name, row in searched.strategy.mixture().items()}
    supernet: Supernet = copy.deepcopy(searched.strategy.supernet)

    class Mixed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.supernet = supernet

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.supernet(x, mixture)
            return logits

    for _ in recalibrate(Mixed(), _inputs(searched.task)):
        pass
    return supernet


def influence(settings: Darts = SETTINGS, seed: int = 0) -> dict[tuple[str, str], bool]:
    """Which half of train moves what, found by changing the labels of one half: (half, what moves) -> whether it does.

    What moves is `alpha` in its first step, and `w` in its first step while alpha rests.
    """
    import torch

    task = digits64.task().bind("cpu")

    def moved(what: str, half: str) -> Tensor:
        own = replace(settings, alpha_after=0.5 if what == "w" else 0.0)
        strategy: Any = _bound(own, task, seed, 2)
        if half:
            split = getattr(strategy, f"{half}_half")
            setattr(strategy, f"{half}_half", split._replace(y=(split.y + 1) % task.classes))
        next(strategy.epoch())  # one batch
        parameters = strategy.alpha.parameters() if what == "alpha" else strategy.supernet.parameters()
        return torch.cat([one.detach().flatten() for one in parameters])

    usual = {what: moved(what, "") for what in ("alpha", "w")}
    return {(half, what): not torch.equal(moved(what, half), usual[what]) for half in usual for what in usual}


def _bound(settings: Darts, task: BoundTask, seed: int, epochs: int) -> Any:
    """The strategy at its start, as the run of that seed has it."""
    space = digits64.space()
    supernet = settings.make_supernet(space, task, seed_of(seed, "weights"))
    return settings.bind(space, supernet, task, seed_of(seed, "strategy"), epochs)


def _inputs(task: BoundTask) -> Iterator[Tensor]:
    import torch

    order = torch.Generator().manual_seed(0)
    batches = task.batches(task.train, _BATCH, order, drop_last=True)
    return (batch.x for batch in itertools.islice(batches, _BATCHES))


def _accuracy(network: Any, task: BoundTask) -> float:
    import torch

    with torch.no_grad():
        return task.metrics(network(task.valid.x), task.valid.y)["accuracy"]


class Measured(NamedTuple):
    """What the same search came to for many seeds, as it ships with the package.

    Attributes:
        found: of each seed.
        argmax: the architecture of the strongest options, as short text.
        removal: that of the options whose removal costs most.
        removal_inherited: its accuracy, as `Discretised.inherited` is that of `argmax`.
        eigenvalue: the largest of alpha's Hessian after the last epoch, in nats.
        entropy: of alpha then, as a share of the largest possible, in [0, 1].
    """

    found: tuple[Discretised, ...]
    argmax: tuple[str, ...]
    removal: tuple[str, ...]
    removal_inherited: tuple[float, ...]
    eigenvalue: tuple[float, ...]
    entropy: tuple[float, ...]


@cache
def measured() -> Measured:
    """The stored figures of `SEEDS`."""
    rows = json.loads(files(__package__).joinpath("data", FILE).read_text(encoding="utf-8"))["seeds"]
    found = tuple(Discretised(*(row[name] for name in Discretised._fields)) for row in rows)
    return Measured(found, *(tuple(row[name] for row in rows) for name in Measured._fields[1:]))


def make(path: str | Path, seeds: Sequence[int] = SEEDS) -> None:
    """Searches once for each seed and writes what `measured` reads."""
    from nbnas import honesty
    from nbnas.strategies.perturbation import importance

    rows = []
    for seed in seeds:
        searched = search(seed)
        strategy, supernet, task = searched.strategy, searched.strategy.supernet, searched.task
        missed = strategy.space.derive(importance(strategy))
        row = {
            **discretised(searched)._asdict(),
            "argmax": str(searched.architecture),
            "removal": str(missed),
            "removal_inherited": honesty.accuracy(supernet, task, missed),
            "eigenvalue": honesty.alpha_hessian_eigenvalue(supernet, task, strategy.mixture()),
            "entropy": searched.epochs[-1]["alpha_entropy_ratio"],
        }
        rows.append({name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()})
        print(seed, rows[-1], flush=True)
    settings = {name: value for name, value in SETTINGS.to_json().items() if value != getattr(Darts(), name)}
    text = json.dumps({"settings": settings, "epochs": EPOCHS, "seeds": rows}, indent=1)
    Path(path).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    make(Path(__file__).parent / "data" / FILE)
