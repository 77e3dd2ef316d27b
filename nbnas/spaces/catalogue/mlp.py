"""Multilayer perceptrons: how many layers, and of each its width, activation, normalisation and dropout.

In the manner of the shaped networks of Zimmer, Lindauer & Hutter, Auto-PyTorch Tabular, TPAMI 2021, arXiv:2006.13799,
which open depth, width and dropout.

Differs from the paper: each layer chooses for itself instead of following a funnel, activation and normalisation are
open too, the training recipe is not, and values are light by default.
"""

from __future__ import annotations

from nbnas.spaces.ends import Head
from nbnas.spaces.mlp import Mlp
from nbnas.spaces.network import Network, Repeat
from nbnas.spaces.open import Choice, Integer
from nbnas.spaces.space import SearchSpace

__all__ = ["mlp"]


def mlp(
    max_depth: int = 4,
    *,
    widths: tuple[int, ...] = (16, 32, 64, 128),
    activations: tuple[str, ...] = ("relu", "tanh", "gelu"),
    normalisations: tuple[str, ...] = ("none", "batch", "layer"),
    dropouts: tuple[float, ...] = (0.0, 0.2, 0.5),
    dims: int = 0,
) -> SearchSpace:
    """The space: with c = widths · activations · normalisations · dropouts it has c + c² + … + c^max_depth networks.

    It has no relaxed view, since layers of different widths cannot be mixed.

    Args:
        max_depth: most layers before the classifier; 1 at least.
        widths: units of a layer.
        activations: of a layer.
        normalisations: of a layer: none, batch, layer.
        dropouts: shares of units dropped in training.
        dims: 0 for tables, 1 for sequences, 2 for images: these are flattened.
    """
    layer = Mlp(
        width=Choice(*widths),  # type: ignore[arg-type] # open fields
        activation=Choice(*activations),  # type: ignore[arg-type]
        normalisation=Choice(*normalisations),  # type: ignore[arg-type]
        dropout=Choice(*dropouts),  # type: ignore[arg-type]
    )
    layers = Repeat(layer, Integer(1, max_depth), name="layers")  # type: ignore[arg-type]
    return SearchSpace("mlp", Network((layers, Head())), dims=dims)
