"""The search space of MetaQNN: chains of up to 18 convolutions, poolings and dense layers.

Baker, Gupta, Naik & Raskar, Designing Neural Network Architectures using Reinforcement Learning, ICLR 2017,
arXiv:1611.02167, Table 1 and appendix B. A convolution has 64, 128, 256 or 512 channels and kernel 1, 3 or 5; a max
pooling (kernel, stride) (5, 3), (3, 2) or (2, 2); a dense layer 512, 256 or 128 units. Kernels are at most as large as
the representation. No pooling is first, or follows another. Dense layers, at most two, come last, and only at
representation sizes below 8 (the two lower bins of the paper). Any layer may be the last one, followed by the softmax
classifier or by global average pooling and it; with 18 layers it must end.

Differs from the paper: see `nbnas.spaces.layer_chain`.
"""

from __future__ import annotations

from nbnas.spaces.layer_chain import LayerChain
from nbnas.spaces.space import SearchSpace

__all__ = ["metaqnn_chain"]


def metaqnn_chain(
    size: int = 32,
    max_layers: int = 18,
    *,
    widths: tuple[int, ...] = (64, 128, 256, 512),
    kernels: tuple[int, ...] = (1, 3, 5),
    pools: tuple[tuple[int, int], ...] = ((5, 3), (3, 2), (2, 2)),
    dense_units: tuple[int, ...] = (512, 256, 128),
    max_dense: int = 2,
    norm: bool = False,
    dropout: bool = True,
    dims: int = 2,
) -> SearchSpace:
    """The space; fewer `max_layers` and smaller `widths` make it light enough for two CPU cores.

    There is no relaxed view, since layers of a place differ in the shapes that they give: score architectures with
    `nb.evaluators.Training`, in any black-box strategy; the paper's is `nb.strategies.QLearning`.

    Args:
        size: the smallest dimension of the inputs, on which depends which layers may follow which.
        max_layers: most layers, without the classifier.
        widths: channels of a convolution.
        kernels: kernel sizes of a convolution.
        pools: (kernel, stride) of each pooling.
        dense_units: units of a dense layer.
        max_dense: most dense layers.
        norm: batch normalisation after each convolution; the paper has none.
        dropout: dropout after every second layer, as in the paper.
        dims: 2 for images, 1 for sequences.
    """
    pool_kernels, pool_strides = tuple(kernel for kernel, _ in pools), tuple(stride for _, stride in pools)
    component = LayerChain(
        size,
        max_layers,
        widths,
        kernels,
        pool_kernels,
        pool_strides,
        dense_units,
        max_dense,
        norm=norm,
        dropout=dropout,
    )
    return SearchSpace("metaqnn_chain", component, dims=dims)
