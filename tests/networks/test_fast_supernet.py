"""The supernets of cells equal plain ones of the published structure: values and all gradients, in double precision.

Sizes are such that rounding is small: the plain supernet differs from itself by 1e-13 when its memory layout changes.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from nbnas import spaces
from nbnas.networks import Supernet, gumbel, kernels, mixed_operation, one_hot, softmax
from nbnas.networks.freezing import constant
from nbnas.networks.seeding import generator
from tests.oracles import plain_supernets as plain

CASES = {
    "darts": (spaces.darts(channels=2, cells=4), lambda: plain.PlainCells(channels=2, cells=4)),
    "nas_bench_201": (spaces.nas_bench_201(2, 2), lambda: plain.PlainNasBench201(channels=2, cells=2)),
}
TOLERANCE = 1e-12


@pytest.fixture(params=CASES)
def case(request):
    """A supernet, the plain one with the same weights, and its space."""
    space, make = CASES[request.param]
    task = SimpleNamespace(input_shape=(3, 16, 16), classes=10)
    supernet = Supernet(space, task, seed=0).double()
    other = make().double()
    other.load_state_dict(supernet.network.state_dict())
    return space, supernet, other


def alphas(space):
    draws = torch.Generator().manual_seed(1)
    return {
        row.name: torch.randn(len(row.options), dtype=torch.float64, generator=draws).requires_grad_()
        for row in space.rows
    }


def architecture(space):
    import numpy as np

    return space.sample(np.random.default_rng(4))


MIXTURES = {
    "softmax": lambda space, alpha: softmax(alpha),
    "gumbel": lambda space, alpha: gumbel(alpha, 0.7, generator(3)),
    "hard gumbel": lambda space, alpha: gumbel(alpha, 0.7, generator(3), hard=True),
    "one architecture": lambda space, alpha: {
        name: row + 0.0 * alpha[name] for name, row in one_hot(space, architecture(space), dtype=torch.float64).items()
    },
}


def batch(sizes=(16, 16), items=8):
    draws = torch.Generator().manual_seed(2)
    x = torch.randn(items, 3, *sizes, dtype=torch.float64, generator=draws, requires_grad=True)
    return x, torch.randint(10, (items,), generator=draws)


def gradients(network, mixture, x, y, alpha):
    """Logits, and the gradients by input, alpha and all weights."""
    logits = network(x, mixture)
    inputs = [x, *alpha.values(), *network.parameters()]
    found = torch.autograd.grad(F.cross_entropy(logits, y), inputs, allow_unused=True)
    return [logits, *(torch.zeros_like(one) if got is None else got for one, got in zip(inputs, found, strict=True))]


def difference(found, wanted):
    """The largest difference of two lists of tensors, each relative to its largest entry, and to the largest of all."""
    found, wanted = ([one.detach() for one in several] for several in (found, wanted))
    largest = max(float(one.abs().max()) for one in wanted[1:])
    worst = 0.0
    for one, other in zip(found, wanted, strict=True):
        scale = float(other.abs().max())
        # What is 0 but for rounding (a weight before a normalisation) is measured by the others.
        worst = max(worst, float((one - other).abs().max()) / (scale if scale > 1e-10 * largest else largest))
    return worst


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("kind", MIXTURES)
def test_values_and_all_gradients_equal_those_of_the_plain_supernet(case, kind, training):
    space, supernet, other = case
    supernet.train(training)
    other.train(training)
    (x, y), alpha = batch(), alphas(space)
    wanted = gradients(other, MIXTURES[kind](space, alpha), x, y, alpha)
    found = gradients(supernet, MIXTURES[kind](space, alpha), x, y, alpha)
    assert difference(found, wanted) <= TOLERANCE
    assert wanted[1].abs().max() > 0
    if kind != "one architecture":
        assert all(row.abs().max() > 0 for row in wanted[2 : 2 + len(alpha)])


def test_a_single_path_equals_the_plain_supernet(case):
    space, supernet, other = case
    (x, y), alpha = batch(), alphas(space)
    chosen = architecture(space)
    wanted = gradients(other, one_hot(space, chosen, dtype=torch.float64), x, y, {})
    found = gradients(supernet, chosen, x, y, {})
    assert difference(found, wanted) <= TOLERANCE
    assert alpha


@pytest.mark.parametrize("sizes", [(13, 18), (12, 20)], ids=str)
def test_images_of_odd_and_unequal_sizes(case, sizes):
    space, supernet, other = case
    if space.name == "nas_bench_201":  # whose published residual block rounds odd sizes down
        sizes = tuple(4 * (size // 4) for size in sizes)
    (x, y), alpha = batch(sizes), alphas(space)
    wanted = gradients(other, softmax(alpha), x, y, alpha)
    assert difference(gradients(supernet, softmax(alpha), x, y, alpha), wanted) <= TOLERANCE


def test_frozen_parameters_change_no_other_gradient(case):
    """The step on alpha treats the weights as constants, the step on the weights alpha."""
    space, supernet, other = case
    (x, y), alpha = batch(), alphas(space)
    x = x.detach()
    wanted = gradients(other, softmax(alpha), x.requires_grad_(), y, alpha)[1:]
    x = x.detach()
    with constant(supernet.parameters()):
        loss = F.cross_entropy(supernet(x, softmax(alpha)), y)
        found = torch.autograd.grad(loss, list(alpha.values()))
        assert not any(weight.requires_grad for weight in supernet.parameters())
    assert difference([loss, *found], [loss, *wanted[1 : 1 + len(alpha)]]) <= TOLERANCE
    assert all(weight.requires_grad for weight in supernet.parameters())
    with constant(alpha.values()):
        loss = F.cross_entropy(supernet(x, softmax(alpha)), y)
        found = torch.autograd.grad(loss, list(supernet.parameters()))
    assert difference([loss, *found], [loss, *wanted[1 + len(alpha) :]]) <= TOLERANCE


def test_second_gradients_equal_those_of_the_plain_supernet(case):
    """The gradient by the weights of a sum of gradients by alpha: what the exact second-order step needs."""
    space, supernet, other = case
    found = []
    for network in (supernet, other):
        (x, y), alpha = batch(), alphas(space)
        loss = F.cross_entropy(network(x, softmax(alpha)), y)
        first = torch.autograd.grad(loss, list(alpha.values()), create_graph=True)
        total = sum((place + 1) * row.square().sum() for place, row in enumerate(first))
        found.append(torch.autograd.grad(total, list(network.parameters())))
    assert difference([found[0][0], *found[0]], [found[1][0], *found[1]]) <= 1e-9
    assert max(float(one.abs().max()) for one in found[1]) > 0


def test_the_fast_forms_are_taken(case, monkeypatch):
    space, supernet, _ = case
    used = set()
    for name in ("add_normalized", "add_normalized_slices", "add_scaled", "depthwise", "norm_relu", "pointwise"):
        function = getattr(kernels, name)
        monkeypatch.setattr(kernels, name, lambda *how, f=function, n=name: (used.add(n), f(*how))[1])
    (x, _), alpha = batch(), alphas(space)
    supernet(x, softmax(alpha))
    common = {"add_normalized", "add_scaled", "pointwise"}
    special = {"depthwise", "norm_relu"} if space.name == "darts" else {"add_normalized_slices"}
    assert used == common | special


@pytest.mark.parametrize("broken", ["twice", "shifted"])
def test_the_comparison_sees_a_wrong_form(case, monkeypatch, broken):
    space, supernet, other = case
    original = kernels.add_normalized
    if broken == "twice":
        wrong = lambda total, x, weight, eps=1e-5: original(total, x, weight * (1 + 1e-9), eps)  # noqa: E731
    else:
        wrong = lambda total, x, weight, eps=1e-5: original(total, x, weight, 2 * eps)  # noqa: E731
    monkeypatch.setattr(mixed_operation.kernels, "add_normalized", wrong)
    (x, y), alpha = batch(), alphas(space)
    wanted = gradients(other, softmax(alpha), x, y, alpha)
    assert difference(gradients(supernet, softmax(alpha), x, y, alpha), wanted) > TOLERANCE


def test_sequences_take_the_plain_way_and_share_what_they_can():
    space = spaces.nas_bench_201(2, 1, dims=1)
    supernet = Supernet(space, SimpleNamespace(input_shape=(3, 9), classes=10), seed=0).double()
    alpha = alphas(space)
    x = torch.randn(4, 3, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    by_hand = []
    cell = supernet.network.blocks[0]
    mixture = softmax(alpha)
    values = [supernet.network.stem(x)]
    for target in range(1, 4):
        terms = []
        for source in range(target):
            edge = cell.edges[f"edge_{source}_{target}"]
            shares = mixture[edge.decision]
            terms += [share * option(values[source]) for share, option in zip(shares, edge.options, strict=True)]
        values.append(sum(terms))
    by_hand = values[-1]
    got = cell(supernet.network.stem(x), mixture)
    assert (got - by_hand).abs().max() <= TOLERANCE * by_hand.abs().max()
