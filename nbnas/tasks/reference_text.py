"""English prose that comes with Python: the language reference as `help()` shows it, `pydoc_data.topics`.

The text is under the licence of Python (PSF-2.0). It differs a little between versions of Python, and so does the
digest of what is made of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from nbnas.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["parts_of_paragraphs", "prose"]

_RUN = 8  # words in a row, or all of a shorter paragraph, that no two paragraphs have in common
_SHORTEST = 40  # characters; shorter paragraphs are signatures and headings
_LETTERS = 0.8  # share of letters and spaces; below it are grammars, tables and code


def prose() -> dict[str, list[str]]:
    """The paragraphs of each topic, in its order, each with single spaces between words.

    Topics quote one another and say like things in like words. Longer topics come first, and a paragraph is left out
    that has eight words in a row in common with one before it.

    Raises:
        TaskError: If this Python comes without the text.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise TaskError(
            "pydoc_data.topics must be there, got a Python without it. Install the whole standard library of Python"
        ) from None
    seen: set[tuple[str, ...]] = set()
    found: dict[str, list[str]] = {}
    for topic in sorted(topics, key=lambda topic: (-len(topics[topic]), topic)):
        found[topic] = []
        for block in re.split(r"\n\s*\n", topics[topic]):
            words = block.split()
            paragraph = " ".join(words)
            runs = {tuple(words[start : start + _RUN]) for start in range(max(1, len(words) - _RUN + 1))}
            if _is_prose(paragraph) and not runs & seen:
                seen |= runs
                found[topic].append(paragraph)
    return found


def parts_of_paragraphs(
    paragraphs: Sequence[str], fractions: Sequence[float], rng: np.random.RandomState
) -> list[list[str]]:
    """Paragraphs in disjoint parts, in their order within each.

    Args:
        paragraphs: Texts.
        fractions: About the share of the text, in characters, of each part but the last; their sum is below 1.
        rng: Draws which paragraph goes where.

    Returns:
        Every paragraph once; the last part has the rest.
    """
    order = rng.permutation(len(paragraphs))
    # Where the middle of a paragraph lies in the text in drawn order.
    sizes = np.array([len(paragraphs[index]) for index in order])
    middles = (np.cumsum(sizes) - sizes / 2) / sizes.sum()
    part_of = np.empty(len(order), dtype=np.int64)
    part_of[order] = np.searchsorted(np.cumsum(fractions), middles, side="right")
    return [
        [text for text, part in zip(paragraphs, part_of, strict=True) if part == number]
        for number in range(len(fractions) + 1)
    ]


def _is_prose(paragraph: str) -> bool:
    letters = sum(character.isalpha() or character == " " for character in paragraph)
    return len(paragraph) >= _SHORTEST and letters >= _LETTERS * len(paragraph)
