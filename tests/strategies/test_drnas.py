"""DrNAS (Chen et al. 2021): mixtures drawn from Dirichlet distributions, and what alpha's loss has besides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, elu

from nbnas import spaces, tasks
from nbnas.errors import SettingsError
from nbnas.networks import Supernet
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.strategies import DrNas
from nbnas.tasks.bound import TensorSplit

SPACE = spaces.nas_bench_201(channels=2, cells=1)
ONE_EDGE = SearchSpace("one edge", CellNetwork(2, ("skip", "conv_1x1", "conv_3x3"), channels=2, cells=1, stages=1))
ITEMS = 12


def task():
    rng = np.random.default_rng(0)
    y = np.arange(2 * ITEMS) % 3
    x = rng.normal(size=(2 * ITEMS, 1, 6, 6)) + 0.5 * y.reshape(-1, 1, 1, 1)
    return tasks.from_arrays(x, y, valid=(x[:6], y[:6]), test=(x[:6], y[:6])).bind("cpu")


def bound(space=SPACE, **settings):
    """In double precision, alpha far from uniform."""
    data = task()
    strategy = DrNas(**{"batch": ITEMS, **settings}).bind(space, Supernet(space, data, seed=1), data, 2, 5)
    strategy.supernet.double()
    strategy.alpha.double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for row in strategy.alpha.values():
            row += torch.randn(row.shape, generator=generator)
    for name in ("w_half", "alpha_half"):
        half = getattr(strategy, name)
        setattr(strategy, name, TensorSplit(half.x.double(), half.y))
    return strategy


def anchor(strategy):
    """The sum over rows of KL(Dir(elu(alpha) + 1) || Dir(1)), by torch."""
    rows = [elu(row) + 1 for row in strategy.alpha.values()]
    kinds = [(torch.distributions.Dirichlet(row), torch.distributions.Dirichlet(torch.ones_like(row))) for row in rows]
    return sum(torch.distributions.kl_divergence(*pair) for pair in kinds)


def test_the_mean_of_what_is_drawn_is_the_concentration_over_its_sum():
    """Sec. 3.2; and no softmax of alpha. Within 5 standard errors."""
    strategy, draws = bound(ONE_EDGE), 4000
    with torch.no_grad():
        strategy.alpha["edge_0_1"].copy_(torch.tensor([1.5, 0.5, -2.0]))
        seen = torch.stack([strategy.drawn()["edge_0_1"] for _ in range(draws)])
    beta = elu(strategy.alpha["edge_0_1"].detach()) + 1
    total = float(beta.sum())
    mean = beta / total
    error = 5 * (mean * (1 - mean) / (total + 1) / draws).sqrt()
    assert torch.allclose(seen.sum(dim=1), torch.ones(draws, dtype=torch.float64))
    assert ((seen.mean(dim=0) - mean).abs() < error).all()
    assert torch.allclose(seen.var(dim=0), mean * (1 - mean) / (total + 1), rtol=0.1)
    softmax = strategy.alpha["edge_0_1"].detach().softmax(dim=0)
    assert ((seen.mean(dim=0) - softmax).abs() > error).any()
    shown = strategy.probabilities()["alpha"]["edge_0_1"]
    assert list(shown.values()) == pytest.approx(mean.tolist())


def test_every_batch_of_both_halves_sees_a_new_draw():
    strategy, seen = bound(batch=3), []
    drawn = strategy.drawn
    strategy.drawn = lambda: seen.append(drawn()) or seen[-1]
    assert len(list(strategy.epoch())) == 4
    assert len(seen) == 8
    assert len({tuple(one["edge_0_1"].tolist()) for one in seen}) == 8


def test_the_step_on_alpha_is_the_pathwise_gradient_and_that_of_the_anchor():
    """Against torch's own Dirichlet derivative, rebuilt from the same draws."""
    strategy = bound(anchor_weight=0.5)
    strategy.alpha_optimizer = torch.optim.SGD(strategy.alpha.parameters(), lr=1.0)
    half, state = strategy.alpha_half, strategy.chance.get_state()
    rows = dict(strategy.alpha.items())
    draws = {name: draw.detach().requires_grad_() for name, draw in strategy.drawn().items()}
    by_draw = torch.autograd.grad(cross_entropy(strategy.supernet(half.x, draws), half.y), list(draws.values()))
    by_anchor = torch.autograd.grad(0.5 * anchor(strategy), list(rows.values()))
    expected = {}
    for (name, row), downstream, pull in zip(rows.items(), by_draw, by_anchor, strict=True):
        x, value = draws[name].detach(), row.detach()
        beta = elu(value) + 1
        jacobian = torch._dirichlet_grad(x, beta, beta.sum().expand_as(beta))
        slope = torch.where(value > 0, torch.ones_like(value), value.exp())  # of elu + 1
        expected[name] = slope * jacobian * (downstream - (x * downstream).sum()) + pull
        assert float((expected[name] - pull).abs().max()) > 1e-4
        assert float(pull.abs().max()) > 1e-3
    before = {name: row.detach().clone() for name, row in rows.items()}
    strategy.chance.set_state(state)
    strategy.alpha_step(half, strategy.w_half)
    for name, row in rows.items():
        assert torch.allclose(before[name] - row.detach(), expected[name], atol=1e-10)


def test_the_anchor_alone_leads_back_to_the_uniform_distribution():
    """Dir(1, …, 1), which is alpha = 0."""
    strategy = bound(ONE_EDGE, anchor_weight=1.0, alpha_learning_rate=0.1)
    strategy.task.loss = lambda logits, y: 0.0 * logits.sum()
    assert max(float(row.detach().abs().max()) for row in strategy.alpha.values()) > 0.5
    for _ in range(120):
        strategy.alpha_step(strategy.alpha_half, strategy.w_half)
    assert max(float(row.detach().abs().max()) for row in strategy.alpha.values()) < 0.05
    assert float(anchor(strategy).detach()) < 1e-2


def test_what_alphas_loss_has_besides():
    strategy = bound()
    assert float(strategy.penalty().detach()) == pytest.approx(1e-3 * float(anchor(strategy).detach()))
    assert bound(anchor_weight=0.0).penalty() == 0
    both = bound(complexity="macs", complexity_weight=0.3)
    both.costs = {name: cost.double() for name, cost in both.costs.items()}
    uniform = sum(float(cost.mean()) for cost in both.costs.values())
    cost = 0.3 * float(both.expected_cost().detach()) / uniform
    assert float(both.penalty().detach()) == pytest.approx(1e-3 * float(anchor(both).detach()) + cost)


def test_the_concentration_that_is_shown():
    strategy = bound(alpha_learning_rate=1e-12)
    expected = np.mean([float((elu(row.detach()) + 1).sum()) for row in strategy.alpha.values()])
    epoch = strategy.epoch()
    try:
        while True:
            next(epoch)
    except StopIteration as end:
        assert end.value["concentration"] == pytest.approx(expected)


def test_derive_takes_the_highest_mean_but_never_none():
    strategy = bound()
    with torch.no_grad():
        for row in strategy.alpha.values():
            row[:] = torch.tensor([5.0, -1.0, 0.5, 0.4, -3.0])
    assert set(SPACE.options(strategy.derive()).values()) == {SPACE.rows[0].options[2]}


def test_settings_that_do_not_fit():
    with pytest.raises(SettingsError, match="anchor_weight must be >= 0, got -1"):
        DrNas(anchor_weight=-1)
