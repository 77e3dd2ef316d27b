"""Networks of the size search space of NATS-Bench."""

import pytest
import torch

from nbnas.networks import build
from nbnas.networks.measure import Inputs, cost
from nbnas.spaces import nas_bench_201, nats_size
from nbnas.spaces.catalogue.nas_bench_201 import from_official as cell_from_official
from nbnas.spaces.catalogue.nats_size import from_official

CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
CIFAR10 = Inputs((3, 32, 32), 10)


def test_where_widths_double_it_is_the_network_of_the_topology_space():
    """16:32:32:64:64 is the cell of the topology search space with one cell a stage: equal costs, equal function."""
    size, topology = nats_size(), nas_bench_201(channels=16, cells=1)
    a, b = from_official(size, "16:32:32:64:64"), cell_from_official(topology, CELL)
    assert cost(size, a, CIFAR10) == cost(topology, b, CIFAR10)
    first = build(size, a, CIFAR10_HERE, seed=0).double().eval()
    second = build(topology, b, CIFAR10_HERE, seed=1).double().eval()
    second.load_state_dict(dict(zip(second.state_dict(), first.state_dict().values(), strict=True)))
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert (first(x) - second(x)).abs().max() <= 1e-12


class CIFAR10_HERE:
    input_shape, classes = (3, 32, 32), 10


@pytest.mark.parametrize("text", ["8:8:8:8:8", "64:8:40:16:24", "64:64:64:64:64"])
def test_parameters(text):
    """Closed form: convolutions from a cell's input change the channels, and so does its skip."""
    c1, c2, c3, c4, c5 = map(int, text.split(":"))

    def cell(into, out):
        skip = into * out + 2 * out if into != out else 0
        return 2 * (9 * into * out + 2 * out) + 3 * (9 * out * out + 2 * out) + skip

    def residual(into, out):
        return 9 * into * out + 2 * out + 9 * out * out + 2 * out + into * out

    total = 27 * c1 + 2 * c1 + cell(c1, c1) + residual(c1, c2) + cell(c2, c3) + residual(c3, c4) + cell(c4, c5)
    total += 2 * c5 + 10 * c5 + 10
    space = nats_size()
    assert cost(space, from_official(space, text), CIFAR10)[0] == total


@pytest.mark.parametrize("dims", [1, 2])
def test_shapes(dims, shape):
    space = nats_size((2, 3), dims=dims)
    for text in ("2:3:2:3:2", "3:3:3:3:3"):
        network = build(space, from_official(space, text), shape((3, 9, 7)[: dims + 1], 4))
        assert network(torch.zeros(2, 3, *(9, 7)[:dims])).shape == (2, 4)
