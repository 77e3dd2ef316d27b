"""The macro search space of ENAS: 12 layers, 6 operations, skip connections between all of them.

Pham et al., Efficient Neural Architecture Search via Parameter Sharing, ICML 2018, arXiv:1802.03268, Sec. 2.3:
6^12 · 2^66 ≈ 1.6·10^29 architectures.

Differs from the paper: skip connections are added and the sum is normalised, as in the authors' code (the paper
concatenates them); see `nbnas.networks.skip_chain`.
"""

from __future__ import annotations

from nbnas.spaces.ends import Head, Stem
from nbnas.spaces.network import Network
from nbnas.spaces.skip_chain import SkipChain
from nbnas.spaces.space import SearchSpace

__all__ = ["enas_macro"]


def enas_macro(
    layers: int = 12,
    channels: int = 24,
    *,
    operations: tuple[str, ...] = SkipChain.operations,
    growth: int = 2,
    dropout: float = 0.0,
    dims: int = 2,
) -> SearchSpace:
    """The space; fewer `layers` and `channels` make it light enough for two CPU cores.

    Its relaxed view has a row for the operation of each layer, and one for each skip connection (none, skip).

    Args:
        layers: layers; after one and after two thirds of them the resolution is halved.
        channels: of the stem and all layers.
        operations: options of a layer.
        growth: by how much the channels grow where the resolution is halved, in form `evaluation` only.
        dropout: before the classifier, the share that is dropped (0.1 in the authors' code).
        dims: 2 for images, 1 for sequences.
    """
    body = SkipChain(layers, operations, growth, name="layers")
    parts = (Stem(channels, activation="none"), body, Head(dropout=dropout))
    return SearchSpace("enas_macro", Network(parts), dims=dims)
