"""Networks of the macro search space of ENAS."""

import pytest
import torch

from nbnas.networks import build
from nbnas.networks.measure import Inputs, cost
from nbnas.spaces import enas_macro
from tests.fixtures.relaxed import check_derive_undoes_paths, check_one_hot_is_single_path_is_discrete

CASES = {
    "one": (enas_macro(1, 4), (3, 8, 8)),
    "five": (enas_macro(5, 4), (3, 8, 8)),
    "own": (enas_macro(3, 3, operations=("skip", "dil_conv_3x3", "max_pool_3x3")), (1, 7, 5)),
    "sequence": (enas_macro(4, 4, dims=1), (2, 13)),
}


@pytest.mark.parametrize("name", CASES)
def test_one_hot_is_single_path_is_discrete(name, shape):
    space, input_shape = CASES[name]
    check_one_hot_is_single_path_is_discrete(space, shape(input_shape, 4))


@pytest.mark.parametrize("name", CASES)
def test_derive_undoes_paths(name):
    check_derive_undoes_paths(CASES[name][0])


def architecture_of(space, skips=(), operation="conv_3x3"):
    chosen = {decision.name: operation if "operation" in decision.name else "none" for decision in space.decisions}
    return space.architecture(chosen | dict.fromkeys((f"layers/{skip}" for skip in skips), "skip"))


@pytest.mark.parametrize(
    ("operation", "weights"),
    [
        ("conv_3x3", 9 * 64 + 16),
        ("conv_5x5", 25 * 64 + 16),
        ("sep_conv_3x3", 9 * 8 + 64 + 16),
        ("sep_conv_5x5", 25 * 8 + 64 + 16),
        ("avg_pool_3x3", 0),
        ("max_pool_3x3", 0),
    ],
)
def test_parameters_of_each_operation(operation, weights):
    """Closed form: stem, the 1x1 convolution before each operation, the operation, classifier."""
    space = enas_macro(1, 8)
    total = 27 * 8 + 16 + (64 + 16) + weights + 80 + 10
    assert cost(space, architecture_of(space, operation=operation), Inputs((3, 8, 8), 10))[0] == total


def test_only_outputs_that_are_read_are_halved():
    """A skip connection over a reduction costs a factorised reduction of its own, and nothing else."""
    space, inputs = enas_macro(3, 8, growth=1), Inputs((3, 8, 8), 10)
    plain = cost(space, architecture_of(space), inputs)[0]
    assert cost(space, architecture_of(space, ["layer_2/skip_0"]), inputs)[0] - plain == 8 * 8 + 16
    assert cost(space, architecture_of(space, ["layer_3/skip_0"]), inputs)[0] - plain == 2 * (8 * 8 + 16)
    assert cost(space, architecture_of(space, ["layer_3/skip_1"]), inputs)[0] - plain == 8 * 8 + 16


def test_channels_grow_in_form_evaluation_only(shape):
    space = enas_macro(3, 4)
    widths = {
        form: build(space, architecture_of(space), shape((3, 8, 8)), form=form, seed=0)
        .parts["head"]
        .classifier.in_features
        for form in ("search", "evaluation")
    }
    assert widths == {"search": 4, "evaluation": 16}


def test_a_skip_connection_adds_the_earlier_output(shape):
    """Layer 2 with a skip from the stem normalises its operation's output plus the stem's."""
    space = enas_macro(2, 4)
    network = build(space, architecture_of(space, ["layer_2/skip_0"]), shape((3, 8, 8)), form="search", seed=0).double()
    chain = network.parts["layers"]
    x = torch.randn(4, 4, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    halve = chain.halvings["layer_1"]
    first = halve["from_1"](chain.operations["layer_1"](x))
    expected = chain.norms["layer_2"](chain.operations["layer_2"](first) + halve["from_0"](x))
    assert (chain(x) - expected).abs().max() <= 1e-12
