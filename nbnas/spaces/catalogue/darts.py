"""DARTS: two cells of 4 nodes, each node the sum of two of 7 operations on different earlier nodes.

Liu, Simonyan & Yang, DARTS: Differentiable Architecture Search, ICLR 2019, arXiv:1806.09055, Sec. 2.1 and 3.1.1, App.
A. A discrete cell is one of (1·3·6·10)·7^8 = 1,037,664,180, and the space has the square of that. Its relaxed view has
28 rows (14 edges of either cell) of 8 operations: 8^28 combinations, the product of `len(row.options)` over
`space.rows`. In form `evaluation` with 36 channels and 20 cells the networks have exactly the parameters of the
published code.

Differs from the paper: in form `search` batch statistics are used everywhere, also for evaluation.
"""

from __future__ import annotations

from nbnas.spaces.catalogue.genotypes import Genotype, from_genotype, genotype
from nbnas.spaces.cell import Cell
from nbnas.spaces.darts_network import DartsNetwork
from nbnas.spaces.space import SearchSpace

__all__ = ["DARTS_V1", "DARTS_V2", "darts", "from_genotype", "genotype"]

DARTS_V1 = Genotype(
    normal=(
        ("sep_conv_3x3", 1), ("sep_conv_3x3", 0),
        ("skip_connect", 0), ("sep_conv_3x3", 1),
        ("skip_connect", 0), ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 0), ("skip_connect", 2),
    ),
    normal_concat=(2, 3, 4, 5),
    reduce=(
        ("max_pool_3x3", 0), ("max_pool_3x3", 1),
        ("skip_connect", 2), ("max_pool_3x3", 0),
        ("max_pool_3x3", 0), ("skip_connect", 2),
        ("skip_connect", 2), ("avg_pool_3x3", 0),
    ),
    reduce_concat=(2, 3, 4, 5),
)  # fmt: skip
"""Found by the first-order search, as in the published code."""

DARTS_V2 = Genotype(
    normal=(
        ("sep_conv_3x3", 0), ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 0), ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 1), ("skip_connect", 0),
        ("skip_connect", 0), ("dil_conv_3x3", 2),
    ),
    normal_concat=(2, 3, 4, 5),
    reduce=(
        ("max_pool_3x3", 0), ("max_pool_3x3", 1),
        ("skip_connect", 2), ("max_pool_3x3", 1),
        ("max_pool_3x3", 0), ("skip_connect", 2),
        ("skip_connect", 2), ("max_pool_3x3", 1),
    ),
    reduce_concat=(2, 3, 4, 5),
)  # fmt: skip
"""Found by the second-order search: Figs. 4 and 5 of the paper."""


def darts(channels: int = 16, cells: int = 8, nodes: int = 4, *, dims: int = 2, auxiliary: bool = False) -> SearchSpace:
    """The space; smaller `channels`, `cells` (3 at least) and `nodes` make it light enough for two CPU cores.

    An architecture by its genotype: `from_genotype(space, DARTS_V2)`.

    Args:
        channels: of a node in the first cells; 16 in the published search, 36 in its evaluation.
        cells: in all; 8 in the published search, 20 in its evaluation.
        nodes: of a cell, besides its inputs.
        dims: 2 for images, 1 for sequences.
        auxiliary: whether evaluation networks have an auxiliary head.
    """
    cell = Cell(nodes)
    return SearchSpace("darts", DartsNetwork(cell, cell, channels, cells, auxiliary=auxiliary), dims=dims)
