"""The text that comes with Python: each paragraph once, parts that share nothing."""

import sys
from itertools import chain
from pydoc_data.topics import topics
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbnas.errors import TaskError
from nbnas.tasks import Characters
from nbnas.tasks.reference_text import parts_of_paragraphs, prose


def runs(paragraph, length=8):
    words = paragraph.split()
    return {tuple(words[start : start + length]) for start in range(len(words) - length + 1)}


def test_no_two_paragraphs_have_eight_words_in_a_row_in_common():
    found = prose()
    paragraphs = [paragraph for topic in found.values() for paragraph in topic]
    assert len(paragraphs) > 1_000
    seen = list(chain(*map(runs, paragraphs)))
    assert len(seen) == len(set(seen)) > 10_000
    flat = {topic: " ".join(text.split()) for topic, text in topics.items()}
    assert all(paragraph in flat[topic] for topic, several in found.items() for paragraph in several)
    # The control: as they stand, topics quote one another.
    assert sum(sum(paragraph in text for text in flat.values()) > 1 for paragraph in paragraphs) > 200


def test_a_quoted_paragraph_belongs_to_the_longest_topic(monkeypatch):
    quoted, own = (
        "A sentence of letters that is long enough to stay.",
        "Another sentence, also long enough to stay here.",
    )
    nearly = "Today a sentence of letters that is long enough to stay."
    code = "x = {1: [2, 3], 4: (5, 6)}; y = x[1][0] + x[4][1] * 7"
    source = {
        "short": quoted.lower(),
        "long": f"Heading\n=======\n\n{own}\n\n   {quoted.lower()}\n\n{code}\n\n{nearly}",
    }
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", SimpleNamespace(topics=source))
    assert prose() == {"long": [own, quoted.lower()], "short": []}


@given(
    st.lists(st.integers(1, 50), min_size=40, max_size=90),
    st.floats(0.05, 0.4),
    st.floats(0.05, 0.4),
    st.integers(0, 2**32 - 1),
)
def test_parts_have_every_paragraph_once_in_order_and_about_their_share(sizes, first, second, seed):
    paragraphs = [f"{number} " + "x" * size for number, size in enumerate(sizes)]
    parts = parts_of_paragraphs(paragraphs, (first, second), np.random.RandomState(seed))
    assert sorted(chain(*parts), key=paragraphs.index) == paragraphs
    assert all(part == sorted(part, key=paragraphs.index) for part in parts)
    total, longest = sum(map(len, paragraphs)), max(map(len, paragraphs))
    for part, share in zip(parts, (first, second, 1 - first - second), strict=True):
        assert abs(sum(map(len, part)) - share * total) <= longest + 1e-6


def test_a_python_without_the_text_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(TaskError, match=r"pydoc_data\.topics must be there, .* Install the whole standard library"):
        Characters().make()
