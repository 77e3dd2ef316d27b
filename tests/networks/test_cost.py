"""Parameters and multiply-adds of NAS-Bench-201 (FACTS §9), and what is counted."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch
from torch import nn

from nbnas.networks import build, flops, macs, parameters
from nbnas.networks.cell_network import Cell
from nbnas.networks.operations import make
from nbnas.spaces import nas_bench_201

CIFAR = (3, 32, 32)
NAMES = ("none", "skip", "conv_1x1", "conv_3x3", "avg_pool_3x3")


def published(choices, classes=10):
    """Parameters and multiply-adds in the benchmark's tables."""
    count = Counter(NAMES[choice] for choice in choices)
    skeleton = {10: (73_306, 7_783_050), 100: (79_156, 7_788_900)}[classes]
    return (
        skeleton[0] + 28_000 * count["conv_1x1"] + 243_040 * count["conv_3x3"],
        skeleton[1] + 3_932_160 * count["conv_1x1"] + 35_389_440 * count["conv_3x3"],
    )


def built(choices, shape, classes=10):
    space = nas_bench_201()
    with torch.device("meta"):
        return build(space, space.architecture(choices), shape(CIFAR, classes))


@pytest.mark.parametrize("classes", [10, 100])
def test_whole_networks_have_the_published_cost(shape, classes):
    """One built network for each of the 28 numbers of convolutions, each with another arrangement and filling."""
    draw = torch.Generator().manual_seed(0)
    for ones, threes in itertools.product(range(7), range(7)):
        if ones + threes > 6:
            continue
        rest = [(0, 1, 4)[i] for i in torch.randint(3, (6 - ones - threes,), generator=draw)]
        unordered = [2] * ones + [3] * threes + rest
        choices = [unordered[i] for i in torch.randperm(6, generator=draw)]
        network = built(choices, shape, classes)
        assert (parameters(network), macs(network, CIFAR)) == published(choices, classes), choices


def test_all_15625_cells_have_the_published_parameters_and_macs(shape):
    """Not 15,625 built networks: one built skeleton and each operation built and counted at each of the 3 widths.

    That a network is the sum of these parts is the test above, and here that each cell holds its edges and no more.
    """
    space = nas_bench_201()
    skeleton = built([0] * 6, shape)
    cost = []  # of one edge with the operation, over all 15 cells
    for name in NAMES:
        parts = [make(name, 16 * 2**s, 16 * 2**s, 1, dims=2, form="evaluation") for s in range(3)]
        sizes = [(16 * 2**s, 32 // 2**s, 32 // 2**s) for s in range(3)]
        cost.append((5 * sum(map(parameters, parts)), 5 * sum(map(macs, parts, sizes))))
    assert [type(block).__name__ for block in skeleton.blocks].count("Cell") == 15
    for cell in (block for block in skeleton.blocks if isinstance(block, Cell)):
        assert set(cell.edges) == {decision.name for decision in space.decisions}
    base = parameters(skeleton), macs(skeleton, CIFAR)
    seen = 0
    for architecture in space.enumerate():
        choices = architecture.choices
        total = tuple(base[i] + sum(cost[choice][i] for choice in choices) for i in (0, 1))
        assert total == published(choices), choices
        seen += 1
    assert seen == 15_625


def test_macs_of_layers_by_hand():
    """A weight is met once at each position of the output, a bias once; transposed ones at each of the input."""
    assert macs(nn.Conv2d(4, 6, 3, groups=2, bias=False), (4, 10, 8)) == 8 * 6 * 6 * (4 // 2) * 9
    assert macs(nn.Conv1d(2, 3, 5, stride=2, padding=2), (2, 9)) == 5 * 3 * (2 * 5 + 1)
    assert macs(nn.ConvTranspose1d(2, 3, 4, stride=2, bias=False), (2, 5)) == 5 * 2 * 3 * 4
    assert macs(nn.Linear(7, 3, bias=False), (5, 7)) == 5 * 7 * 3
    twice = nn.Linear(4, 4, bias=False)
    assert macs(nn.Sequential(twice, nn.ReLU(), twice), (4,)) == 2 * 16
    assert flops(twice, (4,)) == 32


def test_counting_leaves_the_module_as_it_was():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 1))
    module[1].eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    modes = [part.training for part in module.modules()]
    random = torch.get_rng_state()
    assert macs(module, (1, 4, 4)) == 4 * 18 + 8 + 8 + 1
    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(part._forward_hooks for part in module.modules())
    with pytest.raises(RuntimeError):
        macs(module, (3, 4, 4))
    assert not any(part._forward_hooks for part in module.modules())


def test_frozen_and_shared_parameters():
    layer = nn.Linear(3, 3)
    layer.bias.requires_grad_(False)
    assert parameters(nn.ModuleList([layer, layer])) == 9
