"""The gradient of alpha with w seen one step ahead (second-order DARTS), in two ways.

Liu, Simonyan & Yang, DARTS, ICLR 2019, arXiv:1806.09055, Eqs. 6-8. With w' = w - xi grad_w L_train(w, alpha),

    d/d alpha L_valid(w', alpha) = grad_alpha L_valid(w', alpha) - xi grad2_{alpha, w} L_train(w, alpha) v,
    v = grad_{w'} L_valid(w', alpha).

The product of the mixed second derivative and v is a finite difference of two gradients (Eq. 8), or the derivative of
(grad_w L_train) . v by alpha, which is exact. w is the same afterwards, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from nbnas.networks.freezing import constant

__all__ = ["exact", "finite_difference"]

Loss = Callable[[Any], Tensor]
"""From a batch to the loss of the supernet as it is, differentiable in w and alpha."""
Penalty = Callable[[], Tensor | float]
"""What alpha's loss has besides; a function of alpha alone."""


def finite_difference(
    supernet: nn.Module,
    alpha: nn.Module,
    loss: Loss,
    valid: Any,
    train: Any,
    xi: float,
    penalty: Penalty,
    *,
    distance: float = 0.01,
) -> tuple[Tensor, list[Tensor]]:
    """As published: Eq. 8 with epsilon = 0.01 / |v|. Where activations have kinks nearby, it can be far from exact.

    Args:
        supernet: holds w.
        alpha: holds the architecture weights.
        loss: of a batch.
        valid, train: the batch of alpha and that of w.
        xi: the size of the step ahead.
        penalty: see `Penalty`.
        distance: how far w is moved to either side.

    Returns:
        The loss on `valid` one step ahead, and the gradient of each parameter of alpha.
    """
    w, a = _trained(supernet), list(alpha.parameters())
    with constant(a):
        step = torch.autograd.grad(loss(train), w, allow_unused=True)
    value, direct, v = _ahead(supernet, alpha, loss, valid, step, xi, penalty)
    norm = torch.sqrt(sum(((part**2).sum() for part in v), start=v[0].new_zeros(())))
    if not float(norm) > 0:
        return value, direct
    epsilon = distance / float(norm)
    sides = []
    for sign in (1.0, -1.0):
        with _moved(w, v, sign * epsilon), constant(supernet.parameters()):
            sides.append(torch.autograd.grad(loss(train), a, allow_unused=True))
    return value, [
        part - xi * (_or_zero(plus, part) - _or_zero(minus, part)) / (2 * epsilon)
        for part, plus, minus in zip(direct, *sides, strict=True)
    ]


def exact(
    supernet: nn.Module, alpha: nn.Module, loss: Loss, valid: Any, train: Any, xi: float, penalty: Penalty
) -> tuple[Tensor, list[Tensor]]:
    """The same by differentiating grad_w L_train . v; arguments and result as of `finite_difference`."""
    w, a = _trained(supernet), list(alpha.parameters())
    first = torch.autograd.grad(loss(train), w, create_graph=True, allow_unused=True)
    step = [None if part is None else part.detach() for part in first]
    value, direct, v = _ahead(supernet, alpha, loss, valid, step, xi, penalty)
    along = sum(
        ((part * direction).sum() for part, direction in zip(first, v, strict=True) if part is not None),
        start=v[0].new_zeros(()),
    )
    mixed = torch.autograd.grad(along, a, allow_unused=True)
    return value, [part - xi * _or_zero(other, part) for part, other in zip(direct, mixed, strict=True)]


def _ahead(
    supernet: nn.Module,
    alpha: nn.Module,
    loss: Loss,
    valid: Any,
    step: Sequence[Tensor | None],
    xi: float,
    penalty: Penalty,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """The loss on `valid` at w' = w - xi step, its gradient by alpha (with that of the penalty), and that by w'."""
    w, a = _trained(supernet), list(alpha.parameters())
    with _moved(w, [_or_zero(part, own) for part, own in zip(step, w, strict=True)], -xi):
        value = loss(valid)
        found = torch.autograd.grad(value + penalty(), [*a, *w], allow_unused=True)
    ahead = [_or_zero(part, own) for part, own in zip(found, [*a, *w], strict=True)]
    return value, ahead[: len(a)], ahead[len(a) :]


def _trained(supernet: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in supernet.parameters() if parameter.requires_grad]


def _or_zero(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient


@contextmanager
def _moved(w: Sequence[nn.Parameter], directions: Sequence[Tensor], size: float) -> Iterator[None]:
    """Within it w is w + size · direction; afterwards it is what it was, not what rounding would leave of it."""
    # By exchanging what the parameters hold: a graph made before still knows them as they were.
    before = [parameter.data for parameter in w]
    for parameter, direction in zip(w, directions, strict=True):
        parameter.data = parameter.data + size * direction
    try:
        yield
    finally:
        for parameter, old in zip(w, before, strict=True):
            parameter.data = old
