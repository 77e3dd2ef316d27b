"""Scores over a split: the same as over all its items, or positions, at once."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from nbnas.evaluators.fit import fit_epoch, score, sgd
from nbnas.tasks import Data, Graph, Split
from nbnas.tasks.bound import BoundTask

CPU = torch.device("cpu")
LABELS = ("a", "b", "c")


def by_hand(logits, y):
    """Accuracy and mean loss, one target after another."""
    rows, classes = logits.reshape(-1, logits.shape[-1]).tolist(), y.flatten().tolist()
    right = sum(row.index(max(row)) == label for row, label in zip(rows, classes, strict=True))
    loss = sum(
        math.log(sum(math.exp(value) for value in row)) - row[label] for row, label in zip(rows, classes, strict=True)
    )
    return {"accuracy": pytest.approx(right / len(rows)), "loss": pytest.approx(loss / len(rows), rel=1e-5)}


def of_tokens(positions):
    rng = np.random.default_rng(0)

    def split(items):
        return Split(rng.integers(7, size=(items, 5)), rng.integers(3, size=(items, 5) if positions else items))

    return BoundTask(Data(split(20), split(13), split(4), 3, LABELS, vocabulary=7), CPU)


class Averaged(nn.Module):
    """Logits of an item: the mean of those of its positions."""

    def __init__(self):
        super().__init__()
        self.each = nn.Embedding(7, 3)

    def forward(self, x):
        return self.each(x).mean(dim=1)


@pytest.mark.parametrize("batch", [1, 4, 13, 512])
@pytest.mark.parametrize("positions", [True, False])
def test_score_is_that_of_all_targets_at_once(positions, batch):
    """13 items: with 4 a batch the last one is smaller."""
    torch.manual_seed(0)
    task, network = of_tokens(positions), nn.Embedding(7, 3) if positions else Averaged()
    logits = network(task.valid.x)
    assert logits.shape == ((13, 5, 3) if positions else (13, 3))
    assert score(network, task, task.valid, batch=batch) == by_hand(logits, task.valid.y)


def test_score_over_nodes_reads_the_graph():
    torch.manual_seed(0)
    features = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    parts = [Split(np.arange(start, start + 4), np.arange(4) % 3) for start in (0, 4, 8)]
    task = BoundTask(Data(*parts, 3, LABELS, graph=Graph(features, np.array([[0, 5], [5, 0]]))), CPU)

    class Rows(nn.Module):
        def forward(self, nodes):
            return task.graph.features[nodes]

    assert score(Rows(), task, task.valid, batch=3) == by_hand(torch.tensor(features[4:8]), task.valid.y)


def test_an_epoch_on_positions_learns_the_frequencies_of_each_token():
    """What follows each token is fixed: the loss falls from that of chance, log 3, towards 0."""
    x = np.random.default_rng(0).integers(7, size=(40, 5))
    split = Split(x, x % 3)
    task, network = BoundTask(Data(split, split, split, 3, LABELS, vocabulary=7), CPU), nn.Embedding(7, 3)
    nn.init.zeros_(network.weight)
    assert score(network, task, task.valid)["loss"] == pytest.approx(math.log(3))
    optimizer, order = sgd(network, 1.0, 0.9, 0.0), torch.Generator().manual_seed(0)
    for _ in range(10):
        for _ in fit_epoch(network, task, task.train, optimizer, order, batch=8, learning_rates=(1.0, 1.0)):
            pass
    found = score(network, task, task.valid)
    assert found["accuracy"] == 1.0
    assert found["loss"] < 0.1
