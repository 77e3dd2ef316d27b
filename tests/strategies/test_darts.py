"""DARTS (Liu et al. 2019), first order: what moves alpha, what moves w, in which order, and how far.

Each half of train is one batch here and all numbers are of double precision, so that one epoch is one step on alpha
and one on w, which are compared with derivatives computed without the strategy.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from nbnas import spaces, tasks
from nbnas.errors import RunError
from nbnas.networks import Supernet, softmax
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.strategies import Darts
from nbnas.tasks.bound import TensorSplit

SPACE = spaces.nas_bench_201(channels=2, cells=1)
ITEMS = 12


def task(seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(2 * ITEMS) % 3
    x = rng.normal(size=(2 * ITEMS, 1, 6, 6)) + 0.5 * y.reshape(-1, 1, 1, 1)
    return tasks.from_arrays(x, y, valid=(x[:6] + 1, y[:6]), test=(x[:6], y[:6])).bind("cpu")


def bound(settings=None, epochs=5, data=None):
    """The strategy in double precision."""
    settings = settings or Darts(batch=ITEMS)
    data = data or task()
    strategy = settings.bind(SPACE, Supernet(SPACE, data, seed=1), data, 2, epochs)
    strategy.supernet.double()
    strategy.alpha.double()
    for name in ("w_half", "alpha_half"):
        half = getattr(strategy, name)
        setattr(strategy, name, TensorSplit(half.x.double(), half.y))
    return strategy


def plainly(strategy, alpha=0.0, w=0.0):
    """With plain gradient descent in the place of the optimizers, so that a step is the gradient times its size."""
    strategy.alpha_optimizer = torch.optim.SGD(strategy.alpha.parameters(), lr=alpha)
    strategy.w_optimizer = torch.optim.SGD(strategy.supernet.parameters(), lr=w)
    strategy._set_learning_rate = lambda: None
    return strategy


def alpha_of(strategy):
    return {name: row.detach().clone() for name, row in strategy.alpha.items()}


def w_of(strategy):
    return {name: value.detach().clone() for name, value in strategy.supernet.named_parameters()}


def loss(strategy, alpha, half, w=None):
    """The loss of given weights and alpha on a half, without the strategy's own steps."""
    supernet = copy.deepcopy(strategy.supernet)
    if w is not None:
        supernet.load_state_dict(w, strict=True)
    return torch.nn.functional.cross_entropy(supernet(half.x, softmax(alpha)), half.y)


def one_epoch(strategy):
    return list(strategy.epoch())


def moved(before, after):
    return max(float((after[name] - before[name]).abs().max()) for name in before)


def with_other_half(strategy, name):
    """The same with other data in one half."""
    half = getattr(strategy, name)
    generator = torch.Generator().manual_seed(9)
    other = torch.randn(half.x.shape, generator=generator, dtype=half.x.dtype)
    setattr(strategy, name, TensorSplit(other, half.y))
    return strategy


def test_the_step_on_alpha_is_the_derivative_of_the_loss_on_the_alpha_half_at_fixed_w():
    """Eq. 3 with xi = 0, against the numerical derivative in each of the 30 entries."""
    strategy = plainly(bound(), alpha=1.0)
    alpha, w = alpha_of(strategy), copy.deepcopy(strategy.supernet.state_dict())
    half = strategy.alpha_half
    assert len(one_epoch(strategy)) == 1
    step = {name: after - alpha[name] for name, after in alpha_of(strategy).items()}
    size, seen = 1e-6, []
    for name, row in alpha.items():
        for choice in range(len(row)):
            losses = []
            for sign in (1, -1):
                nudged = {**alpha, name: row.clone()}
                nudged[name][choice] += sign * size
                losses.append(float(loss(strategy, nudged, half, w).detach()))
            seen.append((losses[0] - losses[1]) / (2 * size))
            assert float(step[name][choice]) == pytest.approx(-seen[-1], abs=1e-8)
    assert max(map(abs, seen)) > 1e-3  # not a comparison of zeros


def test_the_step_on_w_is_the_gradient_on_the_w_half_at_the_new_alpha():
    """Eq. 4, one step of it; Algorithm 1 updates alpha first."""
    strategy = plainly(bound(Darts(batch=ITEMS, gradient_clip=1e9)), alpha=0.5, w=0.1)
    old_alpha, w, state = alpha_of(strategy), w_of(strategy), copy.deepcopy(strategy.supernet.state_dict())
    one_epoch(strategy)
    step = {name: (w[name] - after) / 0.1 for name, after in w_of(strategy).items()}

    def gradient(alpha):
        supernet = copy.deepcopy(strategy.supernet)
        supernet.load_state_dict(state)
        found = torch.nn.functional.cross_entropy(supernet(strategy.w_half.x, softmax(alpha)), strategy.w_half.y)
        found.backward()
        return {name: parameter.grad for name, parameter in supernet.named_parameters()}

    assert moved(step, gradient(alpha_of(strategy))) < 1e-9
    assert moved(step, gradient(old_alpha)) > 1e-6
    assert max(float(value.abs().max()) for value in step.values()) > 1e-2


@pytest.mark.parametrize("half", ["w_half", "alpha_half"])
def test_alpha_moves_with_the_alpha_half_alone(half):
    """Within the first step; w is still where it was."""
    one, other = plainly(bound(), alpha=1.0), with_other_half(plainly(bound(), alpha=1.0), half)
    before = alpha_of(one)
    one_epoch(one)
    one_epoch(other)
    assert moved(before, alpha_of(one)) > 1e-3
    assert (moved(alpha_of(one), alpha_of(other)) == 0) == (half == "w_half")


@pytest.mark.parametrize("half", ["w_half", "alpha_half"])
def test_w_moves_with_the_w_half_alone(half):
    """With alpha at rest; over three epochs."""
    one, other = plainly(bound(), w=0.1), with_other_half(plainly(bound(), w=0.1), half)
    before = w_of(one)
    for strategy in (one, other):
        for _ in range(3):
            one_epoch(strategy)
    assert moved(before, w_of(one)) > 1e-3
    assert (moved(w_of(one), w_of(other)) == 0) == (half == "alpha_half")


def test_valid_is_not_trained_on():
    """It only scores: what a search trains on are the two halves of train."""
    data, other = task(), task()
    other.valid = TensorSplit(torch.randn_like(other.valid.x), other.valid.y)
    one, two = bound(data=data), bound(data=other)
    for _ in range(2):
        one_epoch(one)
        one_epoch(two)
    assert moved(alpha_of(one), alpha_of(two)) == 0
    assert moved(w_of(one), w_of(two)) == 0


def test_the_halves_are_disjoint_equal_and_of_train():
    data = task()
    data.train = TensorSplit(torch.arange(25.0).reshape(-1, 1, 1, 1).expand(-1, 1, 6, 6), torch.arange(25) % 3)
    strategy = Darts(batch=4).bind(SPACE, Supernet(SPACE, data, seed=1), data, 2, 5)
    halves = [set(half.x[:, 0, 0, 0].tolist()) for half in (strategy.w_half, strategy.alpha_half)]
    assert [len(half) for half in halves] == [12, 12]
    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] < set(map(float, range(25)))


def test_every_item_of_both_halves_is_seen_once_an_epoch():
    seen = {"w": [], "alpha": []}
    strategy = bound(Darts(batch=3))
    original = strategy._batches

    def watched(half, name):
        for batch in original(half, name):
            seen[name] += batch.x[:, 0, 0, 0].tolist()
            yield batch

    strategy._batches = watched
    progress = one_epoch(strategy)
    assert [(item.done, item.total) for item in progress] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for name, half in (("w", strategy.w_half), ("alpha", strategy.alpha_half)):
        assert sorted(seen[name]) == sorted(half.x[:, 0, 0, 0].tolist())
    first = list(seen["w"])
    seen["w"].clear()
    one_epoch(strategy)
    assert seen["w"] != first  # in a new order


@pytest.mark.parametrize("epochs", [1, 2, 7])
def test_the_learning_rate_of_w_is_the_cosine_of_the_paper(epochs):
    """0.025 at the start, towards 0.001 at the end: torch's own schedule with T_max = epochs."""
    strategy = bound(Darts(batch=ITEMS), epochs=epochs)
    reference = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.025)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(reference, epochs, eta_min=0.001)
    rates = []
    for _ in range(epochs):
        one_epoch(strategy)
        rates.append(strategy.w_optimizer.param_groups[0]["lr"])
        assert rates[-1] == pytest.approx(reference.param_groups[0]["lr"], rel=1e-9)
        reference.step()
        schedule.step()
    assert rates[0] == 0.025
    assert all(0.001 <= rate <= 0.025 for rate in rates)
    one_epoch(strategy)  # one more than planned, as under a budget in seconds
    assert strategy.w_optimizer.param_groups[0]["lr"] == pytest.approx(0.001)
    assert strategy.alpha_optimizer.param_groups[0]["lr"] == 3e-4  # alpha's is constant


def test_the_optimizers_are_those_of_the_paper():
    """Sec. 3.1.1: SGD with momentum 0.9 and weight decay 3e-4; Adam 3e-4, betas (0.5, 0.999), weight decay 1e-3."""
    strategy = bound(Darts())
    (w,), (alpha,) = strategy.w_optimizer.param_groups, strategy.alpha_optimizer.param_groups
    assert isinstance(strategy.w_optimizer, torch.optim.SGD)
    assert isinstance(strategy.alpha_optimizer, torch.optim.Adam)
    assert (w["lr"], w["momentum"], w["weight_decay"], w["nesterov"]) == (0.025, 0.9, 3e-4, False)
    assert (alpha["lr"], alpha["betas"], alpha["weight_decay"]) == (3e-4, (0.5, 0.999), 1e-3)
    assert {id(parameter) for parameter in w["params"]} == {id(value) for value in strategy.supernet.parameters()}
    assert {id(parameter) for parameter in alpha["params"]} == {id(value) for value in strategy.alpha.parameters()}
    assert (Darts().gradient_clip, Darts().batch) == (5.0, 64)


def test_the_gradient_of_w_is_clipped_and_that_of_alpha_is_not():
    strategy = plainly(bound(Darts(batch=ITEMS, gradient_clip=0.01)), alpha=1.0, w=1.0)
    free = plainly(bound(Darts(batch=ITEMS, gradient_clip=1e9)), alpha=1.0, w=1.0)
    start = w_of(strategy)
    one_epoch(strategy)
    one_epoch(free)
    norm = sum(float(((after - start[name]) ** 2).sum()) for name, after in w_of(strategy).items()) ** 0.5
    assert norm == pytest.approx(0.01, rel=1e-3)
    assert moved(alpha_of(strategy), alpha_of(free)) == 0


def test_probabilities_are_softmax_of_alpha_and_sum_to_one():
    strategy = bound()
    with torch.no_grad():
        for row in strategy.alpha.values():
            row += torch.randn(row.shape, generator=torch.Generator().manual_seed(len(row)))
    rows = strategy.probabilities()["alpha"]
    assert list(rows) == [decision.name for decision in SPACE.decisions]
    for decision in SPACE.decisions:
        values = strategy.alpha[decision.name].detach().numpy()
        expected = np.exp(values) / np.exp(values).sum()
        assert list(rows[decision.name]) == list(decision.options)
        assert list(rows[decision.name].values()) == pytest.approx(expected.tolist(), abs=1e-12)
        assert sum(rows[decision.name].values()) == pytest.approx(1, abs=1e-12)


def test_derive_takes_the_strongest_operation_but_never_none():
    """Sec. 2.4: zero is excluded."""
    strategy = bound()
    rng = np.random.default_rng(0)
    for _ in range(20):
        with torch.no_grad():
            for row in strategy.alpha.values():
                row[:] = torch.from_numpy(rng.normal(size=5))
                row[0] = 10  # none is by far the strongest
        chosen = SPACE.options(strategy.derive())
        for name, option in chosen.items():
            row = strategy.alpha[name].detach().numpy()
            assert option == SPACE.component.operations[1 + int(row[1:].argmax())]


def test_derive_where_none_is_all_there_is():
    space = SearchSpace("nothing", CellNetwork(2, ("none",), channels=2, cells=1, stages=1))
    data = task()
    strategy = Darts().bind(space, Supernet(space, data, seed=0), data, 0, 1)
    assert space.options(strategy.derive()) == {"edge_0_1": "none"}


def test_epochs_lower_both_losses():
    strategy = bound(Darts(batch=ITEMS, alpha_learning_rate=0.05))
    metrics = []
    for _ in range(12):
        epoch = strategy.epoch()
        try:
            while True:
                next(epoch)
        except StopIteration as end:
            metrics.append(end.value)
    assert metrics[-1]["train_loss"] < 0.9 * metrics[0]["train_loss"]
    assert metrics[-1]["alpha_loss"] < metrics[0]["alpha_loss"]


def test_a_diverging_supernet_says_what_to_lower():
    data = task()
    data.train = TensorSplit(torch.full_like(data.train.x, torch.inf), data.train.y)
    with pytest.raises(RunError, match=r"supernet gave nan in epoch 1; lower w_learning_rate"):
        one_epoch(bound(data=data))


def test_closing_an_epoch_stops_after_a_batch_and_it_is_not_counted():
    strategy = bound(Darts(batch=3))
    epoch = strategy.epoch()
    assert next(epoch).done == 1
    before = w_of(strategy)
    epoch.close()
    assert moved(before, w_of(strategy)) == 0
    assert strategy.done == 0
