"""Partial channel connections (Xu et al. 2020, Sec. 3.2): what is computed, what passes, and where it goes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nbnas import spaces
from nbnas.errors import SpaceError
from nbnas.networks import Supernet, one_hot
from nbnas.networks.cost import parameters
from nbnas.networks.mixed_modules import Drawn
from nbnas.networks.mixed_operation import MixedOperation, node_values
from nbnas.networks.partial_channels import PartialOperation, mixed_operation, shuffled

OPTIONS = ("none", "skip", "conv_1x1", "conv_3x3", "max_pool_3x3")


def images(channels=8, size=6, items=3):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(items, channels, size, size, generator=generator, dtype=torch.float64)


def edge(stride=1, share=4, options=OPTIONS, channels=8):
    torch.manual_seed(0)
    return PartialOperation("edge", options, channels, stride, share, dims=2).double()


def weights(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_the_shuffle_takes_one_channel_of_each_group_in_turns():
    """ShuffleNet's permutation: channel c of group g goes to place c · groups + g."""
    x = torch.arange(8.0).reshape(1, 8, 1)
    assert shuffled(x, 4).flatten().tolist() == [0, 2, 4, 6, 1, 3, 5, 7]
    assert shuffled(x, 2).flatten().tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    assert torch.equal(shuffled(x, 1), x)


def test_the_first_share_passes_the_operations_and_the_rest_is_unchanged():
    """With weights that sum to 1; places are those of the shuffle."""
    made, x = edge(), images()
    weight = weights(0.1, 0.2, 0.3, 0.25, 0.15)
    y = made(x, {"edge": weight})
    mixed = sum(share * option(x[:, :2]) for share, option in zip(weight, made.options, strict=True))
    assert torch.allclose(y[:, [0, 4]], mixed, atol=1e-12)
    assert torch.allclose(y[:, [1, 2, 3, 5, 6, 7]], x[:, [2, 4, 6, 3, 5, 7]], atol=1e-12)


def test_an_edge_is_weighed_by_the_sum_of_its_row():
    """Eq. 3: the same weight for what is computed and for what bypasses it."""
    made, x = edge(), images()
    weight = weights(0.1, 0.2, 0.3, 0.25, 0.15)
    assert torch.allclose(made(x, {"edge": 0.4 * weight}), 0.4 * made(x, {"edge": weight}), atol=1e-12)


@pytest.mark.parametrize("size", [6, 7])
def test_where_sizes_are_halved_the_rest_is_the_maximum_over_two_by_two(size):
    made, x = edge(stride=2), images(size=size)
    y = made(x, {"edge": weights(0.0, 0.5, 0.5, 0.0, 0.0)})
    half = -(-size // 2)
    assert y.shape == (3, 8, half, half)
    expected = torch.stack([x[:, 2, 2 * i : 2 * i + 2, :2].amax(dim=(1, 2)) for i in range(half)], dim=1)
    assert torch.equal(y[:, 1, :, 0], expected)


def test_only_a_share_of_the_channels_has_a_gradient_through_the_operations():
    made, x = edge(options=("conv_3x3",)), images().requires_grad_()
    y = made(x, {"edge": weights(1.0)})
    generator = torch.Generator().manual_seed(1)
    computed = (y[:, [0, 4]] * torch.randn(3, 2, 6, 6, generator=generator, dtype=torch.float64)).sum()
    (gradient,) = torch.autograd.grad(computed, x)
    assert float(gradient[:, 2:].abs().max()) == 0
    assert float(gradient[:, :2].abs().amax(dim=(0, 2, 3)).min()) > 0


@pytest.mark.parametrize("share", [2, 4, 8])
def test_convolutions_have_parameters_by_the_square_of_the_share(share):
    whole = MixedOperation("edge", ("conv_1x1", "conv_3x3"), 16, 16, 1, dims=2)
    assert parameters(whole) == 10 * 16**2
    assert (
        parameters(mixed_operation("edge", ("conv_1x1", "conv_3x3"), 16, 1, share, dims=2)) == 10 * (16 // share) ** 2
    )
    assert type(mixed_operation("edge", ("conv_1x1",), 16, 1, 1, dims=2)) is MixedOperation


def test_nodes_are_the_sums_of_their_edges_whatever_edges_share():
    """Edges from one source share its poolings; each is compared with one that is computed alone."""
    torch.manual_seed(0)
    edges = nn.ModuleDict(
        {
            f"{source}_{target}": PartialOperation(f"{source}_{target}", OPTIONS, 8, 1, 4, dims=2)
            for target in range(1, 4)
            for source in range(target)
        }
    ).double()
    mixture = {name: torch.rand(5, dtype=torch.float64).softmax(0) for name in edges}
    mixture["1_3"] = torch.zeros(5, dtype=torch.float64)
    values = [images()]
    for target in range(1, 4):
        values.append(sum(edges[f"{source}_{target}"](values[source], mixture) for source in range(target)))
    found = node_values([images()], 4, lambda source, target: edges[f"{source}_{target}"], mixture)
    for one, other in zip(found, values, strict=True):
        assert torch.allclose(one, other, atol=1e-10)


def test_an_edge_that_is_not_taken_gives_nothing_and_some_options_alone_the_same_as_zeros():
    made, x = edge(), images()
    assert float(made(x, {"edge": ()}).abs().max()) == 0
    alone = made(x, {"edge": Drawn((1, 3), weights(0.25, 0.5))})
    assert torch.allclose(alone, made(x, {"edge": weights(0.0, 0.25, 0.0, 0.5, 0.0)}), atol=1e-12)
    assert torch.allclose(made(x, {"edge": (2,)}), made(x, {"edge": weights(0.0, 0.0, 1.0, 0.0, 0.0)}), atol=1e-12)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("name", ["darts", "nas_bench_201"])
def test_a_path_of_the_supernet_is_its_one_hot_mixture(name, dims, shape):
    space = spaces.darts(8, 3, 2, dims=dims) if name == "darts" else spaces.nas_bench_201(8, 1, dims=dims)
    supernet = Supernet(space, shape((3, 8, 8)[: dims + 1]), seed=0, channel_share=4).double()
    x = torch.randn(2, *supernet.input_shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows = {row.name: row for row in space.rows}
    chosen = space.derive({row: [float(len(row) + place) for place in range(len(rows[row].options))] for row in rows})
    found = supernet(x, chosen)
    assert found.shape == (2, 10)
    assert torch.allclose(found, supernet(x, one_hot(space, chosen, dtype=torch.float64)), atol=1e-10)


def test_what_does_not_fit(shape):
    with pytest.raises(SpaceError, match=r"channels must be a multiple of channel_share \(4\), got 6 .*'edge_0_1'"):
        Supernet(spaces.nas_bench_201(6, 1), shape((3, 8, 8)), seed=0, channel_share=4)
    space = spaces.nas_bench_201(8, 1)
    supernet = Supernet(space, shape((3, 8, 8)), seed=0, channel_share=4)
    with pytest.raises(SpaceError, match="channel_share must be 1 to take weights out of a supernet, got 4"):
        supernet.extract(space.architecture((1,) * 6))
