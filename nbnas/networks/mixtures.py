"""Alpha, and the mixtures that are made of it: softmax (DARTS), Gumbel (SNAS, GDAS), one-hot.

Liu, Simonyan & Yang, DARTS, ICLR 2019, arXiv:1806.09055, Eq. 2. Jang, Gu & Poole, Categorical Reparameterization with
Gumbel-Softmax, ICLR 2017, arXiv:1611.01144. Dong & Yang, Searching for a Robust Neural Architecture in Four GPU Hours,
CVPR 2019, arXiv:1910.04465, Eqs. 3-5.
Differs from the papers: hard Gumbel mixtures still compute all operations (GDAS computes the drawn one only, so that
alpha's gradient misses the others' outputs; here it is that of the soft mixture, as Jang et al. define it).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nbnas.errors import SettingsError
from nbnas.networks.build import check_relaxable
from nbnas.networks.seeding import generator as seeded
from nbnas.spaces.architecture import Architecture
from nbnas.spaces.space import SearchSpace

__all__ = ["gumbel", "new_alpha", "one_hot", "softmax"]


def new_alpha(
    space: SearchSpace, seed: int | None, scale: float = 1e-3, *, device: torch.device | str | None = None
) -> nn.ParameterDict:
    """Alpha near zero: for each row of the relaxed view a vector of shape (options,) of normal numbers times `scale`.

    Args:
        space: whose rows.
        seed: the values are a function of it alone, on any device; `None` takes a fresh one.
        scale: their standard deviation.
        device: where they are.

    Raises:
        SpaceError: the space has no relaxed view.
    """
    check_relaxable(space)
    draws = seeded(seed)
    alpha = nn.ParameterDict()
    for row in space.rows:  # one by one, since a ParameterDict made of a dict would sort the names
        values = scale * torch.randn(len(row.options), generator=draws)
        alpha[row.name] = nn.Parameter(values.to(device))
    return alpha


def softmax(alpha: Mapping[str, Tensor] | nn.ParameterDict) -> dict[str, Tensor]:
    """The softmax of each row of alpha, shapes (options,)."""
    return {name: row.softmax(dim=0) for name, row in alpha.items()}


def gumbel(
    alpha: Mapping[str, Tensor] | nn.ParameterDict, temperature: float, generator: torch.Generator, hard: bool = False
) -> dict[str, Tensor]:
    """A draw from softmax(alpha) by the Gumbel trick, softened by `temperature`; differentiable in alpha.

    Args:
        alpha: rows of shape (options,).
        temperature: above 0; the lower, the nearer to one-hot.
        generator: draws the noise; it may be on another device than alpha.
        hard: whether the values are exactly one-hot, with the gradient of the soft ones (straight-through).

    Raises:
        SettingsError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise SettingsError(f"temperature must be > 0, got {temperature!r}; in gumbel.", field="temperature")
    mixture = {}
    for name, row in alpha.items():
        uniform = torch.empty(row.shape, dtype=row.dtype, device=generator.device)
        noise = -uniform.exponential_(generator=generator).log().to(row.device)
        soft = ((row + noise) / temperature).softmax(dim=0)
        if hard:
            drawn = torch.zeros_like(soft).index_fill(0, soft.argmax(), 1.0)
            soft = drawn + (soft - soft.detach())  # in this order, the bracket is exactly 0
        mixture[name] = soft
    return mixture


def one_hot(
    space: SearchSpace,
    architecture: Architecture,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> dict[str, Tensor]:
    """The mixture of one architecture: 1 for the option it takes of each row, 2 where it takes it twice, else 0."""
    space.validate(architecture)
    paths = space.paths(architecture)
    mixture = {}
    for row in space.rows:
        weights = torch.zeros(len(row.options), dtype=dtype, device=device)
        for place in paths[row.name]:
            weights[place] += 1.0
        mixture[row.name] = weights
    return mixture
