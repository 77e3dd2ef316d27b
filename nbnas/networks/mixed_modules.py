"""One row of a supernet whose options are modules of any kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import override

__all__ = ["Drawn", "MixedModules", "PlainWeight", "Weight"]


@dataclass(frozen=True)
class Drawn:
    """Some options of a row and their weights; the others are not computed.

    Attributes:
        places: of the options.
        shares: their weights, shape (len(places),), through which gradients flow.
    """

    places: tuple[int, ...]
    shares: Tensor

    def plain(self, options: int) -> Tensor:
        """The same as a weight for each option, shape (options,): 0 for the others, which are computed then."""
        places = torch.tensor(self.places, device=self.shares.device)
        return self.shares.new_zeros(options).index_put((places,), self.shares)


PlainWeight = Tensor | tuple[int, ...]
"""What a row is told: a weight for each option, shape (options,), or the places of the only options to compute."""

Weight = PlainWeight | Drawn
"""What a row whose options are modules is told: a `PlainWeight`, or some options with their weights."""


class MixedModules(nn.Module):
    """The weighted sum of modules of one row (DARTS, Eq. 2), or some of them alone.

    Args:
        decision: the name of the row from the root.
        options: modules in the order of the row's options; all give the same shape.

    Attributes:
        watch: told the input of each pass, when it is set.
    """

    watch: Callable[[Tensor], object] | None = None
    takes_drawn: ClassVar[bool] = True
    """Whether it can be told some options alone, with weights (`Drawn`)."""

    def __init__(self, decision: str, options: Iterable[nn.Module]) -> None:
        super().__init__()
        self.decision = decision
        self.options = nn.ModuleList(options)

    @override
    def forward(self, x: Tensor, mixture: Mapping[str, Weight]) -> Tensor:
        weight = mixture[self.decision]
        if self.watch is not None:
            self.watch(x)
        if isinstance(weight, tuple):
            terms = [self.options[place](x) for place in weight]
        elif isinstance(weight, Drawn):
            pairs = zip(weight.shares.unbind(), weight.places, strict=True)
            terms = [share * self.options[place](x) for share, place in pairs]
        else:
            terms = [share * option(x) for share, option in zip(weight.unbind(), self.options, strict=True)]
        total: Tensor = sum(terms[1:], start=terms[0])
        return total
