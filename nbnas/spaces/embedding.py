"""What turns tokens into vectors.

Positions: learned (Gehring et al., Convolutional Sequence to Sequence Learning, ICML 2017, arXiv:1705.03122) or
sinusoidal (Vaswani et al., Attention Is All You Need, NeurIPS 2017, arXiv:1706.03762, Sec. 3.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from nbnas.settings import setting
from nbnas.spaces.bound import Bound, Extent
from nbnas.spaces.component import Component, Flow

__all__ = ["Embedding"]


@dataclass(frozen=True)
class Embedding(Component):
    """A vector for each token, plus one for its position, then dropout: from token ids to a sequence of vectors."""

    kind: ClassVar[str] = "embedding"
    takes: ClassVar[Flow] = "tokens"
    gives: ClassVar[Flow] = "sequence"

    width: int = setting(64, "Length of the vectors.", minimum=1, maximum=8192, open=True)
    positions: str = setting(
        "none",
        "What is added for the position: nothing, learned vectors, or sines and cosines.",
        options=("none", "learned", "sinusoidal"),
        open=True,
    )
    dropout: float = setting(0.0, "Share of features dropped in training.", minimum=0, below=1, open=True)

    @override
    def bound(self, given: Extent) -> Bound:
        width = max(self.values("width"))
        return Bound((given.vocabulary + given.positions) * width, 4, width)

    @override
    def relaxable(self) -> str | None:
        if not self.opened():
            return None
        return (
            f"field {next(iter(self.opened()))!r} is open, and embeddings cannot be mixed. "
            "Close it, or score with nb.evaluators.Training"
        )
