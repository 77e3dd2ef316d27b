"""No network of images or sequences is larger than its component says."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from nbnas import spaces
from nbnas.networks import Supernet, build
from nbnas.spaces import CellNetwork, Chain, Choice, Head, Integer, Network, Repeat, SearchSpace, Stage, Stages, Stem
from nbnas.spaces.bound import Extent

SIZE = 16
SPACES = {
    "nas_bench_201": spaces.nas_bench_201(),
    "wide cells": SearchSpace("s", CellNetwork(5, ("conv_5x5", "skip"), channels=32, cells=1, stages=5)),
    "cells without depth": SearchSpace("s", CellNetwork(2, ("conv_3x3",), channels=8, cells=1, stages=1)),
    "nasnet": spaces.nasnet(),
    "amoebanet": spaces.amoebanet(),
    "darts": spaces.darts(),
    "darts, evaluation": spaces.darts(channels=36, cells=20),
    "enas_micro": spaces.enas_micro(),
    "enas_macro": spaces.enas_macro(),
    "fbnet": spaces.fbnet(),
    "mnasnet": spaces.mnasnet(),
    "mobile": spaces.mobile(),
    "nas_bench_macro": spaces.nas_bench_macro(),
    "nats_size": spaces.nats_size(),
    "metaqnn_chain": spaces.metaqnn_chain(size=SIZE),
    "chain": spaces.chain(),
    "wide chain": SearchSpace("s", Chain(3, 2, (64,), (31,), (512,))),
    "tree": SearchSpace(
        "s",
        Network(
            (
                Stem(Choice(8, 16)),
                Repeat(Stem(8, Choice(1, 31)), Integer(1, 4)),
                Stages(
                    (Stage("mb", 2, Choice(8, 64), expansion=16, squeeze=1.0), Stage(Choice("sep", "conv"), 3, 8, 9))
                ),
                Head(),
            )
        ),
    ),
}


@pytest.mark.parametrize("name", SPACES)
def test_no_network_has_more_parameters_or_modules_than_the_bound(name):
    space = SPACES[name]
    task = SimpleNamespace(input_shape=(3, *[SIZE] * space.dims), classes=3, device=torch.device("meta"))
    bound = space.component.bound(Extent(channels=3, positions=SIZE**space.dims, classes=3, vocabulary=1))
    rng = np.random.default_rng(0)
    networks = [build(space, space.sample(rng), task, seed=0, form="evaluation") for _ in range(10)]
    if space.component.relaxable() is None:
        networks.append(Supernet(space, task, seed=0))
    most = max(sum(weight.numel() for weight in network.parameters()) for network in networks)
    assert most <= bound.parameters <= 300 * most
    assert max(len(list(network.modules())) for network in networks) <= bound.modules
