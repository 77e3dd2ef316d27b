"""Blocks of transformers, discrete and relaxed.

Vaswani et al., Attention Is All You Need, NeurIPS 2017, arXiv:1706.03762, Sec. 3. Normalisation before or after: Xiong
et al., On Layer Normalization in the Transformer Architecture, ICML 2020, arXiv:2002.04745.

Differs from the papers: padding is a token like any other; a sublayer that is skipped has no normalisation either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from nbnas.networks.activations import ACTIVATIONS
from nbnas.networks.mixed_modules import MixedModules, PlainWeight
from nbnas.networks.parts import Chosen, Context, Shape
from nbnas.spaces.transformer_block import SequenceNorm, TransformerBlock

__all__ = ["Attention", "SequenceConvolution", "sequence_norm", "transformer_block"]


class How(NamedTuple):
    """Where normalisation stands and which activation is used: names, or weights of all options."""

    norm: str | Tensor
    activation: str | Tensor


class Attention(nn.Module):
    """Heads of scaled dot-product attention: from (batch, length, width) to the same.

    Args:
        width: of the sequence.
        heads: their number.
        head_width: length of queries, keys and values of a head.
        causal: whether a position sees only itself and earlier ones.
    """

    def __init__(self, width: int, heads: int, head_width: int, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.inward = nn.Linear(width, 3 * heads * head_width)  # queries, keys, values
        self.outward = nn.Linear(heads * head_width, width)

    @override
    def forward(self, x: Tensor, how: How) -> Tensor:
        # (batch, length, 3 · heads · head_width) -> 3 of (batch, heads, length, head_width)
        query, key, value = self.inward(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        # Not torch's fused attention: it has no second derivative, which second-order DARTS needs.
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        if self.causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).triu(1)
            scores = scores.masked_fill(later, -torch.inf)
        mixed: Tensor = self.outward((scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2))
        return mixed


class SequenceConvolution(nn.Module):
    """A depthwise convolution over positions, then a linear layer: from (batch, length, width) to the same."""

    def __init__(self, width: int, kernel: int, *, causal: bool) -> None:
        super().__init__()
        self.padding = (kernel - 1, 0) if causal else (kernel // 2, kernel // 2)
        self.depthwise = nn.Conv1d(width, width, kernel, groups=width)
        self.outward = nn.Linear(width, width)

    @override
    def forward(self, x: Tensor, how: How) -> Tensor:
        padded = functional.pad(x.transpose(1, 2), self.padding)
        mixed: Tensor = self.outward(self.depthwise(padded).transpose(1, 2))
        return mixed


class FeedForward(nn.Module):
    """Two linear layers with an activation, or a mixture of some, between them."""

    def __init__(self, width: int, hidden: int, activations: tuple[str, ...]) -> None:
        super().__init__()
        self.inward = nn.Linear(width, hidden)
        self.functions = nn.ModuleDict({name: ACTIVATIONS[name]() for name in activations})
        self.outward = nn.Linear(hidden, width)

    @override
    def forward(self, x: Tensor, how: How) -> Tensor:
        hidden = self.inward(x)
        if isinstance(how.activation, str):
            active = self.functions[how.activation](hidden)
        else:
            pairs = zip(how.activation, self.functions.values(), strict=True)
            active = torch.stack([weight * function(hidden) for weight, function in pairs]).sum(dim=0)
        given: Tensor = self.outward(active)
        return given


class _Sublayer(nn.Module):
    """A residual sum and normalisation around `inner`: x + f(norm(x)) (pre), norm(x + f(x)) (post)."""

    def __init__(self, inner: nn.Module, width: int, dropout: float, norms: tuple[str, ...]) -> None:
        super().__init__()
        self.norm, self.inner, self.norms = nn.LayerNorm(width), inner, norms
        self.dropout = nn.Dropout(dropout)

    @override
    def forward(self, x: Tensor, how: How) -> Tensor:
        if isinstance(how.norm, str):
            return self._placed(x, how.norm, how)
        pairs = zip(how.norm, self.norms, strict=True)
        return torch.stack([weight * self._placed(x, norm, how) for weight, norm in pairs]).sum(dim=0)

    def _placed(self, x: Tensor, norm: str, how: How) -> Tensor:
        placed: Tensor
        if norm == "pre":
            placed = x + self.dropout(self.inner(self.norm(x), how))
        else:
            placed = self.norm(x + self.dropout(self.inner(x, how)))
        return placed


class _Same(nn.Module):
    """A sublayer that is skipped."""

    @override
    def forward(self, x: Tensor, how: How) -> Tensor:
        return x


class _Sublayers(MixedModules):
    """Several sublayers, of which a mixture is computed."""

    takes_drawn = False

    def mixed(self, x: Tensor, how: How, weight: PlainWeight) -> Tensor:
        """The weighted sum, or the one that a single path takes."""
        if isinstance(weight, tuple):
            taken: Tensor = self.options[weight[0]](x, how)
            return taken
        pairs = zip(weight, self.options, strict=True)
        return torch.stack([share * option(x, how) for share, option in pairs]).sum(dim=0)


class Block(nn.Module):
    """One block, from (batch, length, width) to the same.

    Args:
        component: the block; what is open in it is mixed, and then `forward` takes a mixture.
        width: of the sequence.
        causal: whether a position sees only itself and earlier ones.
        path: goes before the names of rows.
    """

    def __init__(self, component: TransformerBlock, width: int, *, causal: bool, path: str) -> None:
        super().__init__()
        self.component, self.width, self.causal, self.path = component, width, causal, path
        self.mixer = self._sublayer("mixer")
        self.feed_forward = self._sublayer("feed_forward")

    def _sublayer(self, field: str) -> nn.Module:
        options = [self._option(str(name)) for name in self.component.values(field)]
        return _Sublayers(self.path + field, options) if field in self.component.opened() else options[0]

    def _option(self, name: str) -> nn.Module:
        own = self.component
        if name == "skip":
            return _Same()
        inner: nn.Module
        if name == "attention":
            inner = Attention(self.width, own.heads, own.head_width, causal=self.causal)
        elif name == "mlp":
            inner = FeedForward(self.width, own.hidden, own.values("activation"))
        else:
            inner = SequenceConvolution(self.width, int(name.removeprefix("conv_")), causal=self.causal)
        return _Sublayer(inner, self.width, own.dropout, own.values("norm"))

    @override
    def forward(self, x: Tensor, mixture: Mapping[str, PlainWeight] | None = None) -> Tensor:
        rows = mixture or {}
        how = How(self._how("norm", rows), self._how("activation", rows))
        for sublayer in (self.mixer, self.feed_forward):
            x = (
                sublayer.mixed(x, how, rows[sublayer.decision])
                if isinstance(sublayer, _Sublayers)
                else sublayer(x, how)
            )
        return x

    def _how(self, field: str, rows: Mapping[str, PlainWeight]) -> str | Tensor:
        options: tuple[str, ...] = self.component.values(field)
        weight = rows.get(self.path + field)
        if isinstance(weight, Tensor):
            return weight
        return options[weight[0] if weight else 0]  # without a place it does not matter


def transformer_block(
    component: TransformerBlock, chosen: Chosen, shape: Shape, context: Context
) -> tuple[nn.Module, Shape]:
    """The block of the options `chosen`, or the relaxed one."""
    own = component if chosen is None else component.fixed(chosen)
    causal = own.causal == "yes" or (own.causal == "auto" and context.targets == "position")
    return Block(own, shape.channels, causal=causal, path=context.path), shape


def sequence_norm(component: SequenceNorm, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """Layer normalisation of each position."""
    return nn.LayerNorm(shape.channels), shape
