"""Operations of one's own, by the decorator, in spaces, files and networks of one and two dimensions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import nbnas as nb
from nbnas.errors import SpaceError
from nbnas.spaces import CellNetwork, SearchSpace


@pytest.fixture
def double():
    """An operation that doubles its input, and the strides it was made with."""

    class Double(nn.Module):
        def forward(self, x):
            return 2 * x

    @nb.operation("double")
    def make(in_channels, out_channels, stride):
        assert in_channels == out_channels
        assert stride == 1
        return Double()

    return make


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("dims", "shape"), [(1, (3, 12)), (2, (3, 8, 6))])
def test_an_own_operation_is_searched_built_and_stored(dims, shape, tmp_path):
    space = SearchSpace("own", CellNetwork(3, ("skip", "double"), channels=4, cells=1, stages=1), dims=dims)
    space.save(tmp_path / "space.json")
    assert SearchSpace.load(tmp_path / "space.json") == space
    task = type("Shape", (), {"input_shape": shape, "classes": 5})()
    x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    outputs = {}
    for architecture in space.enumerate():
        network = nb.build(space, architecture, task, seed=0).eval()
        outputs[architecture.choices] = network(x)
        assert outputs[architecture.choices].shape == (2, 5)
    # What the cell computes is counted by the canonical form: 2x + x, by two ways.
    assert torch.allclose(outputs[1, 0, 0], outputs[0, 0, 1])
    assert not torch.allclose(outputs[1, 0, 0], outputs[0, 0, 0])
    supernet = nb.Supernet(space, task, seed=0)
    assert supernet(x, space.sample(np.random.default_rng(0))).shape == (2, 5)


@pytest.mark.usefixtures("double")
def test_canonical_knows_own_operations_by_name():
    space = SearchSpace("own", CellNetwork(3, ("skip", "double")))
    assert space.canonical(space.architecture((1, 0, 0))) == "double(x)+x"
    assert space.canonical(space.architecture((0, 0, 1))) == "double(x)+x"


def test_a_space_needs_the_operation_to_be_declared_first():
    with pytest.raises(SpaceError, match=r"'double' is not a known operation;.*@nb.operation\(name\)") as caught:
        CellNetwork(3, ("double",))
    assert caught.value.field == "operations/0"


@pytest.mark.parametrize("name", ["", "none", "conv_3x3", "a\nb", "x" * 65, 7, None], ids=repr)
def test_names_that_are_refused(name):
    with pytest.raises(SpaceError, match="operation name must be"):
        nb.operation(name)(lambda in_channels, out_channels, stride: nn.Identity())
    assert name in (None, 7) or name not in nb.spaces.operations.known()[11:]
