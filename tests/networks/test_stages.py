"""Stages as networks: MnasNet's published costs, and what each setting adds."""

import pytest
import torch

from nbnas.networks import build
from nbnas.networks.measure import Inputs, cost
from nbnas.networks.mobile_blocks import Residual, SqueezeExcitation
from nbnas.spaces import Head, Network, SearchSpace, Stage, Stages, Stem, mnasnet
from nbnas.spaces.catalogue.mobile import MNASNET_A1, MNASNET_B1


def space_of(**stage):
    return SearchSpace("one", Network((Stem(8), Stages((Stage(**stage),)), Head())))


def parameters_of(**stage):
    space = space_of(**stage)
    return cost(space, space.architecture([]), Inputs((3, 8, 8), 10))[0]


@pytest.mark.parametrize(
    ("named", "parameters", "macs"), [(MNASNET_A1, 3_887_038, 312e6), (MNASNET_B1, 4_383_312, 315e6)]
)
def test_published_costs_of_mnasnet(named, parameters, macs):
    """MnasNet, Table 1 (rounded multiply-adds), and the exact parameters of the authors' networks."""
    space = mnasnet()
    weights, adds = cost(space, space.architecture(named), Inputs((3, 224, 224), 1000))
    assert weights == parameters
    assert adds == pytest.approx(macs, rel=0.005)


def test_parameters_of_each_block():
    """Closed forms for one block from 8 to 16 channels, against the same network without it."""
    others = 3 * 9 * 8 + 16 + 16 * 10 + 10
    norm = 2 * 16
    assert parameters_of(block="conv", depth=1, kernel=5) - others == 25 * 8 * 16 + norm
    assert parameters_of(block="sep", depth=1, kernel=3) - others == 9 * 8 + 16 + 8 * 16 + norm
    mb = 8 * 24 + 48 + 9 * 24 + 48 + 24 * 16 + norm
    assert parameters_of(block="mb", depth=1, expansion=3) - others == mb
    # Squeeze-and-excitation: 24 -> 2 -> 24 with biases, 2 being a quarter of the block's 8 input channels.
    assert parameters_of(block="mb", depth=1, expansion=3, squeeze=0.25) - others == mb + 24 * 2 + 2 + 2 * 24 + 24


@pytest.mark.parametrize("block", ["mb", "sep", "conv"])
@pytest.mark.parametrize("dims", [1, 2])
def test_shapes(block, dims, shape):
    space = SearchSpace(
        "one", Network((Stem(4), Stages((Stage(block, 2, 6, stride=2, squeeze=0.5),)), Head())), dims=dims
    )
    network = build(space, space.architecture([]), shape((3, 7, 5)[: dims + 1], 4), seed=0)
    assert network.parts["stages"](torch.zeros(2, 4, *(7, 5)[:dims])).shape == (2, 6, *(4, 3)[:dims])


@pytest.mark.parametrize(
    ("shortcut", "in_channels", "out_channels", "stride", "added"),
    [
        ("identity", 4, 4, 1, True),
        ("identity", 4, 4, 2, False),
        ("identity", 4, 8, 1, False),
        ("pool", 4, 4, 2, True),
        ("pool", 4, 8, 1, False),
        ("none", 4, 4, 1, False),
    ],
)
def test_shortcuts_are_added_where_they_fit(shortcut, in_channels, out_channels, stride, added):
    residual = Residual(torch.nn.Identity(), in_channels, out_channels, stride, shortcut, dims=2)
    assert (residual.shortcut is not None) == added


def test_shortcuts():
    """The identity adds the input; pooling adds the means over windows of 3."""
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    body = torch.nn.Identity()
    assert torch.equal(Residual(body, 1, 1, 1, "identity", dims=2)(x), 2 * x)
    assert Residual(body, 1, 1, 1, "pool", dims=2)(x)[0, 0, 1, 1] == 4 + 4


def test_squeeze_and_excitation_weighs_whole_channels():
    """With zero weights each channel is weighed by sigmoid(0) = 1/2; with others it is still one weight a channel."""
    module = SqueezeExcitation(3, 2, "relu", dims=2)
    x = torch.rand(2, 3, 4, 4) + 1
    ratio = module(x) / x
    assert (ratio.amax(dim=(2, 3)) - ratio.amin(dim=(2, 3))).abs().max() < 1e-6
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.allclose(module(x), x / 2)
