"""DARTS: gradient descent on architecture weights, first and second order.

Liu, Simonyan & Yang, DARTS: Differentiable Architecture Search, ICLR 2019, arXiv:1806.09055: Eq. 2 (softmax mixture),
Eqs. 3-4 (bilevel problem), Eqs. 5-8 (first order: xi = 0; second order: w is seen one step ahead), Algorithm 1.
Differs from the paper: `order="exact"` computes Eq. 7 by differentiating twice instead of by the finite difference of
Eq. 8. The step ahead is a plain gradient step of size xi, as Eq. 6 has it; the authors' code adds SGD's momentum and
weight decay to it. On cells whose edges are all kept (NAS-Bench-201) each edge takes its strongest operation other than
`none`; there is no choice of two inputs a node. Its learning rate for alpha, 3e-4 over 50 epochs of CIFAR-10, hardly
moves alpha in the few batches of a small task: raise it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from nbnas.settings import setting
from nbnas.strategies.relaxed import Relaxed, RelaxedSettings

if TYPE_CHECKING:
    from nbnas.tasks.bound import TensorSplit

__all__ = ["Darts"]


class _Darts(Relaxed):
    settings: Darts

    @override
    def alpha_step(self, alpha_batch: TensorSplit, w_batch: TensorSplit) -> float:
        if self.settings.order == "first":
            return super().alpha_step(alpha_batch, w_batch)
        from nbnas.strategies import unrolled

        # Sec. 2.3: xi is the learning rate of w, unless it is given.
        xi = self.settings.xi or self.w_optimizer.param_groups[0]["lr"]
        step = unrolled.finite_difference if self.settings.order == "second" else unrolled.exact
        loss, gradients = step(self.supernet, self.alpha, self.loss, alpha_batch, w_batch, xi, self.penalty)
        value = self.finite(loss)
        for parameter, gradient in zip(self.alpha.parameters(), gradients, strict=True):
            parameter.grad = gradient
        self.alpha_optimizer.step()
        return value


@dataclass(frozen=True)
class Darts(RelaxedSettings):
    """Alternates one step on alpha (one half of train) and one on the weights w (the other half)."""

    title: ClassVar[str] = "DARTS"
    loop: ClassVar[type[Relaxed]] = _Darts

    order: str = setting(
        "first",
        "first: w as it is; second: w one step ahead, by a finite difference; exact: the same, differentiated twice.",
        options=("first", "second", "exact"),
    )
    xi: float = setting(0.0, "Size of the step ahead; 0: w's step size.", minimum=0, maximum=10)
