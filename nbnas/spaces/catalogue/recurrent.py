"""Recurrent cells: that of DARTS with 8 nodes, and that of ENAS with 12.

Liu, Simonyan & Yang, DARTS: Differentiable Architecture Search, ICLR 2019, arXiv:1806.09055, Sec. 3.1.2 and App. A.2: a
cell is one of 8!·4^8 = 2,642,411,520, and its relaxed view has 36 rows (edges) of 5 options. Pham, Guan, Zoph, Le &
Dean, Efficient Neural Architecture Search via Parameter Sharing, ICML 2018, arXiv:1802.03268, Sec. 2.1: one of
11!·4^12.

With 850 features, 10,000 words and the classifier's matrix not counted (it is the embedding's) DARTS' network has the
published 23 million parameters.

Differs from the papers: see `nbnas.networks.recurrent_cell`; widths for two CPU cores are the default.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbnas.errors import SpaceError
from nbnas.spaces.architecture import Architecture
from nbnas.spaces.component import Component
from nbnas.spaces.embedding import Embedding
from nbnas.spaces.ends import Head
from nbnas.spaces.network import Network
from nbnas.spaces.open import Choice
from nbnas.spaces.recurrent_cell import RecurrentCell, Step
from nbnas.spaces.space import SearchSpace

__all__ = ["DARTS_RNN_V1", "DARTS_RNN_V2", "ENAS_RNN", "enas_recurrent", "from_steps", "recurrent", "steps"]

DARTS_RNN_V1 = (
    Step("relu", 0), Step("relu", 1), Step("tanh", 2), Step("relu", 3),
    Step("relu", 4), Step("identity", 1), Step("relu", 5), Step("relu", 1),
)  # fmt: skip
"""The cell found by the first-order search, as in the published code."""

DARTS_RNN_V2 = (
    Step("sigmoid", 0), Step("relu", 1), Step("relu", 1), Step("identity", 1),
    Step("tanh", 2), Step("sigmoid", 5), Step("tanh", 3), Step("relu", 5),
)  # fmt: skip
"""The cell found by the second-order search, as in the published code."""

ENAS_RNN = (
    Step("tanh", 0), Step("tanh", 1), Step("relu", 1), Step("tanh", 3), Step("tanh", 3), Step("relu", 3),
    Step("relu", 4), Step("relu", 7), Step("relu", 8), Step("relu", 8), Step("relu", 8),
)  # fmt: skip
"""The cell that ENAS found, Fig. 6 of the paper, as the code of DARTS lists it; node 0 has tanh."""

_ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")


def recurrent(
    nodes: int = 8,
    width: int = 64,
    *,
    activations: tuple[str, ...] = _ACTIVATIONS,
    embedding: int = 64,
    dropout: float = 0.0,
) -> SearchSpace:
    """DARTS' recurrent cell between an embedding and a classifier, for tasks of tokens.

    A published cell: `from_steps(space, DARTS_RNN_V2)`.

    Args:
        nodes: of the cell, besides node 0.
        width: length of the state; 300 in the published search, 850 in its evaluation.
        activations: what a node can apply.
        embedding: length of the vectors of tokens; as `width` in the paper.
        dropout: share of features of input and state dropped in training, the same at all times.
    """
    cell = RecurrentCell(nodes, activations, width=width, dropout=dropout, name="cell")
    return _space("recurrent", embedding, cell)


def enas_recurrent(
    nodes: int = 12,
    width: int = 64,
    *,
    activations: tuple[str, ...] = _ACTIVATIONS,
    embedding: int = 64,
    dropout: float = 0.0,
) -> SearchSpace:
    """ENAS' recurrent cell: node 0 chooses its activation too, and the state is the mean of the nodes not used.

    Arguments as of `recurrent`, but `nodes` counts node 0, as the paper does: 2 at least.
    """
    if nodes < 2:
        raise SpaceError(f"nodes must be >= 2, node 0 included, got {nodes!r}; in enas_recurrent.", field="nodes")
    cell = RecurrentCell(
        nodes - 1,
        activations,
        first=Choice(*activations),  # type: ignore[arg-type] # an open field
        width=width,
        output="mean_unused",
        sharing="edge",
        normalise=False,
        dropout=dropout,
        name="cell",
    )
    return _space("enas_recurrent", embedding, cell)


def _space(name: str, width: int, cell: Component) -> SearchSpace:
    return SearchSpace(name, Network((Embedding(width), cell, Head())), dims=1)


def _cell(space: SearchSpace) -> RecurrentCell:
    cell = space.component.children().get("cell")
    if not isinstance(cell, RecurrentCell):
        raise SpaceError(
            f"space must have a part 'cell' of kind recurrent_cell, got space {space.name!r}. "
            "Make it with nb.spaces.recurrent()"
        )
    return cell


def from_steps(space: SearchSpace, steps: Sequence[Step | tuple[str, int]], *, first: str = "tanh") -> Architecture:
    """The architecture of a published cell.

    Args:
        space: made by `recurrent` or `enas_recurrent`.
        steps: of the nodes besides node 0: activation and input.
        first: activation of node 0, where the space leaves it open.

    Raises:
        SpaceError: the space has no such cell.
    """
    cell = _cell(space)
    if len(steps) != cell.nodes:
        raise SpaceError(f"steps must be {cell.nodes}, one a node, got {len(steps)}; in space {space.name!r}.")
    chosen = cell.chosen(tuple(Step(*step) for step in steps))
    if "first" in cell.opened():
        chosen["first"] = first
    return space.architecture({f"cell/{name}": option for name, option in chosen.items()})


def steps(space: SearchSpace, architecture: Architecture) -> tuple[Step, ...]:
    """How the nodes besides node 0 are made: the inverse of `from_steps`."""
    options = space.options(architecture)
    return _cell(space).steps({name.removeprefix("cell/"): option for name, option in options.items()})
