"""Operations by name, built-in and own."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nbnas.errors import SpaceError, TrialError
from nbnas.networks import Supernet, build, macs, one_hot, operation, parameters
from nbnas.networks.built_in import BUILT_IN
from nbnas.networks.layers import FactorizedReduce
from nbnas.networks.operations import make
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.spaces.operations import BUILT_IN as NAMES


def space_of(*operations, dims=2):
    return SearchSpace("own", CellNetwork(2, operations, channels=4, cells=1, stages=2), dims=dims)


def test_every_name_that_a_space_may_use_can_be_made():
    assert tuple(BUILT_IN) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["search", "evaluation"])
@pytest.mark.parametrize("sizes", [(1,), (7,), (40,), (1, 1), (5, 5), (8, 6)])
def test_every_operation_has_the_promised_shape(name, form, sizes):
    for stride, inner, outer in [(1, 3, 3), (2, 3, 3), (1, 4, 6), (2, 6, 1)]:
        module = make(name, inner, outer, stride, dims=len(sizes), form=form)
        out = module(torch.randn(4, inner, *sizes))
        assert out.shape == (4, outer, *(-(-size // stride) for size in sizes))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dims", [1, 2])
def test_the_forms_differ_in_normalisation_as_published(name, dims):
    """Search: no affine parameters, no running statistics, poolings normalised. Evaluation: the contrary."""
    norms = {}
    for form in ("search", "evaluation"):
        module = make(name, 4, 4, 1, dims=dims, form=form)
        norms[form] = [part for part in module.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    expected = {"none": 0, "skip": 0}.get(name, 2 if "sep" in name else 1)
    assert len(norms["search"]) == expected
    assert len(norms["evaluation"]) == (0 if "pool" in name else expected)
    assert all(norm.weight is None and norm.running_mean is None for norm in norms["search"])
    assert all(norm.weight is not None and norm.running_mean is not None for norm in norms["evaluation"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", 0),
        ("skip", 0),
        ("conv_1x1", 8 * 8 + 16),
        ("conv_3x3", 9 * 64 + 16),
        ("conv_5x5", 25 * 64 + 16),
        ("avg_pool_3x3", 0),
        ("max_pool_3x3", 0),
        ("sep_conv_3x3", 2 * (9 * 8 + 64 + 16)),
        ("sep_conv_5x5", 2 * (25 * 8 + 64 + 16)),
        ("dil_conv_3x3", 9 * 8 + 64 + 16),
        ("dil_conv_5x5", 25 * 8 + 64 + 16),
    ],
)
def test_parameters_by_hand(name, expected):
    assert parameters(make(name, 8, 8, 1, dims=2, form="evaluation")) == expected


def test_skip_and_none():
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(make("skip", 4, 4, 1, dims=2, form="search")(x), x)
    assert isinstance(make("skip", 4, 4, 2, dims=2, form="search"), FactorizedReduce)
    broken = torch.full_like(x, float("nan"))
    assert torch.equal(make("none", 4, 4, 1, dims=2, form="search")(broken), torch.zeros_like(x))


def test_average_pooling_does_not_count_padding():
    x = torch.ones(1, 2, 5, 5)
    assert torch.equal(make("avg_pool_3x3", 2, 2, 1, dims=2, form="evaluation")(x), x)


@pytest.mark.parametrize("name", [name for name in NAMES if "conv" in name])
@pytest.mark.parametrize("dims", [1, 2])
def test_convolutions_are_relu_then_convolution_then_normalisation(name, dims):
    x = torch.randn(8, 4, *[6] * dims)
    module = make(name, 4, 4, 1, dims=dims, form="search")
    out = module(x)
    torch.testing.assert_close(out, module(x.relu()))
    assert not torch.allclose(out, module(x.abs()))
    axes = [0, *range(2, 2 + dims)]
    torch.testing.assert_close(out.mean(axes), torch.zeros(4), atol=1e-5, rtol=0)


def test_dilated_convolution_reaches_twice_as_far():
    x = torch.zeros(1, 1, 11, dtype=torch.float64).requires_grad_()
    module = make("dil_conv_3x3", 1, 1, 1, dims=1, form="evaluation").double().eval()
    module(x + 1)[0, 0, 5].backward()
    assert x.grad[0, 0].nonzero().flatten().tolist() == [3, 5, 7]


@pytest.mark.parametrize("size", [8, 7])
def test_factorized_reduce_reads_even_and_odd_positions(size):
    """As in DARTS: the second half of the channels sees x[1:]; odd sizes end with a zero."""
    module = make("skip", 2, 4, 2, dims=1, form="evaluation").eval()
    x = torch.randn(3, 2, size)
    even, odd = F.relu(x)[..., ::2], F.relu(x)[..., 1::2]
    odd = F.pad(odd, (0, even.shape[-1] - odd.shape[-1]))
    first, second = (half.weight[..., 0] for half in module.halves)
    expected = torch.cat([torch.einsum("oc,bcl->bol", first, even), torch.einsum("oc,bcl->bol", second, odd)], 1)
    torch.testing.assert_close(module(x), expected / (1 + 1e-5) ** 0.5)


# -- own operations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dims", "input_shape"), [(1, (3, 9)), (2, (3, 9, 7))])
def test_an_own_operation_works_in_a_space(shape, dims, input_shape):
    """A factory that asks for `dims` serves both; in the supernet it is an option as any other."""

    @operation("wide 7.0")
    def wide(in_channels, out_channels, stride, *, dims):
        return (nn.Conv1d if dims == 1 else nn.Conv2d)(in_channels, out_channels, 7, stride, 3)

    space = space_of("none", "wide 7.0", dims=dims)
    assert SearchSpace.from_json(space.to_json()) == space
    architecture = space.architecture([1])
    network = build(space, architecture, shape(input_shape), seed=1)
    assert any(layer.kernel_size == (7,) * dims for layer in network.modules() if hasattr(layer, "kernel_size"))
    assert macs(network, input_shape) > macs(build(space, space.architecture([0]), shape(input_shape)), input_shape)
    supernet = Supernet(space, shape(input_shape), seed=1).double()
    x = torch.randn(4, *input_shape, dtype=torch.float64)
    mixed = supernet(x, one_hot(space, architecture, dtype=x.dtype))
    torch.testing.assert_close(supernet.extract(architecture)(x), mixed, atol=1e-12, rtol=0)


def test_a_module_class_is_a_factory_and_may_ask_for_the_form():
    @operation("scale")
    class Scale(nn.Module):
        def __init__(self, in_channels, out_channels, stride, form):
            super().__init__()
            self.form = form

        def forward(self, x):
            return 2 * x

    assert make("scale", 3, 3, 1, dims=1, form="search").module.form == "search"
    assert Scale(1, 1, 1, "x").form == "x"


def test_declaring_again_replaces():
    for slope in (0.5, 0.25):
        operation("leaky")(lambda i, o, s, slope=slope: nn.LeakyReLU(slope))
    assert make("leaky", 1, 1, 1, dims=1, form="search")(torch.tensor([[[-1.0]]])).item() == -0.25


@pytest.mark.parametrize("name", ["none", "conv_3x3", "", "x" * 65, "a\nb"])
def test_names_that_are_refused(name):
    with pytest.raises(SpaceError, match="operation name must be"):
        operation(name)(lambda i, o, s: nn.Identity())
    with pytest.raises(SpaceError):
        space_of("skip", name + "\n")


def test_a_factory_of_the_wrong_form_is_refused_at_once_and_not_declared():
    with pytest.raises(SpaceError, match=r"'two' must be a factory \(in_channels, out_channels, stride\)"):
        operation("two")(lambda in_channels, out_channels: nn.Identity())
    with pytest.raises(SpaceError, match="not a known operation"):
        space_of("two")


def test_a_factory_that_raises_is_named(shape):
    @operation("bad")
    def bad(in_channels, out_channels, stride):
        raise ZeroDivisionError("no channels")

    space = space_of("bad")
    message = "'bad' failed when made with in_channels=4, out_channels=4, stride=1: ZeroDivisionError: no channels"
    with pytest.raises(TrialError, match=message) as caught:
        build(space, space.architecture([0]), shape((1, 8, 8)))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(TrialError, match="'bad' failed"):
        Supernet(space, shape((1, 8, 8)))


def test_a_factory_that_makes_no_module_is_named():
    operation("nothing")(lambda i, o, s: None)
    with pytest.raises(TrialError, match=r"'nothing' must make an nn\.Module, got None"):
        make("nothing", 4, 4, 1, dims=2, form="search")


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (nn.Conv2d(3, 4, 3), r"'odd' failed on \(2, 4, 8, 8\): RuntimeError"),
        (nn.AvgPool2d(2), r"'odd' must turn \(2, 4, 8, 8\) into \(2, 4, 8, 8\), got \(2, 4, 4, 4\)"),
    ],
)
def test_an_own_module_that_fails_or_has_another_shape_is_named(module, said):
    operation("odd")(lambda i, o, s: module)
    with pytest.raises(TrialError, match=said):
        make("odd", 4, 4, 1, dims=2, form="search")(torch.randn(2, 4, 8, 8))


def test_out_of_memory_stays_what_it_is():
    def full(in_channels, out_channels, stride):
        raise torch.OutOfMemoryError("full")

    operation("full")(full)
    with pytest.raises(torch.OutOfMemoryError):
        make("full", 4, 4, 1, dims=2, form="search")


def test_an_operation_of_another_process_says_what_to_run():
    with pytest.raises(SpaceError, match=r"Run the cell with @nb\.operation\('elsewhere'\) first"):
        make("elsewhere", 4, 4, 1, dims=2, form="search")


def test_an_operation_that_changes_its_input_is_named():
    """Others read the same node: their values would be wrong without a word."""
    operation("hasty")(lambda in_channels, out_channels, stride: nn.ReLU(inplace=True))
    with pytest.raises(TrialError, match=r"operation 'hasty' must leave its input as it is.*inplace=False"):
        make("hasty", 2, 2, 1, dims=2, form="search")(torch.randn(2, 2, 4, 4))
