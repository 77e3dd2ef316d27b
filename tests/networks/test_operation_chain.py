"""Chains of one operation a layer: the network is their composition, and its views agree."""

import pytest
import torch

from nbnas.errors import SpaceError
from nbnas.networks import Supernet, build
from nbnas.networks.cost import parameters
from nbnas.spaces import Head, Network, OperationChain, SearchSpace, Stem
from nbnas.spaces.bound import Extent
from tests.fixtures.relaxed import check_derive_undoes_paths, check_one_hot_is_single_path_is_discrete


def space_of(chain, dims=2):
    return SearchSpace("chain", Network((Stem(4), chain, Head())), dims=dims)


CASES = {
    "four": (space_of(OperationChain()), (1, 8, 8)),
    "own": (space_of(OperationChain(2, ("max_pool_3x3", "sep_conv_3x3", "skip"))), (3, 7, 5)),
    "sequence": (space_of(OperationChain(), dims=1), (2, 13)),
}


@pytest.mark.parametrize("name", CASES)
def test_one_hot_is_single_path_is_discrete(name, shape):
    space, input_shape = CASES[name]
    check_one_hot_is_single_path_is_discrete(space, shape(input_shape, 4))


@pytest.mark.parametrize("name", CASES)
def test_derive_undoes_paths(name):
    check_derive_undoes_paths(CASES[name][0])


def test_the_network_applies_its_operations_in_order(shape):
    """And the order matters: averages of a non-linear function are not that function of averages."""
    space = space_of(OperationChain(2, ("conv_3x3", "avg_pool_3x3")))
    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    outputs = []
    for text in ("0-1", "1-0"):
        network = build(space, space.architecture(text), shape((1, 8, 8), 3), seed=5).eval()
        stem, chain, head = network.parts.values()
        first, second = chain.parts.values()
        assert torch.equal(network(x), head(second(first(stem(x)))))
        outputs.append(network(x))
    assert not torch.allclose(*outputs)


def test_a_skip_changes_nothing_wherever_it_stands(shape):
    """So networks of one canonical form that are made of the same seed give the same logits, bit for bit."""
    space = space_of(OperationChain())
    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    by_form = {}
    for one in space.enumerate():
        # With the statistics of the batch: without, a 1x1 convolution after the stem and an average commute.
        logits = build(space, one, shape((1, 8, 8), 3), seed=5)(x)
        by_form.setdefault(space.canonical(one), []).append(logits)
    # A word of length k over three letters is written with 3 - k skips in C(3, k) ways: 1·1, 3·3, 9·3, 27·1.
    assert sorted(map(len, by_form.values())) == [1] * (1 + 27) + [3] * (3 + 9)
    assert all(torch.equal(logits, group[0]) for group in by_form.values() for logits in group)
    assert len({tuple(group[0].flatten().tolist()) for group in by_form.values()}) == 40


def test_parameters_in_closed_form(shape):
    """Stem 9·4 + 8, classifier 4·10 + 10, a convolution of size k: k²·16 + 8; skip and pooling have none."""
    space = space_of(OperationChain())
    own = {"skip": 0, "avg_pool_3x3": 0, "conv_1x1": 16 + 8, "conv_3x3": 9 * 16 + 8}
    for one in space.enumerate():
        weights = parameters(build(space, one, shape((1, 8, 8), 10), seed=0))
        assert weights == 44 + 50 + sum(own[str(name)] for name in space.options(one).values())


def test_no_network_is_larger_than_the_bound(shape):
    space = space_of(OperationChain())
    bound = space.component.bound(Extent(channels=1, positions=64, classes=3, vocabulary=1))
    supernet = Supernet(space, shape((1, 8, 8), 3), seed=0)
    weights = sum(weight.numel() for weight in supernet.parameters())
    assert weights <= bound.parameters <= 40 * weights
    assert len(list(supernet.modules())) <= bound.modules


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"operations": ()}, "operations that occur once each"),
        ({"operations": ("skip", "skip")}, "operations that occur once each"),
        ({"operations": ("skip", "conv_9x9")}, "'conv_9x9' is not a known operation"),
        ({"layers": 0}, ">= 1"),
    ],
)
def test_wrong_fields_are_refused(fields, message):
    with pytest.raises(SpaceError, match=message):
        OperationChain(**fields)
