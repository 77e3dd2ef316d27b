"""Tokens to vectors, with or without positions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from typing_extensions import override

from nbnas.errors import SpaceError
from nbnas.networks.parts import Chosen, Context, Shape
from nbnas.spaces.embedding import Embedding

__all__ = ["embedding", "sinusoids"]


def sinusoids(length: int, width: int) -> Tensor:
    """Sines in even and cosines in odd places, shape (length, width); wavelengths 2π..20,000π.

    Vaswani et al., Attention Is All You Need, NeurIPS 2017, Sec. 3.5.
    """
    places = torch.arange(length).unsqueeze(1)
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    table = torch.empty(length, width)
    table[:, 0::2] = torch.sin(places * rates)
    table[:, 1::2] = torch.cos(places * rates[: width // 2])
    return table


class TokenEmbedding(nn.Module):
    """From token ids (batch, length) to vectors (batch, length, width).

    Args:
        vocabulary: the number of different tokens.
        own: the component, nothing in it open.
        length: of a sequence.
    """

    def __init__(self, vocabulary: int, own: Embedding, length: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, own.width)
        self.positions: nn.Embedding | None = None
        self.table: Tensor | None
        self.register_buffer("table", None, persistent=False)
        if own.positions == "learned":
            self.positions = nn.Embedding(length, own.width)
        elif own.positions == "sinusoidal":
            self.register_buffer("table", sinusoids(length, own.width), persistent=False)
        self.dropout = nn.Dropout(own.dropout)

    @override
    def forward(self, x: Tensor) -> Tensor:
        vectors: Tensor = self.tokens(x)
        if self.positions is not None:
            vectors = vectors + self.positions.weight[: x.shape[1]]
        elif self.table is not None:
            vectors = vectors + self.table[: x.shape[1]]
        dropped: Tensor = self.dropout(vectors)
        return dropped


def embedding(component: Embedding, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """From (batch, length) to (batch, length, width)."""
    own = component.fixed(chosen or {})
    if context.vocabulary is None:
        raise SpaceError(
            "an embedding must have a task of tokens, got one without a vocabulary. Take nb.tasks.topics(), "
            "nb.tasks.characters() or nb.tasks.from_texts"
        )
    made = TokenEmbedding(context.vocabulary, own, shape.sizes[0])
    return made, Shape("sequence", own.width, shape.sizes)
