"""PC-DARTS (Xu et al. 2020): weights of edges, what they decide, and what learns from which half."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from nbnas import spaces, tasks
from nbnas.errors import SettingsError
from nbnas.networks import Supernet, softmax
from nbnas.strategies import PcDarts
from nbnas.tasks.bound import TensorSplit

DARTS = spaces.darts(4, 3, 2)
"""Two nodes a cell: node 2 has edges from 0 and 1, node 3 from 0, 1 and 2."""
NAS_BENCH_201 = spaces.nas_bench_201(channels=4, cells=1)
ITEMS = 8


def task():
    rng = np.random.default_rng(0)
    y = np.arange(2 * ITEMS) % 2
    x = rng.normal(size=(2 * ITEMS, 1, 8, 8)) + 0.5 * y.reshape(-1, 1, 1, 1)
    return tasks.from_arrays(x, y, valid=(x[:4], y[:4]), test=(x[:4], y[:4])).bind("cpu")


def bound(space=DARTS, epochs=10, **settings):
    """In double precision, alpha and beta far from uniform."""
    data = task()
    made = PcDarts(**{"batch": ITEMS, "alpha_after": 0.0, **settings})
    strategy = made.bind(space, made.make_supernet(space, data, 1), data, 2, epochs)
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


def betas(strategy):
    return {name: row for name, row in strategy.alpha.items() if name.startswith("beta/")}


@pytest.mark.parametrize("space", [DARTS, NAS_BENCH_201], ids=lambda space: space.name)
def test_the_weights_of_the_edges_into_each_node_sum_to_one(space):
    """Eq. 3, the edge normalisation; a row of the mixture sums to the weight of its edge."""
    strategy = bound(space)
    mixture = strategy.mixture()
    assert list(mixture) == [row.name for row in space.rows]
    cells = ("normal/", "reduction/") if space is DARTS else ("",)
    nodes = (2, 3) if space is DARTS else (1, 2, 3)
    assert {name: len(row) for name, row in betas(strategy).items()} == {
        f"beta/{cell}{node}": node for cell in cells for node in nodes
    }
    for cell in cells:
        for node in nodes:
            rows = [mixture[f"{cell}edge_{source}_{node}"].detach() for source in range(node)]
            assert float(sum(row.sum() for row in rows)) == pytest.approx(1)
            beta = strategy.alpha[f"beta/{cell}{node}"].detach().softmax(0)
            for row, weight, source in zip(rows, beta, range(node), strict=True):
                alpha = strategy.alpha[f"{cell}edge_{source}_{node}"].detach().softmax(0)
                assert torch.allclose(row, weight * alpha, atol=1e-12)


def test_with_all_channels_and_even_edges_a_node_is_the_mean_of_the_edges_of_darts():
    strategy = bound(NAS_BENCH_201, channel_share=1)
    with torch.no_grad():
        for row in betas(strategy).values():
            row.zero_()
    plain = Supernet(NAS_BENCH_201, strategy.task, seed=1).double()
    assert set(plain.state_dict()) == set(strategy.supernet.state_dict())
    by_row = {row.name: int(row.name[-1]) for row in NAS_BENCH_201.rows}  # edges into the node
    alpha = softmax({name: strategy.alpha[name] for name in by_row})
    mean = {name: row / by_row[name] for name, row in alpha.items()}
    x = strategy.w_half.x
    assert torch.allclose(strategy.supernet(x, strategy.mixture()), plain(x, mean), atol=1e-10)


def test_alpha_and_beta_together_decide_which_edges_are_derived():
    """Sec. 3.3: softmax(beta) · softmax(alpha); with alpha alone node 3 would take nodes 0 and 1."""
    strategy = bound()
    with torch.no_grad():
        for row in strategy.alpha.values():
            row.zero_()
        for source, strength in enumerate((3.0, 2.0, 1.0)):
            strategy.alpha[f"normal/edge_{source}_3"][-1] = strength
    assert DARTS.options(strategy.derive())["normal/node_3/inputs"] == "0,1"
    with torch.no_grad():
        strategy.alpha["beta/normal/3"].copy_(torch.tensor([-3.0, 0.0, 3.0]))
    chosen = DARTS.options(strategy.derive())
    assert chosen["normal/node_3/inputs"] == "1,2"
    assert chosen["normal/node_3/second"] == DARTS.rows[0].options[-1]  # of each edge alpha decides


def test_the_step_on_alpha_and_beta_is_the_derivative_of_the_loss_on_alphas_half():
    """Against numerical derivatives, in each entry of beta and some of alpha; w stays."""
    strategy = bound(NAS_BENCH_201, channel_share=2)
    strategy.alpha_optimizer = torch.optim.SGD(strategy.alpha.parameters(), lr=1.0)
    half, before = strategy.alpha_half, {name: row.detach().clone() for name, row in strategy.alpha.items()}

    def loss():
        with torch.no_grad():
            return float(cross_entropy(strategy.supernet(half.x, strategy.mixture()), half.y))

    expected = {}
    for name in [*betas(strategy), "edge_0_3"]:
        for place in range(len(before[name])):
            sides = []
            for sign in (1, -1):
                with torch.no_grad():
                    strategy.alpha[name][place] += sign * 1e-6
                sides.append(loss())
                with torch.no_grad():
                    strategy.alpha[name].copy_(before[name])
            expected[name, place] = (sides[0] - sides[1]) / 2e-6
    w = copy.deepcopy(strategy.supernet.state_dict())
    strategy.alpha_step(half, strategy.w_half)
    for (name, place), slope in expected.items():
        assert float(before[name][place] - strategy.alpha[name][place].detach()) == pytest.approx(slope, abs=1e-7)
    assert max(abs(slope) for (name, _), slope in expected.items() if name.startswith("beta")) > 1e-3
    assert all(torch.equal(value, w[name]) for name, value in strategy.supernet.state_dict().items())


def test_the_step_on_w_leaves_alpha_and_beta():
    strategy = bound()
    before = {name: row.detach().clone() for name, row in strategy.alpha.items()}
    strategy.w_step(strategy.w_half)
    for name, row in strategy.alpha.items():
        assert row.grad is None
        assert torch.equal(row.detach(), before[name])


def test_beta_is_part_of_the_state_and_of_alphas_optimizer():
    strategy = bound(DARTS)
    state = strategy.state_dict()
    assert {name for name in state["alpha"] if name.startswith("beta/")} == set(betas(strategy))
    optimized = {id(parameter) for group in strategy.alpha_optimizer.param_groups for parameter in group["params"]}
    assert {id(row) for row in betas(strategy).values()} <= optimized
    other = bound(DARTS)
    with torch.no_grad():
        for row in other.alpha.values():
            row.zero_()
    other.load_state_dict(state)
    assert all(torch.equal(row, betas(strategy)[name]) for name, row in betas(other).items())


def test_the_settings_are_the_published_ones():
    """Sec. 4.2: alpha frozen for 15 of 50 epochs; SGD from 0.1 to 0; Adam 6e-4, betas (0.5, 0.999), 1e-3; K = 4."""
    settings = PcDarts()
    assert (settings.channel_share, settings.batch, settings.w_learning_rate_end) == (4, 256, 0.0)
    strategy = bound(epochs=50, alpha_after=settings.alpha_after)
    (w,), (alpha,) = strategy.w_optimizer.param_groups, strategy.alpha_optimizer.param_groups
    assert (w["lr"], w["momentum"], w["weight_decay"]) == (0.1, 0.9, 3e-4)
    assert (alpha["lr"], alpha["betas"], alpha["weight_decay"]) == (6e-4, (0.5, 0.999), 1e-3)
    learns = []
    for done in range(50):
        strategy.done = done
        learns.append(strategy.alpha_learns())
    assert learns == [False] * 15 + [True] * 35


def test_costs_are_those_of_operations_on_a_part_of_the_channels():
    """4 channels, K = 2: convolutions of 2 channels; an edge costs what its operations cost, whatever its weight."""
    strategy = bound(NAS_BENCH_201, channel_share=2, complexity="parameters", complexity_weight=0.1)
    options = NAS_BENCH_201.rows[0].options
    weights = {"conv_1x1": 1, "conv_3x3": 9}
    per_edge = [sum(weights.get(str(o), 0) * (c // 2) ** 2 for c in (4, 8, 16)) for o in options]
    assert all(cost.tolist() == per_edge for cost in strategy.costs.values())
    expected = sum(
        float((strategy.alpha[row.name].detach().softmax(0) * torch.tensor(per_edge)).sum())
        for row in NAS_BENCH_201.rows
    )
    assert float(strategy.expected_cost().detach()) == pytest.approx(expected)


def test_spaces_and_settings_that_do_not_fit_are_refused_before_the_start():
    data = task()
    with pytest.raises(SettingsError, match="space must be one of cells whose edges take operations, got 'enas_macro'"):
        PcDarts().make_supernet(spaces.enas_macro(3, 4), data, 0)
    with pytest.raises(SettingsError, match=r"channel_share must be that of the supernet \(1\), got 4; in PcDarts"):
        PcDarts().bind(DARTS, Supernet(DARTS, data, seed=0), data, 0, 1)
    with pytest.raises(SettingsError, match="channel_share must be >= 1"):
        PcDarts(channel_share=0)
