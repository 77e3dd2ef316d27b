"""One block of a transformer: tokens are mixed, then each goes through two linear layers.

Vaswani et al., Attention Is All You Need, NeurIPS 2017, arXiv:1706.03762, Sec. 3. What may be left open: attention or
convolution in each layer (Gao et al., AutoBERT-Zero: Evolving BERT Backbone from Scratch, AAAI 2022, arXiv:2107.07445:
its inter-layer level); heads and widths (Wang et al., HAT: Hardware-Aware Transformers for Efficient Natural Language
Processing, ACL 2020, arXiv:2005.14187; Chen, Peng, Fu & Ling, AutoFormer: Searching Transformers for Visual
Recognition, ICCV 2021, arXiv:2107.00651).

Differs from the papers: what attention is made of (AutoBERT-Zero's intra-layer level) is not searched; convolutions are
depthwise separable; widths do not share weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from nbnas.settings import setting
from nbnas.spaces.bound import Bound, Extent
from nbnas.spaces.component import Component, Flow
from nbnas.spaces.decision import Decision, Option
from nbnas.spaces.ends import ACTIVATIONS

if TYPE_CHECKING:
    import networkx

__all__ = ["MIXERS", "SequenceNorm", "TransformerBlock"]

MIXERS = ("attention", "conv_3", "conv_5", "conv_7", "conv_9", "conv_15", "conv_31", "skip")
"""What can mix tokens: attention, convolutions of some kernel sizes, nothing."""

_MIXED = ("mixer", "feed_forward", "activation", "norm")


@dataclass(frozen=True)
class TransformerBlock(Component):
    """Two sublayers with a residual sum and layer normalisation each: a mixer of tokens, a feed-forward network."""

    kind: ClassVar[str] = "transformer_block"
    takes: ClassVar[Flow] = "sequence"
    gives: ClassVar[Flow] = "sequence"

    mixer: str = setting("attention", "What mixes tokens; skip: nothing.", options=MIXERS, open=True)
    heads: int = setting(4, "Heads of attention.", minimum=1, maximum=64, open=True)
    head_width: int = setting(16, "Length of queries, keys and values of a head.", minimum=1, maximum=1024, open=True)
    feed_forward: str = setting("mlp", "The second sublayer; skip: none.", options=("mlp", "skip"), open=True)
    hidden: int = setting(128, "Units between the two linear layers of mlp.", minimum=1, maximum=65536, open=True)
    activation: str = setting("gelu", "Activation between them.", options=ACTIVATIONS, open=True)
    norm: str = setting(
        "pre",
        "Normalisation of what goes into a sublayer (pre), or of the sum (post).",
        options=("pre", "post"),
        open=True,
    )
    dropout: float = setting(
        0.0, "Share of features dropped in training, of what a sublayer adds.", minimum=0, below=1, open=True
    )
    causal: str = setting(
        "auto",
        "Whether a position sees only itself and earlier ones; auto: where each position has its own target, as in a "
        "language model.",
        options=("auto", "yes", "no"),
    )

    @override
    def bound(self, given: Extent) -> Bound:
        width, mixers = given.channels, self.values("mixer")
        attention = 4 * width * (max(self.values("heads")) * max(self.values("head_width")) + 1)
        mixing = len(mixers) * (attention + width * (width + 64))
        return Bound(mixing + 2 * (width + 1) * (max(self.values("hidden")) + 2), 8 * len(mixers) + 16, width)

    @override
    def text(self, chosen: Mapping[str, Option] | None) -> str:
        if chosen is None and self.opened():
            return super().text(chosen)
        return ", ".join(self._parts(chosen or {})) or "skip"

    def _parts(self, chosen: Mapping[str, Option]) -> list[str]:
        """What an architecture computes, without what does not matter in it."""
        own = self.fixed(chosen)
        parts = []
        if own.mixer == "attention":
            parts.append(f"attention {own.heads}×{own.head_width}")
        elif own.mixer != "skip":
            parts.append(own.mixer)
        if own.feed_forward == "mlp":
            parts.append(f"mlp {own.hidden} {own.activation}")
        if parts:
            parts.append(f"{own.norm}-norm")
            parts += [f"dropout {own.dropout:g}"] if own.dropout else []
        return parts

    @override
    def canonical(self, chosen: Mapping[str, Option]) -> str:
        return ";".join(self._parts(chosen))

    @override
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        import networkx

        graph = networkx.DiGraph()
        for node in ("in", "mixed", "out"):
            graph.add_node(node, label=node)
        own = self.fixed(chosen or {})
        attention = f"attention {own.heads}×{own.head_width}" if own.mixer == "attention" else own.mixer
        mlp = f"mlp {own.hidden} {own.activation}" if own.feed_forward == "mlp" else own.feed_forward
        for ends, name, text in ((("in", "mixed"), "mixer", attention), (("mixed", "out"), "feed_forward", mlp)):
            opened = name in self.opened()
            operation = f"{len(self.values(name))} options" if opened and chosen is None else text
            graph.add_edge(*ends, operation=operation, **({"decision": name} if opened else {}))
        return graph

    # -- the relaxed view --------------------------------------------------------------------------------------------

    @override
    def relaxable(self) -> str | None:
        for name in self.opened():
            if name not in _MIXED:
                return (
                    f"field {name!r} is open and cannot be mixed, as {', '.join(_MIXED)} can. Close it, or score with "
                    "nb.evaluators.Training"
                )
        return None

    @override
    def rows(self) -> tuple[Decision, ...]:
        return self.own_decisions()

    @override
    def derive(self, weights: Mapping[str, Mapping[Option, float]]) -> dict[str, Option]:
        """The strongest option of each row that matters given those before it."""
        chosen: dict[str, Option] = {}
        for row in self.rows():
            here = [rule for rule in row.when if not rule.decision.startswith("/")]
            if all(chosen.get(rule.decision) in rule.options for rule in here):
                strength = weights[row.name]
                chosen[row.name] = max(row.options, key=strength.__getitem__)
        return chosen


@dataclass(frozen=True)
class SequenceNorm(Component):
    """Layer normalisation of each position: what comes after blocks that normalise what goes into their sublayers."""

    kind: ClassVar[str] = "sequence_norm"
    takes: ClassVar[Flow] = "sequence"
    gives: ClassVar[Flow] = "sequence"
