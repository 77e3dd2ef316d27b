"""The relaxed view equals the discrete one: values, gradients, weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nbnas.errors import SpaceError
from nbnas.networks import Supernet, build, mixed_operation, new_alpha, one_hot, softmax
from nbnas.networks.layers import Zero
from nbnas.networks.mixed_operation import MixedOperation
from nbnas.spaces import CellNetwork, SearchSpace, chain, nas_bench_201
from nbnas.spaces.operations import BUILT_IN

ALL = CellNetwork(4, BUILT_IN, channels=4, cells=1, stages=2)
CASES = [
    (nas_bench_201(channels=4, cells=2), (3, 8, 8)),
    (nas_bench_201(channels=4, cells=1, dims=1), (2, 13)),
    (SearchSpace("all", ALL), (1, 7, 5)),
    (SearchSpace("all", ALL, dims=1), (1, 11)),
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0].name}-{case[0].dims}d")
def case(request, shape):
    space, input_shape = request.param
    supernet = Supernet(space, shape(input_shape, 5), seed=3).double()
    x = torch.randn(4, *input_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return space, supernet, x


def drawn(space, count, seed=0):
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


@pytest.mark.parametrize("training", [True, False])
def test_one_hot_mixture_is_the_discrete_network(case, training):
    """STYLE §5.3, in fp64 to 1e-12, for random architectures, in train and in eval mode."""
    space, supernet, x = case
    supernet.train(training)
    outputs = []
    architectures = drawn(space, 8)
    for architecture in architectures:
        discrete = supernet.extract(architecture)
        assert discrete.training == training
        mixed = supernet(x, one_hot(space, architecture, dtype=x.dtype))
        assert (mixed - discrete(x)).abs().max() <= 1e-12
        outputs.append(mixed)
    functions = {space.canonical(architecture) for architecture in architectures}
    assert len({round(out.sum().item(), 9) for out in outputs}) >= len(functions) > 5  # a control: they do differ


def test_gradients_of_the_shared_weights_are_those_of_the_discrete_network(case):
    space, supernet, x = case
    for architecture in drawn(space, 3):
        discrete = supernet.extract(architecture)
        discrete(x).square().sum().backward()
        supernet.zero_grad()
        supernet(x, one_hot(space, architecture, dtype=x.dtype)).square().sum().backward()
        # weights_of names gradients as it names weights, once they stand in place of them.
        with torch.no_grad():
            kept = [parameter.clone() for parameter in supernet.parameters()]
            for parameter in supernet.parameters():
                parameter.copy_(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)
        shared = supernet.weights_of(architecture)
        with torch.no_grad():
            for parameter, value in zip(supernet.parameters(), kept, strict=True):
                parameter.copy_(value)
        for name, parameter in discrete.named_parameters():
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            torch.testing.assert_close(shared[name], gradient, atol=1e-10, rtol=1e-10)


def test_single_path_equals_one_hot_and_only_chosen_operations_are_computed(case, monkeypatch):
    space, supernet, x = case
    added = mixed_operation._added
    for architecture in drawn(space, 4):
        computed = []
        monkeypatch.setattr(
            mixed_operation, "_added", lambda *how, into=computed: (into.append(how[1]), added(*how))[1]
        )
        supernet.zero_grad(set_to_none=True)
        alone = supernet(x, architecture)
        monkeypatch.setattr(mixed_operation, "_added", added)
        mixed = supernet(x, one_hot(space, architecture, dtype=x.dtype))
        torch.testing.assert_close(alone, mixed, atol=1e-12, rtol=0)
        chosen = {d.name: choice for d, choice in zip(space.decisions, architecture.choices, strict=True)}
        edges = {n: chosen[e.decision] for n, e in supernet.named_modules() if isinstance(e, MixedOperation)}
        modules = dict(supernet.named_modules())
        taken = [modules[name].options[choice] for name, choice in edges.items()]
        assert set(computed) == {option for option in taken if not isinstance(option, Zero)}
        alone.sum().backward()
        for name, parameter in supernet.named_parameters():
            edge, found, rest = name.partition(".options.")
            if found and int(rest.split(".")[0]) != edges[edge]:
                assert parameter.grad is None, name
        assert supernet.network.classifier.weight.grad is not None


def test_the_gradient_of_alpha_is_the_numerical_one(shape):
    """Through softmax, all options with their weights (DARTS, Eq. 2), at a point away from the kinks of ReLU."""
    space = SearchSpace("tiny", CellNetwork(3, ("none", "skip", "conv_3x3", "avg_pool_3x3"), 2, 1, 1))
    supernet = Supernet(space, shape((1, 4, 4), 2), seed=0).double()
    x = torch.randn(3, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    alpha = {name: row.detach().double().requires_grad_() for name, row in new_alpha(space, 0, 1.0).items()}

    def loss(*rows):
        logits = supernet(x, softmax(dict(zip(alpha, rows, strict=True))))
        return F.cross_entropy(logits, torch.tensor([0, 1, 0]))

    assert torch.autograd.gradcheck(loss, tuple(alpha.values()))


def test_a_mixture_is_the_weighted_sum_and_none_adds_zeros():
    edge = MixedOperation("a", ("none", "skip", "avg_pool_3x3"), 2, 2, 1, dims=1)
    x = torch.randn(3, 2, 6)
    weight = torch.tensor([0.5, 0.3, 0.2])
    expected = 0.3 * x + 0.2 * edge.options[2](x)
    torch.testing.assert_close(edge(x, {"a": weight}), expected)
    nothing = MixedOperation("a", ("none",), 2, 2, 1, dims=1)
    assert torch.equal(nothing(x, {"a": torch.ones(1)}), torch.zeros_like(x))


def test_scores_do_not_depend_on_what_was_computed_before(case):
    """No running statistics: an evaluation is a function of weights, batch and mixture."""
    space, supernet, x = case
    assert not [name for name, _ in supernet.named_buffers()]
    first, *others = drawn(space, 3)
    before = supernet.eval()(x, first)
    supernet.train()
    for other in others:
        supernet(x + 5, other)
    assert torch.equal(supernet.eval()(x, first), before)


def test_weights_of_is_a_copy_that_fits_the_network(case, shape):
    space, supernet, x = case
    architecture = drawn(space, 1)[0]
    weights = supernet.weights_of(architecture)
    network = build(space, architecture, supernet, form="search", seed=9).double()
    assert weights.keys() == network.state_dict().keys()
    network.load_state_dict(weights)
    before = supernet(x, architecture)
    torch.testing.assert_close(network(x), before, atol=1e-12, rtol=1e-12)
    for value in weights.values():
        value.zero_()
    assert torch.equal(supernet(x, architecture), before)


def test_a_space_without_relaxed_view_says_why(shape):
    space = chain()
    with pytest.raises(SpaceError) as caught:
        Supernet(space, shape((1, 8, 8)))
    assert space.component.relaxable() in str(caught.value)
    assert "'chain'" in str(caught.value)


def test_mixtures_that_do_not_fit_are_refused(shape):
    space, other = nas_bench_201(channels=2, cells=1), nas_bench_201(channels=3, cells=1)
    supernet = Supernet(space, shape((1, 4, 4)))
    x = torch.randn(2, 1, 4, 4)
    mixture = softmax(new_alpha(space, 0))
    with pytest.raises(SpaceError, match=r"shape \(5,\) for row 'edge_0_1', got shape \(4,\)"):
        supernet(x, {**mixture, "edge_0_1": torch.ones(4)})
    del mixture["edge_1_3"]
    with pytest.raises(SpaceError, match="'edge_1_3', got none"):
        supernet(x, mixture)
    for use in (lambda a: supernet(x, a), supernet.weights_of, supernet.extract, lambda a: one_hot(space, a)):
        with pytest.raises(SpaceError, match="architecture must be of space"):
            use(other.architecture([0] * 6))
