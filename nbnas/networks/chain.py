"""Networks that are a plain chain of layers.

Baker et al., Designing Neural Network Architectures using Reinforcement Learning, ICLR 2017, arXiv:1611.02167.
Differs from the paper: convolutions are followed by batch normalisation; poolings have stride 2 with any kernel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import nn

from nbnas.networks.activations import ACTIVATIONS
from nbnas.networks.layers import Form, batch_norm, convolution, maximum
from nbnas.spaces.chain import Chain
from nbnas.spaces.decision import Option

__all__ = ["chain"]


def chain(
    component: Chain,
    chosen: Mapping[str, Option],
    input_shape: tuple[int, ...],
    classes: int,
    form: Form,
) -> nn.Sequential:
    """Builds the network of the options `chosen`: (batch, *input_shape) to logits (batch, classes).

    A convolution keeps the sizes; a max pooling halves them and rounds up, so that none falls below 1. Dense layers
    read all positions, so that the order of a sequence counts.
    """
    channels, *sizes = input_shape
    dims = len(sizes)
    parts: list[nn.Module] = []
    features = 0  # 0 until the feature map is flattened
    for layer in component.layers(chosen):
        kind = layer["kind"]
        if kind == "dense":
            width = int(layer["width"])
            parts += [] if features else [nn.Flatten()]
            parts += [nn.Linear(features or channels * math.prod(sizes), width), _activation(layer)]
            features = width
        elif kind == "pool":
            parts.append(maximum(int(layer["kernel"]), 2, dims=dims))
            sizes = [-(-size // 2) for size in sizes]
        else:
            width = int(layer["width"])
            parts.append(convolution(channels, width, int(layer["kernel"]), dims=dims))
            parts += [batch_norm(width, dims=dims, form=form), _activation(layer)]
            channels = width
    parts += [] if features else [nn.Flatten()]
    parts.append(nn.Linear(features or channels * math.prod(sizes), classes))
    return nn.Sequential(*parts)


def _activation(layer: Mapping[str, Option]) -> nn.Module:
    return ACTIVATIONS[str(layer["activation"])]()
