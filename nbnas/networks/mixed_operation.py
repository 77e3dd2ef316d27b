"""One edge of a supernet: all options of a row, of which a mixture is computed.

Edges that leave the same node share what does not depend on their weights: its positive part and its poolings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import ClassVar, TypeGuard

import torch
from torch import Tensor, nn
from typing_extensions import override

from nbnas.networks import kernels
from nbnas.networks.layers import FactorizedReduce, Zero
from nbnas.networks.mixed_modules import Drawn, MixedModules, Weight
from nbnas.networks.operations import make

__all__ = ["MixedOperation", "Source", "node_values"]

_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class Source:
    """The value of a node, with what several edges that leave it compute of it.

    Args:
        value: shape (batch, channels, *sizes).
    """

    def __init__(self, value: Tensor) -> None:
        self.value = value
        self._shared: dict[str, Tensor] = {}
        self.of_relu: dict[str, Tensor] = {}
        """What depthwise convolutions of the positive part share."""
        self._parts: dict[int, Source] = {}

    def relu(self) -> Tensor:
        """Its positive part."""
        return self._once("relu", nn.functional.relu)

    def pooled(self, option: nn.Module, text: str) -> Tensor:
        """What an option that has no weights, a pooling and its normalisation, makes of it; `text` tells it apart."""
        return self._once(text, option)

    def of_channels(self, first: int) -> Source:
        """The source of its first channels alone."""
        if first not in self._parts:
            part = self.value[:, :first]
            fits = kernels.fits(part)
            self._parts[first] = Source(part.contiguous(memory_format=torch.channels_last) if fits else part)
        return self._parts[first]

    def _once(self, name: str, function: Callable[[Tensor], Tensor]) -> Tensor:
        if name not in self._shared:
            self._shared[name] = function(self.value)
        return self._shared[name]


class MixedOperation(MixedModules):
    """The weighted sum of all options of one row (DARTS, Eq. 2), or some of them alone.

    Args:
        decision: the name of the row, from the root.
        options: names of operations.
        in_channels, out_channels, stride, dims: as in `make`; the form is `search`.
    """

    packs: ClassVar[bool] = True
    """Whether its options may be computed together with those of other edges that leave the same source."""

    def __init__(
        self, decision: str, options: Sequence[str], in_channels: int, out_channels: int, stride: int, *, dims: int
    ) -> None:
        made = (make(name, in_channels, out_channels, stride, dims=dims, form="search") for name in options)
        super().__init__(decision, made)

    @override
    def forward(self, x: Tensor, mixture: Mapping[str, Weight]) -> Tensor:
        """Shapes as in `make`; `mixture` names this row."""
        total = self.add_to(None, Source(x), mixture[self.decision])
        # Without any term every option is zero; the first gives the shape.
        return self.options[0](x) * 0.0 if total is None else total

    def add_to(
        self, total: Tensor | None, source: Source, weight: Weight, without: Collection[int] = ()
    ) -> Tensor | None:
        """Adds the mixture of this edge to the sum of a node.

        Args:
            total: the sum so far, which is changed in place; `None` for zero.
            source: where the edge starts.
            weight: see `Weight`.
            without: places of options that are left out, since they are added elsewhere.
        """
        if self.watch is not None:
            self.watch(source.value)
        for place, share in self._terms(weight, source.value):
            option = self.options[place]
            if place not in without and not isinstance(option, Zero):
                total = _added(total, option, self.texts[place], source, share)
        return total

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What tells options apart that compute different things or have other shapes."""
        return tuple(map(repr, self.options))

    def _terms(self, weight: Weight, like: Tensor) -> list[tuple[int, Tensor]]:
        if isinstance(weight, tuple):
            one = torch.ones((), dtype=like.dtype, device=like.device)
            return [(place, one) for place in weight]
        if isinstance(weight, Drawn):
            return list(zip(weight.places, weight.shares.unbind(), strict=True))
        return list(enumerate(weight.unbind()))


def node_values(
    inputs: Sequence[Tensor], nodes: int, edge: Callable[[int, int], nn.Module], mixture: Mapping[str, Weight]
) -> list[Tensor]:
    """The values of all nodes of a graph in which every node is the sum of the edges from all nodes before it.

    Args:
        inputs: the values of the first nodes, which no edge leads to.
        nodes: how many nodes there are, inputs included.
        edge: the mixed operation from a source to a target.
        mixture: by row name what each edge is told.
    """
    totals: list[Tensor | None] = [None] * nodes
    values = list(inputs)
    for place in range(nodes - 1):
        source = Source(values[place])
        targets = range(max(place + 1, len(inputs)), nodes)
        edges = [edge(place, target) for target in targets]
        mixed = [one for one in edges if isinstance(one, MixedOperation)]
        weights = [mixture[one.decision] for one in mixed]
        shared, packed = _alike(mixed, weights)
        for target, one, weight in zip(targets, mixed, weights, strict=True):
            totals[target] = one.add_to(totals[target], source, weight, without={*shared, *packed})
        for option in (*shared, *packed):
            sums = [totals[target] for target in targets]
            add = _add_shared if option in shared else _add_packed
            for target, total in zip(targets, add(sums, mixed, weights, option, source), strict=True):
                totals[target] = total
        if place + 1 >= len(inputs):
            values.append(_or_zeros(totals[place + 1], source.value))
    return values


def _or_zeros(total: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if total is None else total


def _alike(edges: Sequence[MixedOperation], weights: Sequence[Weight]) -> tuple[list[int], list[int]]:
    """Places of options that are computed together for all edges that leave a source.

    Returns:
        Those that depend on the source alone, and those that are one convolution of its positive part on every edge.
    """
    if len(edges) < 2 or not all(edge.packs for edge in edges):
        return [], []
    if not all(isinstance(weight, Tensor) for weight in weights):
        return [], []
    first = edges[0]
    alike = [place for place, text in enumerate(first.texts) if all(edge.texts[place] == text for edge in edges)]
    return (
        [place for place in alike if _is_free(first.options[place])],
        [place for place in alike if _is_conv(first.options[place])],
    )


def _is_free(option: nn.Module) -> bool:
    """Whether it is a skip, or a pooling without weights."""
    return isinstance(option, nn.Identity) or (isinstance(option, nn.Sequential) and isinstance(option[0], _POOLS))


def _is_conv(option: nn.Module) -> bool:
    if not isinstance(option, nn.Sequential) or len(option) != 3 or not isinstance(option[0], nn.ReLU):
        return False
    conv = option[1]
    return isinstance(conv, nn.Conv2d) and conv.groups == 1 and conv.stride == (1, 1) and _free(option[2])


def _add_shared(
    totals: Sequence[Tensor | None],
    edges: Sequence[MixedOperation],
    weights: Sequence[Weight],
    place: int,
    source: Source,
) -> list[Tensor]:
    """To each total the option at `place` of its edge, which is the same value for all."""
    option = edges[0].options[place]
    x = source.value if isinstance(option, nn.Identity) else source.pooled(option, edges[0].texts[place])
    return _plus(totals, x, torch.stack([weight[place] for weight in weights if isinstance(weight, Tensor)]))


def _add_packed(
    totals: Sequence[Tensor | None],
    edges: Sequence[MixedOperation],
    weights: Sequence[Weight],
    place: int,
    source: Source,
) -> list[Tensor]:
    """To each total the option at `place` of its edge: one convolution for all edges, one normalisation."""
    x = source.relu()
    options = [edge.options[place] for edge in edges]
    convs: list[nn.Conv2d] = [option[1] for option in options]  # type: ignore[index]
    kernel = torch.cat([conv.weight for conv in convs])
    if convs[0].kernel_size == (1, 1) and kernels.fits(x):
        spread = kernels.pointwise(x, kernel)
    else:
        spread = nn.functional.conv2d(x, kernel, None, 1, convs[0].padding, convs[0].dilation)
    shares = [weight[place] for weight in weights if isinstance(weight, Tensor)]
    scale = torch.cat([share.expand(convs[0].out_channels) for share in shares])
    sums = [_or_zeros(total, x) for total in totals]
    return kernels.add_normalized_slices(sums, spread, scale, options[0][2].eps)  # type: ignore[index]


def _added(total: Tensor | None, option: nn.Module, text: str, source: Source, share: Tensor) -> Tensor:
    """`total` plus `share` times what an option makes of the source."""
    if isinstance(option, nn.Sequential) and isinstance(option[0], _POOLS):
        return _plus([total], source.pooled(option, text), share.unsqueeze(0))[0]
    if kernels.fits(source.value):
        if isinstance(option, FactorizedReduce) and _free(option.norm):
            return kernels.add_normalized(total, _halved(option, source), share, option.norm.eps)
        if isinstance(option, nn.Sequential) and _free(norm := option[-1]):
            return kernels.add_normalized(total, _run([*option][:-1], source), share, norm.eps)
    elif isinstance(option, nn.Sequential) and isinstance(option[0], nn.ReLU) and _free(norm := option[-1]):
        # The weight is the scale of the normalisation: one pass, and one kernel of a GPU, less.
        x = source.relu()
        for layer in [*option][1:-1]:
            x = layer(x)
        scale = share.expand(x.shape[1]).contiguous()
        term = nn.functional.batch_norm(x, None, None, scale, None, True, 0.0, norm.eps)
        return term if total is None else total.add_(term)
    return _plus([total], option(source.value), share.unsqueeze(0))[0]


def _plus(totals: Sequence[Tensor | None], x: Tensor, shares: Tensor) -> list[Tensor]:
    """To each total its share of `x`."""
    if x.device.type == "cpu":
        return kernels.add_scaled(totals, x, shares)
    pairs = zip(totals, shares.unbind(), strict=True)
    return [share * x if total is None else torch.addcmul(total, x, share) for total, share in pairs]


def _free(layer: nn.Module | Tensor) -> TypeGuard[nn.BatchNorm1d | nn.BatchNorm2d]:
    """Whether it normalises by the batch alone, without parameters and running averages."""
    return isinstance(layer, _NORMS) and not layer.affine and not layer.track_running_stats


def _run(layers: list[nn.Module], source: Source) -> Tensor:
    """The layers of an option one after the other, each in its fast form where it has one."""
    first, rest = layers[0], layers[1:]
    shared: dict[str, Tensor] = {}
    if isinstance(first, nn.ReLU):
        x, shared = source.relu(), source.of_relu
    else:
        x = first(source.value)
    place = 0
    while place < len(rest):
        layer = rest[place]
        if isinstance(layer, nn.Conv2d) and layer.bias is None:
            if layer.groups == layer.in_channels == layer.out_channels and layer.kernel_size[0] > 1:
                x = kernels.depthwise(x, layer, shared)
            elif layer.kernel_size == (1, 1) and layer.stride == (1, 1) and layer.groups == 1:
                x = kernels.pointwise(x, layer.weight)
            else:
                x = layer(x)
        elif _free(layer) and place + 1 < len(rest) and isinstance(rest[place + 1], nn.ReLU):
            assert isinstance(layer, nn.BatchNorm2d)
            x = kernels.norm_relu(x, layer.eps)
            place += 1
        else:
            x = layer(x)
        shared = {}
        place += 1
    return x


def _halved(option: FactorizedReduce, source: Source) -> Tensor:
    """What a skip of stride 2 computes before its normalisation."""
    x = source.relu()
    if "even" not in source.of_relu:
        source.of_relu["even"] = x[:, :, ::2, ::2].contiguous(memory_format=torch.channels_last)
    if "odd" not in source.of_relu:
        shifted = nn.functional.pad(x, (-1, 1, -1, 1))[:, :, ::2, ::2]
        source.of_relu["odd"] = shifted.contiguous(memory_format=torch.channels_last)
    kernel = [half.weight for half in option.halves if isinstance(half, nn.Conv2d)]
    halves = zip(kernel, (source.of_relu["even"], source.of_relu["odd"]), strict=False)
    return torch.cat([kernels.pointwise(x, weight) for weight, x in halves], dim=1)
