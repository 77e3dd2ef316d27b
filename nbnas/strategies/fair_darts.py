"""FairDARTS: each option has a weight of its own, which does not take from the others, and is driven to 0 or 1.

Chu, Zhou, Zhang & Li, Fair DARTS: Eliminating Unfair Advantages in Differentiable Architecture Search, ECCV 2020,
arXiv:1911.12126: collaborative competition (sigmoid instead of softmax), the zero-one loss L_0-1 and its weight
w_0-1 = 10, derivation with the threshold sigma = 0.85; rates and batch of the authors' code.
Differs from the paper: alpha starts at 0.001 times normal numbers, where the paper has 0. The paper's space has no
`none`; where a space has it, it takes part in the zero-one loss alone, since it adds nothing to a mixture. One option
an edge is derived, the strongest: an edge that has none at the threshold becomes `none` where the space allows that,
and stays with its strongest where not; where this would cut the output off from the input, edges come back, strongest
first, until it does not. The paper can keep two options of an edge, and nodes with fewer than two inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from nbnas.settings import setting
from nbnas.strategies.relaxed import Relaxed, RelaxedSettings

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    import torch
    from torch import Tensor

    from nbnas.events import Progress
    from nbnas.spaces import Architecture

__all__ = ["FairDarts"]


class _FairDarts(Relaxed):
    settings: FairDarts

    @override
    def mixture(self) -> dict[str, Tensor]:
        return {name: row.sigmoid() for name, row in self.alpha.items()}

    @override
    def penalty(self) -> Tensor | float:
        return super().penalty() + self.settings.zero_one_weight * self.zero_one()

    def zero_one(self) -> Tensor:
        """L_0-1 = -1/N Σ (sigmoid(alpha) - 1/2)² over all N entries of alpha: in [-1/4, 0], least at 0 and 1."""
        import torch

        return -((torch.cat(list(self.mixture().values())) - 0.5) ** 2).mean()

    @override
    def epoch(self) -> Generator[Progress, None, Mapping[str, float]]:
        metrics = yield from super().epoch()
        threshold = self.settings.threshold
        above = sum(share >= threshold for row in self.shares().values() for share in row)
        return {**metrics, "above_threshold": above, "zero_one_loss": float(self.zero_one().detach())}

    @override
    def derive(self) -> Architecture:
        strongest = super().derive()
        if self.settings.derivation != "argmax":
            return strongest
        shares, chosen = self.shares(), self.space.options(strongest)
        allowed = {decision.name for decision in self.space.decisions if "none" in decision.options}
        weak = {}
        for row in self.space.rows:
            real = [share for option, share in zip(row.options, shares[row.name], strict=True) if option != "none"]
            if row.name in allowed & set(chosen) and max(real, default=0.0) < self.settings.threshold:
                weak[row.name] = max(real, default=0.0)
        nothing = {name: "none" if name in allowed else option for name, option in chosen.items()}
        cut_off = self.space.canonical(self.space.architecture(nothing))
        kept = {name: "none" if name in weak else option for name, option in chosen.items()}
        for name in sorted(weak, key=lambda name: -weak[name]):
            if self.space.canonical(self.space.architecture(kept)) != cut_off:
                break
            kept[name] = chosen[name]
        return self.space.architecture(kept)

    @override
    def new_alpha_optimizer(self) -> torch.optim.Optimizer:
        optimizer = super().new_alpha_optimizer()
        for group in optimizer.param_groups:
            group["betas"] = (0.9, 0.999)  # as in the authors' code
        return optimizer


@dataclass(frozen=True)
class FairDarts(RelaxedSettings):
    """Weighs each option by a sigmoid of its own and drives the weights to 0 or 1."""

    title: ClassVar[str] = "FairDARTS"
    loop: ClassVar[type[Relaxed]] = _FairDarts

    alpha_learning_rate: float = setting(3e-3, "Adam's step size for alpha.", above=0, maximum=10)
    w_learning_rate: float = setting(0.005, "SGD's first step size for w; falls by a cosine.", above=0, maximum=10)
    batch: int = setting(128, "Items a batch.", minimum=2, maximum=65536)
    zero_one_weight: float = setting(10.0, "Weight w_0-1 of the zero-one loss in alpha's loss.", minimum=0)
    threshold: float = setting(0.85, "The least weight of an option that is derived.", minimum=0, below=1)
