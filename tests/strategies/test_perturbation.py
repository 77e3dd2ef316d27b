"""Derivation by perturbation (Wang et al. 2021): what counts is the accuracy that is lost without an option."""

from __future__ import annotations

import pytest
import torch

from nbnas import spaces
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.strategies import Darts
from nbnas.strategies.perturbation import importance, without
from nbnas.testing import tiny_task

OPERATIONS = ("none", "skip", "conv_1x1", "conv_3x3")
SPACE = SearchSpace("one edge", CellNetwork(2, OPERATIONS, channels=2, cells=1, stages=1))


def bound(space=SPACE, epochs=1):
    task = tiny_task().bind("cpu")
    settings = Darts(batch=16, derivation="perturbation")
    return settings.bind(space, settings.make_supernet(space, task, 0), task, 0, epochs)


def test_the_shares_of_the_others_grow_to_the_same_sum():
    left = without(torch.tensor([0.1, 0.2, 0.3, 0.4]), 3)
    assert left.tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6, 0])
    assert without(torch.tensor([0.0, 1.0]), 1).tolist() == [0, 0]


def test_the_option_that_carries_the_accuracy_is_derived_although_its_alpha_is_the_smallest():
    """Alpha is not strength: the supernet is right only while it has conv_1x1, whose share is small."""
    strategy = bound()
    with torch.no_grad():
        strategy.alpha["edge_0_1"][:] = torch.tensor([0.0, 2.0, -1.0, 1.0])
    halves = strategy.alpha_half

    def forward(x, mixture):
        logits = torch.zeros(len(x), 3)
        right = mixture["edge_0_1"][2] > 0
        places = [int((x[i] == halves.x).flatten(1).all(1).nonzero()[0]) for i in range(len(x))]
        logits[torch.arange(len(x)), halves.y[places] if right else (halves.y[places] + 1) % 3] = 1.0
        return logits

    strategy.supernet = _Callable(forward)
    values = importance(strategy)
    assert values["edge_0_1"] == pytest.approx([0.0, 0.0, 1.0, 0.0], abs=1e-5)
    strategy.done = 1
    assert strategy.space.options(strategy.derive()) == {"edge_0_1": "conv_1x1"}
    strategy.done = 0  # before the end it is argmax
    assert strategy.space.options(strategy.derive()) == {"edge_0_1": "skip"}


class _Callable:
    training = True

    def __init__(self, forward):
        self.forward = forward

    def __call__(self, x, mixture):
        return self.forward(x, mixture)

    def eval(self):
        return self

    def train(self, mode=True):
        return self


def test_values_are_differences_of_accuracies_and_a_row_is_settled_before_the_next():
    space = spaces.nas_bench_201(channels=2, cells=1)
    strategy = bound(space)
    seen = []
    original = strategy.supernet.forward

    def watched(x, mixture):
        seen.append({name: row.clone() for name, row in mixture.items()})
        return original(x, mixture)

    strategy.supernet.forward = watched
    values = importance(strategy)
    assert list(values) == [row.name for row in space.rows]
    assert all(-1 <= value <= 1 for row in values.values() for value in row)
    settled = [sum(float(row.max()) == 1.0 for row in mixture.values()) for mixture in seen]
    assert settled == sorted(settled)
    assert settled[-1] == 5
    assert importance(strategy) == values  # deterministic
