"""The user's own texts as a task, and text as numbers."""

import gzip
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from nbnas.errors import TaskError
from nbnas.tasks import from_texts, task_from_json, task_to_json
from nbnas.tasks.tokens import encoded_tokens, most_frequent, numbered, words

PARTS = ("train", "valid", "test")
TEXTS = [f"{word} number {number}" for number in range(20) for word in ("dog", "cat", "ant")]
LABELS = ["d", "c", "a"] * 20


def given_splits(texts, **settings):
    """The arrays of x with the same texts in all splits."""
    pair = texts, [0, 1] * (len(texts) // 2)
    return from_texts(*pair, valid=pair, test=pair, **settings).load()


# --- tokens -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.text(alphabet="abcdefgh", min_size=1, max_size=1), max_size=60), st.integers(3, 12))
def test_the_most_frequent_tokens_are_numbered_from_2(tokens, size):
    counts = Counter(tokens)
    numbers = numbered(tokens, size)
    assert sorted(numbers.values()) == list(range(2, 2 + min(len(counts), size - 2)))
    ranked = sorted(numbers, key=numbers.get)
    assert ranked == most_frequent(tokens, size - 2)
    assert all((-counts[a], a) < (-counts[b], b) for a, b in pairwise(ranked))
    left_out = set(counts) - set(numbers)
    assert all(counts[token] <= min(counts[kept] for kept in numbers) for token in left_out)


@given(st.lists(st.lists(st.sampled_from("abcz"), max_size=9), min_size=1, max_size=6), st.integers(1, 6))
def test_lines_are_cut_off_or_padded_to_one_length(lines, length):
    x = encoded_tokens(lines, {"a": 2, "b": 3, "c": 4}, length)
    assert x.shape == (len(lines), length)
    for row, line in zip(x, lines, strict=True):
        kept = line[:length]
        assert row.tolist() == ["_zabc".index(token) for token in kept] + [0] * (length - len(kept))


# --- from_texts -------------------------------------------------------------------------------------------------------


def test_words_become_numbers_by_hand():
    data = given_splits(["The dog, the cat", "the dog the"], length=6)
    # the ×4, dog ×2, then "," and cat in alphabetic order.
    assert data.train.x.tolist() == [[2, 3, 4, 2, 5, 0], [2, 3, 2, 0, 0, 0]]
    assert (data.inputs, data.vocabulary, data.input_shape, data.classes) == ("tokens", 6, (6,), 2)


def test_characters_become_numbers_by_hand():
    data = given_splits(["abba", "a B"], length=4, tokens="characters", vocabulary=4)
    assert data.train.x.tolist() == [[2, 3, 3, 2], [2, 1, 1, 0]]


def test_the_vocabulary_is_that_of_train_alone():
    data = from_texts(
        ["a b", "a"] * 3, [0, 1] * 3, valid=(["c c c", "a"], [0, 1]), test=(["b d"], [0]), length=3
    ).load()
    assert data.vocabulary == 4
    assert data.valid.x.tolist() == [[1, 1, 1], [2, 0, 0]]
    assert data.test.x.tolist() == [[3, 1, 0]]


def test_shares_partition_the_texts_with_their_labels():
    data = from_texts(TEXTS, LABELS, length=3, vocabulary=100, valid=0.25, test=0.15, seed=4).load()
    assert [len(getattr(data, part).y) for part in PARTS] == [36, 15, 9]
    # Animals are among the four most frequent words of train with "number", and are told apart by their class.
    animals = {label: set() for label in data.labels}
    for part in PARTS:
        for row, code in zip(*getattr(data, part), strict=True):
            animals[data.labels[code]].add(int(row[0]))
    assert data.labels == ("a", "c", "d")
    assert all(len(numbers) == 1 for numbers in animals.values())
    assert len(set.union(*animals.values())) == 3


def test_the_seed_decides_the_split_and_classes_may_be_named():
    assert from_texts(TEXTS, LABELS) == from_texts(TEXTS, LABELS)
    assert from_texts(TEXTS, LABELS, seed=1) != from_texts(TEXTS, LABELS)
    assert from_texts(TEXTS, LABELS, classes=("d", "c", "a")).load().labels == ("d", "c", "a")


@pytest.mark.parametrize("make", [tuple, list, np.array, lambda texts: (text for text in texts)])
def test_any_sequence_of_texts_is_taken(make):
    assert from_texts(make(TEXTS), LABELS) == from_texts(TEXTS, LABELS)


def test_an_empty_text_is_all_padding():
    assert given_splits(["", "a"], length=2).train.x.tolist() == [[0, 0], [2, 0]]


def test_json_says_which_texts_but_does_not_hold_them():
    task = from_texts(TEXTS, LABELS, length=5, name="mine")
    value = task_to_json(task)
    assert value["kind"] == "arrays"
    assert (value["settings"]["input_shape"], value["settings"]["items"]) == ([5], [36, 12, 12])
    assert "dog" not in str(value)
    with pytest.raises(TaskError, match=r"/task/settings: the data of task 'mine' .*nb\.open\(run_id, task=task\)"):
        task_from_json(value, "/task")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": "one text"}, "texts must be a list of texts, got str"),
        ({"texts": 5}, "texts must be a list of texts, got int"),
        ({"texts": [*TEXTS[:7], None]}, "texts must be texts, got NoneType in item 7"),
        ({"texts": [b"a"]}, "texts must be texts, got bytes in item 0"),
        ({"texts": TEXTS[:9]}, r"labels must have one label an item \(9\), got 60"),
        ({"labels": np.eye(60, 3)}, r"labels must be whole numbers or texts of shape \(items,\), got float64"),
        ({"labels": ["a"] * 60}, "classes must be 2 or more, got 1"),
        ({"classes": ("a", "b")}, r"y must be among the labels \(a, b\), got 'c'"),
        ({"tokens": "letters"}, "tokens must be one of words, characters, got 'letters'"),
        ({"length": 0}, "length must be a whole number, 1 or more, got 0"),
        ({"length": 2.0}, r"length must be a whole number, 1 or more, got 2\.0"),
        ({"vocabulary": 2}, "vocabulary must be a whole number, 3 or more, got 2"),
        ({"vocabulary": True}, "vocabulary must be a whole number, 3 or more, got True"),
        ({"valid": 0}, r"valid must be a share in \(0, 1\) or a pair"),
        ({"valid": (["a"],)}, "valid must be a share or a pair .* got a tuple of 1"),
        ({"test": (["a", 3], ["d", "c"])}, "test texts must be texts, got int in item 1"),
        ({"test": (["a"], ["d", "c"])}, r"test labels must have one label an item \(1\), got 2"),
        ({"test": ([], [])}, "test labels must be whole numbers or texts of shape"),
        ({"valid": 0.6, "test": 0.4}, r"valid \+ test must be below 1"),
        ({"seed": -1}, r"seed must be a whole number in 0\.\.2\^32 - 1, got -1"),
        ({"name": 3}, "name must be a text, got 3"),
    ],
)
def test_wrong_arguments_are_refused_with_a_reason(arguments, message):
    with pytest.raises(TaskError, match=message):
        from_texts(**{"texts": TEXTS, "labels": LABELS, **arguments})


# --- published data ---------------------------------------------------------------------------------------------------


def test_sst2_has_its_published_split_and_words_tell_the_sentiment(data):
    """Socher et al. 2013: 6,920, 872 and 1,821 sentences; a bag of words is right for about four of five."""
    pairs = []
    for part in ("train", "dev", "test"):
        with gzip.open(data / "text" / f"sst2_{part}.tsv.gz", "rt", encoding="utf-8") as file:
            rows = [line.rstrip("\n").rsplit("\t", 1) for line in file]
        pairs.append(([text for text, _ in rows], [int(label) for _, label in rows]))
    train, valid, test = pairs
    names = ("negative", "positive")
    task = from_texts(*train, valid=valid, test=test, classes=names, length=48, vocabulary=3_000, name="SST-2").load()
    assert [len(getattr(task, part).y) for part in PARTS] == [6_920, 872, 1_821]
    assert task.train.y.mean() == pytest.approx(0.52, abs=0.01)
    lengths = [len(words(text)) for text in train[0]]
    assert (task.train.x > 0).sum() == sum(min(length, 48) for length in lengths)

    def bags(part):
        return np.stack([np.bincount(row, minlength=task.vocabulary) for row in part.x])[:, 2:]

    model = LogisticRegression(C=0.3, max_iter=100).fit(bags(task.train)[::3], task.train.y[::3])
    assert model.score(bags(task.test), task.test.y) > 0.72
