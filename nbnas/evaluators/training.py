"""Scores an architecture by training its network for some epochs and measuring it on valid.

Each network starts from weights of its own, or from those of its parents: see `nbnas.evaluators.inheritance`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from nbnas.errors import TrialError
from nbnas.evaluators.base import Evaluator, EvaluatorSettings, Scoring
from nbnas.evaluators.inheritance import Inheritance
from nbnas.events import Evaluation, TrialProgressed
from nbnas.seeds import seed_of
from nbnas.settings import setting
from nbnas.spaces import SearchSpace
from nbnas.strategies.base import Proposal

if TYPE_CHECKING:
    from torch import nn

    from nbnas.tasks.bound import BoundTask

__all__ = ["Training"]


@dataclass(frozen=True)
class Training(EvaluatorSettings):
    """Trains on train by SGD (Nesterov, cosine schedule); the score is the accuracy on valid after the last epoch.

    What the architecture says itself about its training, by a recipe in its space, holds instead of these settings.
    """

    title: ClassVar[str] = "Training"

    epochs: int = setting(3, "Epochs a trial.", minimum=1, maximum=100_000)
    batch: int = setting(64, "Items a batch.", minimum=1, maximum=65536)
    learning_rate: float = setting(0.05, "First step size of SGD; falls to 0 by a cosine.", above=0, maximum=100)
    momentum: float = setting(0.9, "Momentum of SGD.", minimum=0, below=1)
    weight_decay: float = setting(5e-4, "L2 penalty on the weights.", minimum=0)
    inherit: bool = setting(False, "Whether a child starts from its parents' weights, where names and shapes agree.")

    @override
    def bind(self, space: SearchSpace, task: BoundTask | None, seed: int) -> Evaluator:
        from nbnas.evaluators.recipes import check_recipes

        assert task is not None
        check_recipes(space, task)
        kind = _InheritingTraining if self.inherit else _Training
        return kind(self, space, task, seed)

    def learning_rates(self, epoch: int, peak: float | None = None) -> tuple[float, float]:
        """The cosine schedule at the start and at the end of `epoch` (0-based), from `peak` or `learning_rate`."""
        first, last = (0.5 * (1 + math.cos(math.pi * done / self.epochs)) for done in (epoch, epoch + 1))
        peak = self.learning_rate if peak is None else peak
        return peak * first, peak * last


class _Training:
    def __init__(self, settings: Training, space: SearchSpace, task: BoundTask, seed: int) -> None:
        self.settings, self.space, self.task, self.seed = settings, space, task, seed

    def evaluate(self, trial: int, proposal: Proposal) -> Scoring:
        import torch

        from nbnas.evaluators.fit import fit_epoch, score
        from nbnas.evaluators.recipes import Practice
        from nbnas.networks import build, parameters

        settings, task = self.settings, self.task
        start = time.perf_counter()
        practice = Practice.of(
            self.space.component.recipe(self.space.options(proposal.architecture)),
            learning_rate=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
        network = build(self.space, proposal.architecture, task, seed=seed_of(self.seed, "weights", trial))
        inherited = self._begin(proposal, network)
        trained = practice.wrap(network)
        optimizer = practice.make_optimizer(trained)
        metrics = {}
        for epoch in range(settings.epochs):
            order = torch.Generator().manual_seed(seed_of(self.seed, "order", trial, epoch))
            changes = torch.Generator().manual_seed(seed_of(self.seed, "augmentation", trial, epoch))
            rates = settings.learning_rates(epoch, practice.learning_rate)
            try:
                loss = yield from fit_epoch(
                    trained,
                    task,
                    task.train,
                    optimizer,
                    order,
                    batch=settings.batch,
                    learning_rates=rates,
                    augment=partial(practice.augmented, generator=changes),
                    label_smoothing=practice.label_smoothing,
                )
                valid = score(trained, task, task.valid)
            except TrialError as cause:
                where = f"architecture {proposal.architecture}, trial {trial}, epoch {epoch + 1}"
                raise TrialError(f"{cause}; {where}", cause=cause.cause) from None
            metrics = {"train_loss": loss, "valid_accuracy": valid["accuracy"], "valid_loss": valid["loss"]}
            yield TrialProgressed(trial, epoch + 1, settings.epochs, metrics)
        measured = {"train_seconds": time.perf_counter() - start}
        self._end(trial, network)
        # A new mapping: the old one is in an event.
        found = {**metrics, "parameters": float(parameters(network)), **inherited}
        return Evaluation(found, (found["valid_accuracy"],), measured=measured)

    def _begin(self, proposal: Proposal, network: nn.Module) -> dict[str, float]:
        """Changes the weights that a trial starts from; returns metrics of that."""
        return {}

    def _end(self, trial: int, network: nn.Module) -> None:
        """Takes note of the trained network."""


class _InheritingTraining(_Training):
    """A training in which children go on from the weights of their parents; a `KeepingEvaluator`."""

    def __init__(self, settings: Training, space: SearchSpace, task: BoundTask, seed: int) -> None:
        super().__init__(settings, space, task, seed)
        self.kept = Inheritance()
        self.follow = self.kept.follow
        self.state_dict, self.load_state_dict = self.kept.state_dict, self.kept.load_state_dict

    @override
    def _begin(self, proposal: Proposal, network: nn.Module) -> dict[str, float]:
        return {"inherited_share": self.kept.hand_down(proposal.parents, network)}

    @override
    def _end(self, trial: int, network: nn.Module) -> None:
        self.kept.keep(trial, network)
