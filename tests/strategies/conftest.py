"""Tiny spaces and policies in double precision."""

from __future__ import annotations

import pytest
import torch

from nbnas import spaces
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.strategies.policies import LstmPolicy, Policy, SoftmaxPolicy

PLAIN = SearchSpace("plain", CellNetwork(3, ("none", "skip", "conv_1x1")))
"""27 architectures."""
CONDITIONAL = spaces.chain(2, 1, widths=(4, 8), kernels=(3,), dense_widths=(8,), activations=("relu",))
"""24 architectures of different numbers of decisions."""


@pytest.fixture
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(params=[PLAIN, CONDITIONAL], ids=["plain", "conditional"])
def space(request) -> SearchSpace:
    return request.param


@pytest.fixture(params=["softmax", "lstm"])
def controller(request) -> str:
    return request.param


@pytest.fixture
def policy(double_precision, space, controller) -> Policy:
    """A policy that is far from uniform."""
    generator = torch.Generator().manual_seed(1)
    made = SoftmaxPolicy(space, generator) if controller == "softmax" else LstmPolicy(space, generator, 3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += torch.randn(parameter.shape, generator=generator)
    return made
