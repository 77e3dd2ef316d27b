"""Small drawings of which larger ones are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx

__all__ = ["chained", "single_edge"]


def single_edge(text: str) -> networkx.DiGraph:
    """From in to out by one edge that is labelled `text`."""
    import networkx

    graph = networkx.DiGraph()
    graph.add_node("in", label="in")
    graph.add_node("out", label="out")
    graph.add_edge("in", "out", operation=text)
    return graph


def chained(parts: Mapping[str, networkx.DiGraph]) -> networkx.DiGraph:
    """Graphs one after the other: the last node of each is the first of the next.

    A single graph stays as it is. One that is no link of a chain (it has several inputs, outputs or panels) is one edge
    in the chain, and is drawn beside it.

    Args:
        parts: by the name that goes before the names of decisions on their edges.
    """
    import networkx

    if len(parts) == 1:
        return _renamed(*next(iter(parts.items())))
    aside = {name: part for name, part in parts.items() if not _is_link(part)}
    joined = networkx.MultiDiGraph() if aside else networkx.DiGraph()
    end: str | None = None
    for name, part in parts.items():
        link = _renamed(name, single_edge(name.replace("_", " ")) if name in aside else part)
        first = next(node for node, degree in link.in_degree() if degree == 0)
        last = next(node for node, degree in link.out_degree() if degree == 0)
        if end is not None:
            link = networkx.relabel_nodes(link, {first: end})
        joined.update(link)
        end = last
    for place, node in enumerate(joined):
        joined.nodes[node]["label"] = str(place)
    if joined:
        joined.nodes[next(iter(joined))]["label"] = "in"
        joined.nodes[end]["label"] = "out"
    if aside:
        networkx.set_node_attributes(joined, "network", "panel")
    for name, part in aside.items():
        beside = _renamed(f"beside {name}", part, decisions=name)
        for _, data in beside.nodes(data=True):
            data["panel"] = f"{name} {data.get('panel', '')}".rstrip()
        joined.update(beside)
    return joined


def _renamed(name: str, part: networkx.DiGraph, *, decisions: str = "") -> networkx.DiGraph:
    """A copy with `name` before its nodes, and that or `decisions` before the names of decisions."""
    import networkx

    copy = networkx.relabel_nodes(part, {node: f"{name}/{node}" for node in part})
    for _, _, data in copy.edges(data=True):
        if "decision" in data:
            data["decision"] = f"{decisions or name}/{data['decision']}"
    return copy


def _is_link(part: networkx.DiGraph) -> bool:
    """Whether it leads from one node to another, without panels."""
    ends = [sum(degree == 0 for _, degree in degrees) for degrees in (part.in_degree(), part.out_degree())]
    return ends == [1, 1] and not any("panel" in data for _, data in part.nodes(data=True))
