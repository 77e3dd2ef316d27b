"""Scores architectures with the shared weights of a supernet, which is trained in between.

Pham, Guan, Zoph, Le & Dean, Efficient Neural Architecture Search via Parameter Sharing (ENAS), ICML 2018,
arXiv:1802.03268: the weights are trained on architectures drawn from the controller, one a batch, then the controller
is trained on scores of single architectures on minibatches of valid. Guo et al., Single Path One-Shot, ECCV 2020,
arXiv:1904.00420: `draws="uniform"`, `normalisation="recalibrated"`. Chu, Zhang & Xu, FairNAS, ICCV 2021,
arXiv:1907.01845: `draws="fair"`.
Differs from the papers: a learning rate that falls by a cosine within restarts of 10, 20, 40, … epochs, as in ENAS, for
all strategies, and a clipped gradient; batch normalisation takes the statistics of the scored items, unless it is
recalibrated; SPOS and FairNAS train first and search then, here trials stand between the epochs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from typing_extensions import override

from nbnas.errors import RunError, TrialError
from nbnas.evaluators.base import EvaluatorSettings, Scoring
from nbnas.evaluators.fair_paths import FairPaths
from nbnas.events import Evaluation, Progress
from nbnas.seeds import generator, seed_of
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import BlackBoxStrategy, Proposal

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nbnas.tasks.bound import BoundTask

__all__ = ["SharedWeights", "SharedWeightsEvaluator"]


@dataclass(frozen=True)
class SharedWeights(EvaluatorSettings):
    """Trains one supernet by random paths; the score is the accuracy of a single path on items of valid."""

    title: ClassVar[str] = "Shared weights (one-shot)"
    shares_weights: ClassVar[bool] = True

    controller_steps: int = setting(10, "Trials after each epoch of the shared weights.", minimum=1, maximum=100_000)
    draws: str = setting(
        "strategy",
        "Paths a batch trains: one from the strategy (ENAS), one uniform (SPOS), or as many as a row has options, so "
        "that each is trained once (fair: FairNAS).",
        options=("strategy", "uniform", "fair"),
    )
    batch: int = setting(64, "Items a batch.", minimum=2, maximum=65536)
    score_items: int = setting(0, "Items of valid that score a trial, drawn anew each time; 0: all.", minimum=0)
    normalisation: str = setting(
        "batch",
        "Statistics of batch normalisation in a score: of the scored items, or of batches of train on the same path.",
        options=("batch", "recalibrated"),
    )
    recalibration_batches: int = setting(
        10, "Batches of train that recalibrate; one epoch at most.", minimum=1, maximum=100_000
    )
    learning_rate: float = setting(0.05, "First step size of SGD.", above=0, maximum=100)
    learning_rate_end: float = setting(0.0005, "Step size before each restart.", minimum=0, maximum=100)
    momentum: float = setting(0.9, "Momentum of SGD.", minimum=0, below=1)
    weight_decay: float = setting(1e-4, "L2 penalty on the weights.", minimum=0)

    @override
    def check(self) -> None:
        if self.learning_rate_end > self.learning_rate:
            expected = f"at most learning_rate ({self.learning_rate:g})"
            self.fail("learning_rate_end", expected, remedy="Lower it or raise learning_rate")

    @override
    def bind(self, space: SearchSpace, task: BoundTask | None, seed: int) -> SharedWeightsEvaluator:
        assert task is not None
        return SharedWeightsEvaluator(self, space, task, seed)


class SharedWeightsEvaluator:
    """The supernet, its optimizer, and the scores that they give."""

    def __init__(self, settings: SharedWeights, space: SearchSpace, task: BoundTask, seed: int) -> None:
        import torch

        from nbnas.networks import Supernet
        from nbnas.networks.recalibration import check_recalibrates

        self.settings, self.space, self.task, self.seed = settings, space, task, seed
        self.supernet = Supernet(space, task, seed=seed_of(seed, "weights"))
        self.optimizer = torch.optim.SGD(
            self.supernet.parameters(),
            settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.momentum > 0,
        )
        self.rng = generator(seed, "draws")
        self.fair = FairPaths(space, self.rng) if settings.draws == "fair" else None
        if settings.normalisation == "recalibrated":
            check_recalibrates(self.supernet, space.name)
        self.done = 0

    def epoch(self, strategy: BlackBoxStrategy) -> Generator[Progress, None, Mapping[str, float]]:
        """One epoch over train, one step a batch; yields once a batch, returns metrics."""
        import torch

        self.supernet.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        order = torch.Generator().manual_seed(seed_of(self.seed, "order", self.done))
        size = min(self.settings.batch, len(self.task.train.y))
        total = len(self.task.train.y) // size
        loss_sum = 0.0
        for done, (x, y) in enumerate(self.task.batches(self.task.train, size, order, drop_last=True), start=1):
            self.optimizer.zero_grad(set_to_none=True)  # so that paths not taken neither decay nor move
            paths = self._paths(strategy)
            # FairNAS, Alg. 1: the gradients of all paths of a batch add up before the one step.
            for path in paths:
                loss = self.task.loss(self.supernet(x, path), y)
                value = float(loss.detach())
                if not math.isfinite(value):
                    raise RunError(
                        f"training of shared weights gave {value} in epoch {self.done + 1}; lower learning_rate, "
                        f"or look for an operation of the space that gives nan"
                    )
                loss.backward()  # type: ignore[no-untyped-call]
                loss_sum += value / len(paths)
            torch.nn.utils.clip_grad_norm_(self.supernet.parameters(), 5.0)
            self.optimizer.step()
            yield Progress(done, total, "batch")
        self.done += 1
        return {"train_loss": loss_sum / total}

    def evaluate(self, trial: int, proposal: Proposal) -> Scoring:
        """Scores one architecture with the weights as they are now."""
        import torch

        items, split = len(self.task.valid.y), self.task.valid
        wanted = self.settings.score_items or items
        order = torch.Generator().manual_seed(seed_of(self.seed, "score", trial))
        x, y = next(iter(self.task.batches(split, min(wanted, items), order if wanted < items else None)))
        if self.settings.normalisation == "recalibrated":
            metrics = yield from self._recalibrated(proposal.architecture, x, y)
        else:
            self.supernet.eval()
            with torch.no_grad():
                metrics = self.task.metrics(self.supernet(x, proposal.architecture), y)
            yield Progress(1, 1, "batch")
        if not math.isfinite(metrics["loss"]):
            raise TrialError(f"shared weights gave a loss of {metrics['loss']}; trial {trial}", cause="nan")
        found = {"valid_accuracy": metrics["accuracy"], "valid_loss": metrics["loss"]}
        return Evaluation(found, (found["valid_accuracy"],))

    def _recalibrated(
        self, architecture: Architecture, x: Tensor, y: Tensor
    ) -> Generator[Progress, None, dict[str, float]]:
        """The metrics of a copy of one path whose normalisations have statistics of train."""
        import torch

        from nbnas.networks.recalibration import recalibrate

        network = self.supernet.extract(architecture)
        size = min(self.settings.batch, len(self.task.train.y))
        wanted = min(self.settings.recalibration_batches, len(self.task.train.y) // size)
        # The same items for all trials, so that a score depends on the architecture and the weights alone.
        order = torch.Generator().manual_seed(seed_of(self.seed, "recalibration"))
        batches = itertools.islice(self.task.batches(self.task.train, size, order, drop_last=True), wanted)
        for done in recalibrate(network, (batch.x for batch in batches)):
            yield Progress(done, wanted + 1, "batch")
        metrics = self._scored(network, torch.split(x, size), torch.split(y, size))
        yield Progress(wanted + 1, wanted + 1, "batch")
        return metrics

    def _scored(self, network: nn.Module, xs: Sequence[Tensor], ys: Sequence[Tensor]) -> dict[str, float]:
        """The metrics of all items together, computed batch by batch."""
        import torch

        sums: dict[str, float] = {}
        with torch.no_grad():
            for x, y in zip(xs, ys, strict=True):
                for name, value in self.task.metrics(network(x), y).items():
                    sums[name] = sums.get(name, 0.0) + value * len(y)
        items = sum(map(len, ys))
        return {name: value / items for name, value in sums.items()}

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly."""
        return {
            "supernet": self.supernet.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.bit_generator.state,
            "done": self.done,
            **({} if self.fair is None else {"fair": self.fair.state_dict()}),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes the state over."""
        self.supernet.load_state_dict(state["supernet"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.bit_generator.state = state["rng"]
        self.done = state["done"]
        if self.fair is not None:
            self.fair.load_state_dict(state["fair"])

    def _paths(self, strategy: BlackBoxStrategy) -> list[Architecture]:
        """What one batch trains."""
        return [self._draw(strategy)] if self.fair is None else self.fair.batch()

    def _draw(self, strategy: BlackBoxStrategy) -> Architecture:
        if self.settings.draws == "uniform":
            return self.space.sample(self.rng)
        return strategy.draw(self.rng)

    def _learning_rate(self) -> float:
        """A cosine with restarts: T_0 = 10 epochs, each period twice as long as the one before."""
        since, period = self.done, 10
        while since >= period:
            since, period = since - period, period * 2
        first, last = self.settings.learning_rate, self.settings.learning_rate_end
        return last + 0.5 * (first - last) * (1 + float(np.cos(np.pi * since / period)))
