"""A figure of `nbnas.charts` as static SVG: the part of plotly's format that these charts use, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from html import unescape
from itertools import pairwise

from nbnas.charts.figure import Figure
from nbnas.charts.multiples import suffix
from nbnas.charts.svg_heat import cells
from nbnas.charts.svg_scale import Scale, scale_of, tick_texts
from nbnas.charts.svg_text import CHARACTER, Frame, markup, text

__all__ = ["render"]

MOST_POINTS = 400  # drawn of a trace
DASHES = {"dot": "1.5 4", "dash": "7 4", "longdash": "12 4", "dashdot": "7 3 1.5 3", "longdashdot": "12 3 1.5 3"}


def render(figure: Figure, x: float, y: float, width: float, height: float) -> str:
    """The figure in a box, as an SVG group."""
    layout, traces = figure["layout"], figure["data"]
    title = markup(layout["title"]["text"], int((width - 20) / 6.9))
    parts = [f'<g transform="translate({x:g} {y:g})">', f'<text class="title" x="10" y="19">{title}</text>']
    if not traces:
        note = layout.get("annotations", [{"text": ""}])[0]["text"]
        parts.append(
            f'<text class="quiet" x="{width / 2:g}" y="{height / 2:g}" text-anchor="middle">{markup(note)}</text>'
        )
        return "".join([*parts, "</g>"])
    if "grid" in layout:
        return "".join([*parts, _legend(traces, width), _plots(traces, layout, width, height), "</g>"])
    heat = traces[0]["type"] == "heatmap"
    names = [unescape(str(name)) for name in layout["yaxis"].get("ticktext", ())]
    left = 14 + CHARACTER * max(map(len, names), default=0) if heat else layout["margin"]["l"]
    room = 14 if heat else layout["margin"]["r"]
    frame = Frame(left, 36 if heat else 52, width - room, height - (26 if heat else 38))
    if heat:
        parts.append(cells(traces[0], traces[1] if len(traces) > 1 else None, layout, frame))
    else:
        parts.append(_legend(traces, width))
        parts.append(_plot(traces, layout, frame))
    return "".join([*parts, "</g>"])


def _plots(traces: Sequence[Figure], layout: Figure, width: float, height: float) -> str:
    """Small plots, each in its cell of the grid."""
    rows, columns = layout["grid"]["rows"], layout["grid"]["columns"]
    top = 46.0 if layout["showlegend"] else 28.0
    wide, high = width / columns, (height - top) / rows
    parts = []
    for number, note in enumerate(layout["annotations"]):
        end = suffix(number)
        row, column = divmod(number, columns)
        left, above = column * wide, top + row * high
        frame = Frame(left + 48, above + 20, left + wide - 14, above + high - 38)
        own = [
            {name: value for name, value in trace.items() if name not in ("xaxis", "yaxis")}
            for trace in traces
            if trace["xaxis"] == f"x{end}"
        ]
        title = markup(note["text"], int((wide - 30) / CHARACTER))
        parts.append(f'<text class="small" x="{frame.left:.1f}" y="{frame.top - 6:.1f}">{title}</text>')
        parts.append(_plot(own, {"xaxis": layout[f"xaxis{end}"], "yaxis": layout[f"yaxis{end}"]}, frame))
    return "".join(parts)


def _plot(traces: Sequence[Figure], layout: Figure, frame: Frame) -> str:
    xs = [value for trace in traces for value in trace["x"] if value is not None]
    across = scale_of(layout["xaxis"], xs, frame.left, frame.right)
    ups: dict[str, Scale] = {}
    for name, key in (("y", "yaxis"), ("y2", "yaxis2")):
        values = [
            value for trace in traces if trace.get("yaxis", "y") == name for value in trace["y"] if value is not None
        ]
        if key in layout and values:
            ups[name] = scale_of(layout[key], values, frame.bottom, frame.top)
    first = next(iter(ups))
    parts = []
    for at, label in tick_texts(layout["yaxis" if first == "y" else "yaxis2"], ups[first]):
        parts.append(f'<path class="grid" d="M{frame.left:.1f} {at:.1f}H{frame.right:.1f}"/>')
        parts.append(f'<text x="{frame.left - 5:.1f}" y="{at + 4:.1f}" text-anchor="end">{markup(label)}</text>')
    for at, label in tick_texts(layout["xaxis"], across):
        parts.append(f'<path class="grid" d="M{at:.1f} {frame.top:.1f}V{frame.bottom:.1f}"/>')
        parts.append(f'<text x="{at:.1f}" y="{frame.bottom + 14:.1f}" text-anchor="middle">{markup(label)}</text>')
    if "y2" in ups and first == "y":
        for at, label in tick_texts(layout["yaxis2"], ups["y2"]):
            parts.append(f'<text x="{frame.right + 5:.1f}" y="{at + 4:.1f}">{markup(label)}</text>')
        parts.append(_axis_title(layout["yaxis2"], frame.right + 46, (frame.top + frame.bottom) / 2, turned=True))
    middle = (frame.left + frame.right) / 2
    parts.append(_axis_title(layout["xaxis"], middle, frame.bottom + 30))
    parts.append(_axis_title(layout["yaxis"], frame.left - 40, (frame.top + frame.bottom) / 2, turned=True))
    below: list[tuple[float, float]] = []
    for trace in traces:
        up = ups[trace.get("yaxis", "y")]
        places = [(across(a), up(b)) for a, b in _thin(trace["x"], trace["y"])]
        if trace.get("fill") == "tonexty":
            outline = _path([*places, *reversed(below)])
            parts.append(f'<path d="{outline}Z" fill="{trace["fillcolor"]}"/>')
        if "lines" in trace["mode"] and len(places) > 1:
            parts.append(_line(trace, places))
        if "markers" in trace["mode"]:
            parts.append(_markers(trace["marker"], places))
        below = places
    for note in layout.get("annotations", ()):
        label = markup(note["text"])
        parts.append(f'<text class="small" x="{frame.right + 5:.1f}" y="{ups["y"](note["y"]) + 3:.1f}">{label}</text>')
    return "".join(parts)


def _axis_title(axis: Figure, x: float, y: float, *, turned: bool = False) -> str:
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    label = markup(axis["title"]["text"], 40)
    return f'<text class="quiet" x="{x:.1f}" y="{y:.1f}" text-anchor="middle"{turn}>{label}</text>' if label else ""


def _line(trace: Figure, places: Sequence[tuple[float, float]]) -> str:
    line = trace["line"]
    if line.get("shape") == "hv":
        places = [places[0], *(step for a, b in pairwise(places) for step in ((b[0], a[1]), b))]
    dash = f' stroke-dasharray="{DASHES[line["dash"]]}"' if line.get("dash", "solid") != "solid" else ""
    style = f'stroke="{line["color"]}" stroke-width="{line.get("width", 2)}" opacity="{trace.get("opacity", 1)}"'
    return f'<path d="{_path(places)}" fill="none" stroke-linejoin="round" {style}{dash}/>'


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in places)


def _markers(marker: Figure, places: Sequence[tuple[float, float]]) -> str:
    symbol, half, colour = marker.get("symbol", "circle"), marker["size"] / 2, marker["color"]
    shapes = {
        "circle": "M{l:.1f} {y:.1f}a{h} {h} 0 1 0 {s} 0a{h} {h} 0 1 0 -{s} 0",
        "square": "M{l:.1f} {t:.1f}h{s}v{s}h-{s}z",
        "diamond": "M{l:.1f} {y:.1f}l{h} -{h}l{h} {h}l-{h} {h}z",
        "x": "M{l:.1f} {t:.1f}l{s} {s}m-{s} 0l{s} -{s}",
        "star": "M{x:.1f} {t:.1f}l{q} {h}h{h}l-{h} {q}l{q} {h}l-{h} -{q}l-{h} {q}l{q} -{h}l-{h} -{q}h{h}z",
    }
    shape = shapes[symbol.removesuffix("-open")]
    path = "".join(shape.format(x=a, y=b, l=a - half, t=b - half, h=half, s=2 * half, q=half / 2) for a, b in places)
    hollow = symbol == "x" or symbol.endswith("-open")
    style = f'fill="none" stroke="{colour}" stroke-width="1.6"' if hollow else f'fill="{colour}"'
    return f'<path d="{path}" {style} opacity="{marker.get("opacity", 1)}"/>'


def _legend(traces: Sequence[Figure], width: float) -> str:
    parts, at = [], 10.0
    for trace in traces:
        name = unescape(trace["name"])
        if not trace.get("showlegend", True) or at + 25 + CHARACTER * len(name) > width:
            continue
        if "lines" in trace["mode"]:
            parts.append(_line(_bold(trace), [(at, 36.0), (at + 20, 36.0)]))
        if "markers" in trace["mode"]:
            parts.append(_markers(trace["marker"], [(at + 10, 36.0)]))
        parts.append(f'<text x="{at + 25:.1f}" y="40">{text(name)}</text>')
        at += 36 + CHARACTER * len(name)
    return "".join(parts)


def _thin(x: Sequence[float], y: Sequence[float]) -> list[tuple[float, float]]:
    """At most `MOST_POINTS` points; of each bucket those of smallest and largest y."""
    places = [place for place in zip(x, y, strict=True) if None not in place]
    size = -(-2 * len(places) // MOST_POINTS)
    if size <= 2:
        return places
    kept: list[tuple[float, float]] = []
    for start in range(0, len(places), size):
        bucket = places[start : start + size]
        ends = {
            min(range(len(bucket)), key=lambda n: bucket[n][1]),
            max(range(len(bucket)), key=lambda n: bucket[n][1]),
        }
        kept += [bucket[n] for n in sorted(ends)]
    return kept


def _bold(trace: Figure) -> Figure:
    """The trace as its sign in the legend, where a faint line would not be recognised."""
    return {**trace, "opacity": 1, "line": {**trace["line"], "width": 2, "shape": "linear"}}
