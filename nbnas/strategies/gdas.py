"""GDAS: gradient descent on architecture weights, with one operation drawn for each edge and computed alone.

Dong & Yang, Searching for a Robust Neural Architecture in Four GPU Hours, CVPR 2019, arXiv:1910.04465: Eq. 3 (an
operation is drawn by Gumbel noise), Eq. 4 (its softened form, with a temperature), Eq. 5 (the forward pass takes the
argmax, the backward pass the softened form); settings of Sec. 4.
Differs from the paper: a batch for alpha comes before one for w, both from equal halves of train that are reshuffled
each epoch. A reduction cell is searched too (the variant with a fixed one, "FRC", is left out). Where a network cannot
compute one option of a row alone (inputs of a node, norms of a block), all are computed and the others weigh zero:
values and gradients are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from nbnas.settings import setting
from nbnas.strategies.relaxed import Relaxed, RelaxedSettings

if TYPE_CHECKING:
    from torch import Tensor

    from nbnas.networks.supernet import Mixture
    from nbnas.tasks.bound import TensorSplit

__all__ = ["Gdas"]


class _Gdas(Relaxed):
    settings: Gdas

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.temperature = self.settings.temperature

    @property
    @override
    def _fused(self) -> bool:
        return False  # torch's fused SGD fails where a parameter gets its first gradient later than others

    @override
    def begin_epoch(self) -> dict[str, float]:
        # Linear; the last epoch is at the last temperature.
        part = min(self.done / max(self.epochs - 1, 1), 1.0)
        first, last = self.settings.temperature, self.settings.temperature_end
        self.temperature = first + (last - first) * part
        return {"temperature": self.temperature}

    @override
    def drawn(self) -> Mixture:
        from nbnas.networks import gumbel
        from nbnas.networks.mixed_modules import Drawn

        mixture: dict[str, Drawn] = {}
        for name, soft in gumbel(self.alpha, self.temperature, self.chance).items():
            place = int(soft.argmax())
            # Eq. 5: its value is exactly 1, its gradient that of the softened entry.
            share = 1.0 + (soft[place] - soft[place].detach())
            mixture[name] = Drawn((place,), share.unsqueeze(0))
        return mixture

    @override
    def loss(self, batch: TensorSplit) -> Tensor:
        # Where `none` is drawn alpha has no part in the loss: its gradient is then zero, not absent.
        zero: Tensor | float = sum(0.0 * row.sum() for row in self.alpha.values())
        return super().loss(batch) + zero


@dataclass(frozen=True)
class Gdas(RelaxedSettings):
    """Draws one operation an edge for each batch by Gumbel noise and computes it alone; the temperature falls."""

    title: ClassVar[str] = "GDAS"
    loop: ClassVar[type[Relaxed]] = _Gdas

    temperature: float = setting(10.0, "Temperature of the first epoch: how even the gradients are.", above=0)
    temperature_end: float = setting(0.1, "Temperature of the last epoch; it falls in a line.", above=0)

    @override
    def check(self) -> None:
        super().check()
        if self.temperature_end > self.temperature:
            self.fail(
                "temperature_end", f"at most temperature ({self.temperature:g})", remedy="Lower it or raise temperature"
            )
