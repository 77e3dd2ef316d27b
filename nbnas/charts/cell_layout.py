"""Where the nodes, labels and edges of a cell graph stand; how they look stands in `nbnas.charts.cell_graph`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import east_asian_width

from nbnas.charts.layered import Link, Point, Size, place
from nbnas.errors import SpaceError

if TYPE_CHECKING:
    import networkx

__all__ = ["XY", "Box", "CellLayout", "PlacedEdge", "PlacedNode", "PlacedTitle", "layout", "parted"]

# In pixels.
WIDE = 900.0  # what is wider runs downwards, or in rows if it is a chain
HIGH = 700.0  # several panels beside or below each other should not be much higher
BETWEEN, TITLE_HEIGHT = 28.0, 34.0  # between panels; of the title of a panel and the gap below it
MARGIN, STEP, TURN = 10.0, 24.0, 20.0  # around all, between the items of a row, where a row turns to the next
NODE_HEIGHT, LABEL_HEIGHT, ROW_HEIGHT = 28.0, 22.0, 62.0
CHARACTER = 7.3  # the width of one in the 12 px monospace font of all texts (the widest of the usual ones)
LONGEST = 28  # characters of a text

_SUBSCRIPT = re.compile(r"([^_{}]+)_\{([^_{}]+)\}")


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
    panel: str = ""


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


class PlacedTitle(NamedTuple):
    """The title of a panel, from its left end, in the middle of its line."""

    text: str
    at: XY


class CellLayout(NamedTuple):
    """All that is drawn. Places depend on the names in the graph, never on weights: nothing jumps while they change."""

    nodes: tuple[PlacedNode, ...]
    edges: tuple[PlacedEdge, ...]
    width: float
    height: float
    titles: tuple[PlacedTitle, ...] = ()


class _Places(NamedTuple):
    nodes: Sequence[Box]
    labels: Sequence[Box | None]
    curves: Sequence[tuple[XY, ...]]
    width: float
    height: float


def layout(graph: networkx.DiGraph) -> CellLayout:
    """Places a directed acyclic graph (`DiGraph` or `MultiDiGraph`).

    Node attributes: `label` (default: the node; what stands in `_{…}` at its end is a subscript) and `panel`: what has
    another one is drawn apart, under a title, unless an edge joins them. Edge attributes, all optional: `operation`
    (its label), `options` (the probability of each operation; the edge then shows that of `operation`, or else the most
    probable one) and `weight` in [0, 1] (default: the probability shown).

    Raises:
        SpaceError: the graph has a cycle, or it is not directed.
    """
    import networkx

    if not graph.is_directed() or not networkx.is_directed_acyclic_graph(graph):
        raise SpaceError("a cell graph must be directed and without cycles, got one that is not. Turn edges round")
    panels = _panels(graph)
    if len(panels) < 2:
        placed = _drawing(graph, None)
    else:
        drawings = [
            [_drawing(graph.subgraph(keys), downwards, panel) for panel, keys in panels.items()]
            for downwards in (False, True)
        ]
        ways = [_beside(drawings[0]), *map(_below, drawings), _beside(drawings[1])]
        # The one of which most fits on a screen.
        placed = max(ways, key=lambda way: min(1.0, WIDE / way.width, HIGH / way.height))
    return placed._replace(width=placed.width + 2 * MARGIN, height=placed.height + 2 * MARGIN)


def _panels(graph: networkx.DiGraph) -> dict[str, list[Any]]:
    """The nodes by panel, in the order of the graph; all in one where an edge leads from one panel to another."""
    of = {key: str(data.get("panel", "")) for key, data in graph.nodes(data=True)}
    if any(of[source] != of[target] for source, target in graph.edges()):
        return {"": list(graph)}
    return {panel: [key for key in graph if of[key] == panel] for panel in dict.fromkeys(of.values())}


def _beside(drawings: Sequence[CellLayout]) -> CellLayout:
    starts = accumulate((drawing.width + BETWEEN for drawing in drawings[:-1]), initial=0.0)
    return _joined([_moved(drawing, start, 0.0) for drawing, start in zip(drawings, starts, strict=True)])


def _below(drawings: Sequence[CellLayout]) -> CellLayout:
    starts = accumulate((drawing.height + BETWEEN for drawing in drawings[:-1]), initial=0.0)
    return _joined([_moved(drawing, 0.0, start) for drawing, start in zip(drawings, starts, strict=True)])


def _joined(drawings: Sequence[CellLayout]) -> CellLayout:
    return CellLayout(
        nodes=tuple(node for drawing in drawings for node in drawing.nodes),
        edges=tuple(edge for drawing in drawings for edge in drawing.edges),
        width=max(drawing.width for drawing in drawings),
        height=max(drawing.height for drawing in drawings),
        titles=tuple(title for drawing in drawings for title in drawing.titles),
    )


def _moved(drawing: CellLayout, right: float, down: float) -> CellLayout:
    def point(at: XY) -> XY:
        return XY(at.x + right, at.y + down)

    def box(old: Box) -> Box:
        return old._replace(x=old.x + right, y=old.y + down)

    return CellLayout(
        nodes=tuple(node._replace(box=box(node.box)) for node in drawing.nodes),
        edges=tuple(
            edge._replace(curve=tuple(map(point, edge.curve)), label=edge.label and box(edge.label))
            for edge in drawing.edges
        ),
        width=drawing.width + right,
        height=drawing.height + down,
        titles=tuple(title._replace(at=point(title.at)) for title in drawing.titles),
    )


def _drawing(graph: networkx.DiGraph, downwards: bool | None, panel: str = "") -> CellLayout:
    """One panel, without margins; `downwards` tells the direction, `None` leaves it to the width."""
    import networkx

    first = {key: place for place, key in enumerate(graph)}
    keys = list(networkx.lexicographical_topological_sort(graph, key=first.__getitem__))
    order = {key: place for place, key in enumerate(keys)}
    texts = [_clip(str(graph.nodes[key].get("label", key))) for key in keys]
    edges = [_edge(source, target, attributes) for source, target, attributes in graph.edges(data=True)]
    sizes = [Size(max(_width("".join(parted(text))) + 16, NODE_HEIGHT), NODE_HEIGHT) for text in texts]
    links = [Link(order[edge.source], order[edge.target], _label_size(edge)) for edge in edges]
    if sorted((link.source, link.target) for link in links) == list(pairwise(range(len(keys)))):
        places = _in_rows(sizes, links)
    else:
        places = _in_layers(sizes, links, downwards=bool(downwards))
        if downwards is None and places.width > WIDE:
            places = min(places, _in_layers(sizes, links, downwards=True), key=lambda places: places.width)
    drawn = CellLayout(
        nodes=tuple(
            PlacedNode(key, text, _role(graph, key), box, panel)
            for key, text, box in zip(keys, texts, places.nodes, strict=True)
        ),
        edges=tuple(
            edge._replace(curve=curve, label=label)
            for edge, curve, label in zip(edges, places.curves, places.labels, strict=True)
        ),
        width=places.width,
        height=places.height,
    )
    if not panel:
        return drawn
    title = _clip(panel.replace("_", " ").capitalize())
    below = _moved(drawn, 0.0, TITLE_HEIGHT)
    return below._replace(
        width=max(below.width, _width(title)), titles=(PlacedTitle(title, XY(0.0, LABEL_HEIGHT / 2)),)
    )


def parted(label: str) -> tuple[str, str]:
    """The label of a node and its subscript, which is empty when there is none."""
    found = _SUBSCRIPT.fullmatch(label)
    return (found[1], found[2].replace("-", "\N{MINUS SIGN}")) if found else (label, "")


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
