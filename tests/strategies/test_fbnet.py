"""FBNet (Wu et al. 2019): the expected cost, the product that alpha minimises, and the temperature."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from nbnas import spaces, tasks
from nbnas.errors import SettingsError
from nbnas.networks import Supernet, softmax
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.strategies import FBNet
from nbnas.tasks.bound import TensorSplit

SPACE = SearchSpace("tiny", CellNetwork(3, ("none", "skip", "conv_1x1", "conv_3x3"), channels=3, cells=1, stages=2))
"""64 architectures."""
ITEMS = 12


def task():
    rng = np.random.default_rng(0)
    y = np.arange(2 * ITEMS) % 3
    x = rng.normal(size=(2 * ITEMS, 1, 6, 6)) + 0.5 * y.reshape(-1, 1, 1, 1)
    return tasks.from_arrays(x, y, valid=(x[:6], y[:6]), test=(x[:6], y[:6])).bind("cpu")


def bound(epochs=5, space=SPACE, **settings):
    """In double precision, alpha far from uniform."""
    data = task()
    made = FBNet(**{"batch": ITEMS, "complexity": "macs", "alpha_after": 0.0, **settings})
    strategy = made.bind(space, Supernet(space, data, seed=1), data, 2, epochs)
    strategy.supernet.double()
    strategy.alpha.double()
    strategy.costs = {name: cost.double() for name, cost in strategy.costs.items()}
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for row in strategy.alpha.values():
            row += torch.randn(row.shape, generator=generator)
    for name in ("w_half", "alpha_half"):
        half = getattr(strategy, name)
        setattr(strategy, name, TensorSplit(half.x.double(), half.y))
    return strategy


def end_of(epoch):
    try:
        while True:
            next(epoch)
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize("complexity", ["macs", "parameters"])
def test_the_expected_cost_is_the_mean_over_all_architectures_of_the_cost_of_each(complexity):
    """Sec. 3.2: LAT is linear in the shares. The cost of an architecture is counted by hand, its probability exact."""
    strategy = bound(complexity=complexity)
    shares = {name: row.detach().numpy() for name, row in softmax(strategy.alpha).items()}

    def cost(architecture):
        """Convolutions without bias: k² c² weights, at each of h × w places; the rest has no weights."""
        total = 0
        for channels, size in ((3, 6), (6, 3)):  # two stages of one cell each
            for option in SPACE.options(architecture).values():
                weights = {"conv_1x1": 1, "conv_3x3": 9}.get(str(option), 0) * channels**2
                total += weights * (size**2 if complexity == "macs" else 1)
        return total

    architectures = list(SPACE.enumerate())
    assert len(architectures) == 64
    probabilities = [
        math.prod(shares[row.name][choice] for row, choice in zip(SPACE.rows, architecture.choices, strict=True))
        for architecture in architectures
    ]
    assert sum(probabilities) == pytest.approx(1)
    expected = sum(p * cost(one) for p, one in zip(probabilities, architectures, strict=True))
    assert expected > 10
    assert end_of(bound(complexity=complexity, alpha_learning_rate=1e-12).epoch())[
        f"expected_{complexity}"
    ] == pytest.approx(expected)


def test_the_factor_by_hand():
    """Eq. 2: 0.2 · log(LAT)^0.6; of macs as they are, of latency in microseconds."""
    strategy = bound()
    masks = {name: torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64) for name in strategy.alpha}
    strategy.costs = {name: torch.tensor([0.0, 0.0, 100.0, 900.0], dtype=torch.float64) for name in strategy.alpha}
    assert float(strategy.factor(masks).detach()) == pytest.approx(0.2 * math.log(3 * 390.0) ** 0.6)
    timed = bound(complexity="latency_ms")
    timed.costs = {name: torch.tensor([0.0, 0.0, 0.1, 0.9], dtype=torch.float64) for name in strategy.alpha}
    assert float(timed.factor(masks)) == pytest.approx(0.2 * math.log(1e3 * 3 * 0.39) ** 0.6)
    assert FBNet().scale == 0.2
    assert FBNet().exponent == 0.6


def test_a_cost_near_zero_counts_as_e_and_has_a_finite_gradient():
    strategy = bound()
    masks = {name: torch.zeros(4, dtype=torch.float64, requires_grad=True) for name in strategy.alpha}
    factor = strategy.factor(masks)
    factor.backward()
    assert float(factor.detach()) == pytest.approx(0.2)
    assert all(torch.isfinite(mask.grad).all() for mask in masks.values())


def test_the_step_on_alpha_follows_the_product_rule():
    """d(CE · f) = f dCE + CE df with f = scale · log(LAT)^exponent: against derivatives taken one by one."""
    strategy = bound()
    strategy.alpha_optimizer = torch.optim.SGD(strategy.alpha.parameters(), lr=1.0)
    half, state = strategy.alpha_half, strategy.chance.get_state()
    rows = list(strategy.alpha.parameters())
    masks = strategy.drawn()
    loss, factor = cross_entropy(strategy.supernet(half.x, masks), half.y), strategy.factor(masks)
    of_loss = torch.autograd.grad(loss, rows, retain_graph=True)
    of_cost = torch.autograd.grad(strategy.cost(masks), rows)
    cost = float(strategy.cost(masks).detach())
    slope = 0.2 * 0.6 * math.log(cost) ** (0.6 - 1) / cost
    before = [row.detach().clone() for row in rows]
    strategy.chance.set_state(state)
    assert strategy.alpha_step(half, strategy.w_half) == pytest.approx(float(loss.detach()))
    for row, old, one, other in zip(rows, before, of_loss, of_cost, strict=True):
        expected = float(factor.detach()) * one + float(loss.detach()) * slope * other
        assert torch.allclose(old - row.detach(), expected, atol=1e-12)
        assert float((slope * other).abs().max()) > 1e-4


def test_with_exponent_0_and_scale_1_it_is_the_cross_entropy_alone():
    strategy = bound(exponent=0.0, scale=1.0)
    strategy.alpha_optimizer = torch.optim.SGD(strategy.alpha.parameters(), lr=1.0)
    half, state = strategy.alpha_half, strategy.chance.get_state()
    rows = list(strategy.alpha.parameters())
    expected = torch.autograd.grad(cross_entropy(strategy.supernet(half.x, strategy.drawn()), half.y), rows)
    before = [row.detach().clone() for row in rows]
    strategy.chance.set_state(state)
    strategy.alpha_step(half, strategy.w_half)
    for row, old, gradient in zip(rows, before, expected, strict=True):
        assert torch.allclose(old - row.detach(), gradient, atol=1e-12)


def test_w_is_trained_with_the_cross_entropy_of_a_soft_draw():
    strategy = bound(gradient_clip=1e9)
    strategy.w_optimizer = torch.optim.SGD(strategy.supernet.parameters(), lr=1.0)
    half, state = strategy.w_half, strategy.chance.get_state()
    loss = cross_entropy(strategy.supernet(half.x, strategy.drawn()), half.y)
    w = [parameter for parameter in strategy.supernet.parameters()]
    gradients = torch.autograd.grad(loss, w, allow_unused=True)
    before = [parameter.detach().clone() for parameter in w]
    strategy.chance.set_state(state)
    assert strategy.w_step(half) == pytest.approx(float(loss.detach()))
    for parameter, old, gradient in zip(w, before, gradients, strict=True):
        moved = old - parameter.detach()
        assert torch.allclose(moved, torch.zeros_like(moved) if gradient is None else gradient, atol=1e-9)


def test_masks_are_soft_draws_that_harden_as_the_temperature_falls():
    """Sec. 3.2: m = softmax((theta + g) / tau): at the first temperature even, at a low one nearly one-hot."""
    strategy = bound()
    strongest = {}
    for temperature in (5.0, 0.01):
        strategy.temperature, seen = temperature, []
        for _ in range(40):
            masks = strategy.drawn()
            assert all(float(mask.detach().sum()) == pytest.approx(1) for mask in masks.values())
            seen += [float(mask.detach().max()) for mask in masks.values()]
        strongest[temperature] = float(np.mean(seen))
    assert strongest[5.0] < 0.5
    assert strongest[0.01] > 0.97


@pytest.mark.parametrize("epochs", [90, 3])
def test_the_temperature_falls_exponentially_over_90_epochs_scaled_to_the_budget(epochs):
    """Sec. 4.1: 5 at first, times exp(-0.045) after each of 90 epochs."""
    strategy = bound(epochs=epochs)
    for done in (0, 1, epochs - 1):
        strategy.done = done
        assert strategy.begin_epoch()["temperature"] == pytest.approx(5 * math.exp(-0.045 * done * 90 / epochs))


def test_the_settings_are_the_published_ones():
    """Sec. 4.1: theta by Adam, 0.01 and 5e-4, after 10 of 90 epochs; w by SGD 0.1, momentum 0.9, decay 1e-4."""
    data = task()
    strategy = FBNet().bind(SPACE, Supernet(SPACE, data, seed=1), data, 2, 90)
    (w,), (alpha,) = strategy.w_optimizer.param_groups, strategy.alpha_optimizer.param_groups
    assert (w["lr"], w["momentum"], w["weight_decay"]) == (0.1, 0.9, 1e-4)
    assert (alpha["lr"], alpha["weight_decay"]) == (0.01, 5e-4)
    learns = []
    for done in range(90):
        strategy.done = done
        learns.append(strategy.alpha_learns())
    assert learns == [False] * 10 + [True] * 80
    assert set(strategy.costs) == {row.name for row in SPACE.rows}  # latency, measured


def test_a_pull_by_cost_alone_leads_to_cheap_architectures():
    """With the cross entropy of a constant, what is left is the cost."""
    strategy = bound(alpha_learning_rate=0.3, exponent=3.0)
    strategy.task.loss = lambda logits, y: 1.0 + 0.0 * logits.sum()
    for _ in range(30):
        strategy.alpha_step(strategy.alpha_half, strategy.w_half)
    options = SPACE.options(strategy.derive())
    assert set(options.values()) == {"skip"}


def test_settings_and_spaces_that_do_not_fit():
    with pytest.raises(SettingsError, match="complexity must be one of parameters, macs, latency_ms, got 'none'"):
        FBNet(complexity="none")
    with pytest.raises(SettingsError, match=r"complexity_weight must be 0, got 0.5; in FBNet. .*set exponent"):
        FBNet(complexity_weight=0.5)
    with pytest.raises(SettingsError, match=r"each option has a cost, got 'enas_macro', .* in FBNet. Take Gdas"):
        bound(space=spaces.enas_macro(3, 4))
