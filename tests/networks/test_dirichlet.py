"""Draws from a Dirichlet distribution: their distribution, their derivative, their divergence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import special, stats

from nbnas.networks.dirichlet import concentration, dirichlet, divergence_from_uniform

BETA = torch.tensor([0.4, 1.0, 2.5, 0.7], dtype=torch.float64)
DRAWS = 20_000


def drawn(beta=BETA, draws=DRAWS, seed=0):
    """Draws (draws, options), and the concentrations whose gradient they have, one row a draw."""
    rows = beta.expand(draws, -1).clone().requires_grad_()
    return dirichlet(rows, torch.Generator().manual_seed(seed)), rows


def test_mean_and_variance_are_those_of_the_distribution():
    x = drawn()[0].detach().numpy()
    exact = stats.dirichlet(BETA.numpy())
    assert np.allclose(x.sum(axis=1), 1)
    error = 5 * np.sqrt(exact.var() / DRAWS)
    assert (np.abs(x.mean(axis=0) - exact.mean()) < error).all()
    assert np.allclose(x.var(axis=0), exact.var(), rtol=0.05)


def test_the_derivative_of_a_draw_is_the_pathwise_one():
    """Jankowiak & Obermeyer: against the distribution function of the Beta marginal, differentiated numerically."""
    x, rows = drawn(draws=20)
    values, total = x.detach().numpy(), float(BETA.sum())
    for j in range(4):
        (gradient,) = torch.autograd.grad(x[:, j].sum(), rows, retain_graph=True)
        for i, beta in enumerate(BETA.numpy()):
            rest, at, size = total - beta, values[:, i], 1e-5
            by_beta = (special.betainc(beta + size, rest, at) - special.betainc(beta - size, rest, at)) / (2 * size)
            moved = -by_beta / stats.beta(beta, rest).pdf(at)  # of x_i
            expected = moved * ((i == j) - values[:, j]) / (1 - at)
            assert np.allclose(gradient[:, i].numpy(), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("power", [1, 2])
def test_the_mean_gradient_is_the_gradient_of_the_mean(power):
    """E[x_0] = beta_0 / S and E[x_0²] = beta_0 (beta_0 + 1) / (S (S + 1)), S the sum; within 5 standard errors."""
    beta = BETA.clone().requires_grad_()
    total = beta.sum()
    mean = beta[0] / total if power == 1 else beta[0] * (beta[0] + 1) / (total * (total + 1))
    (exact,) = torch.autograd.grad(mean, beta)
    x, rows = drawn()
    (gradient,) = torch.autograd.grad((x[:, 0] ** power).sum(), rows)
    error = 5 * gradient.std(dim=0) / DRAWS**0.5
    assert ((gradient.mean(dim=0) - exact).abs() < error).all()
    assert (exact.abs() > 2 * error).all()  # which zero, or another sign, would not pass


@pytest.mark.parametrize("beta", [BETA.tolist(), [1.0, 1.0], [0.01, 3.0, 50.0]])
def test_the_divergence_is_that_of_torch(beta):
    beta = torch.tensor(beta, dtype=torch.float64)
    dirichlets = [torch.distributions.Dirichlet(row) for row in (beta, torch.ones_like(beta))]
    expected = torch.distributions.kl_divergence(*dirichlets)
    assert float(divergence_from_uniform(beta)) == pytest.approx(float(expected), abs=1e-12)


def test_the_divergence_is_zero_for_the_uniform_distribution_alone():
    assert float(divergence_from_uniform(torch.ones(5, dtype=torch.float64))) == pytest.approx(0, abs=1e-14)
    for beta in ([1.1, 1.0, 1.0], [0.5, 0.5, 0.5], [2.0, 2.0, 2.0]):
        assert float(divergence_from_uniform(torch.tensor(beta))) > 1e-4


def test_concentration_is_elu_plus_one_and_stays_above_zero():
    alpha = torch.linspace(-5, 5, 101, dtype=torch.float64)
    assert torch.allclose(concentration(alpha), torch.nn.functional.elu(alpha) + 1, atol=1e-12)
    assert float(concentration(torch.tensor(-60.0))) > 0
    assert float(torch.nn.functional.elu(torch.tensor(-60.0)) + 1) == 0  # as it is written in the paper


def test_gradients_of_concentrations_far_from_one_are_finite():
    beta = torch.tensor([1e-12, 1e-3, 0.5, 40.0])
    x, rows = drawn(beta, 200)
    x[:, 1].sum().backward()
    assert torch.isfinite(x).all()
    assert torch.isfinite(rows.grad).all()


def test_draws_depend_on_the_generator_alone():
    torch.manual_seed(1)
    one = drawn(draws=3, seed=4)[0]
    torch.manual_seed(2)
    assert torch.equal(one, drawn(draws=3, seed=4)[0])
    assert not torch.equal(one, drawn(draws=3, seed=5)[0])
