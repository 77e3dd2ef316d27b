"""The incumbent on the cell graph; while a distribution is learned, width and colour of the edges show it."""

from __future__ import annotations

from typing import NamedTuple

from nbnas.charts.cell_graph import draw as draw_graph
from nbnas.charts.distribution import merged
from nbnas.errors import SpaceError
from nbnas.spaces import SearchSpace
from nbnas.state import Incumbent, RunState

__all__ = ["IncumbentData", "data", "draw", "incumbent_svg"]


class IncumbentData(NamedTuple):
    """The incumbent and the latest distribution by decision."""

    incumbent: Incumbent | None
    rows: dict[str, dict[str, float]]


def data(state: RunState) -> IncumbentData:
    """What is drawn on the cell graph."""
    return IncumbentData(state.incumbent, merged(state))


def draw(space: SearchSpace, data: IncumbentData) -> str:
    """The SVG. Without an incumbent, or when it is of another space, it shows the whole space."""
    architecture, title = None, f"Search space {space.name}"
    if data.incumbent is not None:
        try:
            architecture = space.architecture(data.incumbent.architecture)
            title = f"Incumbent {architecture}, score {data.incumbent.score:.4g}"
        except SpaceError:
            title = f"Search space {space.name}; the incumbent is of another one"
    elif data.rows:
        title = f"Search space {space.name}: the most probable operation of each edge"
    return draw_graph(space.graph(architecture, data.rows), title)


def incumbent_svg(space: SearchSpace, state: RunState) -> str:
    """The cell graph of a run as an SVG."""
    return draw(space, data(state))
