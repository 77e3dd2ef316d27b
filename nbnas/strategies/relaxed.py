"""What all strategies that train a supernet have in common: their settings and the loop of an epoch.

Liu, Simonyan & Yang, DARTS: Differentiable Architecture Search, ICLR 2019, arXiv:1806.09055: Eqs. 3-4 (bilevel
problem), Algorithm 1 (one step on alpha, then one on w). A strategy says how alpha becomes a mixture (`mixture`), what
is drawn of it in training (`drawn`), and what else is minimised (`penalty`).
Differs from the paper: alpha may begin to learn later, and what the mixture is expected to cost may be added to alpha's
loss, relative to what the uniform mixture costs, so that `complexity_weight` has no unit.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from nbnas.errors import RunError
from nbnas.events import Event, Progress
from nbnas.seeds import seed_of
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import DifferentiableSettings, DifferentiableStrategy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nbnas.networks import Supernet
    from nbnas.networks.supernet import Mixture
    from nbnas.tasks.bound import BoundTask, TensorSplit

__all__ = ["Relaxed", "RelaxedSettings"]


@dataclass(frozen=True)
class RelaxedSettings(DifferentiableSettings):
    """Settings that strategies on a supernet share; the defaults are those of DARTS."""

    alpha_learning_rate: float = setting(3e-4, "Adam's step size for alpha.", above=0, maximum=10)
    alpha_weight_decay: float = setting(1e-3, "L2 penalty on alpha.", minimum=0)
    w_learning_rate: float = setting(0.025, "SGD's first step size for w; falls by a cosine.", above=0, maximum=10)
    w_learning_rate_end: float = setting(0.001, "SGD's last step size for w.", minimum=0, maximum=10)
    w_momentum: float = setting(0.9, "Momentum of SGD.", minimum=0, below=1)
    w_weight_decay: float = setting(3e-4, "L2 penalty on w.", minimum=0)
    gradient_clip: float = setting(5.0, "Largest norm of w's gradient.", above=0)
    batch: int = setting(64, "Items a batch.", minimum=2, maximum=65536)
    alpha_after: float = setting(0.0, "Share of the epochs in which w alone learns at first.", minimum=0, below=1)
    complexity: str = setting(
        "none",
        "What alpha is also to keep low, as expected under the mixture.",
        options=("none", "parameters", "macs", "latency_ms"),
    )
    complexity_weight: float = setting(
        0.0, "Weight lambda of the expected cost over that of a uniform mixture.", minimum=0
    )
    derivation: str = setting(
        "argmax",
        "argmax: the strongest options; perturbation: at the end, those whose removal costs most accuracy.",
        options=("argmax", "perturbation"),
    )

    loop: ClassVar[type[Relaxed]]
    """The strategy that these settings become."""

    @override
    def check(self) -> None:
        if self.w_learning_rate_end > self.w_learning_rate:
            expected = f"at most w_learning_rate ({self.w_learning_rate:g})"
            self.fail("w_learning_rate_end", expected, remedy="Lower it or raise w_learning_rate")
        if self.complexity_weight and self.complexity == "none":
            self.fail(
                "complexity_weight", "0 where complexity is none", remedy="Say which cost: parameters, macs, latency_ms"
            )

    @override
    def bind(
        self, space: SearchSpace, supernet: Supernet, task: BoundTask, seed: int, epochs: int
    ) -> DifferentiableStrategy:
        return self.loop(self, space, supernet, task, seed, epochs)


class Relaxed:
    """Alternates one step on alpha (one half of train) and one on the weights w (the other half); softmax mixture.

    Attributes:
        alpha: row -> vector (options,), in the order of the relaxed view.
        done: epochs done.
        chance: the only source of what is drawn in an epoch, seeded anew at its start; on the CPU.
    """

    def __init__(
        self, settings: Any, space: SearchSpace, supernet: Supernet, task: BoundTask, seed: int, epochs: int
    ) -> None:
        import torch

        self.settings, self.space, self.supernet, self.task = settings, space, supernet, task
        self.seed, self.epochs, self.done = seed, epochs, 0
        self.alpha = self.new_alpha()
        self.chance = torch.Generator().manual_seed(seed_of(seed, "chance", 0))
        self.w_half, self.alpha_half = task.halves(torch.Generator().manual_seed(seed_of(seed, "halves")))
        self.batch = min(settings.batch, len(self.w_half.y))
        self.alpha_optimizer = self.new_alpha_optimizer()
        self.w_optimizer = self.new_w_optimizer()
        self.costs = self._option_costs()

    # -- what a strategy may say otherwise ---------------------------------------------------------------------------

    def mixture(self) -> dict[str, Tensor]:
        """Row -> share of each option, shape (options,), differentiable in alpha: what alpha now means."""
        from nbnas.networks import softmax

        return softmax(self.alpha)

    def drawn(self) -> Mixture:
        """What one pass in training computes."""
        return self.mixture()

    def penalty(self) -> Tensor | float:
        """What alpha's loss has besides the loss of the task."""
        if not self.costs:
            return 0.0
        weight: float = self.settings.complexity_weight
        return weight * self.expected_cost() / self._uniform_cost()

    def new_alpha(self) -> torch.nn.ParameterDict:
        """Alpha at the start."""
        from nbnas.networks import new_alpha

        return new_alpha(self.space, seed_of(self.seed, "alpha"), device=self.task.device)

    def begin_epoch(self) -> dict[str, float]:
        """Sets what follows a schedule; returns what is to be shown of it, such as a temperature."""
        return {}

    def advance(self) -> Sequence[Event]:
        """After an epoch was shown: may change what is searched, and says so."""
        return ()

    # -- the loop ----------------------------------------------------------------------------------------------------

    def epoch(self) -> Generator[Progress, None, Mapping[str, float]]:
        self._set_learning_rate()
        # As the order of batches, a function of (seed, epoch).
        self.chance.manual_seed(seed_of(self.seed, "chance", self.done))
        shown = self.begin_epoch()
        self.supernet.train()
        alpha_losses, w_losses = [], []
        total = len(self.w_half.y) // self.batch
        learns = self.alpha_learns()
        pairs = zip(self._batches(self.w_half, "w"), self._batches(self.alpha_half, "alpha"), strict=True)
        for done, (w_batch, alpha_batch) in enumerate(pairs, start=1):
            if learns:  # Eq. 3: min over alpha of L_valid(w*(alpha), alpha)
                alpha_losses.append(self.alpha_step(alpha_batch, w_batch))
            # Eq. 4: w*(alpha) = argmin over w of L_train(w, alpha), one step of it
            w_losses.append(self.w_step(w_batch))
            yield Progress(done, total, "batch")
        self.done += 1
        metrics = {"train_loss": sum(w_losses) / total}
        if alpha_losses:
            metrics["alpha_loss"] = sum(alpha_losses) / total
        if self.costs:
            metrics[f"expected_{self.settings.complexity}"] = float(self.expected_cost().detach())
        return {**metrics, **shown}

    def alpha_learns(self) -> bool:
        """Whether alpha learns in the epoch that begins."""
        return self.done >= int(self.settings.alpha_after * self.epochs)

    def part(self) -> float:
        """How far the schedule of w's step size is, in [0, 1]."""
        return min(self.done / max(self.epochs, 1), 1.0)

    def alpha_step(self, alpha_batch: TensorSplit, w_batch: TensorSplit) -> float:
        """One step on alpha, w held fixed (xi = 0: w* ~ w); returns the loss of the task."""
        from nbnas.networks.freezing import constant

        # The gradients of w would be thrown away: they are not computed.
        with constant(self.supernet.parameters()):
            loss = self.loss(alpha_batch)
            self.alpha_optimizer.zero_grad()
            (loss + self.penalty()).backward()  # type: ignore[no-untyped-call]
        value = self.finite(loss)
        self.alpha_optimizer.step()
        return value

    def w_step(self, batch: TensorSplit) -> float:
        """One step on w, alpha held fixed; returns the loss."""
        import torch

        from nbnas.networks.freezing import constant

        with constant(self.alpha.parameters()):
            loss = self.loss(batch)
            self.w_optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.supernet.parameters(), self.settings.gradient_clip)
        value = self.finite(loss)
        self.w_optimizer.step()
        return value

    def loss(self, batch: TensorSplit) -> Tensor:
        """The loss of the task on a batch, of a mixture that is drawn for it."""
        return self.task.loss(self.supernet(batch.x, self.drawn()), batch.y)

    def finite(self, loss: Tensor) -> float:
        """The value of a loss.

        Raises:
            RunError: it is not finite.
        """
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RunError(
                f"training of the supernet gave {value} in epoch {self.done + 1}; lower w_learning_rate, "
                f"or look for an operation of the space that gives nan"
            )
        return value

    # -- what it stands for ------------------------------------------------------------------------------------------

    def probabilities(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        """See `DifferentiableStrategy`."""
        rows = {}
        shares = self.shares()
        for row in self.space.rows:
            total = sum(shares[row.name])
            rows[row.name] = dict(
                zip(map(str, row.options), [share / total for share in shares[row.name]], strict=True)
            )
        return {"alpha": rows}

    def shares(self) -> dict[str, list[float]]:
        """The mixture as numbers."""
        return {name: row.detach().double().tolist() for name, row in self.mixture().items()}

    def weights(self) -> dict[str, list[float]]:
        """What options are derived by: the mixture; at the end of a derivation by perturbation, what each is worth."""
        if self.settings.derivation == "perturbation" and self.done >= self.epochs:
            from nbnas.strategies.perturbation import importance

            return importance(self)
        return self.shares()

    def derive(self) -> Architecture:
        # Sec. 2.4: the strongest operations, zero excluded; where a node keeps two inputs, the two strongest.
        return self.space.derive(self.weights())

    # -- costs -------------------------------------------------------------------------------------------------------

    def expected_cost(self) -> Tensor:
        """Sum over rows of share times cost, in the unit of `complexity`; what no row decides is left out."""
        mixture = self.mixture()
        return sum((mixture[name] * cost).sum() for name, cost in self.costs.items())  # type: ignore[return-value]

    def _uniform_cost(self) -> float:
        return max(sum(float(cost.mean()) for cost in self.costs.values()), 1e-12)

    def _option_costs(self) -> dict[str, Tensor]:
        if self.settings.complexity == "none":
            return {}
        from nbnas.networks.option_costs import option_costs

        return option_costs(self.supernet, self.settings.complexity)

    # -- state -------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return {
            "supernet": self.supernet.state_dict(),
            "alpha": self.alpha.state_dict(),
            "w_optimizer": self.w_optimizer.state_dict(),
            "alpha_optimizer": self.alpha_optimizer.state_dict(),
            "costs": {name: cost.tolist() for name, cost in self.costs.items()},
            "done": self.done,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.supernet.load_state_dict(state["supernet"])
        self.alpha.load_state_dict(state["alpha"])
        self.w_optimizer.load_state_dict(state["w_optimizer"])
        self.alpha_optimizer.load_state_dict(state["alpha_optimizer"])
        # Latency is measured once: measured again it would be another one.
        self.costs = {name: self.costs[name].new_tensor(cost) for name, cost in state["costs"].items()}
        self.done = state["done"]

    # -- parts -------------------------------------------------------------------------------------------------------

    def new_w_optimizer(self) -> torch.optim.Optimizer:
        """SGD on the weights of the supernet."""
        import torch

        return torch.optim.SGD(
            self.supernet.parameters(),
            fused=self._fused,
            lr=self.settings.w_learning_rate,
            momentum=self.settings.w_momentum,
            weight_decay=self.settings.w_weight_decay,
        )

    def new_alpha_optimizer(self) -> torch.optim.Optimizer:
        """Adam on alpha."""
        import torch

        return torch.optim.Adam(
            self.alpha.parameters(),
            fused=self._fused,
            lr=self.settings.alpha_learning_rate,
            betas=(0.5, 0.999),
            weight_decay=self.settings.alpha_weight_decay,
        )

    @property
    def _fused(self) -> bool:
        return self.task.device.type in ("cpu", "cuda")  # one pass over hundreds of small tensors

    def _batches(self, half: TensorSplit, name: str) -> Any:
        import torch

        # The order is a function of (seed, epoch), so that a resumed epoch sees the same batches.
        order = torch.Generator().manual_seed(seed_of(self.seed, f"order of {name}", self.done))
        return self.task.batches(half, self.batch, order, drop_last=True)

    def _set_learning_rate(self) -> None:
        first, last = self.settings.w_learning_rate, self.settings.w_learning_rate_end
        part = self.part()
        for group in self.w_optimizer.param_groups:
            group["lr"] = last + 0.5 * (first - last) * (1 + math.cos(math.pi * part))
