"""Fully connected layers."""

from __future__ import annotations

import math

from torch import nn

from nbnas.errors import SpaceError
from nbnas.networks.activations import ACTIVATIONS
from nbnas.networks.layers import batch_norm
from nbnas.networks.parts import Chosen, Context, Shape
from nbnas.spaces.mlp import Mlp

__all__ = ["mlp"]


def mlp(component: Mlp, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """From (batch, features), or what is flattened to it, to (batch, width)."""
    own = component.fixed(chosen or {})
    if shape.kind == "sequence" and context.targets == "position":
        raise SpaceError(
            "a sequence must stay one where each position has a target, got an mlp, which flattens it. "
            "Take a recurrent cell or transformer blocks, or a task with one target an item"
        )
    layers: list[nn.Module] = [] if shape.kind == "vector" else [nn.Flatten()]
    features = shape.channels * math.prod(shape.sizes)
    for _ in range(own.depth):
        batch = own.normalisation == "batch"
        layers.append(nn.Linear(features, own.width, bias=not batch))  # batch normalisation has one, or cancels it
        if batch:
            layers.append(batch_norm(own.width, dims=1, form=context.form))
        elif own.normalisation == "layer":
            layers.append(nn.LayerNorm(own.width))
        if own.activation != "none":
            layers.append(ACTIVATIONS[own.activation]())
        if own.dropout:
            layers.append(nn.Dropout(own.dropout))
        features = own.width
    return nn.Sequential(*layers), Shape("vector", features)
