"""Draws from a Dirichlet distribution that can be differentiated by its concentration.

Jankowiak & Obermeyer, Pathwise Derivatives Beyond the Reparameterization Trick, ICML 2018, arXiv:1806.01851: the
derivative of a draw x by the concentration beta, with F and f the distribution and the density of the marginal
Beta(beta_i, sum - beta_i):

    d x_j / d beta_i  =  - (dF/d beta_i) / f (x_i)  ·  (1[i = j] - x_j) / (1 - x_i),   the sum of the others held fixed

Chen et al., DrNAS, ICLR 2021, arXiv:2006.10355: concentration elu(alpha) + 1.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

__all__ = ["concentration", "dirichlet", "divergence_from_uniform"]


class _Dirichlet(torch.autograd.Function):
    @staticmethod
    @override
    def forward(ctx: Any, beta: Tensor, generator: torch.Generator) -> Tensor:
        x = torch._sample_dirichlet(beta, generator)
        ctx.save_for_backward(x, beta)
        return x

    @staticmethod
    @override
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        x, beta = ctx.saved_tensors
        total = beta.sum(-1, keepdim=True).expand_as(beta)
        by_beta = torch._dirichlet_grad(x, beta, total)
        return by_beta * (gradient - (x * gradient).sum(-1, keepdim=True)), None


def dirichlet(beta: Tensor, generator: torch.Generator) -> Tensor:
    """A draw, shape of `beta`, on its device; its gradient is the pathwise one.

    Args:
        beta: concentrations above 0, shape (..., options).
        generator: the source of chance, on the CPU, where it is drawn.
    """
    drawn: Tensor = _Dirichlet.apply(beta.cpu(), generator)  # type: ignore[no-untyped-call]
    return drawn.to(beta.device)


def concentration(alpha: Tensor) -> Tensor:
    """elu(alpha) + 1, above 0: exp(alpha) below 0, without the rounding of the sum."""
    return torch.where(alpha > 0, alpha + 1, alpha.clamp(max=0).exp())


def divergence_from_uniform(beta: Tensor) -> Tensor:
    """KL(Dirichlet(beta) || Dirichlet(1, …, 1)), the last dimension of `beta` summed up."""
    total = beta.sum(-1, keepdim=True)
    normal = total.squeeze(-1).lgamma() - beta.lgamma().sum(-1) - math.lgamma(beta.shape[-1])
    return normal + ((beta - 1) * (beta.digamma() - total.digamma())).sum(-1)
