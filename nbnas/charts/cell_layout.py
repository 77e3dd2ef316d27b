"""Where the nodes, labels and edges of a cell graph stand; how they look stands in `nbnas.charts.cell_graph`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import east_asian_width

from nbnas.charts.layered import Link, Point, Size, place
from nbnas.errors import SpaceError

if TYPE_CHECKING:
    import networkx

__all__ = ["XY", "Box", "CellLayout", "PlacedEdge", "PlacedNode", "layout"]

# In pixels.
WIDE = 900.0  # what is wider runs downwards, or in rows if it is a chain
MARGIN, STEP, TURN = 10.0, 24.0, 20.0  # around all, between the items of a row, where a row turns to the next
NODE_HEIGHT, LABEL_HEIGHT, ROW_HEIGHT = 28.0, 22.0, 62.0
CHARACTER = 7.3  # the width of one in the 12 px monospace font of all texts (the widest of the usual ones)
LONGEST = 28  # characters of a text


class XY(NamedTuple):
    """A point, from the top left corner."""

    x: float
    y: float


class Box(NamedTuple):
    """A rectangle around the point (x, y)."""

    x: float
    y: float
    width: float
    height: float


class PlacedNode(NamedTuple):
    """A node; `role` is "input" (nothing enters), "output" (nothing leaves) or "inner"."""

    key: Any
    text: str
    role: str
    box: Box


class PlacedEdge(NamedTuple):
    """An edge. `curve` is a start point, then three points for each cubic Bézier segment; the last one is straight."""

    source: Any
    target: Any
    operation: str | None
    text: str | None
    weight: float | None
    options: Mapping[str, float]
    curve: tuple[XY, ...] = ()
    label: Box | None = None


class CellLayout(NamedTuple):
    """All that is drawn. Places depend on the names in the graph, never on weights: nothing jumps while they change."""

    nodes: tuple[PlacedNode, ...]
    edges: tuple[PlacedEdge, ...]
    width: float
    height: float


class _Places(NamedTuple):
    nodes: Sequence[Box]
    labels: Sequence[Box | None]
    curves: Sequence[tuple[XY, ...]]
    width: float
    height: float


def layout(graph: networkx.DiGraph) -> CellLayout:
    """Places a directed acyclic graph (`DiGraph` or `MultiDiGraph`).

    Node attribute: `label` (default: the node). Edge attributes, all optional: `operation` (its label), `options` (the
    probability of each operation; the edge then shows that of `operation`, or else the most probable one) and `weight`
    in [0, 1] (default: the probability shown).

    Raises:
        SpaceError: the graph has a cycle, or it is not directed.
    """
    import networkx

    if not graph.is_directed() or not networkx.is_directed_acyclic_graph(graph):
        raise SpaceError("a cell graph must be directed and without cycles, got one that is not. Turn edges round")
    first = {key: place for place, key in enumerate(graph)}
    keys = list(networkx.lexicographical_topological_sort(graph, key=first.__getitem__))
    order = {key: place for place, key in enumerate(keys)}
    texts = [_clip(str(graph.nodes[key].get("label", key))) for key in keys]
    edges = [_edge(source, target, attributes) for source, target, attributes in graph.edges(data=True)]
    sizes = [Size(max(_width(text) + 16, NODE_HEIGHT), NODE_HEIGHT) for text in texts]
    links = [Link(order[edge.source], order[edge.target], _label_size(edge)) for edge in edges]
    if sorted((link.source, link.target) for link in links) == list(pairwise(range(len(keys)))):
        places = _in_rows(sizes, links)
    else:
        places = _in_layers(sizes, links, downwards=False)
        if places.width > WIDE:
            places = min(places, _in_layers(sizes, links, downwards=True), key=lambda places: places.width)
    return CellLayout(
        nodes=tuple(
            PlacedNode(key, text, _role(graph, key), box)
            for key, text, box in zip(keys, texts, places.nodes, strict=True)
        ),
        edges=tuple(
            edge._replace(curve=curve, label=label)
            for edge, curve, label in zip(edges, places.curves, places.labels, strict=True)
        ),
        width=places.width + 2 * MARGIN,
        height=places.height + 2 * MARGIN,
    )


def _role(graph: networkx.DiGraph, key: Any) -> str:
    if not graph.in_degree(key):
        return "input"
    return "inner" if graph.out_degree(key) else "output"


def _edge(source: Any, target: Any, attributes: Mapping[str, Any]) -> PlacedEdge:
    operation, options = attributes.get("operation"), dict(attributes.get("options") or {})
    if operation is None and options:
        operation = max(options, key=lambda name: options[name])
    weight = attributes.get("weight", options.get(operation))
    text = None if operation is None else _clip(str(operation))
    if text is not None and operation in options:
        text += f" {options[operation]:.2f}".replace(" 0.", " .")
    return PlacedEdge(source, target, operation, text, weight, options)


def _label_size(edge: PlacedEdge) -> Size | None:
    """Room for the longest text that the label can come to show."""
    if edge.text is None:
        return None
    texts = [edge.text, *(f"{_clip(name)} 0.00" for name in edge.options)]
    return Size(max(map(_width, texts)) + 14, LABEL_HEIGHT)


def _clip(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _width(text: str) -> float:
    return CHARACTER * sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _in_layers(sizes: Sequence[Size], links: Sequence[Link], *, downwards: bool) -> _Places:
    """Layer after layer to the right, or downwards: then what is along is y, and all sizes are turned."""

    def turned(size: Size) -> Size:
        return Size(size.across, size.along) if downwards else size

    def point(at: Point) -> XY:
        return XY(at.across, at.along) if downwards else XY(at.along, at.across)

    placed = place(
        [turned(size) for size in sizes],
        [link._replace(label=link.label and turned(link.label)) for link in links],
    )
    width, height = turned(placed.size)
    return _Places(
        [Box(*point(at), *turned(size)) for at, size in zip(placed.nodes, placed.sizes, strict=True)],
        [at and link.label and Box(*point(at), *link.label) for at, link in zip(placed.labels, links, strict=True)],
        [tuple(point(at) for at in _bend(route)) for route in placed.routes],
        width,
        height,
    )


def _bend(route: Sequence[Point]) -> list[Point]:
    """Cubic segments through the points of a route: straight within its pairs, bent between them."""
    curve = [route[0]]
    for number, (one, other) in enumerate(pairwise(route)):
        if one == other:
            continue
        middle = (one.along + other.along) / 2
        handles = (middle, one.across), (middle, other.across)
        if number % 2 == 0:
            handles = one, other
        curve += [Point(*handles[0]), Point(*handles[1]), other]
    return curve


def _in_rows(sizes: Sequence[Size], links: Sequence[Link]) -> _Places:
    """A chain, in rows from left to right like text; where a row ends, the edge leads back to the start of the next."""
    labels: list[Box | None] = [None] * len(links)
    curves: list[tuple[XY, ...]] = [()] * len(links)
    steps = [STEP + (link.label.along + STEP if link.label else 0) for link in links]
    wraps = sum(size.along for size in sizes) + sum(steps) > WIDE
    left, y = TURN if wraps else 0.0, NODE_HEIGHT / 2
    nodes, x = [Box(left + size.along / 2, y, *size) for size in sizes[:1]], left + sum(s.along for s in sizes[:1])
    right = x
    for number in sorted(range(len(links)), key=lambda number: links[number].source):
        node, label = sizes[links[number].target], links[number].label
        curve = [XY(x, y)]
        if x + steps[number] + node.along > WIDE and x > left:
            curve += _turn(x, left, y)
            x, y = left - STEP, y + ROW_HEIGHT
        if label:
            labels[number] = Box(x + STEP + label.along / 2, y, *label)
        x += steps[number]
        curves[number] = (*curve, curve[-1], XY(x, y), XY(x, y))
        nodes.append(Box(x + node.along / 2, y, *node))
        x += node.along
        right = max(right, x)
    return _Places(nodes, labels, curves, right + left, y + NODE_HEIGHT / 2)


def _turn(x: float, left: float, y: float) -> list[XY]:
    """From the end of a row through the gap below it to the start of the next: half a circle, a line, half a circle."""
    middle, below, bulge = y + ROW_HEIGHT / 2, y + ROW_HEIGHT, ROW_HEIGHT / 3  # 4/3 of the radius: nearly a circle
    out = [XY(x + bulge, y), XY(x + bulge, middle), XY(x, middle)]
    back = [XY(left - bulge, middle), XY(left - bulge, below), XY(left, below)]
    return [*out, XY(x, middle), XY(left, middle), XY(left, middle), *back]
