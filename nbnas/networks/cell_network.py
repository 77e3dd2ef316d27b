"""Networks of stacked cells, discrete and relaxed, with the skeleton of NAS-Bench-201.

Dong & Yang, NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search, ICLR 2020, arXiv:2001.00326,
Fig. 1. Parameters and multiply-adds equal the published ones in form `evaluation`.

Differs from the paper: in form `search` batch statistics are used everywhere, also for evaluation, and the residual
blocks' normalisations have no affine parameters, like those of the cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor, nn
from typing_extensions import override

from nbnas.networks.built_in import relu_conv_norm
from nbnas.networks.layers import Form, average, batch_norm, convolution
from nbnas.networks.mixed_modules import Weight
from nbnas.networks.mixed_operation import node_values
from nbnas.networks.operations import make
from nbnas.networks.partial_channels import mixed_operation
from nbnas.spaces.cell_network import CellNetwork
from nbnas.spaces.decision import Option

__all__ = ["Cell", "CellStack", "ResidualReduction", "cell_network"]

MakeEdge = Callable[[int, str], nn.Module]
"""Makes what an edge computes, from (channels, decision name)."""


class Cell(nn.Module):
    """A dense graph: every node is the sum of its edges from all earlier nodes; node 0 is the input.

    Args:
        nodes: the number of nodes, at least 2.
        edge: makes the module of the edge named by a decision.
    """

    def __init__(self, nodes: int, edge: Callable[[str], nn.Module]) -> None:
        super().__init__()
        self.nodes = nodes
        names = [f"edge_{source}_{target}" for target in range(1, nodes) for source in range(target)]
        self.edges = nn.ModuleDict({name: edge(name) for name in names})

    def forward(self, x: Tensor, mixture: Mapping[str, Weight] | None = None) -> Tensor:
        """Keeps the shape (batch, channels, *sizes); `mixture` is for cells whose edges are mixed operations."""
        if mixture is not None:
            return node_values([x], self.nodes, lambda source, target: self.edges[f"edge_{source}_{target}"], mixture)[
                -1
            ]
        values = [x]
        for target in range(1, self.nodes):
            terms = [self.edges[f"edge_{source}_{target}"](value) for source, value in enumerate(values)]
            values.append(sum(terms[1:], start=terms[0]))
        return values[-1]


class ResidualReduction(nn.Module):
    """Between stages: a residual block of stride 2 that doubles the channels; sizes are rounded up."""

    def __init__(self, in_channels: int, out_channels: int, *, dims: int, form: Form) -> None:
        super().__init__()
        self.first = relu_conv_norm(3, in_channels, out_channels, 2, dims, form)
        self.second = relu_conv_norm(3, out_channels, out_channels, 1, dims, form)
        self.shortcut = nn.Sequential(average(2, 2, dims=dims), convolution(in_channels, out_channels, 1, dims=dims))

    @override
    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.shortcut(x) + self.second(self.first(x))
        return total


class CellStack(nn.Module):
    """Stem, stages of equal cells with reductions between them, global average pooling, linear classifier.

    Args:
        component: the cell network.
        edge: makes what an edge of a cell computes.
        in_channels: channels of the input.
        classes: the number of classes.
        dims: 1 for sequences, 2 for images.
        form: see `Form`; the skeleton's normalisations outside reductions are affine in both.
    """

    def __init__(
        self, component: CellNetwork, edge: MakeEdge, in_channels: int, classes: int, *, dims: int, form: Form
    ) -> None:
        super().__init__()
        channels = component.channels
        stem = convolution(in_channels, channels, 3, dims=dims)
        self.stem = nn.Sequential(stem, batch_norm(channels, dims=dims, form=form, affine=True))
        self.blocks = nn.ModuleList()
        for stage in range(component.stages):
            if stage:
                self.blocks.append(ResidualReduction(channels, 2 * channels, dims=dims, form=form))
                channels *= 2
            for _ in range(component.cells):
                self.blocks.append(Cell(component.nodes, partial(edge, channels)))
        self.head = nn.Sequential(batch_norm(channels, dims=dims, form=form, affine=True), nn.ReLU())
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor, mixture: Mapping[str, Weight] | None = None) -> Tensor:
        """From (batch, in_channels, *sizes) to logits (batch, classes); `mixture` is for the relaxed network."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x, mixture) if isinstance(block, Cell) else block(x)
        logits: Tensor = self.classifier(self.head(x).flatten(2).mean(dim=2))
        return logits


def cell_network(
    component: CellNetwork,
    chosen: Mapping[str, Option] | None,
    input_shape: tuple[int, ...],
    classes: int,
    form: Form,
    path: str = "",
    channel_share: int = 1,
) -> CellStack:
    """Builds the network of the options `chosen`, or the relaxed one when there are none.

    Args:
        component: the cell network.
        chosen: the operation of each edge, by decision name.
        input_shape: (channels, *sizes).
        classes: the number of classes.
        form: see `Form`; the relaxed network is always in form `search`.
        path: goes before the names of rows.
        channel_share: see `Context`.
    """
    channels, *sizes = input_shape
    dims = len(sizes)

    def edge(width: int, name: str) -> nn.Module:
        if chosen is None:
            return mixed_operation(f"{path}{name}", component.operations, width, 1, channel_share, dims=dims)
        return make(str(chosen[name]), width, width, 1, dims=dims, form=form)

    return CellStack(component, edge, channels, classes, dims=dims, form="search" if chosen is None else form)
