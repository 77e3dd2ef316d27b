"""How much each option of a supernet matters: the accuracy that is lost without it.

Wang, Cheng, Chen, Tang & Hsieh, Rethinking Architecture Selection in Differentiable NAS, ICLR 2021, arXiv:2108.04392,
Algorithm 1: rows are settled one by one in random order; of each, the option stays without which the supernet is worst.
Differs from the paper: the supernet is not trained further between two rows; the shares of a row that loses an option
grow to the sum that they had, where the authors' code leaves them; all items of alpha's half of train are used for each
value; `none` never stays, nor does an option that is not in the mixture; of equal options the one with the larger share
stays. Which inputs a node keeps follows from the same values, not from removing whole edges afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from nbnas.seeds import generator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from nbnas.strategies.relaxed import Relaxed

__all__ = ["importance"]

_ABSENT = -2.0
_TIE = 1e-6
"""So much of its share is added to what an option is worth: less than one item of any data, enough to break ties."""


@torch.no_grad()
def importance(strategy: Relaxed) -> dict[str, list[float]]:
    """Row -> for each option the accuracy on alpha's half that is lost without it, in [-1, 1]; -2 for absent ones.

    Rows that are settled already hold one option alone while the others are measured.
    """
    supernet = strategy.supernet
    was = supernet.training
    supernet.eval()
    mixture = {name: row.detach().clone() for name, row in strategy.mixture().items()}
    names = list(mixture)
    order = generator(strategy.seed, "order of rows").permutation(len(names))
    found: dict[str, list[float]] = {}
    for place in order:
        name = names[place]
        whole = _accuracy(strategy, mixture)
        found[name] = [
            whole - _accuracy(strategy, {**mixture, name: without(mixture[name], option)}) + _TIE * float(share)
            if float(share) > 0
            else _ABSENT
            for option, share in enumerate(mixture[name])
        ]
        kept = torch.zeros_like(mixture[name])
        kept[_strongest(strategy, name, found[name])] = 1.0
        mixture[name] = kept
    supernet.train(was)
    return {name: found[name] for name in names}


def without(shares: Tensor, option: int) -> Tensor:
    """The shares of a row, shape (options,), when one option is masked and the rest grows to the same sum."""
    masked = shares.clone()
    masked[option] = 0.0
    total = masked.sum()
    return masked * (shares.sum() / total) if float(total) > 0 else masked


def _strongest(strategy: Relaxed, name: str, values: list[float]) -> int:
    options = next(row.options for row in strategy.space.rows if row.name == name)
    real = [place for place, option in enumerate(options) if option != "none"] or list(range(len(options)))
    return max(real, key=lambda place: values[place])


def _accuracy(strategy: Relaxed, mixture: Mapping[str, Tensor]) -> float:
    half, task = strategy.alpha_half, strategy.task
    size = min(512, len(half.y))
    right = [
        task.metrics(strategy.supernet(x, mixture), y)["accuracy"] * len(y) for x, y in task.batches(half, size, None)
    ]
    return float(np.sum(right)) / len(half.y)
