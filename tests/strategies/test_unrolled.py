"""Second-order DARTS (Liu et al. 2019, Eqs. 6-8): alpha's gradient with w seen one step ahead."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from nbnas import spaces, tasks
from nbnas.networks import Supernet, softmax
from nbnas.strategies import Darts, unrolled
from nbnas.tasks.bound import TensorSplit

WAYS = {"second": unrolled.finite_difference, "exact": unrolled.exact}
XI = 0.3


class Quadratic:
    """L_train = (w - A a)' H (w - A a) / 2 and L_valid = |w - c|² / 2 + |a|² / 2: all derivatives in closed form."""

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        self.target, self.center = torch.tensor(rng.normal(size=(4, 3))), torch.tensor(rng.normal(size=4))
        root = torch.tensor(rng.normal(size=(4, 4)))
        self.curvature = root @ root.T
        self.w, self.alpha = nn.ParameterDict(), nn.ParameterDict()
        self.w["w"] = nn.Parameter(torch.tensor(rng.normal(size=4)))
        self.alpha["a"] = nn.Parameter(torch.tensor(rng.normal(size=3)))

    def loss(self, batch):
        w, a = self.w["w"], self.alpha["a"]
        if batch == "valid":
            return ((w - self.center) ** 2).sum() / 2 + (a**2).sum() / 2
        off = w - self.target @ a
        return off @ self.curvature @ off / 2

    def hypergradient(self, xi):
        """a + xi A' H (w' - c), with w' = w - xi H (w - A a)."""
        w, a = self.w["w"].detach(), self.alpha["a"].detach()
        ahead = w - xi * self.curvature @ (w - self.target @ a)
        return a + xi * self.target.T @ self.curvature @ (ahead - self.center)


@pytest.mark.parametrize("way", WAYS)
def test_the_gradient_is_the_analytic_hypergradient_of_a_quadratic(way):
    toy = Quadratic()
    value, (gradient,) = WAYS[way](toy.w, toy.alpha, toy.loss, "valid", "train", XI, lambda: 0.0)
    expected = toy.hypergradient(XI)
    assert torch.allclose(gradient, expected, atol=1e-9)
    first_order = toy.alpha["a"].detach()
    assert float((expected - first_order).abs().max()) > 0.1  # which a first-order step would take for it
    w, a = toy.w["w"].detach(), toy.alpha["a"].detach()
    ahead = w - XI * toy.curvature @ (w - toy.target @ a)
    assert float(value.detach()) == pytest.approx(float(((ahead - toy.center) ** 2).sum() / 2 + (a**2).sum() / 2))


@pytest.mark.parametrize("way", WAYS)
def test_w_is_the_same_afterwards_to_the_bit(way):
    toy = Quadratic()
    before = toy.w["w"].detach().clone()
    WAYS[way](toy.w, toy.alpha, toy.loss, "valid", "train", XI, lambda: 0.0)
    assert torch.equal(toy.w["w"].detach(), before)
    assert toy.w["w"].requires_grad
    assert toy.alpha["a"].requires_grad


@pytest.mark.parametrize("way", WAYS)
def test_a_step_ahead_of_size_zero_is_first_order(way):
    toy = Quadratic()
    _, (gradient,) = WAYS[way](toy.w, toy.alpha, toy.loss, "valid", "train", 0.0, lambda: 0.0)
    assert torch.equal(gradient, toy.alpha["a"].detach())


@pytest.mark.parametrize("way", WAYS)
def test_a_penalty_on_alpha_adds_its_gradient(way):
    toy = Quadratic()
    _, (gradient,) = WAYS[way](
        toy.w, toy.alpha, toy.loss, "valid", "train", XI, lambda: (toy.alpha["a"] * torch.arange(3.0)).sum()
    )
    assert torch.allclose(gradient - toy.hypergradient(XI), torch.arange(3.0, dtype=torch.float64), atol=1e-9)


# -- on a supernet -----------------------------------------------------------------------------------------------------

SPACE = spaces.nas_bench_201(channels=2, cells=1)
ITEMS = 8


def bound(order, xi=0.05):
    rng = np.random.default_rng(0)
    y = np.arange(2 * ITEMS) % 3
    x = rng.normal(size=(2 * ITEMS, 1, 6, 6)) + 0.5 * y.reshape(-1, 1, 1, 1)
    task = tasks.from_arrays(x, y, valid=(x[:6] + 1, y[:6]), test=(x[:6], y[:6])).bind("cpu")
    settings = Darts(batch=ITEMS, order=order, xi=xi)
    strategy = settings.bind(SPACE, Supernet(SPACE, task, seed=1), task, 2, 5)
    strategy.supernet.double()
    strategy.alpha.double()
    for name in ("w_half", "alpha_half"):
        half = getattr(strategy, name)
        setattr(strategy, name, TensorSplit(half.x.double(), half.y))
    strategy.alpha_optimizer = torch.optim.SGD(strategy.alpha.parameters(), lr=1.0)
    return strategy


def ahead_loss(strategy, alpha, xi):
    """L_valid(w - xi grad L_train(w, alpha), alpha), plainly."""
    supernet = copy.deepcopy(strategy.supernet)
    train, valid = strategy.w_half, strategy.alpha_half
    nn.functional.cross_entropy(supernet(train.x, softmax(alpha)), train.y).backward()
    with torch.no_grad():
        for parameter in supernet.parameters():
            if parameter.grad is not None:
                parameter -= xi * parameter.grad
        return float(nn.functional.cross_entropy(supernet(valid.x, softmax(alpha)), valid.y))


def step_of(strategy):
    before = {name: row.detach().clone() for name, row in strategy.alpha.items()}
    strategy.supernet.train()
    strategy.alpha_step(strategy.alpha_half, strategy.w_half)
    return before, {name: before[name] - row.detach() for name, row in strategy.alpha.items()}


def test_the_exact_step_is_the_numerical_derivative_of_the_loss_one_step_ahead():
    """In each of the 30 entries; where an activation has a kink within the step of the comparison, none is."""
    strategy = bound("exact")
    alpha, step = step_of(strategy)
    largest = 0.0
    for name, row in alpha.items():
        for place in range(len(row)):
            sides = []
            for sign in (1, -1):
                nudged = {**alpha, name: row.clone()}
                nudged[name][place] += sign * 1e-5
                sides.append(ahead_loss(strategy, nudged, 0.05))
            numeric = (sides[0] - sides[1]) / 2e-5
            assert float(step[name][place]) == pytest.approx(numeric, abs=2e-6)
            largest = max(largest, abs(numeric))
    assert largest > 1e-3
    _, first = step_of(bound("first"))
    assert max(float((first[name] - step[name]).abs().max()) for name in step) > 1e-3


def test_the_finite_difference_becomes_the_exact_derivative_as_it_gets_small():
    """With the published distance it need not be near: this net is small, and full of kinks."""
    strategy = bound("exact")
    strategy.supernet.train()
    given = (strategy.supernet, strategy.alpha, strategy.loss, strategy.alpha_half, strategy.w_half, 0.05)
    _, exact = unrolled.exact(*given, strategy.penalty)
    off = []
    for distance in (1e-2, 1e-3, 1e-5):
        _, found = unrolled.finite_difference(*given, strategy.penalty, distance=distance)
        off.append(max(float((one - other).abs().max()) for one, other in zip(found, exact, strict=True)))
    assert off[2] < 1e-4 < 1e-2 < off[0]


def test_the_step_ahead_is_w_s_own_step_size_unless_it_is_given():
    """Sec. 2.3: xi is the learning rate of w."""
    strategy = bound("exact", xi=0.0)
    strategy._set_learning_rate()
    strategy.w_optimizer.param_groups[0]["lr"] = 0.05
    _, own = step_of(strategy)
    _, given = step_of(bound("exact", xi=0.05))
    assert all(torch.equal(own[name], given[name]) for name in own)
