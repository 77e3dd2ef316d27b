"""What holds for the networks of every space of the catalogue: they are built, they train, they are shared rightly."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from nbnas.networks import Supernet, build, new_alpha, one_hot, softmax
from nbnas.networks.measure import Inputs, cost
from nbnas.spaces import CATALOGUE

SMALL = {
    "amoebanet": {"channels": 2, "cells": 3, "nodes": 2},
    "darts": {"channels": 2, "cells": 3, "nodes": 2},
    "enas_micro": {"channels": 2, "cells": 3, "nodes": 2},
    "graph": {"channels": 8, "dropout": 0.0},
    "nasnet": {"channels": 2, "cells": 3, "nodes": 2},
    "nas_bench_201": {"channels": 4, "cells": 1},
    "enas_macro": {"layers": 3, "channels": 4},
    "fbnet": {"widths": (4, 6), "depths": (2, 2), "strides": (1, 2), "stem": 4, "features": 8},
    "metaqnn_chain": {"size": 16, "max_layers": 4, "widths": (2, 4), "dense_units": (8, 4)},
    "mnasnet": {"widths": ((4, 6), (4, 6)), "depths": ((1, 2), (1, 2)), "strides": (1, 2), "stem": 4, "features": 8},
    "mobile": {"widths": (4, 6), "depths": (1, 2), "strides": (1, 2), "stem": 4},
    "nas_bench_macro": {"channels": 2, "features": 8},
    "nats_size": {"widths": (2, 3)},
}
"""Arguments that make a space of the catalogue light."""

SPACES = {name: make(**SMALL.get(name, {})) for name, make in CATALOGUE.items()}
NAMES = sorted(SPACES)
RELAXED = [name for name in NAMES if not SPACES[name].component.relaxable()]


def graph():
    """A ring of 12 nodes with 5 features."""
    ring = torch.arange(12)
    ahead = torch.stack([ring, (ring + 1) % 12])
    features = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
    return SimpleNamespace(features=features, edges=torch.cat([ahead, ahead.flip(0)], dim=1))


def task_for(space):
    """What a space needs to know of a task that it fits."""
    takes = space.component.flow_in()
    common = {"classes": 3, "inputs": "values", "vocabulary": None, "graph": None, "targets": "item"}
    if takes == "tokens":
        targets = "position" if space.component.kind == "recurrent_network" else "item"
        tokens = {"input_shape": (6,), "inputs": "tokens", "vocabulary": 11, "targets": targets}
        return SimpleNamespace(**common | tokens)
    if takes == "nodes":
        return SimpleNamespace(**common | {"input_shape": (), "inputs": "nodes", "graph": graph()})
    shapes = {0: (7,), 1: (1, 16), 2: (3, 16, 16)}
    return SimpleNamespace(**common | {"input_shape": shapes[space.dims]})


def batch_for(task, items=4, dtype=torch.float32):
    """Inputs and targets."""
    draws = torch.Generator().manual_seed(1)
    y_shape = (items, *task.input_shape) if task.targets == "position" else (items,)
    y = torch.randint(task.classes, y_shape, generator=draws)
    if task.inputs == "tokens":
        return torch.randint(task.vocabulary, (items, *task.input_shape), generator=draws), y
    if task.inputs == "nodes":
        return torch.arange(items), y
    return torch.randn(items, *task.input_shape, generator=draws, dtype=dtype), y


def loss_of(logits, y):
    assert logits.shape == (*y.shape, 3)
    return torch.nn.functional.cross_entropy(logits.flatten(0, -2), y.flatten())


@pytest.mark.parametrize("name", NAMES)
def test_every_drawn_architecture_is_built_trains_and_has_a_cost(name):
    space, rng = SPACES[name], np.random.default_rng(0)
    task = task_for(space)
    x, y = batch_for(task)
    for draw in range(8):
        architecture = space.sample(rng)
        network = build(space, architecture, task, seed=draw)
        logits = network(x)
        loss = loss_of(logits, y)
        loss.backward()
        with torch.no_grad():
            for weight in network.parameters():
                if weight.grad is not None:
                    assert weight.grad.isfinite().all()
                    weight -= 0.01 * weight.grad
        assert loss_of(network(x), y).isfinite()
        if task.graph is None:
            parameters, macs = cost(space, architecture, Inputs(task.input_shape, 3, task.vocabulary))
            assert parameters == sum(weight.numel() for weight in network.parameters())
            assert macs > 0


@pytest.mark.parametrize("name", RELAXED)
def test_one_architecture_in_the_supernet_is_its_own_network(name):
    """The one-hot mixture, the single path, and the network built alone with the same weights are one function."""
    space, rng = SPACES[name], np.random.default_rng(3)
    task = task_for(space)
    x, _ = batch_for(task, dtype=torch.float64)
    supernet = Supernet(space, task, seed=0).double()
    for architecture in [space.sample(rng) for _ in range(5)]:
        for mode in (True, False):
            supernet.train(mode)
            with torch.no_grad():
                mixed = supernet(x, one_hot(space, architecture, dtype=torch.float64))
                alone = supernet(x, architecture)
                apart = supernet.extract(architecture)(x)
            size = mixed.abs().max()
            assert (alone - mixed).abs().max() <= 1e-10 * size
            assert (apart - mixed).abs().max() <= 1e-10 * size


@pytest.mark.parametrize("name", RELAXED)
def test_a_step_of_the_supernet_moves_alpha_and_weights(name):
    space = SPACES[name]
    task = task_for(space)
    x, y = batch_for(task)
    supernet = Supernet(space, task, seed=0)
    alpha = new_alpha(space, 0, scale=0.1)
    loss = loss_of(supernet(x, softmax(alpha)), y)
    loss.backward()
    assert loss.isfinite()
    moved = [name for name, row in alpha.items() if row.grad is not None and row.grad.abs().max() > 0]
    rows = [row.name for row in space.rows if len(row.options) > 1]
    assert len(moved) >= 0.9 * len(rows)
    assert all(weight.grad.isfinite().all() for weight in supernet.parameters() if weight.grad is not None)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in RELAXED])
def test_a_supernet_of_a_space_without_relaxed_view_is_refused(name):
    with pytest.raises(ValueError, match=r"must have a relaxed view: .*nb\.evaluators"):
        Supernet(SPACES[name], task_for(SPACES[name]))
