"""Codes of architectures for predictors: the paths through their cells, or one entry an option.

White, Neiswanger & Savani, BANANAS, AAAI 2021, arXiv:1910.11858, Sec. 4: one entry for each sequence of operations
from a cell's input to its output, 1 where the cell has such a path; long paths are left out.
Differs from the paper: operations stand on edges, and a path through `none` is none; there are entries only for the
paths that the coded architectures have; decisions outside of cells have one entry an option; paths are left out by
their length alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from nbnas.spaces import Architecture, SearchSpace
from nbnas.spaces.component import Component, of_part

if TYPE_CHECKING:
    import networkx

__all__ = ["CELLS", "Coder", "OneHotCoder", "PathCoder", "Word", "cells_of", "path_words"]

CELLS = ("cell_network", "cell", "recurrent_cell", "graph_network")
"""The kinds of components whose drawing is a cell: operations on edges from inputs to an output."""

Word = tuple[str, ...]
"""A path: the name of the cell, the label of its input, the operations in order."""


class Coder(Protocol):
    """From architectures to numbers."""

    def codes(self, architectures: Sequence[Architecture]) -> npt.NDArray[np.float64]:
        """Zeros and ones, shape (architectures, features); equal architectures have equal rows."""


class OneHotCoder:
    """One entry for each option of each decision, as `SearchSpace.encode`."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space

    def codes(self, architectures: Sequence[Architecture]) -> npt.NDArray[np.float64]:
        return np.array([self._space.encode(one) for one in architectures])


class PathCoder:
    """One entry for each path that occurs in the cells, and for each option of decisions outside of cells.

    Args:
        space: one with cells.
        longest: most operations of a path that has an entry.
    """

    def __init__(self, space: SearchSpace, longest: int) -> None:
        self._space = space
        self._longest = longest
        self._cells = cells_of(space)
        inside = {f"{name}{one}" for name, cell in self._cells.items() for one in _wired(cell)}
        self._outside = [
            place
            for place, decision in enumerate(space.decisions)
            if decision.name not in inside and len(decision.options) > 1
        ]

    def codes(self, architectures: Sequence[Architecture]) -> npt.NDArray[np.float64]:
        rows = [self.words(one) for one in architectures]
        entries = sorted(set().union(*rows), key=lambda word: (len(word), word))
        index = {word: place for place, word in enumerate(entries)}
        found = np.zeros((len(rows), len(entries)))
        for row, words in enumerate(rows):
            found[row, [index[word] for word in words]] = 1.0
        return found

    def words(self, architecture: Architecture) -> set[Word]:
        """The paths of an architecture, and for each decision outside of cells its name and option."""
        options = self._space.options(architecture)
        found: set[Word] = set()
        for name, cell in self._cells.items():
            part = of_part(options, name.rstrip("/")) if name else options
            found |= {(name, *word) for word in path_words(cell.graph(part), self._longest)}
        for place in self._outside:
            decision = self._space.decisions[place]
            if decision.name in options:
                found.add((decision.name, str(options[decision.name])))
        return found


def cells_of(space: SearchSpace) -> dict[str, Component]:
    """The cells of a space, by what stands before the names of their decisions; none where it has none."""
    known = {decision.name for decision in space.decisions}
    found: dict[str, Component] = {}
    todo = [("", space.component)]
    while todo:
        name, part = todo.pop()
        if part.kind not in CELLS:
            todo += [(f"{name}{inner}/", child) for inner, child in part.children().items()]
        elif all(f"{name}{decision.name}" in known for decision in part.decisions()):
            found[name] = part
    return dict(sorted(found.items()))


def path_words(graph: networkx.DiGraph, longest: int) -> set[Word]:
    """The label of the input and the operations of each path from an input to an output.

    Args:
        graph: edges without `operation` pass on what comes.
        longest: paths with more operations are left out.
    """
    found: set[Word] = set()
    ends = {node for node, degree in graph.out_degree() if degree == 0}
    for node, degree in graph.in_degree():
        if degree == 0:
            todo: list[tuple[object, Word]] = [(node, (str(graph.nodes[node]["label"]),))]
            while todo:
                place, word = todo.pop()
                if place in ends:
                    found.add(word)
                for _, target, data in graph.out_edges(place, data=True):
                    longer = _longer(word, data)
                    if longer is not None and len(longer) <= longest + 1:
                        todo.append((target, longer))
    return found


def _longer(word: Word, edge: Mapping[str, str]) -> Word | None:
    """A path after one more edge; `None` where the edge is absent."""
    operation = edge.get("operation")
    if operation is None:
        return word
    return None if operation == "none" else (*word, operation)


def _wired(cell: Component) -> Iterator[str]:
    """The decisions that a cell's drawing shows: all but those of its open fields."""
    opened = cell.opened()
    return (decision.name for decision in cell.decisions() if decision.name not in opened)
