"""Training one network by SGD with a cosine schedule, one batch at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nbnas.errors import TrialError
from nbnas.events import Progress

if TYPE_CHECKING:
    from nbnas.tasks.bound import BoundTask, TensorSplit

__all__ = ["fit_epoch", "score", "sgd"]


def sgd(network: nn.Module, learning_rate: float, momentum: float, weight_decay: float) -> torch.optim.SGD:
    """Nesterov SGD over all parameters."""
    return torch.optim.SGD(
        network.parameters(), learning_rate, momentum=momentum, weight_decay=weight_decay, nesterov=momentum > 0
    )


def fit_epoch(
    network: nn.Module,
    task: BoundTask,
    split: TensorSplit,
    optimizer: torch.optim.Optimizer,
    order: torch.Generator,
    *,
    batch: int,
    learning_rates: tuple[float, float],
    clip: float = 5.0,
    augment: Callable[[Tensor], Tensor] = lambda x: x,
    label_smoothing: float = 0.0,
) -> Generator[Progress, None, float]:
    """One epoch of training; yields once a batch, returns the mean loss in nats.

    Args:
        network: from (batch, *input_shape) to logits, one row an item or a position.
        task: gives the loss.
        split: what is trained on.
        optimizer: of the network's parameters.
        order: gives the order of the items.
        batch: items a batch; a smaller last batch is left out.
        learning_rates: at the first and after the last batch; falls linearly between.
        clip: the largest norm of the gradient.
        augment: changes each batch of inputs.
        label_smoothing: share of each target that is spread evenly over all classes (Szegedy et al., CVPR 2016,
            arXiv:1512.00567, Sec. 7).

    Raises:
        TrialError: the loss is not finite.
    """
    network.train()
    batch = min(batch, len(split.y))
    total = len(split.y) // batch
    first, last = learning_rates
    loss_sum = 0.0
    for done, (x, y) in enumerate(task.batches(split, batch, order, drop_last=True)):
        for group in optimizer.param_groups:
            group["lr"] = first + (last - first) * done / total
        optimizer.zero_grad()
        logits = network(augment(x))
        loss = task.loss(logits, y)
        if label_smoothing:  # the cross entropy to the even distribution has that share
            loss = (1 - label_smoothing) * loss - label_smoothing * logits.log_softmax(-1).mean()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrialError(f"training gave {value}; scores must be finite. Lower the learning rate", cause="nan")
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
        loss_sum += value
        yield Progress(done + 1, total, "batch")
    return loss_sum / total


@torch.no_grad()
def score(network: nn.Module, task: BoundTask, split: TensorSplit, *, batch: int = 512) -> dict[str, float]:
    """Accuracy in [0, 1] and mean loss in nats over the items, or positions, of a split, in evaluation mode.

    Raises:
        TrialError: the loss is not finite.
    """
    network.eval()
    right, loss_sum, items = 0.0, 0.0, len(split.y)
    for x, y in task.batches(split, min(batch, items), None):
        metrics = task.metrics(network(x), y)
        right += metrics["accuracy"] * len(y)
        loss_sum += metrics["loss"] * len(y)
    if not math.isfinite(loss_sum):
        raise TrialError(f"evaluation gave a loss of {loss_sum}; scores must be finite", cause="nan")
    return {"accuracy": right / items, "loss": loss_sum / items}
