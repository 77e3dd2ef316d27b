"""The user's own arrays and data sets as tasks."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nbnas.errors import TaskError
from nbnas.tasks import from_arrays, from_dataset, task_from_json, task_to_json
from nbnas.tasks.inputs import statistics

PARTS = ("train", "valid", "test")
Y = np.arange(60) % 3


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(3, 2, size=shape)


def parts(task):
    data = task.load()
    return [getattr(data, part) for part in PARTS]


# --- splits -----------------------------------------------------------------------------------------------------------


@given(
    st.integers(60, 120),
    st.integers(2, 4),
    st.floats(0.1, 0.4),
    st.floats(0.1, 0.4),
    st.integers(0, 2**32 - 1),
)
def test_shares_partition_the_items_with_their_labels(items, classes, valid, test, seed):
    x = np.arange(items, dtype=np.float64)[:, None] * np.ones((1, 5))
    y = np.arange(items) % classes
    task = from_arrays(x, y, valid=valid, test=test, seed=seed, normalize=False)
    found = sorted(
        (int(row), int(label)) for part in parts(task) for row, label in zip(part.x[:, 0, 0], part.y, strict=True)
    )
    assert found == list(zip(range(items), y.tolist(), strict=True))
    assert [len(part.y) for part in parts(task)[1:]] == [round(items * valid), round(items * test)]
    for part, share in zip(parts(task)[1:], (valid, test), strict=True):
        assert np.all(np.abs(np.bincount(part.y, minlength=classes) - share * np.bincount(y)) < 1)


def test_given_splits_are_taken_as_they_are():
    valid, test = (values(6, 5, seed=1), Y[:6]), (values(9, 5, seed=2), Y[:9])
    task = from_arrays(values(60, 5), Y, valid=valid, test=test, normalize=False)
    train, got_valid, got_test = parts(task)
    assert np.array_equal(train.x[:, 0], values(60, 5).astype(np.float32))
    assert np.array_equal(got_valid.x[:, 0], valid[0].astype(np.float32))
    assert np.array_equal(got_test.x[:, 0], test[0].astype(np.float32))
    assert np.array_equal(got_test.y, test[1])


def test_the_seed_decides_the_split():
    def digest(seed):
        return from_arrays(values(60, 5), Y, seed=seed).load().digest

    assert digest(0) == digest(0)
    assert len({digest(seed) for seed in range(5)}) == 5


# --- scaling ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "layout"), [((60, 2, 5, 5), None), ((60, 3, 9), "ncl"), ((60, 4), "nf")])
def test_each_channel_of_train_has_mean_0_and_deviation_1(shape, layout):
    x = values(*shape)
    x[:, 0] = x[:, 0] * 1e-3 + 1e4  # a small spread far from 0
    train = parts(from_arrays(x, Y, layout=layout))[0]
    axes = (0, *range(2, train.x.ndim))
    assert train.x.mean(axis=axes, dtype=np.float64) == pytest.approx(0, abs=3e-6)
    assert train.x.std(axis=axes, dtype=np.float64) == pytest.approx(1, abs=3e-6)


def test_changed_valid_or_test_data_change_nothing_in_train():
    x, y = values(60, 5), Y
    train, valid, test = parts(from_arrays(x, y))
    marked = parts(from_arrays(np.arange(60.0)[:, None] * np.ones((1, 5)), y, normalize=False))
    for part in (1, 2):
        changed = x.copy()
        changed[marked[part].x[:, 0, 0].astype(int)] *= 100
        others = parts(from_arrays(changed, y))
        assert np.array_equal(others[0].x, train.x)
        assert not np.array_equal(others[part].x, (train, valid, test)[part].x)


def test_a_constant_channel_stays_finite():
    x = values(60, 4)
    x[:, 1] = 0.1
    train = parts(from_arrays(x, Y, layout="nf"))[0]
    assert np.abs(train.x[:, 1]).max() < 1e-6


def test_the_scaling_does_not_depend_on_the_order_of_summation():
    x = values(999, 5, 7)
    assert not np.array_equal(x.mean(axis=(0, 2)), x[::-1].mean(axis=(0, 2))), "the control: plain means differ"
    assert not np.array_equal(x.std(axis=(0, 2)), x[::-1].std(axis=(0, 2)))
    for forward, backward in zip(statistics(x), statistics(x[::-1]), strict=True):
        assert np.array_equal(forward, backward)


# --- layouts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "shape", "expected"),
    [
        (None, (60, 8), (1, 8)),
        (None, (60, 8, 9), (1, 8, 9)),
        (None, (60, 3, 8, 9), (3, 8, 9)),
        ("nchw", (60, 8, 9, 3), (8, 9, 3)),
        ("nhwc", (60, 8, 9, 3), (3, 8, 9)),
        ("nhw", (60, 3, 9), (1, 3, 9)),
        ("ncl", (60, 3, 9), (3, 9)),
        ("nlc", (60, 9, 3), (3, 9)),
        ("nl", (60, 9), (1, 9)),
        ("nf", (60, 9), (9,)),
    ],
)
def test_layouts(layout, shape, expected):
    x = values(*shape)
    task = from_arrays(x, Y, layout=layout, valid=(x, Y), test=(x, Y), normalize=False)
    got = parts(task)[0].x
    assert got.shape[1:] == expected
    if layout == "nhwc":
        assert np.array_equal(got[4, 2], x[4, :, :, 2].astype(np.float32))
    elif layout == "nlc":
        assert np.array_equal(got[4, 2], x[4, :, 2].astype(np.float32))
    else:
        assert np.array_equal(got.reshape(60, -1), x.reshape(60, -1).astype(np.float32))


@pytest.mark.parametrize(
    ("shape", "choice"),
    [
        ((60, 8, 9, 3), "layout='nchw', 'nhwc'"),
        ((60, 3, 9), "layout='nhw', 'ncl' or 'nlc'"),
        ((60, 9, 3), "layout='nhw', 'ncl' or 'nlc'"),
    ],
)
def test_axes_that_may_mean_two_things_are_asked_for(shape, choice):
    with pytest.raises(TaskError, match=r"layout must be given where the axes may mean two things") as caught:
        from_arrays(values(*shape), Y)
    assert choice in str(caught.value)


# --- labels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "labels", "names", "codes"),
    [
        ([7, 3, 7, 11] * 15, None, ("3", "7", "11"), [1, 0, 1, 2]),
        (["dog", "cat", "dog", "ant"] * 15, None, ("ant", "cat", "dog"), [2, 1, 2, 0]),
        (["dog", "cat", "dog", "ant"] * 15, ("dog", "cat", "ant"), ("dog", "cat", "ant"), [0, 1, 0, 2]),
        ([0, 1, 0, 1] * 15, ("a", "b", "never"), ("a", "b", "never"), [0, 1, 0, 1]),
        ([True, False, True, True] * 15, None, ("0", "1"), [1, 0, 1, 1]),
        (np.array([2, 5, 2, 2] * 15, dtype=np.uint64), None, ("2", "5"), [0, 1, 0, 0]),
        (np.array(["b", "a", "b", "b"] * 15, dtype=object), None, ("a", "b"), [1, 0, 1, 1]),
        (torch.tensor([4, 1, 4, 4] * 15), None, ("1", "4"), [1, 0, 1, 1]),
    ],
)
def test_labels_become_numbers_and_names(y, labels, names, codes):
    pair = (values(4, 5), y[:4])
    data = from_arrays(values(60, 5), y, labels=labels, valid=pair, test=pair).load()
    assert data.labels == names
    assert data.valid.y.tolist() == codes
    assert data.train.y.tolist() == codes * 15


def test_classes_are_those_of_all_splits():
    data = from_arrays(values(60, 5), Y, test=(values(2, 5), [0, 9])).load()
    assert data.labels == ("0", "1", "2", "9")
    assert data.test.y.tolist() == [0, 3]


# --- input types ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", "float64", ">f8"])
def test_any_plain_numbers_are_taken(dtype):
    x = (values(60, 5) > 3).astype(dtype)
    train = parts(from_arrays(x, Y, normalize=False, valid=(x, Y), test=(x, Y)))[0]
    assert np.array_equal(train.x[:, 0], x.astype(np.float32))


def test_tensors_and_lists_are_taken_and_the_callers_data_are_copied():
    x = values(60, 5).astype(np.float32)
    task = from_arrays(x, Y, normalize=False)
    tensor = torch.tensor(x, requires_grad=True)
    assert from_arrays(tensor, torch.tensor(Y), normalize=False) == task
    assert from_arrays(x.tolist(), Y.tolist(), normalize=False) == task
    digest = task.load().digest
    x[:] = 0
    assert task.load().train.x.any()
    assert vars(copy.copy(task.load())).get("digest") == digest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": values(60)}, r"x must have 2 axes \(sequences\), 3 or 4 \(images\), got shape \(60,\)"),
        ({"x": values(60, 5, 5, 5, 5)}, "x must have 2 axes"),
        ({"x": values(60, 5), "layout": "nchw"}, r"x must have 4 axes for layout 'nchw', got shape \(60, 5\)"),
        ({"x": values(60, 5), "layout": "nc"}, "layout must be one of nchw, nhwc, nhw, ncl, nlc, nl, nf, got 'nc'"),
        ({"x": np.array([["a"] * 5] * 60)}, "x must be numbers, got <U1"),
        ({"x": values(60, 5) + 1j}, "x must be numbers, got complex128"),
        ({"x": [[1, 2], [3]]}, "data must be arrays of one shape"),
        ({"x": np.where(np.arange(60)[:, None] == 7, np.nan, values(60, 5))}, "in 1 of 60 items, first in item 7"),
        ({"x": values(60, 5) * 1e300, "normalize": False}, r"must be finite, got nan or infinity"),
        ({"x": np.zeros((0, 5)), "y": []}, "y must be whole numbers or texts"),
        ({"y": Y[:59]}, r"y must have one label an item \(60\), got 59"),
        ({"y": np.eye(60, 3)}, r"got float64 of shape \(60, 3\)\. Pass class numbers, not one-hot rows"),
        ({"y": Y / 2}, "y must be whole numbers or texts of shape"),
        ({"y": np.array([1, "a", *[0] * 58], dtype=object)}, "y must be whole numbers or texts, got other objects"),
        ({"y": np.array([2**63, *[0] * 59], dtype=np.uint64)}, r"y must be below 2\^63, got 9223372036854775808"),
        ({"y": [0] * 60}, "classes must be 2 or more, got 1"),
        ({"y": Y, "labels": ("a", "b")}, r"y must be in 0\.\.1 with 2 labels, got 0\.\.2"),
        ({"y": Y, "labels": ("a", "b", "a")}, "labels must be 3 different names"),
        ({"y": ["a", "b"] * 30, "labels": ("a", "c")}, r"y must be among the labels \(a, c\), got 'b'"),
        ({"valid": (values(3, 5), ["a"] * 3)}, "y must be of one kind in all splits, got whole numbers and texts"),
        ({"valid": 0}, r"valid must be a share in \(0, 1\) or a pair \(x, y\), got 0"),
        ({"test": 1.0}, r"test must be a share in \(0, 1\) or a pair \(x, y\), got 1\.0"),
        ({"test": True}, "test must be a share"),
        ({"test": float("nan")}, "test must be a share"),
        ({"valid": 0.6, "test": 0.4}, r"valid \+ test must be below 1, got 0\.6 \+ 0\.4"),
        ({"valid": (values(3, 5),)}, r"valid must be a share or a pair \(x, y\), got a tuple of 1"),
        ({"test": (values(3, 6), [0, 1, 2])}, r"test x must have items of shape \(1, 5\) as x has, got \(1, 6\)"),
        ({"test": (values(3, 5), [0, 1])}, r"test y must have one label an item \(3\), got 2"),
        ({"valid": 0.001}, r"valid must have at least one item, got 0 of 60\. Give more items, or valid=\(x, y\)"),
        ({"seed": -1}, r"seed must be a whole number in 0\.\.2\^32 - 1, got -1"),
        ({"seed": True}, "seed must be a whole number"),
        ({"name": 3}, "name must be a text, got 3"),
    ],
)
def test_wrong_arguments_are_refused_with_a_reason(arguments, message):
    with pytest.raises(TaskError, match=message):
        from_arrays(**{"x": values(60, 5), "y": Y, **arguments})


# --- as settings ------------------------------------------------------------------------------------------------------


def test_json_says_which_data_but_does_not_hold_them():
    task = from_arrays(values(60, 5), Y, name="mine")
    value = task_to_json(task)
    assert value == {
        "kind": "arrays",
        "settings": {
            "name": "mine",
            "digest": task.load().digest,
            "input_shape": [1, 5],
            "items": [36, 12, 12],
            "labels": ["0", "1", "2"],
        },
    }
    with pytest.raises(TaskError, match=r"/task/settings: the data of task 'mine' .*nb\.open\(run_id, task=task\)"):
        task_from_json(value, "/task")


def test_equal_data_are_equal_tasks():
    task = from_arrays(values(60, 5), Y)
    assert task == from_arrays(values(60, 5), Y)
    assert hash(task) == hash(from_arrays(values(60, 5), Y))
    assert task != from_arrays(values(60, 5, seed=1), Y)
    assert pickle.loads(pickle.dumps(task)).load().digest == task.load().digest


def test_data_live_as_long_as_their_task():
    from nbnas.tasks.task import _LOADED

    task = from_arrays(values(60, 5), Y)
    task.load()
    assert task not in _LOADED


# --- data sets --------------------------------------------------------------------------------------------------------


class Listed(torch.utils.data.Dataset):
    """A map-style data set that counts its readings."""

    def __init__(self, pairs):
        self.pairs, self.read = pairs, 0

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        self.read += 1
        return self.pairs[index]


class Streamed(torch.utils.data.IterableDataset):
    """The same without length."""

    def __init__(self, pairs):
        self.pairs = pairs

    def __iter__(self):
        return iter(self.pairs)


PAIRS = [(torch.tensor(row), int(label)) for row, label in zip(values(60, 2, 5, 5), Y, strict=True)]


@pytest.mark.parametrize("kind", [Listed, Streamed, list])
@pytest.mark.parametrize("label", [int, torch.tensor, lambda y: torch.tensor([y]), np.int64])
def test_a_data_set_is_the_same_as_its_arrays(kind, label):
    dataset = kind([(x, label(y)) for x, y in PAIRS])
    assert from_dataset(dataset, name="a") == from_arrays(values(60, 2, 5, 5), Y, name="a")


def test_a_data_set_is_read_once():
    dataset = Listed(PAIRS)
    task = from_dataset(dataset)
    task.bind()
    task.bind(with_test=True)
    assert dataset.read == 60


def test_the_splits_may_be_data_sets():
    x, valid = values(60, 2, 5, 5), Listed(PAIRS[:7])
    expected = from_arrays(x, Y, valid=(x[:7], Y[:7]), test=0.5, name="dataset")
    assert from_dataset(Listed(PAIRS), valid=valid, test=0.5) == expected


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Listed([]), r"dataset must have at least one item, got 0"),
        (
            Listed([*PAIRS[:9], (torch.zeros(2, 5, 6), 0)]),
            r"dataset\[9\] must have the shape of dataset\[0\], \(2, 5, 5\), got \(2, 5, 6\)\. Resize, crop or pad",
        ),
        (Listed([torch.zeros(3)]), r"dataset\[0\] must be a pair \(input, label\), got Tensor"),
        (Listed([(torch.zeros(3), 0, 1)]), r"dataset\[0\] must be a pair"),
        (Listed([(torch.zeros(3), [0, 1])]), r"dataset\[0\] must have one label, got an array of shape \(2,\)"),
        (42, "dataset must be a torch Dataset or another source of pairs, got int"),
    ],
)
def test_wrong_data_sets_are_refused_with_a_reason(dataset, message):
    with pytest.raises(TaskError, match=message):
        from_dataset(dataset)


@pytest.mark.parametrize(("kind", "amount"), [(Listed, "got 12,000"), (Streamed, "got at least 10,200")])
def test_too_large_a_data_set_is_refused_before_it_fills_the_memory(kind, amount):
    dataset = kind(PAIRS)
    with pytest.raises(TaskError, match=rf"dataset must take at most 10,000 bytes .*{amount}"):
        from_dataset(dataset, limit_bytes=10_000)
    assert getattr(dataset, "read", 1) == 1
    assert from_dataset(kind(PAIRS), limit_bytes=12_000).load()


def test_an_endless_stream_ends_at_the_limit():
    def endless():
        while True:
            yield torch.zeros(5), 0

    with pytest.raises(TaskError, match="got at least"):
        from_dataset(endless(), limit_bytes=1000)
