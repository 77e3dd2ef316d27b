"""One text for all directed acyclic graphs that are the same up to the numbers of their nodes.

Colour refinement with individualisation, after B. D. McKay and A. Piperno, "Practical graph isomorphism, II", Journal
of Symbolic Computation 60 (2014): nodes that look different get different colours until nothing changes; of those that
still look alike, each is tried as the first, and the least text is taken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

__all__ = ["canonical_sums"]

_Terms: TypeAlias = Mapping[int, Sequence[tuple[str, int]]]
_Colours: TypeAlias = dict[int, int]


def canonical_sums(terms: _Terms, ends: Collection[int], inputs: int) -> str:
    """The text of nodes that are sums: equal iff a renumbering turns one graph into the other.

    Args:
        terms: by node its summands: an operation and the node that it is applied to.
        ends: the nodes that are the result, in no order.
        inputs: nodes 0..`inputs` - 1 are given, and keep their numbers.
    """
    uses: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for node, summands in terms.items():
        for operation, source in summands:
            uses[source].append((operation, node))
    given = {node: node for node in range(inputs)}

    def least(colours: _Colours) -> str:
        colours = _refined(terms, uses, colours)
        alike = _alike(colours)
        if not alike:
            places = given | {node: inputs + rank for rank, node in enumerate(sorted(terms, key=colours.__getitem__))}
            return _text(terms, ends, places)
        # Those with the same neighbours can be exchanged: any of them may come first.
        roles = {(*sorted(terms[node]), "|", *sorted(uses[node])) for node in alike}
        tried = alike[:1] if len(roles) == 1 else alike
        return min(least(colours | {first: -1}) for first in tried)

    return least(given | {node: inputs + (node in ends) for node in terms})


def _refined(terms: _Terms, uses: _Terms, colours: _Colours) -> _Colours:
    """The coarsest finer colouring in which nodes of one colour have neighbours of the same colours."""
    while True:
        seen = {
            node: (
                colours[node],
                sorted((operation, colours[source]) for operation, source in terms.get(node, ())),
                sorted((operation, colours[user]) for operation, user in uses.get(node, ())),
            )
            for node in colours
        }
        kinds: list[object] = []
        for kind in sorted(seen.values()):
            if not kinds or kinds[-1] != kind:
                kinds.append(kind)
        before = len(set(colours.values()))
        colours = {node: kinds.index(kind) for node, kind in seen.items()}
        if len(kinds) == before:
            return colours


def _alike(colours: _Colours) -> list[int]:
    """The nodes of the first colour that several have."""
    by_colour: dict[int, list[int]] = defaultdict(list)
    for node, colour in colours.items():
        by_colour[colour].append(node)
    return next((nodes for _, nodes in sorted(by_colour.items()) if len(nodes) > 1), [])


def _text(terms: _Terms, ends: Collection[int], places: Mapping[int, int]) -> str:
    nodes = sorted(terms, key=places.__getitem__)
    sums = ("+".join(sorted(f"{operation}({places[source]})" for operation, source in terms[node])) for node in nodes)
    return "|".join([*sums, ",".join(map(str, sorted(places[node] for node in ends)))])
