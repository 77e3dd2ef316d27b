"""Networks composed of parts: the sequence, the repetition, stem and head."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from typing_extensions import override

from nbnas.networks.activations import ACTIVATIONS
from nbnas.networks.layers import batch_norm, convolution
from nbnas.networks.parts import LOGITS, Chained, Chosen, Context, Shape, build_part
from nbnas.spaces.component import Component, of_part
from nbnas.spaces.ends import Head, Stem
from nbnas.spaces.network import Network, Repeat

__all__ = ["head", "network", "repeat", "stem"]


def network(component: Network, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """The parts in order."""
    parts = {
        name: (name, part, None if chosen is None else of_part(chosen, name))
        for name, part in component.flowing().items()
    }
    return _chained(parts, shape, context)


def repeat(component: Repeat, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """The repetitions in order."""
    repetitions = component.repetitions(chosen or {})
    names = {str(place): "each" if component.shared else str(place) for place in range(1, len(repetitions) + 1)}
    parts = {
        place: (name, component.part, None if chosen is None else inner)
        for (place, name), inner in zip(names.items(), repetitions, strict=True)
    }
    return _chained(parts, shape, context)


def _chained(
    parts: Mapping[str, tuple[str, Component, Chosen]], shape: Shape, context: Context
) -> tuple[nn.Module, Shape]:
    """Modules by name, made of (name in the path, component, what was chosen)."""
    made: dict[str, tuple[nn.Module, bool]] = {}
    for place, (name, part, chosen) in parts.items():
        relaxed = chosen is None and bool(part.rows())
        # What has nothing to relax is built as it is.
        module, shape = build_part(part, chosen if relaxed or chosen is not None else {}, shape, context.of_part(name))
        made[place] = module, relaxed
    return Chained(made), shape


def stem(component: Stem, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """Convolution, normalisation, activation: from (batch, channels, *sizes)."""
    own = component.fixed(chosen or {})
    dims = len(shape.sizes)
    conv = convolution(shape.channels, own.channels, own.kernel, dims=dims, stride=own.stride)
    parts: list[nn.Module] = [conv, batch_norm(own.channels, dims=dims, form=context.form, affine=True)]
    if own.activation != "none":
        parts.append(ACTIVATIONS[own.activation]())
    sizes = tuple(-(-size // own.stride) for size in shape.sizes)
    return nn.Sequential(*parts), Shape("map", own.channels, sizes)


def head(component: Head, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """Pools over positions where there are any, then dropout and a linear classifier."""
    own = component.fixed(chosen or {})
    pooled = shape.kind == "map" or (shape.kind == "sequence" and context.targets == "item")
    return _Head(shape, own.pool if pooled else "", own.dropout, context.classes), LOGITS


class _Head(nn.Module):
    def __init__(self, shape: Shape, pool: str, dropout: float, classes: int) -> None:
        super().__init__()
        self.pool, self.kind = pool, shape.kind
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.classifier = nn.Linear(shape.channels, classes)

    @override
    def forward(self, x: Tensor) -> Tensor:
        if self.pool:
            x = x.flatten(2) if self.kind == "map" else x.transpose(1, 2)  # (batch, channels, positions)
            x = x.amax(dim=2) if self.pool == "max" else x.mean(dim=2)
        logits: Tensor = self.classifier(self.dropout(x))
        return logits
