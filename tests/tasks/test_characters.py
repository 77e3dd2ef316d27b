"""Characters: y is x one character later, splits share no text, two characters tell more than one."""

from collections import Counter

import numpy as np
import pytest

from nbnas.errors import TaskError
from nbnas.tasks import Characters

PARTS = ("train", "valid", "test")


def text(data, part, rows=slice(None)):
    """The text of a split again; a character that is not in the vocabulary is a ?."""
    names = {"other": "?", "space": " ", "line end": "\n"}
    letters = [names.get(label, label) for label in data.labels]
    return "".join(letters[code] for code in getattr(data, part).x[rows].ravel())


@pytest.mark.parametrize("settings", [{}, {"length": 7, "items": 500, "vocabulary": 20, "valid_fraction": 0.3}])
def test_y_is_the_text_one_character_later(settings):
    task = Characters(**settings)
    data = task.load()
    counts = [len(getattr(data, part).y) for part in PARTS]
    assert counts[1:] == [round(task.items * task.valid_fraction), round(task.items * task.test_fraction)]
    assert sum(counts) == task.items
    for part in PARTS:
        x, y = getattr(data, part)
        assert x.shape == y.shape == (len(x), task.length)
        assert np.array_equal(x.ravel()[1:], y.ravel()[:-1])
    assert (data.inputs, data.targets, data.vocabulary, data.classes) == (
        "tokens",
        "position",
        task.vocabulary,
        task.vocabulary,
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_splits_share_no_text(seed):
    data = Characters(split_seed=seed).load()
    # Paragraphs with both their ends.
    paragraphs = {part: set(text(data, part).split("\n")[1:-1]) for part in PARTS}
    assert min(map(len, paragraphs.values())) > 100
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        assert not paragraphs[one] & paragraphs[other]
    train = text(data, "train")
    found = [text(data, "test", row) in train for row in range(len(data.test.x))]
    assert np.mean(found) < 0.025, "phrases recur, passages do not"


def test_it_is_english():
    data = Characters().load()
    words = Counter(word for word in text(data, "train").split() if word.isalpha())
    assert {word for word, _ in words.most_common(12)} >= {"the", "a", "of", "is", "to"}
    assert data.labels[:3] == ("other", "space", "e")
    assert 0 < (data.train.x == 0).mean() < 0.01


def test_the_vocabulary_is_that_of_train_by_frequency():
    data = Characters(vocabulary=30, items=7_700).load()
    counts = np.bincount(data.train.x.ravel(), minlength=30)[1:]
    assert counts[-1] > 100
    # Close to descending: numbers follow all text of train, windows end a little earlier.
    assert np.all(counts[1:] <= 1.03 * counts[:-1])
    others = Characters(vocabulary=96, items=7_700).load()
    assert others.labels[:30] == data.labels


def test_a_bigram_table_is_clearly_better_than_frequencies():
    data = Characters().load()
    size = data.vocabulary
    pairs = np.full((size, size), 0.1)
    np.add.at(pairs, (data.train.x.ravel(), data.train.y.ravel()), 1)
    after_one = pairs / pairs.sum(axis=1, keepdims=True)
    alone = pairs.sum(axis=0) / pairs.sum()
    x, y = data.test
    accuracy = (after_one.argmax(axis=1)[x] == y).mean(), (alone.argmax() == y).mean()
    nats = -np.log(after_one[x, y]).mean(), -np.log(alone[y]).mean()
    assert accuracy[0] > accuracy[1] + 0.1
    assert nats[0] < nats[1] - 0.5
    assert 2.2 < nats[0] < 2.7


def test_the_seed_decides_the_split():
    assert Characters().make().digest == Characters().load().digest
    assert Characters(split_seed=1).load().digest != Characters().load().digest


def test_more_windows_than_text_are_refused_with_the_possible_number():
    with pytest.raises(TaskError, match=r"items must be about [\d,]+ at most for windows of 32 characters, got 50,000"):
        Characters(items=50_000).load()
    possible = 7_500
    assert len(Characters(items=possible).load().train.y) == possible - 2 * round(0.15 * possible)
