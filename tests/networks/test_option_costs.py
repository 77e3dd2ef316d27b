"""What each option costs, and what a mixture is expected to cost."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from nbnas import spaces, tasks
from nbnas.errors import SettingsError
from nbnas.networks import Supernet, macs, new_alpha, one_hot, parameters
from nbnas.networks.option_costs import option_costs
from nbnas.strategies import Darts

SPACE = spaces.nas_bench_201(channels=4, cells=2)


def task():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 1, 8, 8)), np.arange(32) % 3
    return tasks.from_arrays(x, y, valid=(x[:6], y[:6]), test=(x[:6], y[:6])).bind("cpu")


@pytest.mark.parametrize("metric", ["parameters", "macs"])
def test_costs_of_options_add_up_to_the_difference_between_networks(metric):
    """The same fixed part, stem and reductions, is in both networks."""
    data = task()
    supernet = Supernet(SPACE, data, seed=0)
    costs = option_costs(supernet, metric)
    count = parameters if metric == "parameters" else lambda module: macs(module, (1, 8, 8))
    nothing = count(supernet.extract(SPACE.architecture([0] * 6)))
    rng, seen = np.random.default_rng(1), set()
    for _ in range(8):
        architecture = SPACE.sample(rng)
        expected = count(supernet.extract(architecture)) - nothing
        weights = one_hot(SPACE, architecture)
        assert sum(float((weights[name] * costs[name]).sum()) for name in costs) == expected
        seen.add(expected)
    assert len(seen) > 3


def test_the_expected_cost_is_the_mean_over_all_architectures():
    """Linearity: sum over rows of share times cost = sum over architectures of probability times cost."""
    space = spaces.SearchSpace(
        "three edges", spaces.CellNetwork(3, ("skip", "conv_1x1", "conv_3x3"), channels=2, cells=1, stages=1)
    )
    data = task()
    strategy = Darts(complexity="macs", complexity_weight=0.1, batch=8).bind(
        space, Supernet(space, data, seed=0), data, 0, 3
    )
    with torch.no_grad():
        for place, row in enumerate(strategy.alpha.values()):
            row += torch.linspace(-1, 1, len(row)) * (place + 1)
    shares = {name: row.tolist() for name, row in strategy.mixture().items()}
    total = 0.0
    for choices in itertools.product(range(3), repeat=3):
        rows = list(zip(shares, choices, strict=True))
        probability = np.prod([shares[name][choice] for name, choice in rows])
        total += probability * sum(float(strategy.costs[name][choice]) for name, choice in rows)
    assert float(strategy.expected_cost().detach()) == pytest.approx(total, rel=1e-5)


def test_a_penalty_on_cost_moves_alpha_towards_cheap_options():
    """With the loss of the task at rest, since its gradient is that of a constant: only the penalty moves alpha."""
    data = task()
    strategy = Darts(complexity="parameters", complexity_weight=1.0, batch=8, alpha_learning_rate=0.1).bind(
        SPACE, Supernet(SPACE, data, seed=0), data, 0, 3
    )
    strategy.loss = lambda batch: sum(row.sum() for row in strategy.alpha.values()) * 0.0 + 1.0
    before = float(strategy.expected_cost().detach())
    for _ in range(20):
        strategy.alpha_step(strategy.alpha_half, strategy.w_half)
    assert float(strategy.expected_cost().detach()) < 0.5 * before
    dearest = max(range(5), key=lambda place: float(strategy.costs["edge_0_1"][place]))
    assert strategy.shares()["edge_0_1"][dearest] == min(strategy.shares()["edge_0_1"])


def test_latency_is_measured_and_positive_for_what_computes():
    costs = option_costs(Supernet(SPACE, task(), seed=0), "latency_ms")
    places = {option: place for place, option in enumerate(SPACE.rows[0].options)}
    for row in costs.values():
        assert float(row.min()) >= 0
        assert float(row[places["conv_3x3"]]) > 0
    assert set(costs) == {row.name for row in SPACE.rows}


def test_alpha_of_a_supernet_has_a_cost_for_each_option():
    costs = option_costs(Supernet(SPACE, task(), seed=0), "parameters")
    alpha = new_alpha(SPACE, 0)
    assert {name: row.shape for name, row in costs.items()} == {name: row.shape for name, row in alpha.items()}


def test_a_weight_without_a_cost_names_the_remedy():
    with pytest.raises(SettingsError, match=r"complexity_weight must be 0 where complexity is none.*Say which cost"):
        Darts(complexity_weight=0.5)
    with pytest.raises(SettingsError, match="complexity_weight must be >= 0, got -1"):
        Darts(complexity="macs", complexity_weight=-1)
