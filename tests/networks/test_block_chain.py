"""Chains of blocks: NAS-Bench-Macro, FBNet and the small mobile space as networks."""

import pytest
import torch
from torch.nn import functional as F

from nbnas.networks import build
from nbnas.networks.measure import Inputs, cost
from nbnas.spaces import BlockChain, Head, Network, SearchSpace, Stem, fbnet, mobile, nas_bench_macro
from nbnas.spaces.catalogue.mobile import FBNET_A, FBNET_BLOCKS, FBNET_C
from nbnas.spaces.catalogue.nas_bench_macro import from_official
from tests.fixtures.relaxed import check_derive_undoes_paths, check_one_hot_is_single_path_is_discrete

RELAXED = {
    "macro": (nas_bench_macro(2, 8), (3, 16, 16)),
    "macro 1d": (nas_bench_macro(2, 8, depths=(1, 2), dims=1), (2, 13)),
    "fbnet": (fbnet(widths=(8, 12), depths=(2, 2), strides=(1, 2), stem=8, stem_stride=1, features=16), (3, 8, 8)),
    "mobile": (mobile(widths=(8, 12), depths=(1, 2), strides=(1, 2), stem=8), (1, 7, 5)),
    "mobile se": (mobile(blocks=("mb2_k3_se", "skip", "mb3_k3"), widths=(8,), depths=(3,), strides=(1,)), (1, 8, 8)),
}


@pytest.mark.parametrize("name", RELAXED)
def test_one_hot_is_single_path_is_discrete(name, shape):
    space, input_shape = RELAXED[name]
    check_one_hot_is_single_path_is_discrete(space, shape(input_shape, 4))


@pytest.mark.parametrize("name", RELAXED)
def test_derive_undoes_paths(name):
    check_derive_undoes_paths(RELAXED[name][0])


@pytest.mark.parametrize("text", ["00000000", "11111111", "22222222", "02112001"])
def test_parameters_of_nas_bench_macro(text):
    """Closed form, layer by layer; the identity of a layer that halves the resolution is a 1x1 convolution."""
    total = 3 * 9 * 32 + 2 * 32
    channels = 32
    for place, digit in enumerate(text):
        out = 2 * channels if place in (0, 2, 5) else channels
        if digit != "0":
            inner, kernel = channels * (3 if digit == "1" else 6), 3 if digit == "1" else 5
            total += channels * inner + 2 * inner + kernel**2 * inner + 2 * inner + inner * out + 2 * out
        elif out != channels:
            total += channels * out + 2 * out
        channels = out
    total += 256 * 1280 + 2 * 1280 + 1280 * 10 + 10
    space = nas_bench_macro()
    assert cost(space, from_official(space, text), Inputs((3, 32, 32), 10))[0] == total


@pytest.mark.parametrize(
    ("named", "features", "parameters", "macs"), [(FBNET_A, 1504, 4.3e6, 249e6), (FBNET_C, 1984, 5.5e6, 375e6)]
)
def test_published_costs_of_fbnet(named, features, parameters, macs):
    """FBNet, Table 3, where they are rounded; multiply-adds there are called FLOPs."""
    space = fbnet(features=features)
    weights, adds = cost(space, space.architecture(named), Inputs((3, 224, 224), 1000))
    assert weights == pytest.approx(parameters, rel=0.02)
    assert adds == pytest.approx(macs, rel=0.03)


def test_groups_share_the_pointwise_weights():
    """Two groups halve both pointwise convolutions, and nothing else."""
    costs = []
    for block in ("mb1_k3", "mb1_k3_g2"):
        space = SearchSpace("one", Network((Stem(8), BlockChain((block,), (8,), (1,), (1,), in_channels=8), Head())))
        costs.append(cost(space, space.architecture([0]), Inputs((3, 8, 8), 10))[0])
    assert costs[0] - costs[1] == 2 * 8 * 8 // 2


def test_every_channel_reaches_every_channel_of_a_grouped_block(shape):
    """Without the shuffle, half of the outputs would not depend on half of the inputs."""
    space = SearchSpace("one", Network((Stem(4), BlockChain(("mb1_k3_g2",), (4,), (1,), (1,), in_channels=4), Head())))
    block = build(space, space.architecture([0]), shape((3, 4, 4)), seed=0).double().eval().parts["block_chain"]
    x = torch.rand(1, 4, 4, 4, dtype=torch.float64, requires_grad=True)
    body = block.parts["layer_1"].body
    with torch.no_grad():
        for parameter in body.parameters():
            parameter.abs_()
    body(x)[0, 0].sum().backward()
    assert (x.grad.abs().sum(dim=(0, 2, 3)) > 0).all()


def test_the_small_space_learns_on_the_spot(shape):
    """Ten steps on one batch of separable 8x8 images lower the loss of every architecture that is tried."""
    draws = torch.Generator().manual_seed(0)
    y = torch.arange(16) % 2
    x = torch.randn(16, 1, 8, 8, generator=draws) + 2.0 * y[:, None, None, None]
    space = mobile()
    for blocks in ("mb3_k3", "mb6_k5"):
        chosen = {decision.name: blocks for decision in space.decisions}
        network = build(space, space.architecture(chosen), shape((1, 8, 8), 2), seed=0)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
        losses = []
        for _ in range(10):
            loss = F.cross_entropy(network(x), y)
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert losses[-1] < 0.5 * losses[0]


def test_all_blocks_of_fbnet_keep_their_promise_of_shape(shape):
    space = fbnet(widths=(8, 12), depths=(1, 1), strides=(1, 2), stem=8, stem_stride=1, features=0)
    for block in FBNET_BLOCKS[:-1]:
        network = build(
            space, space.architecture(dict.fromkeys(("layers/layer_1", "layers/layer_2"), block)), shape((3, 7, 7))
        )
        assert network.parts["layers"](torch.zeros(2, 8, 7, 7)).shape == (2, 12, 4, 4)
