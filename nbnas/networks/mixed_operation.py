"""One edge of a supernet: all options of a decision, of which a mixture is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from nbnas.networks.layers import Zero
from nbnas.networks.operations import make

__all__ = ["MixedOperation", "Weight"]

Weight = Tensor | tuple[int, ...]
"""What an edge is told: a weight for each option, shape (options,), or the places of the only options to compute."""


class MixedOperation(nn.Module):
    """The weighted sum of all options of one decision (DARTS, Eq. 2), or one of them alone.

    Args:
        decision: the decision whose options these are.
        options: names of operations.
        in_channels, out_channels, stride, dims: as in `make`; the form is `search`.
    """

    def __init__(
        self, decision: str, options: Sequence[str], in_channels: int, out_channels: int, stride: int, *, dims: int
    ) -> None:
        super().__init__()
        self.decision = decision
        # A list, since names of own operations need not be fit for keys of a module.
        self.options = nn.ModuleList(
            make(name, in_channels, out_channels, stride, dims=dims, form="search") for name in options
        )

    def forward(self, x: Tensor, mixture: Mapping[str, Weight]) -> Tensor:
        """Shapes as in `make`; `mixture` names this decision."""
        weight = mixture[self.decision]
        if isinstance(weight, tuple):
            taken = [self.options[place](x) for place in weight]
            alone: Tensor = sum(taken[1:], start=taken[0])
            return alone
        terms = [
            share * option(x)
            for share, option in zip(weight.unbind(), self.options, strict=True)
            if not isinstance(option, Zero)
        ]
        # Without any term every option is zero; the first gives the shape.
        total: Tensor = sum(terms[1:], start=terms[0]) if terms else self.options[0](x)
        return total
