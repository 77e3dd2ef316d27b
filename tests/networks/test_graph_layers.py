"""Graph layers against dense matrices: every formula of `graph_layers`, written with A and D."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from nbnas.networks.graph_layers import LAYERS, Neighbours, graph_layer
from nbnas.spaces.graph_network import GRAPH_OPERATIONS

NODES, FEATURES, WIDTH = 7, 5, 8


@pytest.fixture(params=["undirected", "directed", "lonely"])
def edges(request):
    """Random edges; directed ones tell source from target, and a lonely node has none."""
    draws = torch.Generator().manual_seed(3)
    matrix = torch.rand(NODES, NODES, generator=draws) < 0.4
    if request.param != "directed":
        matrix = matrix | matrix.T
    if request.param == "lonely":
        matrix[2], matrix[:, 2] = False, False
    return (matrix & ~torch.eye(NODES, dtype=torch.bool)).nonzero().T.contiguous()


def dense(edges):
    """A with a row for each target, in fp64."""
    matrix = torch.zeros(NODES, NODES, dtype=torch.float64)
    matrix[edges[1], edges[0]] = 1.0
    return matrix


def symmetric(matrix):
    degree = matrix.sum(dim=1)
    scale = torch.where(degree > 0, degree.clamp(min=1).rsqrt(), 0.0)
    return scale[:, None] * matrix * scale[None, :]


def attention(x, layer, matrix):
    """Velickovic et al., Eqs. 1-5, head by head."""
    with_loops = matrix + torch.eye(NODES, dtype=torch.float64)
    values, size, found = layer.linear(x), WIDTH // 4, []
    for head in range(4):
        value = values[:, head * size : (head + 1) * size]
        scores = (value @ layer.from_target[head])[:, None] + (value @ layer.from_source[head])[None, :]
        scores = functional.leaky_relu(scores, 0.2).masked_fill(with_loops == 0, -torch.inf)
        found.append(scores.softmax(dim=1) @ value)
    return torch.cat(found, dim=1) + layer.bias


ORACLES = {
    "gat": attention,
    "gcn": lambda x, layer, a: symmetric(a + torch.eye(NODES, dtype=a.dtype)) @ layer.linear(x) + layer.bias,
    "gin": lambda x, layer, a: layer.linear(x + a @ x),
    "cheb": lambda x, layer, a: layer.own(x) + layer.other(-symmetric(a) @ x) + layer.bias,
    "sage": lambda x, layer, a: layer.own(x) + layer.other((a @ x) / a.sum(dim=1, keepdim=True).clamp(min=1)),
    "arma": lambda x, layer, a: torch.relu(symmetric(a) @ layer.other(x) + layer.own(x) + layer.bias),
    "graph": lambda x, layer, a: layer.own(x) + layer.other(a @ x),
    "fc": lambda x, layer, a: layer(x),
    "skip": lambda x, layer, a: x,
}


@pytest.mark.parametrize("name", GRAPH_OPERATIONS)
def test_a_layer_is_its_formula(name, edges):
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(NODES, FEATURES, generator=draws, dtype=torch.float64)
    layer = graph_layer(name, Neighbours(edges, NODES), FEATURES, WIDTH, heads=4).double()
    for weight in layer.parameters():  # so that biases count
        torch.nn.init.normal_(weight, generator=draws)
    torch.testing.assert_close(layer(x), ORACLES[name](x, layer, dense(edges)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in GRAPH_OPERATIONS if name != "skip"])
def test_gradients_are_those_of_finite_differences(name, edges):
    x = torch.randn(
        NODES, FEATURES, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True
    )
    layer = graph_layer(name, Neighbours(edges, NODES), FEATURES, WIDTH, heads=4).double()
    assert torch.autograd.gradcheck(layer, (x,))


def test_the_table_is_that_of_the_space():
    assert {*LAYERS, "gat"} == set(GRAPH_OPERATIONS) == set(ORACLES)


def test_a_large_score_of_attention_stays_finite(edges):
    layer = graph_layer("gat", Neighbours(edges, NODES), FEATURES, WIDTH, heads=4)
    assert layer(torch.full((NODES, FEATURES), 1e4)).isfinite().all()


def test_the_edges_are_no_part_of_the_weights(edges):
    layer = graph_layer("gcn", Neighbours(edges, NODES), FEATURES, WIDTH, heads=4)
    assert set(layer.state_dict()) == {"bias", "linear.weight"}
