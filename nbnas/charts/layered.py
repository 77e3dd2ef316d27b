"""Layered drawing of a directed acyclic graph in which every edge label is a node of its own.

Layers by longest path and order by barycentres after K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding
of hierarchical system structures", IEEE Trans. SMC 11 (1981); places by a linear program after E. Gansner et al., "A
technique for drawing directed graphs", IEEE Trans. Software Eng. 19 (1993).

Nodes stand in the even layers, labels in the odd ones. A layer is as thick as its widest item, and an edge crosses it
at a place that is its own, bending only between layers. So no label, node or edge ever covers a label: by construction,
for every graph.

Coordinates are (along, across): along the direction of the edges, and across it.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Link", "Point", "Size", "place"]

SWEEPS = 12
CENTRING = 0.5  # how strongly nodes are drawn to the mean of their neighbours
GAP = 12.0  # across, between items of a layer
PORT_GAP = 10.0  # across, between the ends of edges at a node
ARRIVAL = 10.0  # along, the straight last part of an edge: an arrow head fits on it


class Point(NamedTuple):
    """A place."""

    along: float
    across: float


class Size(NamedTuple):
    """An extent."""

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
        """How strongly an edge through it is straightened: bends are worse within an edge than at its ends."""
        return 1.0 if self.layer % 2 == 0 and self.size.across else 4.0


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
        labels=tuple(Point(centre[item.layer], item.across) if item else None for item in labels),
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
        for one, other in pairwise(chains[number]):
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
    """Gives each item its place across, in order and with gaps, so that the edges bend as little as possible.

    The least sum of weighted absolute bends: it leaves long edges straight, where least squares would share a bend out
    into a staircase. Nodes are also drawn to the mean of their neighbours on either side.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    items = [item for layer in layers for item in layer]
    column = {id(item): number for number, item in enumerate(items)}
    bends: list[tuple[float, list[tuple[_Item, float]]]] = []
    for item in items:
        bends += [(item.pull * other.pull, [(item, 1.0), (other, -1.0)]) for other in item.after]
        for near in (item.before, item.after):
            if len(near) > 1:
                bends.append((CENTRING, [(item, 1.0), *((other, -1 / len(near)) for other in near)]))
    # Each row: a sum of columns that must be at most a limit.
    rows: list[list[tuple[int, float]]] = []
    limits: list[float] = []
    for layer in layers:
        for one, other in pairwise(layer):
            rows.append([(column[id(one)], 1.0), (column[id(other)], -1.0)])
            limits.append(-(one.size.across + other.size.across) / 2 - GAP)
    for number, (_, terms) in enumerate(bends, start=len(items)):
        for sign in (1, -1):
            rows.append([*((column[id(item)], sign * factor) for item, factor in terms), (number, -1.0)])
            limits.append(0.0)
    cells = [(row, at, factor) for row, terms in enumerate(rows) for at, factor in terms]
    factors, places = [factor for *_, factor in cells], ([row for row, *_ in cells], [at for _, at, _ in cells])
    solution = linprog(
        c=[0.0] * len(items) + [weight for weight, _ in bends],
        A_ub=csr_array((factors, places), (len(rows), len(items) + len(bends))),
        b_ub=limits,
        bounds=[(item.size.across / 2, None) for item in items] + [(0, None)] * len(bends),
        method="highs-ds",
    )
    for item, across in zip(items, solution.x, strict=False):
        item.across = float(across)
    top = min((item.across - item.size.across / 2 for item in items), default=0.0)
    for item in items:
        item.across -= top


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
