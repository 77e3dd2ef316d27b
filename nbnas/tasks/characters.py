"""Characters: which character comes next, a language model in small.

The text is the prose of Python's own language reference (`nbnas.tasks.reference_text`), so the data, and their digest,
differ between versions of Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from nbnas.errors import TaskError
from nbnas.settings import setting
from nbnas.tasks.data import Data, Split
from nbnas.tasks.reference_text import parts_of_paragraphs, prose
from nbnas.tasks.task import Task
from nbnas.tasks.tokens import most_frequent

__all__ = ["Characters"]

_OTHER = 0
_NAMES = {" ": "space", "\n": "line end"}


@dataclass(frozen=True)
class Characters(Task):
    """Windows of text, `y` one character ahead of `x`; the characters but the most frequent are one, number 0.

    The class of a position is a number of the vocabulary, so there are as many classes. Paragraphs are drawn into
    train, valid and test, which therefore share no text; windows follow one another in the text of their split.
    """

    kind = "characters"
    title = "Characters (next of 64, in English prose)"

    length: int = setting(32, "Characters in a window.", minimum=2, maximum=256)
    items: int = setting(6_000, "Windows in all splits together.", minimum=100, maximum=50_000)
    vocabulary: int = setting(64, "Different characters, that for all others included.", minimum=8, maximum=96)
    valid_fraction: float = setting(0.15, "Share of windows that a search scores on.", minimum=0.05, maximum=0.4)
    test_fraction: float = setting(0.15, "Share of windows kept for the final report.", minimum=0.05, maximum=0.4)
    split_seed: int = setting(0, "Seed of the split by paragraphs.", minimum=0, maximum=2**32 - 1)

    @override
    def make(self) -> Data:
        paragraphs = [paragraph for topic in prose().values() for paragraph in topic]
        fractions = (self.test_fraction, self.valid_fraction)
        parts = parts_of_paragraphs(paragraphs, fractions, np.random.RandomState(self.split_seed))
        test, valid, train = ("\n".join(part) for part in parts)
        shares = [round(self.items * fraction) for fraction in fractions]
        known = most_frequent(train, self.vocabulary - 1)
        numbers = {character: number for number, character in enumerate(known, start=_OTHER + 1)}

        def split(text: str, items: int) -> Split:
            codes = np.array([numbers.get(character, _OTHER) for character in text], dtype=np.int64)
            possible = (len(codes) - 1) // self.length
            if items > possible:
                raise TaskError(
                    f"items must be about {int(self.items * possible / items):,} at most for windows of "
                    f"{self.length} characters, got {self.items:,}; in Characters. Take fewer or shorter windows"
                )
            used = items * self.length
            shape = (items, self.length)
            return Split(codes[:used].reshape(shape), codes[1 : used + 1].reshape(shape))

        return Data(
            split(train, self.items - sum(shares)),
            split(valid, shares[1]),
            split(test, shares[0]),
            classes=self.vocabulary,
            labels=_labels(known, self.vocabulary),
            vocabulary=self.vocabulary,
        )


def _labels(known: Sequence[str], size: int) -> tuple[str, ...]:
    if len(known) < size - 1:
        raise TaskError(f"vocabulary must be at most {len(known) + 1} for this text, got {size}; in Characters.")
    return ("other", *(_NAMES.get(character, character) for character in known))
