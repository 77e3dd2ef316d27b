"""Networks of stacked cells with two inputs, as NASNet and DARTS train them on CIFAR.

Liu, Simonyan & Yang, DARTS: Differentiable Architecture Search, ICLR 2019, arXiv:1806.09055, App. A. Parameters and
floating-point operations of its cells in form `evaluation` equal those of the published code. Drop path: Larsson, Maire
& Shakhnarovich, FractalNet, ICLR 2017, arXiv:1605.07648.

Differs from the papers: in form `search` all nodes are concatenated, also where the space says those that no other
uses, an operation that a node takes twice on one input is one operation with weight 2, as in the supernet, and there is
neither an auxiliary head nor drop path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from nbnas.networks.auxiliary_head import AuxiliaryHead
from nbnas.networks.built_in import relu_conv_norm
from nbnas.networks.layers import FactorizedReduce, Form, batch_norm, convolution
from nbnas.networks.mixed_modules import Weight
from nbnas.networks.mixed_operation import node_values
from nbnas.networks.operations import make
from nbnas.networks.partial_channels import mixed_operation
from nbnas.networks.parts import LOGITS, Chosen, Context, Shape
from nbnas.spaces.cell import INPUTS, Cell
from nbnas.spaces.component import of_part
from nbnas.spaces.darts_network import DartsNetwork
from nbnas.spaces.decision import Option

__all__ = ["TwoInputCell", "TwoInputNetwork", "darts_network"]


class TwoInputCell(nn.Module):
    """One discrete cell.

    Args:
        component: the cell.
        chosen: its options, by decision.
        before_last, last: channels of its two inputs.
        channels: of each node.
        reduction: whether it halves the resolution.
        after_reduction: whether the cell before it did: then its first input is halved first.
        dims: 1 for sequences, 2 for images.
        form: see `Form`.
    """

    def __init__(
        self,
        component: Cell,
        chosen: Mapping[str, Option],
        before_last: int,
        last: int,
        channels: int,
        *,
        reduction: bool,
        after_reduction: bool,
        dims: int,
        form: Form,
    ) -> None:
        super().__init__()
        self.first, self.second = _inputs(before_last, last, channels, after_reduction, dims, form)
        self.edges = nn.ModuleDict()
        # By node its summands: an edge, of its modules one, where it starts, its weight.
        self.sums: list[list[tuple[str, str | None, int, int]]] = []
        terms = component.terms(chosen)
        for node, pair in terms.items():
            summands: list[tuple[str, str | None, int, int]] = []
            by_source: dict[int, list[str]] = {}
            for term in pair:
                by_source.setdefault(term.source, []).append(term.operation)
            for source, names in by_source.items():
                stride = 2 if reduction and source < INPUTS else 1
                key = f"edge_{source}_{node}"
                # In the supernet an operation is there once for each edge; trained on its own it is there as often as
                # it is chosen.
                places = [component.operations.index(name) for name in names] if form == "search" else range(len(names))
                made = {
                    str(place): make(name, channels, channels, stride, dims=dims, form=form)
                    for place, name in zip(places, names, strict=True)
                }
                weight = len(names) // len(made)
                if len(made) == 1:
                    self.edges[key] = next(iter(made.values()))
                    summands.append((key, None, source, weight))
                else:
                    self.edges[key] = _Options(made)
                    summands += [(key, place, source, weight) for place in made]
            self.sums.append(summands)
        self.ends = tuple(terms) if form == "search" else component.concatenated(chosen)

    @override
    def forward(self, before_last: Tensor, last: Tensor, drop_path: float = 0.0) -> Tensor:
        """From (batch, channels, *sizes) twice to (batch, nodes × channels, *sizes), in a reduction cell sizes / 2."""
        values = [self.first(before_last), self.second(last)]
        for summands in self.sums:
            node: Tensor | None = None
            for key, place, source, weight in summands:
                edge = self.edges[key]
                operation = edge.options[place] if isinstance(edge, _Options) and place is not None else edge
                term = operation(values[source])
                if drop_path and self.training and not isinstance(operation, nn.Identity):
                    term = _drop_path(term, drop_path)
                if weight != 1:
                    term = weight * term
                node = term if node is None else node + term
            assert node is not None
            values.append(node)
        return torch.cat([values[end] for end in self.ends], dim=1)


class MixedCell(nn.Module):
    """One relaxed cell: every edge is a mixed operation, and a node the sum of its edges from all earlier nodes.

    Args:
        component: the cell.
        path: goes before the names of its rows.
        before_last, last, channels, reduction, after_reduction, dims: as of `TwoInputCell`.
        channel_share: see `Context`.
    """

    def __init__(
        self,
        component: Cell,
        path: str,
        before_last: int,
        last: int,
        channels: int,
        *,
        reduction: bool,
        after_reduction: bool,
        dims: int,
        channel_share: int = 1,
    ) -> None:
        super().__init__()
        self.first, self.second = _inputs(before_last, last, channels, after_reduction, dims, "search")
        self.edges = nn.ModuleDict()
        for source, target in component.edges():
            stride = 2 if reduction and source < INPUTS else 1
            key = f"edge_{source}_{target}"
            self.edges[key] = mixed_operation(
                f"{path}{key}", component.operations, channels, stride, channel_share, dims=dims
            )
        self.ends = tuple(component.inner())

    @override
    def forward(self, before_last: Tensor, last: Tensor, mixture: Mapping[str, Weight]) -> Tensor:
        inputs = [self.first(before_last), self.second(last)]
        values = node_values(
            inputs, self.ends[-1] + 1, lambda source, target: self.edges[f"edge_{source}_{target}"], mixture
        )
        return torch.cat([values[end] for end in self.ends], dim=1)


def _inputs(
    before_last: int, last: int, channels: int, after_reduction: bool, dims: int, form: Form
) -> tuple[nn.Module, nn.Module]:
    """What brings the two inputs of a cell to its channels, and the first to the resolution of the second."""
    first = (
        FactorizedReduce(before_last, channels, dims=dims, form=form)
        if after_reduction
        else relu_conv_norm(1, before_last, channels, 1, dims, form)
    )
    return first, relu_conv_norm(1, last, channels, 1, dims, form)


class _Options(nn.Module):
    """Several operations of one edge, named as in the supernet."""

    def __init__(self, made: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.options = nn.ModuleDict(made)


def _drop_path(x: Tensor, share: float) -> Tensor:
    """Sets whole inputs of a batch to zero with probability `share`, the rest grows, so that the mean stays."""
    keep = x.new_empty((x.shape[0], *[1] * (x.dim() - 1))).bernoulli_(1 - share)
    return x / (1 - share) * keep


class TwoInputNetwork(nn.Module):
    """Stem, normal and reduction cells, global average pooling, linear classifier.

    Args:
        component: the network, without open fields.
        cells: the normal and the reduction cell: what goes before the names of its rows, the cell, and what was chosen,
            or `None` for the relaxed network.
        in_channels: channels of the input.
        classes: the number of classes.
        sizes: of the input: (length,) or (height, width).
        form: see `Form`; the stem's normalisation is affine in both.
        channel_share: see `Context`; of the relaxed network.

    Attributes:
        drop_path: the share of operations that are left out in training; a training may raise it as it goes on, as
            DARTS does from 0 to 0.2.
        auxiliary: the auxiliary head, or `None`. `forward` leaves it out; a training that uses it calls `heads`.
    """

    def __init__(
        self,
        component: DartsNetwork,
        cells: Sequence[tuple[str, Cell, Chosen]],
        in_channels: int,
        classes: int,
        sizes: tuple[int, ...],
        form: Form,
        channel_share: int = 1,
    ) -> None:
        super().__init__()
        dims, channels = len(sizes), component.channels
        width = component.stem_multiplier * channels
        stem = convolution(in_channels, width, 3, dims=dims)
        self.stem = nn.Sequential(stem, batch_norm(width, dims=dims, form=form, affine=True))
        self.cells = nn.ModuleList()
        self.auxiliary: AuxiliaryHead | None = None
        self.drop_path = component.drop_path if form == "evaluation" else 0.0
        before_last, last, after_reduction = width, width, False
        reductions = component.reductions(component.cells)
        for place in range(component.cells):
            reduction = place in reductions
            if reduction:
                channels *= 2
                sizes = tuple(-(-size // 2) for size in sizes)
            path, cell, chosen = cells[reduction]
            widths = (before_last, last, channels)
            made = (
                MixedCell(
                    cell,
                    path,
                    *widths,
                    reduction=reduction,
                    after_reduction=after_reduction,
                    dims=dims,
                    channel_share=channel_share,
                )
                if chosen is None
                else TwoInputCell(
                    cell, chosen, *widths, reduction=reduction, after_reduction=after_reduction, dims=dims, form=form
                )
            )
            self.cells.append(made)
            before_last, last, after_reduction = last, len(made.ends) * channels, reduction
            if place == reductions[1] and component.auxiliary and form == "evaluation":
                self.auxiliary = AuxiliaryHead(last, classes, sizes)
        self.auxiliary_after = reductions[1]
        self.classifier = nn.Linear(last, classes)

    @override
    def forward(self, x: Tensor, mixture: Mapping[str, Weight] | None = None) -> Tensor:
        """From (batch, in_channels, *sizes) to logits (batch, classes); `mixture` is for the relaxed network."""
        return self._run(x, mixture, with_auxiliary=False)[0]

    def heads(self, x: Tensor) -> tuple[Tensor, ...]:
        """The logits of `forward`, and after them those of the auxiliary head where there is one; for training.

        DARTS adds the auxiliary loss with weight 0.4.
        """
        return self._run(x, None, with_auxiliary=True)

    def _run(self, x: Tensor, mixture: Mapping[str, Weight] | None, *, with_auxiliary: bool) -> tuple[Tensor, ...]:
        before_last = last = self.stem(x)
        extra: tuple[Tensor, ...] = ()
        for place, cell in enumerate(self.cells):
            how = self.drop_path if mixture is None else mixture
            before_last, last = last, cell(before_last, last, how)
            if with_auxiliary and self.auxiliary is not None and place == self.auxiliary_after:
                extra = (self.auxiliary(last),)
        return self.classifier(last.flatten(2).mean(dim=2)), *extra


def darts_network(component: DartsNetwork, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """Builds the network of the options `chosen`, or the relaxed one when there are none."""
    own = component.fixed(chosen or {})
    cells = [
        (f"{context.path}{name}/", cell, None if chosen is None else of_part(chosen, name))
        for name, cell in (("normal", own.normal), ("reduction", own.reduction))
    ]
    made = TwoInputNetwork(
        own, cells, shape.channels, context.classes, shape.sizes, context.form, context.channel_share
    )
    return made, LOGITS
