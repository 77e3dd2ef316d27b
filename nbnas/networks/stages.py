"""Networks of stages of equal blocks."""

from __future__ import annotations

from torch import nn

from nbnas.networks.mobile_blocks import conv_block, inverted_residual, separable_block
from nbnas.networks.parts import Chained, Chosen, Context, Shape, build_part
from nbnas.spaces.component import of_part
from nbnas.spaces.stages import Stage, Stages

__all__ = ["stage", "stages"]


def stage(component: Stage, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """The blocks of one stage in order: from (batch, channels, *sizes) to (batch, width, *sizes / stride)."""
    own = component.fixed(chosen or {})
    blocks: list[nn.Module] = []
    channels, stride = shape.channels, own.stride
    for _ in range(own.depth):
        blocks.append(_block(own, channels, stride, len(shape.sizes), context))
        channels, stride = own.width, 1
    sizes = tuple(-(-size // own.stride) for size in shape.sizes)
    return nn.Sequential(*blocks), Shape("map", own.width, sizes)


def _block(own: Stage, channels: int, stride: int, dims: int, context: Context) -> nn.Module:
    if own.block == "mb":
        return inverted_residual(
            channels,
            own.width,
            kernel=own.kernel,
            stride=stride,
            expansion=own.expansion,
            dims=dims,
            form=context.form,
            squeeze=own.squeeze,
            activation=own.activation,
            shortcut=own.shortcut,
        )
    make = separable_block if own.block == "sep" else conv_block
    return make(
        channels,
        own.width,
        kernel=own.kernel,
        stride=stride,
        dims=dims,
        form=context.form,
        squeeze=own.squeeze,
        activation=own.activation,
        shortcut=own.shortcut,
    )


def stages(component: Stages, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """The stages in order."""
    made: dict[str, tuple[nn.Module, bool]] = {}
    for name, part in component.children().items():
        module, shape = build_part(part, of_part(chosen or {}, name), shape, context.of_part(name))
        made[name] = module, False
    return Chained(made), shape
