"""One row of a supernet whose options are modules of any kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn
from typing_extensions import override

__all__ = ["MixedModules", "Weight"]

Weight = Tensor | tuple[int, ...]
"""What a row is told: a weight for each option, shape (options,), or the places of the only options to compute."""


class MixedModules(nn.Module):
    """The weighted sum of modules of one row (DARTS, Eq. 2), or some of them alone.

    Args:
        decision: the name of the row from the root.
        options: modules in the order of the row's options; all give the same shape.
    """

    def __init__(self, decision: str, options: Iterable[nn.Module]) -> None:
        super().__init__()
        self.decision = decision
        self.options = nn.ModuleList(options)

    @override
    def forward(self, x: Tensor, mixture: Mapping[str, Weight]) -> Tensor:
        weight = mixture[self.decision]
        if isinstance(weight, tuple):
            terms = [self.options[place](x) for place in weight]
        else:
            terms = [share * option(x) for share, option in zip(weight.unbind(), self.options, strict=True)]
        total: Tensor = sum(terms[1:], start=terms[0])
        return total
