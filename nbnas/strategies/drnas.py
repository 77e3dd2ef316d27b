"""DrNAS: the mixture of an edge is drawn from a Dirichlet distribution, whose concentration is learned.

Chen, Wang, Cheng, Tang & Hsieh, DrNAS: Dirichlet Neural Architecture Search, ICLR 2021, arXiv:2006.10355: Sec. 3.2
(mixtures theta ~ Dir(beta), pathwise gradients, a distance to the anchor Dir(1) as regulariser); beta = elu(alpha) + 1
and the settings on NAS-Bench-201 as in the authors' code.
Differs from the paper: progressive learning (Sec. 3.4: stages that drop operations and widen partial channels) is left
out. The distance to the anchor is the divergence KL(Dir(beta) || Dir(1)) summed over rows, with the weight 1e-3 of the
authors' code, where an L2 penalty on alpha of that weight is the default: set `anchor_weight=0` and
`alpha_weight_decay=0.001` for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from nbnas.settings import setting
from nbnas.strategies.relaxed import Relaxed, RelaxedSettings

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from torch import Tensor

    from nbnas.events import Progress

__all__ = ["DrNas"]


class _DrNas(Relaxed):
    settings: DrNas

    def beta(self) -> dict[str, Tensor]:
        """Row -> concentration, shape (options,)."""
        from nbnas.networks.dirichlet import concentration

        return {name: concentration(row) for name, row in self.alpha.items()}

    @override
    def mixture(self) -> dict[str, Tensor]:
        return {name: row / row.sum() for name, row in self.beta().items()}  # the mean

    @override
    def drawn(self) -> dict[str, Tensor]:
        from nbnas.networks.dirichlet import dirichlet

        return {name: dirichlet(row, self.chance) for name, row in self.beta().items()}

    @override
    def penalty(self) -> Tensor | float:
        if not self.settings.anchor_weight:
            return super().penalty()
        from nbnas.networks.dirichlet import divergence_from_uniform

        distance = sum(divergence_from_uniform(row) for row in self.beta().values())
        return super().penalty() + self.settings.anchor_weight * distance

    @override
    def epoch(self) -> Generator[Progress, None, Mapping[str, float]]:
        metrics = yield from super().epoch()
        # How narrow the distributions are: the mean over rows of the sum of beta; at alpha = 0 the number of options.
        totals = [float(row.detach().sum()) for row in self.beta().values()]
        return {**metrics, "concentration": sum(totals) / len(totals)}


@dataclass(frozen=True)
class DrNas(RelaxedSettings):
    """Draws the mixture of each edge from a Dirichlet distribution and learns its concentration."""

    title: ClassVar[str] = "DrNAS"
    loop: ClassVar[type[Relaxed]] = _DrNas

    alpha_weight_decay: float = setting(0.0, "L2 penalty on alpha.", minimum=0)
    anchor_weight: float = setting(
        1e-3, "Weight of the divergence from the uniform distribution, in alpha's loss.", minimum=0
    )
