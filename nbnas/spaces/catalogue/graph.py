"""NAS-Bench-Graph: four nodes, each with one of 9 operations on one earlier node.

Qin, Zhang, Wang, Zhang & Zhu, NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search, NeurIPS 2022 Datasets
and Benchmarks, arXiv:2206.09166. There are 4!·9^4 = 157,464 ways to write a network, of which 26,206 are different,
and one more that only skips.

Differs from the paper: see `nbnas.networks.graph_network`; the benchmark chose layers before and after, width and
dropout for each data set (for Cora pre=0, post=1, channels=256); here they are arguments, light by default.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbnas.errors import SpaceError
from nbnas.spaces.architecture import Architecture
from nbnas.spaces.graph_network import GRAPH_OPERATIONS, GraphNetwork
from nbnas.spaces.space import SearchSpace

__all__ = ["from_links", "graph", "links"]


def graph(
    nodes: int = 4,
    channels: int = 64,
    *,
    operations: tuple[str, ...] = GRAPH_OPERATIONS,
    heads: int = 4,
    pre: int = 1,
    post: int = 1,
    dropout: float = 0.5,
) -> SearchSpace:
    """The space, for tasks that classify the nodes of a graph.

    Args:
        nodes: with one operation each.
        channels: features of each node of the graph between layers.
        operations: what can be applied.
        heads: of gat.
        pre: linear layers before; with 0 there is no relaxed view.
        post: linear layers after the one that takes the concatenated ends.
        dropout: share of features dropped in training.
    """
    component = GraphNetwork(nodes, operations, channels, heads, pre, post, dropout)
    return SearchSpace("graph", component, dims=0)


def from_links(space: SearchSpace, link: Sequence[int], operations: Sequence[str]) -> Architecture:
    """The architecture that the benchmark writes as a link list and a list of operations.

    Args:
        space: made by `graph`.
        link: for each node the node that it takes; 0 is the input. Each takes an earlier one.
        operations: of each node.

    Raises:
        SpaceError: the space has no such network.
    """
    if len(link) != len(operations):
        raise SpaceError(f"operations must be {len(link)}, one a link, got {len(operations)}; in {space.name!r}.")
    chosen = {f"node_{node}/input": source for node, source in enumerate(link, start=1)}
    named = {f"node_{node}/operation": name for node, name in enumerate(operations, start=1)}
    return space.architecture({**chosen, **named})


def links(space: SearchSpace, architecture: Architecture) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The link list and the operations of an architecture: the inverse of `from_links`."""
    component = space.component
    if not isinstance(component, GraphNetwork):
        raise SpaceError(f"space must be one of graph networks, got {space.name!r}. Make it with nb.spaces.graph()")
    steps = component.steps(space.options(architecture))
    return tuple(step.source for step in steps), tuple(step.operation for step in steps)
