"""How logits become probabilities (Pham et al. 2018, App. A): divided by the temperature, then bounded."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.strategies.policies import make_policy

SPACE = SearchSpace("one edge", CellNetwork(nodes=2, operations=("none", "skip", "conv_1x1")))
LOGITS = np.array([1.0, -0.5, 0.25])


def probabilities(temperature, tanh_constant):
    policy = make_policy("softmax", SPACE, torch.Generator().manual_seed(0), 4, temperature, tanh_constant)
    with torch.no_grad():
        policy.theta[0].copy_(torch.from_numpy(LOGITS))
        return policy.walk(lambda place, row: 0).rows[0].double().numpy()


def softmax(values):
    return np.exp(values) / np.exp(values).sum()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 5.0])
@pytest.mark.parametrize("tanh_constant", [0.0, 1.1, 2.5])
def test_logits_are_divided_by_the_temperature_and_then_bounded(temperature, tanh_constant):
    expected = LOGITS / temperature
    if tanh_constant:
        expected = tanh_constant * np.tanh(expected)
    assert probabilities(temperature, tanh_constant) == pytest.approx(softmax(expected), abs=1e-6)
