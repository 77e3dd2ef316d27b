"""Topics: balanced windows of words, splits share no text, words tell the topic."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from nbnas.tasks import Topics
from nbnas.tasks.reference_text import prose
from nbnas.tasks.tokens import words

PARTS = ("train", "valid", "test")


@pytest.mark.parametrize("settings", [{}, {"topics": 3, "items": 400, "length": 10, "test_fraction": 0.1}])
def test_every_topic_has_equally_many_windows_in_every_split(settings):
    task = Topics(**settings)
    data = task.load()
    sizes = [np.bincount(getattr(data, part).y, minlength=task.topics) for part in PARTS]
    assert all(len(set(size)) == 1 for size in sizes)
    expected = [round(task.items * share / task.topics) for share in (task.valid_fraction, task.test_fraction)]
    assert [size[0] for size in sizes[1:]] == expected
    assert abs(sum(map(sum, sizes)) - task.items) < task.topics
    assert (data.inputs, data.targets, data.input_shape, data.vocabulary) == ("tokens", "item", (task.length,), 500)


def test_the_classes_are_the_topics_with_most_text():
    found = {topic: sum(map(len, paragraphs)) for topic, paragraphs in prose().items()}
    labels = Topics().load().labels
    assert sorted(found, key=lambda topic: -found[topic])[:8] == list(labels)


def test_splits_share_no_text():
    # With a vocabulary of all words, windows are their text.
    data = Topics(vocabulary=5_000).load()
    grams = {part: {row.tobytes() for x in getattr(data, part).x for row in windows(x)} for part in PARTS}
    for one, other in (("valid", "train"), ("test", "train"), ("test", "valid")):
        assert len(grams[one] & grams[other]) < 0.05 * len(grams[one]), "phrases recur, passages do not"
    # The control: windows of one split do overlap where the text is short.
    assert len(grams["train"]) < 0.9 * len(data.train.x) * (24 - 11)


def windows(row, length=12):
    return np.lib.stride_tricks.sliding_window_view(row, length)


def test_numbers_follow_the_frequency_in_train():
    data = Topics().load()
    x = data.train.x
    assert (x.min(), x.max()) == (1, 499), "no padding: every topic is longer than a window"
    assert 0.05 < (x == 1).mean() < 0.25
    most = {2 + number for number in range(20)}
    assert set(np.argsort(-np.bincount(x[x > 1]))[:10].tolist()) <= most
    assert words("The  `int()` of it's 2.") == ["the", "`", "int", "(", ")", "`", "of", "it", "'", "s", "2", "."]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_bag_of_words_is_clearly_above_chance(seed):
    data = Topics(split_seed=seed).load()

    def bags(part):
        return np.stack([np.bincount(row, minlength=data.vocabulary) for row in part.x])

    model = LogisticRegression(C=0.1, max_iter=200).fit(bags(data.train), data.train.y)
    assert 0.5 < model.score(bags(data.test), data.test.y) < 0.8
    # The control: with the classes of train in disorder it is chance, 1 in 8.
    shuffled = np.random.RandomState(0).permutation(data.train.y)
    model = LogisticRegression(C=0.1, max_iter=200).fit(bags(data.train), shuffled)
    assert model.score(bags(data.test), data.test.y) < 0.25


def test_the_seed_decides_the_split():
    assert Topics().make().digest == Topics().load().digest
    assert Topics(split_seed=1).load().digest != Topics().load().digest
