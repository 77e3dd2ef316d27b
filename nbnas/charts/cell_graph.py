"""The graph of a cell as an SVG.

Edges are coloured by operation, or by weight while a distribution is learned; the name of the operation stands on
each. Lines read on white and on dark. Texts stand on cards whose colours follow JupyterLab's theme where the SVG is
inline, and are dark on white where it is a file of its own.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from nbnas.charts.cell_layout import MARGIN, XY, Box, CellLayout, PlacedEdge, PlacedNode, PlacedTitle, layout, parted
from nbnas.charts.palette import NEUTRAL, operation_colour, sequential

if TYPE_CHECKING:
    import networkx

__all__ = ["CellLayout", "draw", "layout"]

DESCRIBED = 60  # edges named in the description

_STYLE = """
.nbnas-cell{max-width:100%;height:auto}
.nbnas-cell{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.nbnas-cell text{text-anchor:middle;dominant-baseline:central;white-space:pre}
.nbnas-cell text{fill:var(--jp-ui-font-color0,#1f1f1f);stroke:none}
.nbnas-cell rect{fill:var(--jp-layout-color0,#fff)}
.nbnas-cell .node rect{stroke:var(--jp-ui-font-color2,#666);stroke-width:1.5}
.nbnas-cell .node text{font-weight:600}
.nbnas-cell .ends rect{fill:var(--jp-layout-color2,#eee)}
.nbnas-cell text.panel{font:600 13px system-ui,sans-serif;text-anchor:start}
.nbnas-cell .base{font-style:italic}
.nbnas-cell .sub{font-size:9px}
.nbnas-cell path{fill:none}
.nbnas-cell .none path{stroke-dasharray:2 5;opacity:.7}
.nbnas-cell .none rect{stroke-dasharray:2 3}
.nbnas-cell .none text{fill:var(--jp-ui-font-color1,#444)}
"""

_OPEN = re.compile(r"\d+ options")  # an edge that is not decided

# What XML 1.0 cannot hold.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def draw(graph: networkx.DiGraph | CellLayout, title: str | None = None) -> str:
    """The graph, or what `layout` made of it, as an SVG with an accessible title and description."""
    placed = graph if isinstance(graph, CellLayout) else layout(graph)
    names = {node.key: node for node in placed.nodes}
    counts = f"{_count(len(placed.nodes), 'node')}, {_count(len(placed.edges), 'edge')}"
    said = [_describe(edge, names) for edge in placed.edges[:DESCRIBED]]
    if rest := len(placed.edges) - len(said):
        said.append(f"and {_count(rest, 'more edge')}")
    width, height = f"{placed.width:.0f}", f"{placed.height:.0f}"
    # Cards after all lines: where a line meets a text, the text is on top.
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="nbnas-cell" role="img" width="{width}" height="{height}" '
        f'viewBox="{-MARGIN:.0f} {-MARGIN:.0f} {width} {height}">',
        f"<title>{_text(title or f'Cell graph: {counts}')}</title>",
        f"<desc>{_text('; '.join([counts, *said]))}</desc>",
        f"<style>{_STYLE}</style>",
        *(_title(title) for title in placed.titles),
        *(_line(edge) for edge in placed.edges),
        *(_card(edge, names) for edge in placed.edges if edge.label),
        *(_node(node) for node in placed.nodes),
        "</svg>",
    ]
    return "\n".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _text(text: str) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", text))


def _describe(edge: PlacedEdge, names: dict[object, PlacedNode]) -> str:
    source, target = names[edge.source], names[edge.target]
    ends = f"{source.panel}{': ' if source.panel else ''}{source.text} → {target.text}"
    if edge.operation is None:
        return ends
    return f"{ends}: {edge.operation}" + ("" if edge.weight is None else f" ({edge.weight:.2f})")


def _colour(edge: PlacedEdge) -> str:
    if edge.operation is None or edge.operation == "none" or _OPEN.fullmatch(edge.operation):
        return NEUTRAL
    return operation_colour(edge.operation) if edge.weight is None else sequential(edge.weight)


def _style(edge: PlacedEdge) -> str:
    return ' class="none"' if edge.operation == "none" else ""


def _line(edge: PlacedEdge) -> str:
    weight = 1 / 7 if edge.weight is None else min(max(edge.weight, 0.0), 1.0)
    wide = 1 + 7 * weight
    length, half = 6 + wide / 2, 3 + wide / 2  # of the arrow head
    start, *handles, tip = edge.curve
    # The last segment runs along an axis, and the head stands on it.
    over = XY(tip.x - edge.curve[-4].x, tip.y - edge.curve[-4].y)
    unit = XY(over.x / (abs(over.x) + abs(over.y)), over.y / (abs(over.x) + abs(over.y)))
    neck = XY(tip.x - length * unit.x, tip.y - length * unit.y)
    sides = [XY(neck.x + sign * half * unit.y, neck.y + sign * half * unit.x) for sign in (1, -1)]
    colour, curve = _colour(edge), " ".join(map(_at, (*handles, neck)))
    return (
        f'<g{_style(edge)} stroke="{colour}"><path stroke-width="{wide:.2f}" d="M{_at(start)}C{curve}"/>'
        f'<polygon stroke="none" fill="{colour}" points="{" ".join(map(_at, (tip, *sides)))}"/></g>'
    )


def _at(point: XY) -> str:
    return f"{point.x:.1f},{point.y:.1f}"


def _card(edge: PlacedEdge, names: dict[object, PlacedNode]) -> str:
    assert edge.label is not None
    shares = sorted(edge.options.items(), key=lambda item: -item[1])
    told = [_describe(edge, names), *(f"{share:.3f} {name}" for name, share in shares)]
    tip = f"<title>{_text(chr(10).join(told))}</title>"
    return f'<g{_style(edge)} stroke="{_colour(edge)}">{tip}{_box(edge.label, 4, _text(edge.text or ""))}</g>'


def _node(node: PlacedNode) -> str:
    base, subscript = parted(node.text)
    inner = _text(base)
    if subscript:
        inner = f'<tspan class="base">{inner}</tspan><tspan class="sub" dy="4">{_text(subscript)}</tspan>'
    return f'<g class="{"node" if node.role == "inner" else "node ends"}">{_box(node.box, 14, inner)}</g>'


def _title(title: PlacedTitle) -> str:
    return f'<text class="panel" x="{title.at.x:.1f}" y="{title.at.y:.1f}">{_text(title.text)}</text>'


def _box(box: Box, radius: float, inner: str) -> str:
    """A card with a text in its middle, which is given as markup."""
    return (
        f'<rect x="{box.x - box.width / 2:.1f}" y="{box.y - box.height / 2:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="{radius}"/><text x="{box.x:.1f}" y="{box.y:.1f}">{inner}</text>'
    )
