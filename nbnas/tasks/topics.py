"""Topics: from which topic a window of words comes.

The text is the prose of Python's own language reference (`nbnas.tasks.reference_text`), so the data, and their digest,
differ between versions of Python.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from nbnas.settings import setting
from nbnas.tasks.data import Data, Split
from nbnas.tasks.reference_text import parts_of_paragraphs, prose
from nbnas.tasks.task import Task
from nbnas.tasks.tokens import encoded_tokens, numbered, words

__all__ = ["Topics"]


@dataclass(frozen=True)
class Topics(Task):
    """Windows of words, the class is the topic; equally many of each topic in each split.

    The topics are those with most text. Their paragraphs are drawn into train, valid and test, which therefore share no
    text; the windows of one topic in one split lie evenly in its text, and overlap where it is short. Words are
    numbers: 0 padding, 1 all words but the most frequent of train, which count from 2.
    """

    kind = "topics"
    title = "Topics (windows of 24 words, 8 classes)"

    length: int = setting(24, "Words in a window.", minimum=2, maximum=256)
    items: int = setting(
        2_400, "Windows in all splits together; rounded to equally many a topic.", minimum=400, maximum=50_000
    )
    vocabulary: int = setting(500, "Different words, padding and unknown included.", minimum=8, maximum=5_000)
    topics: int = setting(8, "Number of topics, the classes.", minimum=2, maximum=10)
    valid_fraction: float = setting(0.2, "Share of windows that a search scores on.", minimum=0.05, maximum=0.4)
    test_fraction: float = setting(0.2, "Share of windows kept for the final report.", minimum=0.05, maximum=0.4)
    split_seed: int = setting(0, "Seed of the split by paragraphs.", minimum=0, maximum=2**32 - 1)

    @override
    def make(self) -> Data:
        found = prose()
        largest = sorted(found, key=lambda topic: (-sum(map(len, found[topic])), topic))[: self.topics]
        fractions = (self.test_fraction, self.valid_fraction)
        rng = np.random.RandomState(self.split_seed)
        parts = [parts_of_paragraphs(found[topic], fractions, rng) for topic in largest]
        # For test, valid, train: the words of each topic.
        texts = [[words(" ".join(part)) for part in split] for split in zip(*parts, strict=True)]
        numbers = numbered((word for text in texts[-1] for word in text), self.vocabulary)
        counts = [max(1, round(self.items * fraction / self.topics)) for fraction in fractions]
        counts.append(max(1, self.items // self.topics - sum(counts)))
        test, valid, train = (self._split(split, count, numbers) for split, count in zip(texts, counts, strict=True))
        return Data(train, valid, test, len(largest), tuple(largest), vocabulary=self.vocabulary)

    def _split(self, texts: list[list[str]], count: int, numbers: dict[str, int]) -> Split:
        windows = []
        for text in texts:
            last = max(0, len(text) - self.length)
            starts = [index * last // max(1, count - 1) for index in range(count)]
            windows += [text[start : start + self.length] for start in starts]
        x = encoded_tokens(windows, numbers, self.length)
        return Split(x, np.repeat(np.arange(len(texts), dtype=np.int64), count))
