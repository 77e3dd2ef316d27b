"""Training a found architecture for real: on train and valid together, measured once on test."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from nbnas.errors import RunError
from nbnas.events import Progress
from nbnas.seeds import seed_of
from nbnas.session import Candidate
from nbnas.threads import suiting, using

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Retrained", "retraining"]


@dataclass(frozen=True)
class Retrained:
    """A network trained for real.

    Attributes:
        model: the network, in evaluation mode, from (batch, *input_shape) to logits.
        test_accuracy: in [0, 1], measured once, at the end.
        losses: the mean training loss of each epoch, in nats.
        parameters: how many numbers were trained.
    """

    model: nn.Module
    test_accuracy: float
    losses: tuple[float, ...]
    parameters: int


def retraining(
    candidate: Candidate,
    *,
    epochs: int,
    seed: int = 0,
    device: str = "auto",
    batch: int = 64,
    learning_rate: float | None = None,
    momentum: float | None = None,
    weight_decay: float | None = None,
) -> Generator[Progress, None, Retrained]:
    """Trains from scratch by SGD (Nesterov, cosine to 0), or by the recipe of the candidate; yields once a batch.

    It returns the result. What is `None` is as the recipe says, or else 0.05, 0.9 and 0.0005.

    Args:
        candidate: what a run found (`run.incumbent`).
        epochs: passes over train and valid.
        seed: of weights and order.
        device: where.
        batch: items a batch.
        learning_rate: the first step size.
        momentum: of SGD.
        weight_decay: L2 penalty.

    Raises:
        RunError: the run had no task, so that there is nothing to train on.
        TrialError: the loss became infinite or NaN.
    """
    import torch

    from nbnas.evaluators.fit import fit_epoch, score
    from nbnas.evaluators.recipes import Practice, check_recipes
    from nbnas.networks import build, parameters
    from nbnas.tasks.bound import TensorSplit

    if candidate.task is None:
        raise RunError("candidate must have a task to be retrained on, got none (its run looked scores up in a table).")
    task = candidate.task.bind(device, with_test=True)
    check_recipes(candidate.space, task)
    network = build(candidate.space, candidate.architecture, task, seed=seed_of(seed, "retrain"))
    given = {"learning_rate": learning_rate, "momentum": momentum, "weight_decay": weight_decay}
    recipe = candidate.space.component.recipe(candidate.space.options(candidate.architecture))
    recipe |= {name: value for name, value in given.items() if value is not None}
    practice = Practice.of(recipe, learning_rate=0.05, momentum=0.9, weight_decay=5e-4)
    network = practice.wrap(network)
    optimizer = practice.make_optimizer(network)
    split = TensorSplit(torch.cat([task.train.x, task.valid.x]), torch.cat([task.train.y, task.valid.y]))
    losses = []
    threads = suiting(task.input_shape)
    total = epochs * max(1, len(split.y) // min(batch, len(split.y)))
    done = 0
    for epoch in range(epochs):
        order = torch.Generator().manual_seed(seed_of(seed, "retrain order", epoch))
        changes = torch.Generator().manual_seed(seed_of(seed, "retrain augmentation", epoch))
        peak = practice.learning_rate
        first, last = (peak * 0.5 * (1 + math.cos(math.pi * at / epochs)) for at in (epoch, epoch + 1))
        training = fit_epoch(
            network,
            task,
            split,
            optimizer,
            order,
            batch=batch,
            learning_rates=(first, last),
            augment=partial(practice.augmented, generator=changes),
            label_smoothing=practice.label_smoothing,
        )
        while True:
            try:
                with using(threads):
                    next(training)
            except StopIteration as end:
                losses.append(end.value)
                break
            done += 1
            yield Progress(done, total, "batch")
    with using(threads):
        accuracy = score(network, task, task.test)["accuracy"]
    return Retrained(network, accuracy, tuple(losses), parameters(network))
