"""Text as numbers: words, characters, the most frequent of them, and lines of one length."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PADDING", "UNKNOWN", "encoded_tokens", "most_frequent", "numbered", "words"]

PADDING = 0
UNKNOWN = 1

_WORD = re.compile(r"\w+|[^\w\s]")


def words(text: str) -> list[str]:
    """The words of a text in lower case; a sign of punctuation is a word."""
    return _WORD.findall(text.lower())


def most_frequent(tokens: Iterable[str], size: int) -> list[str]:
    """At most `size` different tokens, the most frequent first; equally frequent ones are in alphabetic order."""
    counts = Counter(tokens)
    return sorted(counts, key=lambda token: (-counts[token], token))[:size]


def numbered(tokens: Iterable[str], size: int) -> dict[str, int]:
    """Numbers for the most frequent tokens in a vocabulary of `size`, of which padding and unknown are two."""
    return {token: number for number, token in enumerate(most_frequent(tokens, size - 2), start=2)}


def encoded_tokens(lines: Sequence[Sequence[str]], numbers: Mapping[str, int], length: int) -> NDArray[np.int64]:
    """The tokens of each line as numbers, of shape (lines, length): cut off at its end or padded there."""
    x = np.full((len(lines), length), PADDING, dtype=np.int64)
    for row, line in zip(x, lines, strict=True):
        codes = [numbers.get(token, UNKNOWN) for token in islice(line, length)]
        row[: len(codes)] = codes
    return x
