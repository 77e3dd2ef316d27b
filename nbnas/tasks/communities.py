"""Communities: in which community a node is, told by its noisy features and by those of its neighbours.

The graph is a stochastic block model (P. Holland, K. Laskey, S. Leinhardt, "Stochastic blockmodels: first steps",
Social Networks 5, 1983): communities of equal size, and each pair of nodes has an edge with a probability that depends
only on whether both are in one community.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from nbnas.settings import setting
from nbnas.tasks.data import Data, Graph, Split, stratified
from nbnas.tasks.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Communities"]


@dataclass(frozen=True)
class Communities(Task):
    """Nodes of one graph; the feature vector of a node is the one-hot of its community plus white noise."""

    kind = "communities"
    title = "Communities (1,000 nodes of a graph, 4 classes)"

    nodes: int = setting(1_000, "Nodes of the graph, all splits together.", minimum=100, maximum=3_000)
    communities: int = setting(4, "Number of communities, the classes.", minimum=2, maximum=10)
    degree: float = setting(10.0, "Mean number of neighbours.", minimum=1, maximum=40)
    within: float = setting(0.55, "Share of edges that stay within a community.", minimum=0, maximum=1)
    noise: float = setting(0.8, "Standard deviation of the noise on features.", minimum=0, maximum=10)
    graph_seed: int = setting(0, "Seed of edges and features.", minimum=0, maximum=2**32 - 1)
    valid_fraction: float = setting(0.3, "Share of all nodes that a search scores on.", minimum=0.05, maximum=0.4)
    test_fraction: float = setting(0.5, "Share of all nodes kept for the final report.", minimum=0.05, maximum=0.5)
    split_seed: int = setting(0, "Seed of the split, which is stratified by class.", minimum=0, maximum=2**32 - 1)

    @override
    def check(self) -> None:
        size = self.nodes // self.communities
        if self.degree * self.within > size - 1 or self.degree * (1 - self.within) > self.nodes - size - 1:
            self.fail("degree", f"below the number of nodes to choose from, about {size} within a community")

    @override
    def make(self) -> Data:
        rng = np.random.RandomState(self.graph_seed)
        y = rng.permutation(np.arange(self.nodes, dtype=np.int64) % self.communities)
        edges = self._edges(y, rng)
        noise = rng.standard_normal((self.nodes, self.communities))
        # Multiples of 2^-12: every machine has the same bits.
        features = np.rint((np.eye(self.communities)[y] + self.noise * noise) * 2.0**12) / 2.0**12
        test, valid, train = stratified(y, (self.test_fraction, self.valid_fraction), self.split_seed)
        return Data(
            Split(train, y[train]),
            Split(valid, y[valid]),
            Split(test, y[test]),
            classes=self.communities,
            labels=tuple(f"community {number}" for number in range(1, self.communities + 1)),
            graph=Graph(features.astype(np.float32), edges),
        )

    def _edges(self, y: NDArray[np.int64], rng: np.random.RandomState) -> NDArray[np.int64]:
        source, target = np.triu_indices(len(y), 1)
        same = y[source] == y[target]
        ends = self.nodes * self.degree / 2  # expected number of edges
        probability = np.where(same, ends * self.within / same.sum(), ends * (1 - self.within) / (~same).sum())
        drawn = rng.random_sample(len(source)) < probability
        pairs = np.stack([source[drawn], target[drawn]])
        return np.concatenate([pairs, pairs[::-1]], axis=1).astype(np.int64)
