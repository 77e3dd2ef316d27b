"""Chains of layers with one operation each, discrete and relaxed."""

from __future__ import annotations

from torch import nn

from nbnas.networks.mixed_modules import MixedModules
from nbnas.networks.operations import make
from nbnas.networks.parts import Chained, Chosen, Context, Shape
from nbnas.spaces.operation_chain import OperationChain

__all__ = ["operation_chain"]


def operation_chain(
    component: OperationChain, chosen: Chosen, shape: Shape, context: Context
) -> tuple[nn.Module, Shape]:
    """The layers in order: each the chosen operation, or a mixture of all of them; the shape stays."""
    made: dict[str, tuple[nn.Module, bool]] = {}
    relaxed = chosen is None
    for decision in component.decisions():
        names = map(str, decision.options if chosen is None else (chosen[decision.name],))
        options = [
            make(name, shape.channels, shape.channels, 1, dims=len(shape.sizes), form=context.form) for name in names
        ]
        made[decision.name] = MixedModules(context.path + decision.name, options) if relaxed else options[0], relaxed
    return Chained(made), shape
