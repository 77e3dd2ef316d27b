"""Transformers whose blocks are searched: mixers of tokens, heads, widths, activations, normalisation, depth.

Choices of widths as Wang et al., HAT: Hardware-Aware Transformers for Efficient Natural Language Processing, ACL 2020,
arXiv:2005.14187, and Chen, Peng, Fu & Ling, AutoFormer: Searching Transformers for Visual Recognition, ICCV 2021,
arXiv:2107.00651; of attention or convolution as Gao et al., AutoBERT-Zero: Evolving BERT Backbone from Scratch, AAAI
2022, arXiv:2107.07445.

Differs from the papers: see `nbnas.spaces.transformer_block`; there is an encoder only, and values for two CPU cores
are the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbnas.errors import SpaceError
from nbnas.spaces.embedding import Embedding
from nbnas.spaces.ends import Head
from nbnas.spaces.network import Network, Repeat
from nbnas.spaces.open import Choice
from nbnas.spaces.space import SearchSpace
from nbnas.spaces.transformer_block import SequenceNorm, TransformerBlock

__all__ = ["transformer"]


def transformer(
    *,
    depths: tuple[int, ...] = (1, 2, 3),
    widths: tuple[int, ...] = (32, 64),
    mixers: tuple[str, ...] = ("attention", "conv_3", "conv_7", "skip"),
    heads: tuple[int, ...] = (2, 4),
    head_widths: tuple[int, ...] = (8, 16),
    feed_forwards: tuple[str, ...] = ("mlp", "skip"),
    hidden: tuple[int, ...] = (64, 128),
    activations: tuple[str, ...] = ("relu", "gelu", "silu"),
    norms: tuple[str, ...] = ("pre", "post"),
    dropouts: tuple[float, ...] = (0.0,),
    positions: str = "sinusoidal",
    causal: str = "auto",
    shared: bool = False,
    relaxed: bool = False,
) -> SearchSpace:
    """The space, for tasks of tokens. An argument with one value closes its choice.

    Args:
        depths: numbers of blocks.
        widths: lengths of the vectors of tokens, which all blocks keep.
        mixers: of tokens, see `nbnas.spaces.transformer_block.MIXERS`.
        heads: of attention.
        head_widths: lengths of queries, keys and values of a head.
        feed_forwards: whether a block has a feed-forward network: mlp, skip.
        hidden: its units.
        activations: its activations.
        norms: layer normalisation before or after: pre, post.
        dropouts: shares of what a sublayer adds that are dropped in training.
        positions: none, learned or sinusoidal.
        causal: auto, yes, no; auto hides later positions where each position has a target of its own.
        shared: whether all blocks have the same choices.
        relaxed: takes the largest of depths, widths, heads, head_widths, hidden and the first of dropouts, which cannot
            be mixed; mixer, feed-forward network, activation and norm of each block are then the rows of alpha.

    Raises:
        SpaceError: an argument without values.
    """
    given: dict[str, Sequence[Any]] = {
        "depths": depths, "widths": widths, "mixers": mixers, "heads": heads, "head_widths": head_widths,
        "feed_forwards": feed_forwards, "hidden": hidden, "activations": activations, "norms": norms,
        "dropouts": dropouts,
    }  # fmt: skip
    for name, values in given.items():
        if not values:
            raise SpaceError(f"{name} must be one value at least, got {values!r}; in transformer.", field=name)
    if relaxed:
        closed = {name: (max(given[name]),) for name in ("depths", "widths", "heads", "head_widths", "hidden")}
        given |= {**closed, "dropouts": given["dropouts"][:1]}
    attends = {"mixer": ("attention",)} if len(mixers) > 1 and "attention" in mixers else {}
    feeds = {"feed_forward": ("mlp",)} if len(feed_forwards) > 1 and "mlp" in feed_forwards else {}
    block = TransformerBlock(
        mixer=_open(given["mixers"]),
        heads=_open(given["heads"], attends, used="attention" in mixers),
        head_width=_open(given["head_widths"], attends, used="attention" in mixers),
        feed_forward=_open(given["feed_forwards"]),
        hidden=_open(given["hidden"], feeds, used="mlp" in feed_forwards),
        activation=_open(given["activations"], feeds, used="mlp" in feed_forwards),
        norm=_open(given["norms"]),
        dropout=_open(given["dropouts"]),
        causal=causal,
    )
    embedding = Embedding(_open(given["widths"]), positions)
    blocks = Repeat(block, _open(given["depths"]), shared, name="blocks")
    return SearchSpace("transformer", Network((embedding, blocks, SequenceNorm(), Head())), dims=1)


def _open(values: Sequence[Any], when: Mapping[str, Sequence[str]] | None = None, *, used: bool = True) -> Any:
    """A choice between the values, or the only one; the first where none is used."""
    return Choice(*values, when=when or None) if len(values) > 1 and used else values[0]
