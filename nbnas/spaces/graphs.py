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

    Args:
        parts: by the name that goes before the names of decisions on their edges. Each has one source and one sink.
    """
    import networkx

    joined = networkx.DiGraph()
    end: str | None = None
    for name, part in parts.items():
        first = next(node for node, degree in part.in_degree() if degree == 0)
        last = next(node for node, degree in part.out_degree() if degree == 0)
        names = {node: f"{name}/{node}" for node in part}
        if end is not None:
            names[first] = end
        for node, data in part.nodes(data=True):
            if names[node] not in joined:
                joined.add_node(names[node], **data)
        for source, target, data in part.edges(data=True):
            decision = {"decision": f"{name}/{data['decision']}"} if "decision" in data else {}
            joined.add_edge(names[source], names[target], **{**data, **decision})
        end = names[last]
    for place, node in enumerate(joined):
        joined.nodes[node]["label"] = str(place)
    if joined:
        joined.nodes[next(iter(joined))]["label"] = "in"
        joined.nodes[end]["label"] = "out"
    return joined
