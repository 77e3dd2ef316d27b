"""Figures that a supernet's own accuracy does not tell, each against a closed form or a plain computation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

import nbnas as nb
from nbnas import honesty
from nbnas.honesty import (
    accuracy,
    agreement,
    alpha_hessian_eigenvalue,
    entropy,
    hessian_due,
    honest_metrics,
    largest_eigenvalue,
    skip_ratio,
)
from nbnas.networks import Supernet, kernels, new_alpha, one_hot, softmax
from nbnas.spaces import CellNetwork, SearchSpace, darts, nas_bench_201
from nbnas.spaces.catalogue.darts import DARTS_V2
from nbnas.spaces.catalogue.genotypes import from_genotype

SPACE = SearchSpace("tiny", CellNetwork(3, ("none", "skip", "conv_1x1"), channels=2, cells=1, stages=1))


class Task:
    """The bound digits in double precision."""

    def __init__(self) -> None:
        self.real = nb.tasks.digits().bind("cpu")
        self.valid = self.real.valid._replace(x=self.real.valid.x.double())
        self.input_shape, self.classes = self.real.input_shape, self.real.classes
        self.loss, self.metrics, self.batches = self.real.loss, self.real.metrics, self.real.batches


@pytest.fixture(scope="module")
def task():
    return Task()


@pytest.fixture
def parts(task):
    """A supernet in double precision and an alpha that is far from uniform."""
    supernet = Supernet(SPACE, task, seed=0).double()
    alpha = new_alpha(SPACE, 1, 1.0).double()
    return supernet, alpha


# -- eigenvalues -------------------------------------------------------------------------------------------------------


def symmetric(values, seed=0):
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))
    return q @ np.diag(values) @ q.T


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=8), st.integers(0, 99))
def test_as_many_products_as_rows_give_the_largest_eigenvalue_exactly(values, seed):
    matrix = symmetric(values, seed)
    found = largest_eigenvalue(lambda v: matrix @ v, len(values), len(values), 0.0)
    scale = max(map(abs, values))
    # A start vector meets a repeated eigenvalue once, which is enough.
    assert found == pytest.approx(max(values), abs=1e-9 * scale + 1e-12)


def test_the_largest_is_not_the_one_of_largest_magnitude():
    matrix = symmetric([-50.0, -3.0, 0.5, 2.0])
    assert largest_eigenvalue(lambda v: matrix @ v, 4, 4, 0.0) == pytest.approx(2.0)


def test_ten_products_of_a_matrix_of_224_rows_are_within_two_per_cent_and_never_above():
    """As many rows as alpha has in DARTS; few eigenvalues stand out, as there."""
    values = np.concatenate([[1.0, 0.7, 0.5], 0.2 * np.random.default_rng(0).random(221) - 0.1])
    matrix, products = symmetric(values), []
    found = largest_eigenvalue(lambda v: (products.append(1), matrix @ v)[1], 224, 10, 0.02)
    assert 0.98 <= found <= 1.0 + 1e-12
    assert len(products) <= 10


def test_a_product_that_is_not_finite_gives_no_eigenvalue():
    assert math.isnan(largest_eigenvalue(lambda v: v * math.inf, 3))


def dense_hessian(supernet, task, alpha, items):
    """Column by column, by central differences of first gradients."""
    x, y = next(iter(task.batches(task.valid, items, None)))
    rows = list(alpha.values())

    def gradient():
        loss = task.loss(supernet(x, softmax(alpha)), y)
        return torch.cat(torch.autograd.grad(loss, rows)).numpy()

    columns, step = [], 1e-5
    supernet.eval()
    for row in rows:
        for place in range(len(row)):
            ends = []
            for way in (1, -1):
                with torch.no_grad():
                    row[place] += way * step
                ends.append(gradient())
                with torch.no_grad():
                    row[place] -= way * step
            columns.append((ends[0] - ends[1]) / (2 * step))
    return np.array(columns)


@pytest.mark.parametrize("fast", [True, False], ids=["fast kernels", "plain torch"])
def test_zela_2020_eigenvalue_is_the_largest_of_the_whole_hessian_of_alpha(parts, task, monkeypatch, fast):
    if not fast:
        monkeypatch.setattr(kernels, "fits", lambda x: False)
    supernet, alpha = parts
    hessian = dense_hessian(supernet, task, alpha, 16)
    assert np.abs(hessian - hessian.T).max() < 1e-7 * np.abs(hessian).max()
    values = np.linalg.eigvalsh(hessian)
    found = alpha_hessian_eigenvalue(supernet, task, softmax(alpha), items=16, iterations=9, tolerance=0.0)
    assert found == pytest.approx(values[-1], rel=1e-6)
    assert found > 1e-3
    # Few products bound it from below.
    bound = alpha_hessian_eigenvalue(supernet, task, softmax(alpha), items=16, iterations=4)
    assert 0.9 * values[-1] < bound <= values[-1] * (1 + 1e-6)


@pytest.mark.parametrize(
    "space",
    [darts(channels=2, cells=3, nodes=2), nas_bench_201(channels=2, cells=1)],
    ids=lambda space: space.name,
)
def test_products_are_those_of_the_hessian_in_published_spaces(space, task, monkeypatch):
    """Along a random direction, against central differences of first gradients."""
    supernet, alpha = Supernet(space, task, seed=0).double(), new_alpha(space, 1, 1.0).double()
    rows = list(alpha.values())
    products = []
    monkeypatch.setattr(honesty, "largest_eigenvalue", lambda product, *rest: products.append(product(towards)) or 0.0)
    towards = np.random.default_rng(0).standard_normal(sum(map(len, rows)))
    alpha_hessian_eigenvalue(supernet, task, softmax(alpha), items=4)
    x, y = next(iter(task.batches(task.valid, 4, None)))
    parts = torch.as_tensor(towards).split([len(row) for row in rows])
    ends = []
    for way in (1e-7, -1e-7):  # smaller than the way to the next kink of a ReLU or a maximum
        moved = {name: row + way * part for (name, row), part in zip(alpha.items(), parts, strict=True)}
        loss = task.loss(supernet.eval()(x, softmax(moved)), y)
        ends.append(torch.cat(torch.autograd.grad(loss, rows)).numpy())
    wanted = (ends[0] - ends[1]) / 2e-7
    assert np.abs(products[0] - wanted).max() < 1e-6 * np.abs(wanted).max()


def test_softmax_does_not_feel_a_shift_of_a_row_so_the_hessian_is_singular(parts, task):
    supernet, alpha = parts
    hessian = dense_hessian(supernet, task, alpha, 16)
    assert np.abs(hessian @ np.r_[np.ones(3), np.zeros(6)]).max() < 1e-7 * np.abs(hessian).max()


def test_weights_and_modes_are_left_as_they_were(parts, task):
    supernet, alpha = parts
    supernet.train()
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    honest_metrics(supernet, task, softmax(alpha), SPACE.architecture([0, 1, 2]))
    assert supernet.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in supernet.parameters())
    assert all(row.grad is None for row in alpha.values())
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())


def test_a_mixture_without_gradients_has_no_eigenvalue(parts, task):
    supernet, _ = parts
    constants = one_hot(SPACE, SPACE.architecture([1, 1, 2]), dtype=torch.float64)
    assert alpha_hessian_eigenvalue(supernet, task, constants) is None


# -- accuracies, skips, entropy ----------------------------------------------------------------------------------------


def test_mixed_and_discretised_accuracy_agree_where_the_mixture_is_one_hot(parts, task):
    supernet, alpha = parts
    derived = SPACE.architecture([1, 2, 2])
    found = honest_metrics(supernet, task, one_hot(SPACE, derived, dtype=torch.float64), derived)
    assert found["mixed_valid_accuracy"] == found["valid_accuracy"] == accuracy(supernet, task, derived)
    assert found["alpha_entropy_nats"] == found["alpha_entropy_ratio"] == 0
    assert found["skip_ratio"] == pytest.approx(1 / 3)
    assert "alpha_hessian_eigenvalue" not in found
    other = honest_metrics(supernet, task, softmax(alpha), derived)
    assert other["valid_accuracy"] == found["valid_accuracy"]
    assert set(other) == {*found, "alpha_hessian_eigenvalue"}
    assert honest_metrics(supernet, task, softmax(alpha), derived, hessian=False).keys() == found.keys()


@pytest.mark.parametrize(("batches", "due"), [(390, [1, 2, 3, 4, 5, 6]), (8, [1, 3, 6]), (5, [1, 5]), (0, [1])])
def test_the_hessian_is_taken_less_often_where_epochs_are_short(batches, due):
    assert [epoch for epoch in range(1, 7) if hessian_due(epoch, batches)] == due


def test_accuracy_is_that_of_all_items_of_valid(parts, task):
    supernet, alpha = parts
    with torch.no_grad():
        whole = supernet.eval()(task.valid.x, softmax(alpha)).argmax(1)
    assert len(task.valid.y) <= 512
    assert accuracy(supernet, task, softmax(alpha)) == pytest.approx((whole == task.valid.y).double().mean().item())


def test_liu_2019_darts_v2_has_five_skips_on_sixteen_edges():
    """DARTS, Figs. 4 and 5: two in the normal cell, three in the reduction cell, of 8 edges each."""
    space = darts()
    assert skip_ratio(space, from_genotype(space, DARTS_V2)) == pytest.approx(5 / 16)


def test_skip_ratio_counts_every_edge_of_nas_bench_201():
    space = nas_bench_201()
    assert skip_ratio(space, space.architecture([1] * 6)) == 1
    names = [space.decisions[0].options.index(name) for name in ("none", "skip", "conv_3x3", "skip", "none", "none")]
    assert skip_ratio(space, space.architecture(names)) == pytest.approx(2 / 6)


def test_a_space_without_skips_has_no_skip_ratio():
    space = SearchSpace("none", CellNetwork(3, ("none", "conv_1x1")))
    assert skip_ratio(space, space.architecture([1, 1, 1])) is None


def test_entropy_is_log_options_where_nothing_is_decided_and_0_where_all_is():
    assert entropy({"a": [0.25] * 4, "b": [0.5, 0.5]}) == pytest.approx(((math.log(4) + math.log(2)) / 2, 1.0))
    assert entropy({"a": [0.0, 1.0, 0.0]}) == (0.0, 0.0)
    assert entropy({"a": [0.9, 0.1], "only": [1.0]}) == pytest.approx((0.3250829734, 0.3250829734 / math.log(2)))


def test_rows_that_are_no_distributions_have_no_entropy():
    assert entropy({"a": [0.9, 0.8]}) is None
    assert entropy({"only": [1.0]}) is None


# -- ranks -------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12))
def test_tau_is_that_of_scipy_ties_included(pairs):
    one, other = zip(*pairs, strict=True)
    found, wanted = agreement(one, other, resamples=10), kendalltau(one, other).statistic
    if math.isnan(wanted):
        assert found.tau is None
        assert "ties" in str(found)
    else:
        assert found.tau == pytest.approx(wanted)


def test_tau_of_equal_and_of_opposite_rankings():
    assert agreement(range(9), range(9))[:3] == (1.0, 1.0, 1.0)
    assert agreement(range(9), range(9, 0, -1))[:3] == (-1.0, -1.0, -1.0)


def test_the_interval_holds_the_true_tau_about_as_often_as_it_says():
    """Of normal pairs with correlation r, tau is 2/pi arcsin r (Greiner's relation)."""
    rng, true = np.random.default_rng(0), 2 / math.pi * math.asin(0.6)
    hits = 0
    for _ in range(60):
        x = rng.standard_normal(25)
        y = 0.6 * x + 0.8 * rng.standard_normal(25)
        found = agreement(x, y, resamples=200)
        hits += found.low <= true <= found.high
    assert 50 <= hits <= 60


def test_the_same_seed_gives_the_same_interval():
    x, y = np.random.default_rng(1).standard_normal((2, 15))
    assert agreement(x, y, seed=3) == agreement(x, y, seed=3)
    assert agreement(x, y, seed=3) != agreement(x, y, seed=4)
