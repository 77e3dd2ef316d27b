"""Graph convolutions on Cora: the two-layer network of Kipf & Welling, made of the graph layers of the package.

    NBNAS_DATA=… python benchmarks/cora.py --out cora.json

Kipf & Welling, Semi-Supervised Classification with Graph Convolutional Networks, ICLR 2017, Table 2: 81.5 % on test
with the public split (20 nodes a class to train, 500 valid, 1,000 test). Their settings: 16 hidden units, dropout 0.5,
L2 0.0005 on the first layer, Adam 0.01, 200 epochs, rows of features sum to 1.

Differs from the paper: test is read at the epoch of the best valid loss, instead of stopping there after a while.
`NBNAS_DATA` is a folder with `graphs/cora.npz`.
"""

import os

# Before torch loads: results depend on the number of threads.
os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nbnas.networks.graph_layers import Neighbours, graph_layer
from nbnas.networks.seeding import Seeded
from nbnas.tasks import Task, from_graph
from nbnas.tasks.bound import BoundTask

PUBLISHED = 81.5


def cora(folder: Path) -> Task:
    """Cora with its public split; rows of features sum to 1."""
    data = np.load(folder / "graphs" / "cora.npz")
    features = np.zeros(data["x_shape"], dtype=np.float32)
    rows = np.repeat(np.arange(len(features)), np.diff(data["x_indptr"]))
    features[rows, data["x_indices"]] = 1.0
    features /= features.sum(axis=1, keepdims=True).clip(min=1.0)
    masks = {part: data[f"{name}_mask"] for part, name in (("train", "train"), ("valid", "val"), ("test", "test"))}
    return from_graph(features, data["edges"].T, data["label"].astype(np.int64), **masks, name="cora")


class KipfWelling(nn.Module):
    """Dropout, graph convolution, ReLU, dropout, graph convolution."""

    def __init__(self, task: BoundTask, hidden: int = 16, dropout: float = 0.5) -> None:
        super().__init__()
        features, edges = task.graph
        neighbours = Neighbours(edges, len(features))
        self.features = features
        self.first = graph_layer("gcn", neighbours, features.shape[1], hidden, heads=1)
        self.second = graph_layer("gcn", neighbours, hidden, task.classes, heads=1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """From numbers of nodes (batch,) to logits (batch, classes)."""
        hidden = functional.relu(self.first(self.dropout(self.features)))
        return self.second(self.dropout(hidden))[x]


def accuracy(task: BoundTask, seed: int, epochs: int) -> float:
    """Test accuracy in [0, 1] of one training, at the epoch of the lowest valid loss."""
    with Seeded(seed):
        network = KipfWelling(task)
    torch.manual_seed(seed)  # of dropout
    groups = [{"params": network.first.parameters(), "weight_decay": 5e-4}, {"params": network.second.parameters()}]
    optimizer = torch.optim.Adam(groups, lr=0.01)
    found: list[tuple[float, float]] = []
    for _ in range(epochs):
        network.train()
        optimizer.zero_grad()
        task.loss(network(task.train.x), task.train.y).backward()
        optimizer.step()
        network.eval()
        with torch.no_grad():
            valid, test = network(torch.cat([task.valid.x, task.test.x])).split([len(task.valid.x), len(task.test.x)])
        found.append((task.metrics(valid, task.valid.y)["loss"], task.metrics(test, task.test.y)["accuracy"]))
    return min(found, key=lambda pair: pair[0])[1]


def main() -> None:
    """Prints mean and standard deviation over seeds, and writes all accuracies as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("NBNAS_DATA"), help="default: NBNAS_DATA")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("--data, or NBNAS_DATA, must name the folder of the data")
    start, task = time.process_time(), cora(Path(arguments.data)).bind("cpu", with_test=True)
    accuracies = [100 * accuracy(task, seed, arguments.epochs) for seed in range(arguments.seeds)]
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    print(f"two-layer GCN on Cora, test: {statistics.mean(accuracies):.2f} ± {spread:.2f} % (published {PUBLISHED})")
    print(f"{len(accuracies)} seeds, {time.process_time() - start:.0f} CPU s")
    if arguments.out is not None:
        arguments.out.write_text(json.dumps({"test": accuracies}, indent=2) + "\n")


if __name__ == "__main__":
    main()
