"""Networks of the chains of MetaQNN.

Baker, Gupta, Naik & Raskar, Designing Neural Network Architectures using Reinforcement Learning, ICLR 2017,
arXiv:1611.02167, Sec. 4 and 5: convolutions keep the size, poolings take maxima of whole windows; ReLU after each
convolution and dense layer; dropout after every second layer, the rate of the i-th of n being i / 2n.
"""

from __future__ import annotations

import math

from torch import nn

from nbnas.errors import SpaceError
from nbnas.networks.layers import batch_norm
from nbnas.networks.parts import LOGITS, Chosen, Context, Shape
from nbnas.spaces.layer_chain import LayerChain

__all__ = ["layer_chain"]


def layer_chain(component: LayerChain, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """From (batch, channels, *sizes), the smallest of them `component.size`, to logits (batch, classes).

    Raises:
        SpaceError: the inputs have another size.
    """
    assert chosen is not None  # it is not relaxable
    sizes, features = list(shape.sizes), shape.channels
    if min(sizes) != component.size:
        raise SpaceError(
            f"size must be the smallest dimension of the inputs ({min(sizes)}), got {component.size}; in LayerChain. "
            f"Make the space with size={min(sizes)}"
        )
    dims = len(sizes)
    kinds = (
        (nn.Conv1d, nn.MaxPool1d, nn.AdaptiveAvgPool1d)
        if dims == 1
        else (nn.Conv2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d)
    )
    conv, maximum, average = kinds
    *layers, end = component.layers(chosen)
    parts: list[nn.Module] = []
    flat = False
    for place, layer in enumerate(layers, start=1):
        if layer.kind == "conv":
            parts.append(conv(features, layer.width, layer.kernel, padding=layer.kernel // 2, bias=not component.norm))
            if component.norm:
                parts.append(batch_norm(layer.width, dims=dims, form=context.form))
            parts.append(nn.ReLU())
            features = layer.width
        elif layer.kind == "pool":
            parts.append(maximum(layer.kernel, layer.stride))
            sizes = [(size - layer.kernel) // layer.stride + 1 for size in sizes]
        else:
            parts += [] if flat else [nn.Flatten()]
            parts += [nn.Linear(features if flat else features * math.prod(sizes), layer.width), nn.ReLU()]
            features, flat = layer.width, True
        if component.dropout and place % 2 == 0:
            parts.append(nn.Dropout((place // 2) / (2 * (len(layers) // 2))))
    if not flat:
        parts += [average(1), nn.Flatten()] if end.kind == "average" else [nn.Flatten()]
        features *= 1 if end.kind == "average" else math.prod(sizes)
    return nn.Sequential(*parts, nn.Linear(features, context.classes)), LOGITS
