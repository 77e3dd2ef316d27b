"""The dashboard of a run as one static SVG: the picture that a saved notebook keeps, without kernel or browser."""

from __future__ import annotations

import re
from typing import NamedTuple

from nbnas.charts.figure import Figure
from nbnas.charts.incumbent import incumbent_svg
from nbnas.charts.panels import panels
from nbnas.charts.svg import render
from nbnas.charts.svg_text import text
from nbnas.spaces import SearchSpace
from nbnas.state import RunState

__all__ = ["Picture", "draw", "picture", "svg"]

WIDTH, GAP, HEAD = 960.0, 14.0, 66.0
FULL = WIDTH - 2 * GAP

# An opaque page of its own, so that it can be read on any page around it. Cell graphs take their colours from the
# variables of JupyterLab, which therefore are set here too.
_STYLE = """
.nbnas-static{--page:#fff;--card:#fff;--ink:#1f1f1f;--quiet:#5b5b5b;--rule:#d9d9d9;max-width:100%;height:auto;
font:11px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
--jp-ui-font-color0:var(--ink);--jp-ui-font-color1:var(--ink);--jp-ui-font-color2:var(--quiet);
--jp-layout-color0:var(--card);--jp-layout-color2:#eee}
@media (prefers-color-scheme:dark){.nbnas-static{--page:#111;--card:#181818;--ink:#e6e6e6;--quiet:#a8a8a8;
--rule:#3a3a3a;--jp-layout-color2:#333}}
.nbnas-static>rect{fill:var(--page)}
.nbnas-static svg{overflow:visible}
.nbnas-static text{fill:var(--ink)}
.nbnas-static .card{fill:var(--card);stroke:var(--rule)}
.nbnas-static .name{font-size:17px;font-weight:600}
.nbnas-static .title{font-size:13px;font-weight:600}
.nbnas-static .quiet{fill:var(--quiet)}
.nbnas-static .small{font-size:10px}
.nbnas-static .grid{stroke:#808080;stroke-opacity:.22;fill:none}
"""


class Picture(NamedTuple):
    """All that the picture shows, apart from the run that may go on."""

    name: str
    line: str
    message: str
    figures: tuple[tuple[Figure, float], ...]
    heading: str
    cell: str


def picture(state: RunState, space: SearchSpace, name: str = "", note: str = "") -> Picture:
    """What the picture of a state shows, under a name, with a note at the end of the line below it."""
    differentiable = bool(state.epochs) and not state.trials_started
    figures = []
    for panel in panels(state, differentiable=differentiable):
        data = panel.data(state)
        figures.append((panel.draw(data), float(panel.height(data))))
    done = [
        state.status,
        _count(state.trials_finished, "trial") if state.trials_finished else "",
        _count(state.trials_failed, "failed trial") if state.trials_failed else "",
        _count(state.epochs_trained, "epoch") if state.epochs_trained else "",
        f"{state.seconds:.0f} s",
        note,
    ]
    line = " · ".join(filter(None, done))
    message = state.message if state.status == "failed" else ""
    heading = f"Search space {space.name}"
    if (best := state.incumbent) is not None:
        heading = f"Incumbent {best.architecture[:80]}, score {best.score:.4g}"
    return Picture(name or space.name, line, message, tuple(figures), heading, incumbent_svg(space, state))


def draw(picture: Picture) -> str:
    """The picture as an SVG."""
    y = HEAD + (20 if picture.message else 0)
    cell, wide, high = _fitted(picture.cell, FULL - 24, 380.0)
    graph = f'<g transform="translate({(FULL - wide) / 2:.1f} 36)">{cell}</g>'
    heading = f'<text class="title" x="10" y="19">{text(picture.heading, 120)}</text>'
    parts = [_card(GAP, y, FULL, high + 48, heading + graph)]
    y += high + 48 + GAP
    figures = picture.figures
    for start in range(0, len(figures), 2):
        row = figures[start : start + 2]
        tall = max(height for _, height in row)
        width = (FULL - GAP * (len(row) - 1)) / len(row)
        for column, (figure, _) in enumerate(row):
            x = GAP + column * (width + GAP)
            parts.append(_card(x, y, width, tall, render(figure, 0, 0, width, tall)))
        y += tall + GAP
    head = f'<text class="name" x="{GAP}" y="30">{text(picture.name, 80)}</text>'
    head += f'<text class="quiet" x="{GAP}" y="50">{text(picture.line, 150)}</text>'
    if picture.message:
        head += f'<text x="{GAP}" y="68">{text(picture.message, 150)}</text>'
    size = f'width="{WIDTH:.0f}" height="{y:.0f}" viewBox="0 0 {WIDTH:.0f} {y:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="nbnas-static" role="img" {size}>'
        f"<title>{text(f'Run {picture.name}: {picture.line}')}</title><style>{_STYLE}</style>"
        f'<rect width="100%" height="100%" rx="8"/>{head}{"".join(parts)}</svg>'
    )


def svg(state: RunState, space: SearchSpace, name: str = "", note: str = "") -> str:
    """The dashboard of a state as one SVG."""
    return draw(picture(state, space, name, note))


def _card(x: float, y: float, width: float, height: float, body: str) -> str:
    rect = f'<rect class="card" width="{width:.1f}" height="{height:.1f}" rx="6"/>'
    return f'<g transform="translate({x:.1f} {y:.1f})">{rect}{body}</g>'


def _fitted(cell: str, width: float, height: float) -> tuple[str, float, float]:
    """The cell graph with its size reduced to what fits."""
    found = re.match(r'(<svg [^>]*?)width="(\d+)" height="(\d+)"', cell)
    if found is None:
        return "", 0.0, 0.0
    own = float(found[2]), float(found[3])
    factor = min(1.0, width / own[0], height / own[1])
    wide, high = own[0] * factor, own[1] * factor
    return f'{found[1]}width="{wide:.0f}" height="{high:.0f}"{cell[found.end() :]}', wide, high


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
