"""FBNet: soft draws of architectures, and a loss that is multiplied by the logarithm of their expected latency.

Wu, Dai, Zhang, Wang, Sun, Wu, Tian, Vajda, Jia & Keutzer, FBNet: Hardware-Aware Efficient ConvNet Design via
Differentiable Neural Architecture Search, CVPR 2019, arXiv:1812.03443: Eq. 2 (loss CE · alpha · log(LAT)^beta; here
`scale` and `exponent`), Sec. 3.2 (Gumbel masks, latency by a table), Sec. 4.1 and the authors' settings.
Differs from the paper: theta is called alpha here. The two kinds of step alternate batch by batch on equal halves of
train; the paper trains w on 80 % of it, then theta on the rest, in each epoch. w is trained with the cross entropy
alone, since the other factor does not depend on it. Latency is in microseconds and counts as e where it is below e, so
that the logarithm is at least 1; it is that of the options, on this machine, without the parts that no row decides. The
table may count multiply-adds or parameters instead. The temperature falls as in 90 published epochs whatever the budget
is. The most likely architecture is derived; the paper draws several and trains them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from nbnas.errors import SettingsError
from nbnas.settings import setting
from nbnas.strategies.relaxed import Relaxed, RelaxedSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from nbnas.tasks.bound import TensorSplit

__all__ = ["FBNet"]

_EPOCHS = 90
"""Of the published search, over which the temperature falls."""
_MICROSECONDS = 1e3
"""In a millisecond."""


class _FBNet(Relaxed):
    settings: FBNet

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.temperature = self.settings.temperature

    @override
    def begin_epoch(self) -> dict[str, float]:
        published = self.done * _EPOCHS / max(self.epochs, 1)
        self.temperature = self.settings.temperature * math.exp(-self.settings.temperature_decay * published)
        return {"temperature": self.temperature}

    @override
    def drawn(self) -> dict[str, Tensor]:
        from nbnas.networks import gumbel

        return gumbel(self.alpha, self.temperature, self.chance)

    @override
    def alpha_step(self, alpha_batch: TensorSplit, w_batch: TensorSplit) -> float:
        from nbnas.networks.freezing import constant

        with constant(self.supernet.parameters()):
            masks = self.drawn()  # the same for both factors
            loss = self.task.loss(self.supernet(alpha_batch.x, masks), alpha_batch.y)
            self.alpha_optimizer.zero_grad()
            (loss * self.factor(masks)).backward()  # type: ignore[no-untyped-call]
        value = self.finite(loss)
        self.alpha_optimizer.step()
        return value

    def factor(self, masks: Mapping[str, Tensor]) -> Tensor:
        """Eq. 2 without the cross entropy: scale · log(LAT)^exponent, LAT the sum of shares times costs."""
        cost = self.cost(masks)
        if self.settings.complexity == "latency_ms":
            cost = cost * _MICROSECONDS
        return self.settings.scale * cost.clamp(min=math.e).log() ** self.settings.exponent

    def cost(self, masks: Mapping[str, Tensor]) -> Tensor:
        """Sum over rows of share times cost, in the unit of `complexity`."""
        return sum((masks[name] * cost).sum() for name, cost in self.costs.items())  # type: ignore[return-value]

    @override
    def _option_costs(self) -> dict[str, Tensor]:
        try:
            return super()._option_costs()
        except SettingsError:
            raise SettingsError(
                f"space must have modules for each row, so that each option has a cost, got {self.space.name!r}, which "
                "has not; in FBNet. Take Gdas, or a space whose decisions are operations",
                field="space",
            ) from None


@dataclass(frozen=True)
class FBNet(RelaxedSettings):
    """Mixes options by soft Gumbel draws and multiplies alpha's loss by the logarithm of the expected latency."""

    title: ClassVar[str] = "FBNet"
    loop: ClassVar[type[Relaxed]] = _FBNet

    alpha_learning_rate: float = setting(0.01, "Adam's step size for alpha.", above=0, maximum=10)
    alpha_weight_decay: float = setting(5e-4, "L2 penalty on alpha.", minimum=0)
    w_learning_rate: float = setting(0.1, "SGD's first step size for w; falls by a cosine.", above=0, maximum=10)
    w_learning_rate_end: float = setting(0.0, "SGD's last step size for w.", minimum=0, maximum=10)
    w_weight_decay: float = setting(1e-4, "L2 penalty on w.", minimum=0)
    batch: int = setting(192, "Items a batch.", minimum=2, maximum=65536)
    alpha_after: float = setting(
        10 / _EPOCHS, "Share of the epochs in which w alone learns at first.", minimum=0, below=1
    )
    complexity: str = setting(
        "latency_ms",
        "What the loss is multiplied by, by its logarithm; latency does not repeat itself from run to run.",
        options=("parameters", "macs", "latency_ms"),
    )
    complexity_weight: float = setting(
        0.0, "Must be 0: here the cost is a factor, weighed by `scale` and `exponent`.", minimum=0
    )
    temperature: float = setting(5.0, "Temperature of the first epoch: how even the mixtures are.", above=0)
    temperature_decay: float = setting(
        0.045, "The temperature falls by exp(-this) for each 90th of the budget.", minimum=0, maximum=1
    )
    scale: float = setting(0.2, "Alpha of Eq. 2: a factor of the loss.", above=0)
    exponent: float = setting(0.6, "Beta of Eq. 2: how much the cost weighs; 0: not at all.", minimum=0, maximum=10)

    @override
    def check(self) -> None:
        super().check()
        if self.complexity_weight:
            self.fail("complexity_weight", "0", remedy="FBNet's cost is a factor of the loss: set exponent")
