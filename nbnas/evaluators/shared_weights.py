"""Scores architectures with the shared weights of a supernet, which is trained in between.

Pham et al., Efficient Neural Architecture Search via Parameter Sharing, ICML 2018, arXiv:1802.03268: the weights are
trained on architectures drawn from the controller, one a batch, then the controller is trained on scores of single
architectures on minibatches of valid. Guo et al., Single Path One-Shot, ECCV 2020, arXiv:1904.00420: `draws="uniform"`.
Differs from the papers: a learning rate that falls by a cosine within restarts of 10, 20, 40, … epochs, as in ENAS, for
all strategies; batch statistics of the scored items in batch normalisation.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from typing_extensions import override

from nbnas.errors import RunError, TrialError
from nbnas.evaluators.base import EvaluatorSettings, Scoring
from nbnas.events import Evaluation, Progress
from nbnas.seeds import generator, seed_of
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import BlackBoxStrategy, Proposal

if TYPE_CHECKING:
    from nbnas.tasks.bound import BoundTask

__all__ = ["SharedWeights", "SharedWeightsEvaluator"]


@dataclass(frozen=True)
class SharedWeights(EvaluatorSettings):
    """Trains one supernet, one random path a batch; the score is the accuracy of a path on items of valid."""

    title: ClassVar[str] = "Shared weights (one-shot)"
    shares_weights: ClassVar[bool] = True

    controller_steps: int = setting(10, "Trials after each epoch of the shared weights.", minimum=1, maximum=100_000)
    draws: str = setting(
        "strategy", "Paths to train: drawn from the strategy (ENAS) or uniformly.", options=("strategy", "uniform")
    )
    batch: int = setting(64, "Items a batch.", minimum=2, maximum=65536)
    score_items: int = setting(0, "Items of valid that score a trial, drawn anew each time; 0: all.", minimum=0)
    learning_rate: float = setting(0.05, "First step size of SGD.", above=0, maximum=100)
    learning_rate_end: float = setting(0.0005, "Step size before each restart.", minimum=0, maximum=100)
    momentum: float = setting(0.9, "Momentum of SGD.", minimum=0, below=1)
    weight_decay: float = setting(1e-4, "L2 penalty on the weights.", minimum=0)

    @override
    def check(self) -> None:
        if self.learning_rate_end > self.learning_rate:
            self.fail("learning_rate_end", f"at most learning_rate ({self.learning_rate:g})")

    @override
    def bind(self, space: SearchSpace, task: BoundTask | None, seed: int) -> SharedWeightsEvaluator:
        assert task is not None
        return SharedWeightsEvaluator(self, space, task, seed)


class SharedWeightsEvaluator:
    """The supernet, its optimizer, and the scores that they give."""

    def __init__(self, settings: SharedWeights, space: SearchSpace, task: BoundTask, seed: int) -> None:
        import torch

        from nbnas.networks import Supernet

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
        self.done = 0

    def epoch(self, strategy: BlackBoxStrategy) -> Generator[Progress, None, Mapping[str, float]]:
        """One epoch over train, one architecture a batch; yields once a batch, returns metrics."""
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
            loss = self.task.loss(self.supernet(x, self._draw(strategy)), y)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise RunError(
                    f"training of shared weights gave {value} in epoch {self.done + 1}; lower learning_rate, "
                    f"or look for an operation of the space that gives nan"
                )
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.supernet.parameters(), 5.0)
            self.optimizer.step()
            loss_sum += value
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
        self.supernet.eval()
        with torch.no_grad():
            metrics = self.task.metrics(self.supernet(x, proposal.architecture), y)
        yield Progress(1, 1, "batch")
        if not math.isfinite(metrics["loss"]):
            raise TrialError(f"shared weights gave a loss of {metrics['loss']}; trial {trial}", cause="nan")
        found = {"valid_accuracy": metrics["accuracy"], "valid_loss": metrics["loss"]}
        return Evaluation(found, (found["valid_accuracy"],))

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly."""
        return {
            "supernet": self.supernet.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.bit_generator.state,
            "done": self.done,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes the state over."""
        self.supernet.load_state_dict(state["supernet"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.bit_generator.state = state["rng"]
        self.done = state["done"]

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
