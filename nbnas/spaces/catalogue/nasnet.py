"""The spaces of NASNet, AmoebaNet and ENAS (micro): cells of 5 nodes that each choose two inputs and two operations.

Zoph, Vasudevan, Shlens & Le, Learning Transferable Architectures for Scalable Image Recognition, CVPR 2018,
arXiv:1707.07012, Sec. 3: 13 operations. Real, Aggarwal, Huang & Le, Regularized Evolution for Image Classifier
Architecture Search, AAAI 2019, arXiv:1802.01548, Sec. 3: 8 of them. Pham, Guan, Zoph, Le & Dean, Efficient Neural
Architecture Search via Parameter Sharing, ICML 2018, arXiv:1802.03268, Sec. 2.4: 5 of them.

With k operations a cell is one of (2·3·4·5·6)²·k^10; the space has the square of that. Node j chooses each input from
all earlier nodes; the nodes that none uses are concatenated.

Differs from the papers: the two operations of a node are always added (NASNet also searches concatenation; all cells
that the papers print add); the skeleton is that of DARTS on CIFAR (one stem convolution, cells at 1/3 and 2/3 reduce);
a dilated convolution is a separable one in NASNet's space too; the relaxed view, which the papers do not have,
concatenates all nodes, and so do networks in form `search`.
"""

from __future__ import annotations

from nbnas.spaces.catalogue.genotypes import Genotype
from nbnas.spaces.cell import Cell
from nbnas.spaces.darts_network import DartsNetwork
from nbnas.spaces.space import SearchSpace

__all__ = ["AMOEBANET_A", "AMOEBANET_OPERATIONS", "ENAS_OPERATIONS", "NASNET_A", "NASNET_OPERATIONS"]
__all__ += ["amoebanet", "enas_micro", "nasnet"]

NASNET_OPERATIONS = (
    "skip",
    "conv_3x1_1x3",
    "conv_7x1_1x7",
    "dil_conv_3x3",
    "avg_pool_3x3",
    "max_pool_3x3",
    "max_pool_5x5",
    "max_pool_7x7",
    "conv_1x1",
    "conv_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
)

AMOEBANET_OPERATIONS = (
    "skip",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
    "avg_pool_3x3",
    "max_pool_3x3",
    "dil_conv_3x3",
    "conv_7x1_1x7",
)

ENAS_OPERATIONS = ("skip", "sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3")

NASNET_A = Genotype(
    normal=(
        ("sep_conv_5x5", 1), ("sep_conv_3x3", 0),
        ("sep_conv_5x5", 0), ("sep_conv_3x3", 0),
        ("avg_pool_3x3", 1), ("skip_connect", 0),
        ("avg_pool_3x3", 0), ("avg_pool_3x3", 0),
        ("sep_conv_3x3", 1), ("skip_connect", 1),
    ),
    normal_concat=(2, 3, 4, 5, 6),
    reduce=(
        ("sep_conv_5x5", 1), ("sep_conv_7x7", 0),
        ("max_pool_3x3", 1), ("sep_conv_7x7", 0),
        ("avg_pool_3x3", 1), ("sep_conv_5x5", 0),
        ("skip_connect", 3), ("avg_pool_3x3", 2),
        ("sep_conv_3x3", 2), ("max_pool_3x3", 1),
    ),
    reduce_concat=(4, 5, 6),
)  # fmt: skip
"""NASNet-A, Fig. 4 of the paper, as the code of DARTS lists it."""

AMOEBANET_A = Genotype(
    normal=(
        ("avg_pool_3x3", 0), ("max_pool_3x3", 1),
        ("sep_conv_3x3", 0), ("sep_conv_5x5", 2),
        ("sep_conv_3x3", 0), ("avg_pool_3x3", 3),
        ("sep_conv_3x3", 1), ("skip_connect", 1),
        ("skip_connect", 0), ("avg_pool_3x3", 1),
    ),
    normal_concat=(4, 5, 6),
    reduce=(
        ("avg_pool_3x3", 0), ("sep_conv_3x3", 1),
        ("max_pool_3x3", 0), ("sep_conv_7x7", 2),
        ("sep_conv_7x7", 0), ("avg_pool_3x3", 1),
        ("max_pool_3x3", 0), ("max_pool_3x3", 1),
        ("conv_7x1_1x7", 0), ("sep_conv_3x3", 5),
    ),
    reduce_concat=(3, 4, 6),
)  # fmt: skip
"""AmoebaNet-A, Fig. 5 of the paper, as the code of DARTS lists it."""


def nasnet(
    channels: int = 16,
    cells: int = 8,
    nodes: int = 5,
    *,
    operations: tuple[str, ...] = NASNET_OPERATIONS,
    dims: int = 2,
    auxiliary: bool = False,
) -> SearchSpace:
    """NASNet's space; smaller `channels`, `cells` (3 at least) and `nodes` make it light enough for two CPU cores.

    Args:
        channels: of a node in the first cells.
        cells: in all.
        nodes: of a cell, besides its inputs; the papers call them blocks or pairwise combinations.
        operations: what can be applied to an input.
        dims: 2 for images, 1 for sequences.
        auxiliary: whether evaluation networks have an auxiliary head.
    """
    return _space("nasnet", channels, cells, nodes, operations, dims, auxiliary)


def amoebanet(
    channels: int = 16, cells: int = 8, nodes: int = 5, *, dims: int = 2, auxiliary: bool = False
) -> SearchSpace:
    """The space in which AmoebaNet-A was found; arguments as of `nasnet`."""
    return _space("amoebanet", channels, cells, nodes, AMOEBANET_OPERATIONS, dims, auxiliary)


def enas_micro(
    channels: int = 16, cells: int = 8, nodes: int = 5, *, dims: int = 2, auxiliary: bool = False
) -> SearchSpace:
    """The micro space of ENAS; arguments as of `nasnet`."""
    return _space("enas_micro", channels, cells, nodes, ENAS_OPERATIONS, dims, auxiliary)


def _space(
    name: str, channels: int, cells: int, nodes: int, operations: tuple[str, ...], dims: int, auxiliary: bool
) -> SearchSpace:
    cell = Cell(nodes, operations, pairs="any", output="concat_unused")
    return SearchSpace(name, DartsNetwork(cell, cell, channels, cells, auxiliary=auxiliary), dims=dims)
