"""Networks of the search space of MetaQNN."""

import numpy as np
import pytest
import torch
from torch import nn

from nbnas.errors import SpaceError
from nbnas.networks import build
from nbnas.networks.measure import Inputs, cost
from nbnas.spaces import metaqnn_chain


def find(space, *texts):
    """The architecture of these layers: at each place the only active decision takes the next one."""
    choices = [None] * len(space.decisions)
    left = list(texts)
    for place, decision in enumerate(space.decisions):
        if space.active(place, choices):
            choices[place] = decision.options.index(left.pop(0))
    assert left in ([], ["softmax"])  # an end that is the only option is no decision
    return space.architecture(choices)


def test_parameters_and_multiply_adds():
    """Closed form; 9 pixels become 4 by a pooling of kernel 3 and stride 2; biases are counted, one add each."""
    space = metaqnn_chain(9, 4, widths=(8,), dense_units=(16, 4))
    architecture = find(space, "conv_3_8", "pool_3_2", "dense_16", "dense_4", "softmax")
    weights, macs = cost(space, architecture, Inputs((3, 9, 9), 10))
    conv = 3 * 9 * 8 + 8
    dense = [8 * 16 * 16 + 16, 16 * 4 + 4, 4 * 10 + 10]
    assert weights == conv + sum(dense)
    assert macs == 81 * conv + sum(dense)


@pytest.mark.parametrize(("end", "features"), [("softmax", 8 * 9), ("average", 8)])
def test_a_chain_ends_by_all_positions_or_their_mean(end, features, shape):
    space = metaqnn_chain(3, 1, widths=(8,), kernels=(1,))
    network = build(space, find(space, "conv_1_8", end), shape((3, 3, 3)), seed=0)
    assert network[-1].in_features == features
    x = torch.randn(2, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    flipped = (network(x) - network(x.flip(2))).abs().max()
    assert (flipped < 1e-6) == (end == "average")  # the mean does not see the order


def test_rates_of_dropout():
    """Sec. 5: after every second layer, the i-th of n at i / 2n."""
    space = metaqnn_chain(32, 7, widths=(2,))
    network = build(space, find(space, *["conv_3_2"] * 7, "softmax"), Inputs((3, 32, 32), 10))
    assert [part.p for part in network if isinstance(part, nn.Dropout)] == [1 / 6, 2 / 6, 3 / 6]
    bare = metaqnn_chain(32, 7, widths=(2,), dropout=False)
    network = build(bare, find(bare, *["conv_3_2"] * 7, "softmax"), Inputs((3, 32, 32), 10))
    assert not any(isinstance(part, nn.Dropout) for part in network)


@pytest.mark.parametrize("dims", [1, 2])
def test_every_sampled_chain_is_a_network_of_the_sizes_it_says(dims, shape):
    """The representation size of the rules is that of the network, whatever was drawn."""
    space = metaqnn_chain(13, 5, widths=(2, 3), dense_units=(4, 2), norm=True, dims=dims)
    rng = np.random.default_rng(0)
    pooled = 0
    for _ in range(40):
        architecture = space.sample(rng)
        network = build(space, architecture, shape((2, 13, 16)[: dims + 1], 3), seed=0)
        x, size = torch.zeros(2, 2, *(13, 16)[:dims]), 13
        for part in network:
            x = part(x)
            if isinstance(part, nn.MaxPool1d | nn.MaxPool2d):
                size = (size - part.kernel_size) // part.stride + 1
                assert x.shape[2] == size
                pooled += 1
        assert x.shape == (2, 3)
    assert pooled > 10


def test_inputs_of_another_size_are_refused(shape):
    space = metaqnn_chain(8, 2, widths=(2,))
    architecture = space.sample(np.random.default_rng(0))
    with pytest.raises(SpaceError, match="Make the space with size=9"):
        build(space, architecture, shape((3, 9, 12)))
