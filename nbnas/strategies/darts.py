"""DARTS: gradient descent on architecture weights, first order.

Liu, Simonyan & Yang, DARTS: Differentiable Architecture Search, ICLR 2019, arXiv:1806.09055: Eq. 2 (softmax mixture),
Eqs. 3-4 (bilevel problem) with xi = 0, Algorithm 1.
Differs from the paper: first order only. On cells whose edges are all kept (NAS-Bench-201) each edge takes its
strongest operation other than `none`; there is no choice of two inputs a node. Its learning rate for alpha, 3e-4 over
50 epochs of CIFAR-10, hardly moves alpha in the few batches of a small task: raise it there.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from nbnas.errors import RunError
from nbnas.events import Progress
from nbnas.seeds import seed_of
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import DifferentiableSettings, DifferentiableStrategy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nbnas.networks import Supernet
    from nbnas.tasks.bound import BoundTask, TensorSplit

__all__ = ["Darts"]


@dataclass(frozen=True)
class Darts(DifferentiableSettings):
    """Alternates one step on alpha (one half of train) and one on the weights w (the other half)."""

    title: ClassVar[str] = "DARTS (first order)"

    alpha_learning_rate: float = setting(3e-4, "Adam's step size for alpha.", above=0, maximum=10)
    alpha_weight_decay: float = setting(1e-3, "L2 penalty on alpha.", minimum=0)
    w_learning_rate: float = setting(0.025, "SGD's first step size for w; falls by a cosine.", above=0, maximum=10)
    w_learning_rate_end: float = setting(0.001, "SGD's last step size for w.", minimum=0, maximum=10)
    w_momentum: float = setting(0.9, "Momentum of SGD.", minimum=0, below=1)
    w_weight_decay: float = setting(3e-4, "L2 penalty on w.", minimum=0)
    gradient_clip: float = setting(5.0, "Largest norm of w's gradient.", above=0)
    batch: int = setting(64, "Items a batch.", minimum=2, maximum=65536)

    @override
    def check(self) -> None:
        if self.w_learning_rate_end > self.w_learning_rate:
            self.fail("w_learning_rate_end", f"at most w_learning_rate ({self.w_learning_rate:g})")

    @override
    def bind(
        self, space: SearchSpace, supernet: Supernet, task: BoundTask, seed: int, epochs: int
    ) -> DifferentiableStrategy:
        return _Darts(self, space, supernet, task, seed, epochs)


class _Darts:
    def __init__(
        self, settings: Darts, space: SearchSpace, supernet: Supernet, task: BoundTask, seed: int, epochs: int
    ) -> None:
        import torch

        from nbnas.networks import new_alpha

        self.settings, self.space, self.supernet, self.task = settings, space, supernet, task
        self.seed, self.epochs, self.done = seed, epochs, 0
        self.alpha = new_alpha(space, seed_of(seed, "alpha"), device=task.device)
        self.w_half, self.alpha_half = task.halves(torch.Generator().manual_seed(seed_of(seed, "halves")))
        self.batch = min(settings.batch, len(self.w_half.y))
        fused = task.device.type in ("cpu", "cuda")  # one pass over hundreds of small tensors
        self.w_optimizer = torch.optim.SGD(
            supernet.parameters(),
            fused=fused,
            lr=settings.w_learning_rate,
            momentum=settings.w_momentum,
            weight_decay=settings.w_weight_decay,
        )
        self.alpha_optimizer = torch.optim.Adam(
            self.alpha.parameters(),
            fused=fused,
            lr=settings.alpha_learning_rate,
            betas=(0.5, 0.999),
            weight_decay=settings.alpha_weight_decay,
        )

    def epoch(self) -> Generator[Progress, None, Mapping[str, float]]:
        self._set_learning_rate()
        self.supernet.train()
        alpha_losses, w_losses = [], []
        total = len(self.w_half.y) // self.batch
        pairs = zip(self._batches(self.w_half, "w"), self._batches(self.alpha_half, "alpha"), strict=True)
        for done, (w_batch, alpha_batch) in enumerate(pairs, start=1):
            # Eq. 3: min over alpha of L_valid(w*(alpha), alpha), with w* ~ w (xi = 0, first order)
            alpha_losses.append(self._step(self.alpha_optimizer, alpha_batch, None))
            # Eq. 4: w*(alpha) = argmin over w of L_train(w, alpha), one step of it
            w_losses.append(self._step(self.w_optimizer, w_batch, self.settings.gradient_clip))
            yield Progress(done, total, "batch")
        self.done += 1
        return {"train_loss": sum(w_losses) / total, "alpha_loss": sum(alpha_losses) / total}

    def probabilities(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        rows = {}
        for row in self.space.rows:
            shares = self.alpha[row.name].detach().double().softmax(dim=0).tolist()
            rows[row.name] = dict(zip(map(str, row.options), shares, strict=True))
        return {"alpha": rows}

    def derive(self) -> Architecture:
        # Sec. 2.4: the strongest operations, zero excluded; where a node keeps two inputs, the two strongest.
        shares = {name: row.detach().double().softmax(dim=0).tolist() for name, row in self.alpha.items()}
        return self.space.derive(shares)

    def state_dict(self) -> dict[str, Any]:
        return {
            "supernet": self.supernet.state_dict(),
            "alpha": self.alpha.state_dict(),
            "w_optimizer": self.w_optimizer.state_dict(),
            "alpha_optimizer": self.alpha_optimizer.state_dict(),
            "done": self.done,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.supernet.load_state_dict(state["supernet"])
        self.alpha.load_state_dict(state["alpha"])
        self.w_optimizer.load_state_dict(state["w_optimizer"])
        self.alpha_optimizer.load_state_dict(state["alpha_optimizer"])
        self.done = state["done"]

    def _batches(self, half: TensorSplit, name: str) -> Any:
        import torch

        # The order is a function of (seed, epoch), so that a resumed epoch sees the same batches.
        order = torch.Generator().manual_seed(seed_of(self.seed, f"order of {name}", self.done))
        return self.task.batches(half, self.batch, order, drop_last=True)

    def _step(self, optimizer: torch.optim.Optimizer, batch: TensorSplit, clip: float | None) -> float:
        import torch

        from nbnas.networks import softmax
        from nbnas.networks.freezing import constant

        # The other's gradients would be thrown away: they are not computed.
        other = self.supernet if optimizer is self.alpha_optimizer else self.alpha
        with constant(other.parameters()):
            loss: Tensor = self.task.loss(self.supernet(batch.x, softmax(self.alpha)), batch.y)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(self.supernet.parameters(), clip)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RunError(
                f"training of the supernet gave {value} in epoch {self.done + 1}; lower w_learning_rate, "
                f"or look for an operation of the space that gives nan"
            )
        optimizer.step()
        return value

    def _set_learning_rate(self) -> None:
        first, last = self.settings.w_learning_rate, self.settings.w_learning_rate_end
        part = min(self.done / max(self.epochs, 1), 1.0)
        for group in self.w_optimizer.param_groups:
            group["lr"] = last + 0.5 * (first - last) * (1 + math.cos(math.pi * part))
