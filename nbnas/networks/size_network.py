"""Networks of one fixed cell with own widths for each layer, as in the size search space of NATS-Bench.

Dong et al., NATS-Bench, TPAMI 2021, arXiv:2009.00437, Sec. 3.2. The edges from a cell's input take its channels to
those of the cell; a skip does so by a 1x1 convolution and normalisation, without activation.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from typing_extensions import override

from nbnas.networks.cell_network import Cell, ResidualReduction
from nbnas.networks.layers import batch_norm, convolution
from nbnas.networks.operations import make
from nbnas.networks.parts import LOGITS, Chosen, Context, Shape
from nbnas.spaces.size_network import SizeNetwork

__all__ = ["size_network"]


def size_network(component: SizeNetwork, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """From (batch, channels, *sizes) to logits (batch, classes)."""
    assert chosen is not None  # it is not relaxable
    widths = [int(chosen[decision.name]) for decision in component.decisions()]
    return _SizeNetwork(component, widths, shape, context), LOGITS


class _SizeNetwork(nn.Module):
    def __init__(self, component: SizeNetwork, widths: list[int], shape: Shape, context: Context) -> None:
        super().__init__()
        dims, form = len(shape.sizes), context.form
        stem = convolution(shape.channels, widths[0], 3, dims=dims)
        self.stem = nn.Sequential(stem, batch_norm(widths[0], dims=dims, form=form, affine=True))
        self.blocks = nn.ModuleList()
        channels = widths[0]
        for width, halves in zip(widths, component.layers(), strict=True):
            if halves:
                self.blocks.append(ResidualReduction(channels, width, dims=dims, form=form))
            else:
                edge = partial(_edge, component.edges(), channels, width, dims, context)
                self.blocks.append(Cell(component.nodes(), edge))
            channels = width
        self.head = nn.Sequential(batch_norm(channels, dims=dims, form=form, affine=True), nn.ReLU())
        self.classifier = nn.Linear(channels, context.classes)

    @override
    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.classifier(self.head(x).flatten(2).mean(dim=2))
        return logits


def _edge(
    operations: dict[str, str], in_channels: int, out_channels: int, dims: int, context: Context, name: str
) -> nn.Module:
    """What the edge `name` computes: those from the input of the cell change the channels."""
    channels = in_channels if name.startswith("edge_0_") else out_channels
    if operations[name] == "skip" and channels != out_channels:
        norm = batch_norm(out_channels, dims=dims, form=context.form)
        return nn.Sequential(convolution(channels, out_channels, 1, dims=dims), norm)
    return make(operations[name], channels, out_channels, 1, dims=dims, form=context.form)
