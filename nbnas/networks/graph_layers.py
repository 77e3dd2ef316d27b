"""Layers that pass messages along the edges of a graph, in plain torch, as NAS-Bench-Graph uses them.

- gcn: Kipf & Welling, Semi-Supervised Classification with Graph Convolutional Networks, ICLR 2017, arXiv:1609.02907.
- gat: Velickovic et al., Graph Attention Networks, ICLR 2018, arXiv:1710.10903.
- gin: Xu, Hu, Leskovec & Jegelka, How Powerful are Graph Neural Networks?, ICLR 2019, arXiv:1810.00826.
- cheb: Defferrard, Bresson & Vandergheynst, Convolutional Neural Networks on Graphs with Fast Localized Spectral
  Filtering, NeurIPS 2016, arXiv:1606.09375.
- sage: Hamilton, Ying & Leskovec, Inductive Representation Learning on Large Graphs, NeurIPS 2017, arXiv:1706.02216.
- arma: Bianchi, Grattarola, Livi & Alippi, Graph Neural Networks with Convolutional ARMA Filters, TPAMI 2021,
  arXiv:1901.01343.
- graph: Morris et al., Weisfeiler and Leman Go Neural: Higher-order Graph Neural Networks, AAAI 2019,
  arXiv:1810.02244: the k-GNN with k = 1.

Differs from the papers, as the benchmark does: gin is one linear layer with epsilon 0; cheb has two terms and takes 2
for the largest eigenvalue; sage takes the mean of all neighbours and does not normalise; arma has one stack of one
layer; gat has no dropout of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

__all__ = ["LAYERS", "Neighbours", "graph_layer"]


class Neighbours(nn.Module):
    """The edges of a graph, along which values are summed.

    They are buffers that are no part of a state: they belong to the task, not to the weights.

    Args:
        edges: pairs (source, target), shape (2, edges), no loops.
        nodes: the number of nodes.
    """

    source: Tensor
    target: Tensor
    degree: Tensor

    def __init__(self, edges: Tensor, nodes: int) -> None:
        super().__init__()
        loops = torch.arange(nodes, device=edges.device)
        self.edges, self.count = edges.shape[1], nodes
        # Loops come last, so that the edges alone are the first ones.
        self.register_buffer("source", torch.cat([edges[0], loops]), persistent=False)
        self.register_buffer("target", torch.cat([edges[1], loops]), persistent=False)
        degree = torch.zeros(nodes, device=edges.device).index_add(0, edges[1], torch.ones_like(edges[1]).float())
        self.register_buffer("degree", degree, persistent=False)

    def ends(self, loops: bool) -> tuple[Tensor, Tensor]:
        """Source and target of all edges, shapes (edges,), perhaps followed by the loops."""
        return (self.source, self.target) if loops else (self.source[: self.edges], self.target[: self.edges])

    def sum(self, messages: Tensor, loops: bool) -> Tensor:
        """For each node the sum of what its edges bring: (edges, features) to (nodes, features)."""
        target = self.ends(loops)[1]
        return messages.new_zeros(self.count, *messages.shape[1:]).index_add(0, target, messages)

    def neighbours(self, x: Tensor) -> Tensor:
        """For each node the sum of its neighbours' values: A x."""
        return self.sum(x[self.ends(False)[0]], loops=False)

    def normalised(self, x: Tensor, loops: bool) -> Tensor:
        """D^-1/2 A D^-1/2 x, perhaps of the graph with loops; nodes without edges get 0."""
        source, target = self.ends(loops)
        scale = (self.degree + loops).clamp(min=1).rsqrt()
        return self.sum(x[source] * (scale[source] * scale[target]).unsqueeze(1), loops)


class _Layer(nn.Module):
    """From features (nodes, in_channels) to (nodes, out_channels)."""

    def __init__(self, neighbours: Neighbours, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.bias = nn.Parameter(torch.zeros(out_channels))


def _glorot(in_channels: int, out_channels: int) -> nn.Linear:
    linear = nn.Linear(in_channels, out_channels, bias=False)
    nn.init.xavier_uniform_(linear.weight)
    return linear


class Gcn(_Layer):
    """(D + 1)^-1/2 (A + 1) (D + 1)^-1/2 x W + b."""

    def __init__(self, neighbours: Neighbours, in_channels: int, out_channels: int) -> None:
        super().__init__(neighbours, in_channels, out_channels)
        self.linear = _glorot(in_channels, out_channels)

    @override
    def forward(self, x: Tensor) -> Tensor:
        return self.neighbours.normalised(self.linear(x), loops=True) + self.bias


class Gat(_Layer):
    """Heads that each weigh the neighbours, and the node itself, by attention; concatenated."""

    def __init__(self, neighbours: Neighbours, in_channels: int, out_channels: int, heads: int) -> None:
        super().__init__(neighbours, in_channels, out_channels)
        self.heads = heads
        self.linear = _glorot(in_channels, out_channels)
        self.from_source = nn.Parameter(torch.empty(heads, out_channels // heads))
        self.from_target = nn.Parameter(torch.empty(heads, out_channels // heads))
        for weight in (self.from_source, self.from_target):
            nn.init.xavier_uniform_(weight)

    @override
    def forward(self, x: Tensor) -> Tensor:
        source, target = self.neighbours.ends(loops=True)
        values = self.linear(x).unflatten(1, (self.heads, -1))  # (nodes, heads, features)
        scores = (values * self.from_source).sum(-1)[source] + (values * self.from_target).sum(-1)[target]
        scores = functional.leaky_relu(scores, 0.2)
        places = target.unsqueeze(1).expand_as(scores)
        most = scores.new_zeros(len(x), self.heads).scatter_reduce(0, places, scores, "amax", include_self=False)
        shares = (scores - most.detach()[target]).exp()
        shares = shares / self.neighbours.sum(shares, loops=True)[target]
        summed: Tensor = self.neighbours.sum(shares.unsqueeze(-1) * values[source], loops=True).flatten(1)
        return summed + self.bias


class Gin(nn.Module):
    """(x + A x) W + b."""

    def __init__(self, neighbours: Neighbours, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.linear = nn.Linear(in_channels, out_channels)

    @override
    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = self.linear(x + self.neighbours.neighbours(x))
        return summed


class Cheb(_Layer):
    """x W0 - D^-1/2 A D^-1/2 x W1 + b: two terms, where 2 L / 2 - 1 = -D^-1/2 A D^-1/2."""

    def __init__(self, neighbours: Neighbours, in_channels: int, out_channels: int) -> None:
        super().__init__(neighbours, in_channels, out_channels)
        self.own, self.other = _glorot(in_channels, out_channels), _glorot(in_channels, out_channels)

    @override
    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = self.own(x) - self.neighbours.normalised(self.other(x), loops=False)
        return summed + self.bias


class Sage(nn.Module):
    """x W0 + D^-1 A x W1 + b."""

    def __init__(self, neighbours: Neighbours, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.own = nn.Linear(in_channels, out_channels, bias=False)
        self.other = nn.Linear(in_channels, out_channels)

    @override
    def forward(self, x: Tensor) -> Tensor:
        mean = self.neighbours.neighbours(x) / self.neighbours.degree.clamp(min=1).unsqueeze(1)
        summed: Tensor = self.own(x) + self.other(mean)
        return summed


class Arma(_Layer):
    """ReLU(D^-1/2 A D^-1/2 x W + x V + b)."""

    def __init__(self, neighbours: Neighbours, in_channels: int, out_channels: int) -> None:
        super().__init__(neighbours, in_channels, out_channels)
        self.other, self.own = _glorot(in_channels, out_channels), _glorot(in_channels, out_channels)

    @override
    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.neighbours.normalised(self.other(x), loops=False) + self.own(x) + self.bias)


class KGnn(nn.Module):
    """x W0 + A x W1 + b."""

    def __init__(self, neighbours: Neighbours, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.own = nn.Linear(in_channels, out_channels, bias=False)
        self.other = nn.Linear(in_channels, out_channels)

    @override
    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = self.own(x) + self.other(self.neighbours.neighbours(x))
        return summed


LAYERS: dict[str, Callable[[Neighbours, int, int], nn.Module]] = {
    "gcn": Gcn,
    "gin": Gin,
    "cheb": Cheb,
    "sage": Sage,
    "arma": Arma,
    "graph": KGnn,
    "fc": lambda _, in_channels, out_channels: nn.Linear(in_channels, out_channels),
    "skip": lambda _, in_channels, out_channels: nn.Identity(),
}
"""What makes each operation but gat, which has heads, from (neighbours, in_channels, out_channels)."""


def graph_layer(name: str, neighbours: Neighbours, in_channels: int, out_channels: int, *, heads: int) -> nn.Module:
    """The operation `name`: from (nodes, in_channels) to (nodes, out_channels)."""
    if name == "gat":
        return Gat(neighbours, in_channels, out_channels, heads)
    return LAYERS[name](neighbours, in_channels, out_channels)
