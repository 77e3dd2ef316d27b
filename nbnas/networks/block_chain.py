"""Chains of layers with one block each, discrete and relaxed."""

from __future__ import annotations

from torch import nn

from nbnas.networks.layers import batch_norm, convolution
from nbnas.networks.mixed_modules import MixedModules
from nbnas.networks.mobile_blocks import inverted_residual
from nbnas.networks.parts import Chained, Chosen, Context, Shape
from nbnas.spaces.block_chain import Block, BlockChain, LayerShape

__all__ = ["block_chain"]


def block_chain(component: BlockChain, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """The layers in order: each the chosen block, or a mixture of all its options."""
    made: dict[str, tuple[nn.Module, bool]] = {}
    channels, sizes = shape.channels, shape.sizes
    dims = len(sizes)
    for layer, decision in zip(component.layers(), component.decisions(), strict=True):
        actual = layer._replace(in_channels=channels)
        names = map(str, decision.options if chosen is None else (chosen[layer.name],))
        options = [_option(name, actual, component.activation, dims, context) for name in names]
        relaxed = chosen is None
        made[layer.name] = MixedModules(context.path + layer.name, options) if relaxed else options[0], relaxed
        channels, sizes = layer.out_channels, tuple(-(-size // layer.stride) for size in sizes)
    return Chained(made), Shape("map", channels, sizes)


def _option(name: str, layer: LayerShape, activation: str, dims: int, context: Context) -> nn.Module:
    if name != "skip":
        block = Block.named(name)
        return inverted_residual(
            layer.in_channels,
            layer.out_channels,
            kernel=block.kernel,
            stride=layer.stride,
            expansion=block.expansion,
            dims=dims,
            form=context.form,
            squeeze=block.squeeze,
            groups=block.groups,
            activation=activation,
        )
    if not layer.changes:
        return nn.Identity()
    projection = convolution(layer.in_channels, layer.out_channels, 1, dims=dims, stride=layer.stride)
    return nn.Sequential(projection, batch_norm(layer.out_channels, dims=dims, form=context.form))
