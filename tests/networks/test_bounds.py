"""What a component says of its largest network: no network of tokens, of tables or on a graph has more parameters."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from nbnas.networks import Supernet, build
from nbnas.spaces import enas_recurrent, graph, mlp, recurrent, transformer
from nbnas.spaces.bound import Extent

TOKENS = {"inputs": "tokens", "input_shape": (6,), "vocabulary": 11}
NODES = {
    "inputs": "nodes", "input_shape": (),
    "graph": SimpleNamespace(features=torch.zeros(5, 7), edges=torch.tensor([[0, 1], [1, 2]])),
}  # fmt: skip
SPACES = {
    "recurrent": (recurrent(embedding=32, width=16), TOKENS),
    "recurrent, wide": (recurrent(nodes=1, embedding=8, width=256), TOKENS),
    "enas_recurrent": (enas_recurrent(width=16, embedding=16), TOKENS),
    "transformer": (transformer(positions="learned"), TOKENS),
    "transformer, relaxed": (
        transformer(relaxed=True, heads=(8,), hidden=(256,), mixers=("attention", "conv_31")),
        TOKENS,
    ),
    "graph": (graph(channels=16), NODES),
    "graph, no layers": (graph(nodes=1, channels=16, pre=0, post=0), NODES),
    "mlp": (mlp(), {"input_shape": (20,)}),
}


@pytest.mark.parametrize("name", SPACES)
def test_no_network_has_more_parameters_or_modules_than_the_bound(name):
    space, fields = SPACES[name]
    task = SimpleNamespace(classes=3, device=torch.device("meta"), **fields)
    features = {"tokens": 1, "nodes": 7}.get(fields.get("inputs"), 20)
    bound = space.component.bound(Extent(channels=features, positions=6, classes=3, vocabulary=11))
    rng = np.random.default_rng(0)
    networks = [build(space, space.sample(rng), task, seed=0) for _ in range(20)]
    if space.component.relaxable() is None:
        networks.append(Supernet(space, task, seed=0))
    most = max(sum(weight.numel() for weight in network.parameters()) for network in networks)
    assert most <= bound.parameters <= 40 * most
    assert max(len(list(network.modules())) for network in networks) <= bound.modules
