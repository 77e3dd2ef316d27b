"""Genotypes: the record of two cells in which papers and code exchange what they found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nbnas.errors import SpaceError
from nbnas.spaces.architecture import Architecture
from nbnas.spaces.cell import INPUTS, Cell, Term
from nbnas.spaces.component import of_part
from nbnas.spaces.darts_network import DartsNetwork
from nbnas.spaces.decision import Option
from nbnas.spaces.space import SearchSpace

__all__ = ["Genotype", "from_genotype", "genotype"]

_OFFICIAL = {"skip": "skip_connect"}
_OURS = {official: ours for ours, official in _OFFICIAL.items()}


class Genotype(NamedTuple):
    """Two cells as in the literature: two (operation, input node) a node, in the order of the nodes.

    Attributes:
        normal, reduce: of the nodes 2, 3, …; nodes 0 and 1 are the cell's inputs. `skip` is called `skip_connect`.
        normal_concat, reduce_concat: the nodes that are concatenated.
    """

    normal: Sequence[tuple[str, int]]
    normal_concat: Sequence[int]
    reduce: Sequence[tuple[str, int]]
    reduce_concat: Sequence[int]


def genotype(space: SearchSpace, architecture: Architecture) -> Genotype:
    """The genotype of an architecture.

    Raises:
        SpaceError: the space has other networks than those of normal and reduction cells.
    """
    network, chosen = _network(space), space.options(architecture)
    found: list[Sequence[tuple[str, int]]] = []
    ends = []
    for name, cell in (("normal", network.normal), ("reduction", network.reduction)):
        inner = of_part(chosen, name)
        pairs = cell.terms(inner).values()
        found.append([(_OFFICIAL.get(term.operation, term.operation), term.source) for pair in pairs for term in pair])
        ends.append(list(cell.concatenated(inner)))
    return Genotype(found[0], ends[0], found[1], ends[1])


def from_genotype(space: SearchSpace, genotype: Genotype) -> Architecture:
    """The architecture that has this genotype.

    Raises:
        SpaceError: the genotype does not fit the cells of the space; or it concatenates other nodes than they do.
    """
    network = _network(space)
    chosen: dict[str, Option] = {}
    for name, cell, edges, ends in (
        ("normal", network.normal, genotype.normal, genotype.normal_concat),
        ("reduction", network.reduction, genotype.reduce, genotype.reduce_concat),
    ):
        options = _options(cell, edges, name)
        made = cell.concatenated(options)
        if sorted(ends) != sorted(made):
            raise SpaceError(
                f"concatenated nodes must be {', '.join(map(str, made))}, got {list(ends)!r:.80}; in the {name} cell."
            )
        chosen |= {f"{name}/{decision}": option for decision, option in options.items()}
    return space.architecture(chosen)


def _network(space: SearchSpace) -> DartsNetwork:
    if not isinstance(space.component, DartsNetwork):
        raise SpaceError(
            f"space must be one of normal and reduction cells, such as darts(), got {space.name!r}, "
            f"which is made of {space.component.kind!r}."
        )
    return space.component


def _options(cell: Cell, edges: Sequence[tuple[str, int]], name: str) -> dict[str, Option]:
    if len(edges) != 2 * cell.nodes:
        raise SpaceError(f"genotype must have 2 edges for each of {cell.nodes} nodes, got {len(edges)}; in {name}.")
    for place, (_, source) in enumerate(edges):
        node = INPUTS + place // 2
        if isinstance(source, bool) or not isinstance(source, int) or not 0 <= source < node:
            raise SpaceError(f"node {node} must take a node in 0..{node - 1}, got {source!r:.80}; in the {name} cell.")
    terms = [Term(_OURS.get(operation, operation), source) for operation, source in edges]
    return cell.chosen({INPUTS + place: (terms[2 * place], terms[2 * place + 1]) for place in range(cell.nodes)})
