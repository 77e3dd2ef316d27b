"""FairDARTS (Chu et al. 2020): weights that do not compete, the loss that decides them, and the threshold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from nbnas import spaces, tasks
from nbnas.errors import SettingsError
from nbnas.networks import Supernet
from nbnas.strategies import FairDarts
from nbnas.tasks.bound import TensorSplit

SPACE = spaces.nas_bench_201(channels=2, cells=1)
"""none, skip, conv_1x1, conv_3x3, avg_pool_3x3 on six edges."""
ITEMS = 12


def task():
    rng = np.random.default_rng(0)
    y = np.arange(2 * ITEMS) % 3
    x = rng.normal(size=(2 * ITEMS, 1, 6, 6)) + 0.5 * y.reshape(-1, 1, 1, 1)
    return tasks.from_arrays(x, y, valid=(x[:6], y[:6]), test=(x[:6], y[:6])).bind("cpu")


def bound(space=SPACE, **settings):
    """In double precision, alpha far from zero."""
    data = task()
    strategy = FairDarts(**{"batch": ITEMS, **settings}).bind(space, Supernet(space, data, seed=1), data, 2, 5)
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


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


def set_weights(strategy, rows):
    """Alpha such that the weights of the rows are the given ones, the others 0.1."""
    with torch.no_grad():
        for name, row in strategy.alpha.items():
            weights = torch.tensor(rows.get(name, [0.1] * len(row)), dtype=torch.float64)
            row.copy_(weights.logit())


def test_raising_one_weight_leaves_the_others_where_a_softmax_would_lower_them():
    """Sec. 4.1: options of an edge do not compete."""
    strategy = bound()
    before = {name: row.detach().clone() for name, row in strategy.mixture().items()}
    with torch.no_grad():
        strategy.alpha["edge_0_1"][2] += 3.0
    after = strategy.mixture()
    for name, row in after.items():
        for place in range(5):
            raised = (name, place) == ("edge_0_1", 2)
            assert (float(row[place].detach() - before[name][place]) == 0) != raised
        assert np.allclose(row.detach().numpy(), sigmoid(strategy.alpha[name].detach().numpy()))
    assert float(after["edge_0_1"].detach().sum()) > 1.5


def test_the_zero_one_loss_by_hand():
    """-1/N sum (sigma(alpha) - 1/2)²: 29 entries at 1/2 and one at 0.9; between -1/4 (all decided) and 0 (none)."""
    strategy = bound()
    rows = {row.name: [0.5] * 5 for row in SPACE.rows}
    set_weights(strategy, rows)
    assert float(strategy.zero_one().detach()) == 0
    set_weights(strategy, {**rows, "edge_1_3": [0.5, 0.9, 0.5, 0.5, 0.5]})
    assert float(strategy.zero_one().detach()) == pytest.approx(-(0.4**2) / 30)
    set_weights(strategy, {row.name: [1e-12, 1 - 1e-12, 1e-12, 1e-12, 1 - 1e-12] for row in SPACE.rows})
    assert float(strategy.zero_one().detach()) == pytest.approx(-0.25)


def test_the_zero_one_loss_pushes_weights_away_from_one_half_to_the_nearer_end():
    strategy = bound()
    set_weights(strategy, {row.name: [0.5, 0.45, 0.55, 0.1, 0.9] for row in SPACE.rows})
    strategy.zero_one().backward()
    for row in strategy.alpha.values():
        assert np.sign(-row.grad.numpy()).tolist() == [0, -1, 1, -1, 1]  # the direction of descent


def test_alone_it_decides_all_weights():
    strategy = bound(alpha_learning_rate=0.3, alpha_weight_decay=0.0)
    strategy.task.loss = lambda logits, y: 0.0 * logits.sum()
    before = {name: row.detach() > 0 for name, row in strategy.alpha.items()}
    before = {name: row.clone() for name, row in before.items()}
    for _ in range(30):
        strategy.alpha_step(strategy.alpha_half, strategy.w_half)
    for name, row in strategy.mixture().items():
        assert float((row.detach() - before[name].double()).abs().max()) < 0.05


def test_the_step_on_alpha_is_that_of_the_loss_by_each_weight_alone_and_ten_times_the_zero_one_loss():
    """dL/d alpha_j = sigma'(alpha_j) (dL/d weight_j - 2 · 10 / N (weight_j - 1/2)): nothing from other options."""
    strategy = bound()
    strategy.alpha_optimizer = torch.optim.SGD(strategy.alpha.parameters(), lr=1.0)
    half = strategy.alpha_half
    weights = {name: row.detach().requires_grad_() for name, row in strategy.mixture().items()}
    loss = cross_entropy(strategy.supernet(half.x, weights), half.y)
    gradients = torch.autograd.grad(loss, list(weights.values()))
    before = {name: row.detach().clone() for name, row in strategy.alpha.items()}
    assert strategy.alpha_step(half, strategy.w_half) == pytest.approx(float(loss.detach()))
    for (name, row), gradient in zip(weights.items(), gradients, strict=True):
        value = row.detach()
        expected = value * (1 - value) * (gradient - 2 * 10 / 30 * (value - 0.5))
        assert torch.allclose(before[name] - strategy.alpha[name].detach(), expected, atol=1e-10)


def test_derive_takes_what_is_at_the_threshold_and_none_elsewhere():
    """The threshold is 0.85; of several at the threshold the strongest."""
    strategy = bound()
    rows = {
        "edge_0_1": [0.99, 0.849, 0.2, 0.2, 0.2],  # none itself is strong, and does not count
        "edge_0_2": [0.1, 0.851, 0.2, 0.2, 0.2],
        "edge_1_2": [0.1, 0.9, 0.95, 0.2, 0.91],
        "edge_0_3": [0.1, 0.2, 0.2, 0.2, 0.849],
        "edge_2_3": [0.1, 0.2, 0.2, 0.2, 0.9],
    }
    set_weights(strategy, rows)
    skip, conv = SPACE.rows[0].options[1:3]
    expected = {row.name: "none" for row in SPACE.rows} | {"edge_0_2": skip, "edge_1_2": conv}
    expected["edge_2_3"] = SPACE.rows[0].options[4]
    assert SPACE.options(strategy.derive()) == expected
    low = bound(threshold=0.0)
    set_weights(low, rows)
    assert "none" not in SPACE.options(low.derive()).values()


def test_edges_come_back_strongest_first_until_the_input_reaches_the_output():
    """Else a cell would compute nothing: here only edge_0_1 is at the threshold, which leads nowhere alone."""
    strategy = bound()
    best = {"edge_0_1": 0.9, "edge_0_2": 0.5, "edge_1_2": 0.6, "edge_0_3": 0.3, "edge_1_3": 0.2, "edge_2_3": 0.7}
    set_weights(strategy, {name: [0.84, 0.1, 0.1, share, 0.1] for name, share in best.items()})
    conv = SPACE.rows[0].options[3]
    chosen = SPACE.options(strategy.derive())
    assert {name for name, option in chosen.items() if option == conv} == {"edge_0_1", "edge_2_3", "edge_1_2"}


def test_cells_of_two_inputs_a_node_keep_the_two_strongest_edges():
    """Their decisions have no `none`."""
    space = spaces.darts(2, 3, 2)
    strategy = bound(space)
    operations = space.rows[0].options
    weak = [0.1] * len(operations)
    strong = [0.1] * (len(operations) - 1) + [0.95]
    rows = {f"{cell}/edge_{edge}": strong for cell in ("normal", "reduction") for edge in ("0_2", "1_3")}
    set_weights(strategy, {f"{cell}/edge_2_3": [0.2, *weak[1:-1], 0.3] for cell in ("normal", "reduction")} | rows)
    chosen = space.options(strategy.derive())
    assert chosen["normal/node_3/inputs"] == "1,2"
    assert chosen["reduction/node_3/first"] == operations[-1]


def test_what_is_shown():
    strategy = bound(alpha_learning_rate=1e-12)
    set_weights(strategy, {"edge_0_2": [0.9, 0.86, 0.2, 0.2, 0.2], "edge_1_3": [0.1, 0.2, 0.2, 0.2, 0.99]})
    epoch = strategy.epoch()
    try:
        while True:
            next(epoch)
    except StopIteration as end:
        assert end.value["above_threshold"] == 3
        assert end.value["zero_one_loss"] == pytest.approx(float(strategy.zero_one().detach()))
    shown = strategy.probabilities()["alpha"]["edge_0_2"]
    assert list(shown.values()) == pytest.approx([value / 2.36 for value in (0.9, 0.86, 0.2, 0.2, 0.2)])


def test_the_settings_are_those_of_the_authors_code():
    strategy = bound()
    (w,), (alpha,) = strategy.w_optimizer.param_groups, strategy.alpha_optimizer.param_groups
    assert (w["lr"], w["weight_decay"]) == (0.005, 3e-4)
    assert (alpha["lr"], alpha["betas"], alpha["weight_decay"]) == (3e-3, (0.9, 0.999), 1e-3)
    assert (FairDarts().batch, FairDarts().zero_one_weight, FairDarts().threshold) == (128, 10.0, 0.85)
    with pytest.raises(SettingsError, match="threshold must be >= 0 and < 1, got 1"):
        FairDarts(threshold=1.0)
