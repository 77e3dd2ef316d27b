"""Layered drawing of a directed acyclic graph in which every edge label is a node of its own.

After K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical system structures", IEEE Trans.
SMC 11 (1981): layers by longest path, order by barycentres, places by least squares. Nodes stand in the even layers,
labels in the odd ones. A layer is as thick as its widest item and an edge crosses it at a place that is its own, bending
only between layers. So no label, node or edge ever covers a label: by construction, for every graph.

Coordinates are (along, across): along the direction of the edges, and across it.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Link", "Point", "Size", "place"]

SWEEPS = 12
GAP = 12.0  # across, between items of a layer
PORT_GAP = 10.0  # across, between the ends of edges at a node
ARRIVAL = 10.0  # along, the straight last part of an edge: an arrow head fits on it


class Point(NamedTuple):
    along: float
    across: float


class Size(NamedTuple):
    along: float
    across: float


class Link(NamedTuple):
    """One edge; nodes are meant by their number. `label` is None when it has none."""

    source: int
    target: int
    label: Size | None


class Placed(NamedTuple):
    """Centres of nodes, centres of labels, and for each edge the points at which it runs straight along.

    A route lists pairs: from the first point of a pair to the second the edge is straight, to the next pair it bends.
    """

    nodes: tuple[Point, ...]
    labels: tuple[Point | None, ...]
    routes: tuple[tuple[Point, ...], ...]
    sizes: tuple[Size, ...]  # of nodes, which grow with the number of their edges
    size: Size


@dataclass(eq=False)
class _Item:
    """What takes a place in a layer: a node, a label, or an edge on its way through (of size zero)."""

    layer: int
    size: Size
    before: list[_Item] = field(default_factory=list)
    after: list[_Item] = field(default_factory=list)
    across: float = 0.0
    rank: int = 0

    @property
    def pull(self) -> float:
        """How strongly it straightens the edge through it: bends are worse in an edge than at its ends."""
        return 1.0 if self.size.across and len(self.before) + len(self.after) > 2 else 3.0


def place(nodes: Sequence[Size], links: Sequence[Link]) -> Placed:
    """Places nodes, labels and edges; deterministic.

    Args:
        nodes: the size of each node, in topological order: each link leads from a smaller to a larger number.
        links: the edges; several may join the same two nodes.
    """
    sizes = _with_room_for_ports(nodes, links)
    ranks = _ranks(len(nodes), links)
    items = [_Item(2 * rank, size) for rank, size in zip(ranks, sizes, strict=True)]
    chains = _chains(items, links)
    layers: list[list[_Item]] = [[] for _ in range(2 * max(ranks, default=0) + 1)]
    for item in dict.fromkeys(item for chain in (*([item] for item in items), *chains) for item in chain):
        layers[item.layer].append(item)
    _order(layers)
    _spread(layers)
    edges = _layer_edges(layers)
    ports = _ports(items, chains)
    routes = []
    for number, chain in enumerate(chains):
        source, *through, target = chain
        begin, end = ports[number]
        route = [_side(source, edges, begin, 1), Point(edges[source.layer][1], begin)]
        for item in through:
            route += [Point(side, item.across) for side in edges[item.layer]]
        route += [Point(edges[target.layer][0] - ARRIVAL, end), _side(target, edges, end, -1)]
        routes.append(tuple(route))
    centre = [(start + stop) / 2 for start, stop in edges]
    labels = [next((item for item in chain[1:-1] if item.size.across), None) for chain in chains]
    return Placed(
        nodes=tuple(Point(centre[item.layer], item.across) for item in items),
        labels=tuple(item and Point(centre[item.layer], item.across) for item in labels),
        routes=tuple(routes),
        sizes=tuple(sizes),
        size=Size(edges[-1][1], max((i.across + i.size.across / 2 for layer in layers for i in layer), default=0.0)),
    )


def _with_room_for_ports(nodes: Sequence[Size], links: Sequence[Link]) -> list[Size]:
    leaving: dict[int, int] = defaultdict(int)
    entering: dict[int, int] = defaultdict(int)
    for link in links:
        leaving[link.source] += 1
        entering[link.target] += 1
    most = [max(leaving[node], entering[node], 1) for node in range(len(nodes))]
    return [Size(s.along, max(s.across, PORT_GAP * (m + 1))) for s, m in zip(nodes, most, strict=True)]


def _ranks(count: int, links: Sequence[Link]) -> list[int]:
    """The longest path to each node."""
    ranks = [0] * count
    for link in sorted(links, key=lambda link: link.source):
        ranks[link.target] = max(ranks[link.target], ranks[link.source] + 1)
    return ranks


def _chains(nodes: Sequence[_Item], links: Sequence[Link]) -> list[list[_Item]]:
    """Each edge as a chain of items, one a layer. A label goes where few are, in the middle of its edge if it can."""
    load: dict[int, int] = defaultdict(int)
    chains: dict[int, list[_Item]] = {}
    spans = {number: nodes[link.target].layer - nodes[link.source].layer for number, link in enumerate(links)}
    for number in sorted(spans, key=lambda number: (spans[number], number)):  # short edges have the least choice
        link = links[number]
        source, target = nodes[link.source], nodes[link.target]
        middle = (source.layer + target.layer) / 2
        at = min(range(source.layer + 1, target.layer, 2), key=lambda layer: (load[layer], abs(layer - middle), layer))
        load[at] += link.label is not None
        chain = [source]
        for layer in range(source.layer + 1, target.layer):
            chain.append(_Item(layer, link.label if link.label and layer == at else Size(0, 0)))
        chains[number] = [*chain, target]
        for one, other in zip(chains[number], chains[number][1:], strict=False):
            one.after.append(other)
            other.before.append(one)
    return [chains[number] for number in range(len(links))]


def _order(layers: list[list[_Item]]) -> None:
    """Orders each layer so that few edges cross, by sweeps of barycentres; keeps the best order seen."""
    _number(layers)
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for layer in layers if forward else reversed(layers):
            keys = {id(item): _barycentre(item, item.before if forward else item.after) for item in layer}
            layer.sort(key=lambda item: keys[id(item)])
            _number([layer])
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
        if not fewest:
            break
    layers[:] = best
    _number(layers)


def _number(layers: list[list[_Item]]) -> None:
    for layer in layers:
        for rank, item in enumerate(layer):
            item.rank = rank


def _barycentre(item: _Item, neighbours: Sequence[_Item]) -> float:
    return sum(other.rank for other in neighbours) / len(neighbours) if neighbours else item.rank


def _crossings(layers: list[list[_Item]]) -> int:
    """How many pairs of edges cross between neighbouring layers."""
    total = 0
    for layer in layers:
        seen: list[int] = []
        for end in (end for item in layer for end in sorted(other.rank for other in item.after)):
            total += len(seen) - bisect_right(seen, end)
            insort(seen, end)
    return total


def _spread(layers: list[list[_Item]]) -> None:
    """Gives each item its place across: near its neighbours, in order, with gaps; the smallest place is 0."""
    for layer in layers:
        _settle(layer, [0.0] * len(layer))
    for sweep in range(2 * SWEEPS):
        forward, last = sweep % 2 == 0, sweep >= 2 * SWEEPS - 4
        for layer in layers if forward else reversed(layers):
            wishes = []
            for item in layer:
                near = item.before + item.after if last else item.before if forward else item.after
                weight = sum(other.pull for other in near)
                wishes.append(sum(o.pull * o.across for o in near) / weight if near else item.across)
            _settle(layer, wishes)
    top = min((item.across - item.size.across / 2 for layer in layers for item in layer), default=0.0)
    for layer in layers:
        for item in layer:
            item.across -= top


def _settle(layer: Sequence[_Item], wishes: Sequence[float]) -> None:
    """The places nearest to the wishes (least squares) that keep order and gaps: isotonic regression, pooled."""
    offsets = [0.0]
    for one, other in zip(layer, layer[1:], strict=False):
        offsets.append(offsets[-1] + (one.size.across + other.size.across) / 2 + GAP)
    pools: list[tuple[float, float, int]] = []  # sum of weighted wishes, weight, members
    for item, wish, offset in zip(layer, wishes, offsets, strict=True):
        pool = ((wish - offset) * item.pull, item.pull, 1)
        while pools and pools[-1][0] / pools[-1][1] >= pool[0] / pool[1]:
            last = pools.pop()
            pool = (last[0] + pool[0], last[1] + pool[1], last[2] + pool[2])
        pools.append(pool)
    places = [total / weight for total, weight, members in pools for _ in range(members)]
    for item, at, offset in zip(layer, places, offsets, strict=True):
        item.across = at + offset


def _layer_edges(layers: list[list[_Item]]) -> list[tuple[float, float]]:
    """Where each layer starts and ends, along. Steep bends between two layers get more room."""
    edges: list[tuple[float, float]] = []
    at = 0.0
    for layer in layers:
        steps = [abs(item.across - other.across) for item in layer for other in item.before]
        at += ARRIVAL + min(16.0 + 0.2 * max(steps), 46.0) if steps else 0.0
        thickness = max((item.size.along for item in layer), default=0.0)
        edges.append((at, at + thickness))
        at += thickness
    return edges


def _ports(nodes: Sequence[_Item], chains: Sequence[Sequence[_Item]]) -> list[tuple[float, float]]:
    """Where each edge leaves its source and enters its target, across: side by side, in the order of their ways."""
    ports: list[list[float]] = [[0.0, 0.0] for _ in chains]
    for end, neighbour in ((0, 1), (-1, -2)):
        meeting: dict[int, list[int]] = defaultdict(list)
        for number, chain in enumerate(chains):
            meeting[id(chain[end])].append(number)
        for node in nodes:
            numbers = sorted(meeting[id(node)], key=lambda number: (chains[number][neighbour].across, number))
            for place, number in enumerate(numbers):
                ports[number][end] = node.across + PORT_GAP * (place - (len(numbers) - 1) / 2)
    return [(begin, end) for begin, end in ports]


def _side(node: _Item, edges: list[tuple[float, float]], across: float, sign: int) -> Point:
    """The point at the side of a node where an edge leaves (sign 1) or enters (sign -1)."""
    start, stop = edges[node.layer]
    return Point((start + stop) / 2 + sign * node.size.along / 2, across)
