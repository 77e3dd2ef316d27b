"""MNIST-1D: the published values, and a cache that is never trusted."""

import logging
import os
import sys

import numpy as np
import pytest

from nbnas.errors import TaskError
from nbnas.tasks import Mnist1D
from nbnas.tasks.cache import cache_folder, cached, digest
from nbnas.tasks.mnist1d import generate

PARTS = ("train", "valid", "test")
# The package has a function of this name, too.
MODULE = sys.modules["nbnas.tasks.mnist1d"]


@pytest.fixture(scope="module")
def generated():
    return generate()


@pytest.fixture
def counting(monkeypatch, generated):
    """Counts how often the data are generated."""
    calls = []
    monkeypatch.setattr(MODULE, "generate", lambda: calls.append(1) or generated)
    return calls


def path():
    return cache_folder() / "mnist1d.npz"


# --- values -----------------------------------------------------------------------------------------------------------


def test_the_values_are_the_published_ones(data, generated):
    with np.load(data / "mnist1d" / "mnist1d.npz") as frozen:
        x = np.concatenate([frozen["x_train"], frozen["x_test"]])
        y = np.concatenate([frozen["y_train"], frozen["y_test"]])
    assert generated["x"].shape == x.shape == (5000, 40)
    assert np.abs(generated["x"].astype(np.float64) - x).max() < 5e-7  # rounding to 2^-21 is 2.4e-7
    assert np.array_equal(generated["y"], y)


def test_the_values_are_exact_multiples_of_the_grid(generated):
    scaled = generated["x"].astype(np.float64) * 2**21
    assert np.array_equal(scaled, np.rint(scaled))


def test_no_value_is_near_an_edge_of_rounding(monkeypatch):
    """What the frozen digest stands on: noise of another machine, 1e-15, cannot flip a value."""
    seen = []
    rint = np.rint
    monkeypatch.setattr(np, "rint", lambda x: seen.append(x.copy()) or rint(x))
    generate()
    (scaled,) = seen
    margin = np.abs(scaled - np.floor(scaled) - 0.5).min() / 2**21
    assert 1e-13 < margin < 1e-11


def test_the_global_generator_is_neither_used_nor_changed():
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    first = digest(generate())
    assert np.array_equal(np.random.get_state()[1], state)
    np.random.seed(2)
    assert digest(generate()) == first


def test_the_task_has_the_published_test_and_splits_train(generated):
    loaded = Mnist1D().load()
    assert [len(getattr(loaded, part).y) for part in PARTS] == [3200, 800, 1000]
    assert loaded.input_shape == (1, 40)
    assert np.array_equal(loaded.test.x[:, 0], generated["x"][4000:])
    assert np.array_equal(loaded.test.y, generated["y"][4000:])
    rows = sorted(row.tobytes() for part in ("train", "valid") for row in getattr(loaded, part).x)
    assert rows == sorted(row.tobytes() for row in generated["x"][:4000])
    share = np.bincount(loaded.valid.y) - 0.2 * np.bincount(generated["y"][:4000])
    assert np.abs(share).max() < 1
    assert Mnist1D(split_seed=1).load().digest != loaded.digest
    assert len(Mnist1D(valid_fraction=0.5).load().valid.y) == 2000


# --- cache ------------------------------------------------------------------------------------------------------------


def test_generated_once_then_read(counting, nbnas_home):
    first = Mnist1D().make()
    assert path().parent == nbnas_home / "cache"
    assert [file.name for file in path().parent.iterdir()] == ["mnist1d.npz"]
    assert Mnist1D().make().digest == first.digest
    assert len(counting) == 1


def test_any_changed_byte_is_noticed_and_mended(counting, caplog):
    right = Mnist1D().make().digest
    good = path().read_bytes()
    rng = np.random.default_rng(0)
    places = {0, len(good) - 1, *rng.integers(len(good), size=40).tolist(), *range(40, 120, 8)}
    noticed = 0
    for place in sorted(places):
        bad = bytearray(good)
        bad[place] ^= 0x10
        path().write_bytes(bad)
        before = len(counting)
        with caplog.at_level(logging.WARNING):
            caplog.clear()
            assert Mnist1D().make().digest == right
        noticed += len(counting) > before
        # What was noticed was said and written anew; what was not did not touch a value (time stamps of zip).
        assert (len(counting) > before) == bool(caplog.records) == (path().read_bytes() != bytes(bad))
    assert noticed > 0.8 * len(places)


def test_a_changed_value_is_noticed_even_in_a_whole_file(counting, generated, caplog):
    path().parent.mkdir(parents=True)
    x = generated["x"].copy()
    x[17, 3] = np.nextafter(x[17, 3], np.float32(9))
    np.savez(path(), x=x, y=generated["y"])
    assert Mnist1D().make().digest == Mnist1D().load().digest
    assert len(counting) == 1
    assert "does not hold the expected values" in caplog.text


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04", b"\x93NUMPY"])
def test_a_foreign_file_is_replaced(counting, content):
    path().parent.mkdir(parents=True)
    path().write_bytes(content)
    Mnist1D().make()
    Mnist1D().make()
    assert len(counting) == 1


def test_a_pickle_in_the_cache_is_not_run(counting):
    path().parent.mkdir(parents=True)

    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was run",))

    np.savez(path(), x=np.array([Bomb()], dtype=object), y=np.zeros(1))
    Mnist1D().make()
    assert len(counting) == 1


def test_other_values_are_refused_not_used():
    with pytest.raises(TaskError, match=r"wrong must have the digest 000000000000…, got .*; generated with numpy"):
        cached("wrong", "0" * 64, lambda: {"x": np.zeros(3)})
    assert not cache_folder().exists()


@pytest.mark.parametrize("step", ["mkstemp", "fsync", "replace"])
def test_a_failure_while_writing_costs_nothing_but_time(counting, monkeypatch, step, caplog):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr({"mkstemp": "tempfile.mkstemp"}.get(step, f"os.{step}"), full)
    expected = Mnist1D().make().digest
    assert "cannot be written" in caplog.text
    assert list(path().parent.iterdir()) == []
    monkeypatch.undo()
    assert Mnist1D().load().digest == expected


def test_the_old_file_stays_whole_until_the_new_one_is(counting, monkeypatch):
    path().parent.mkdir(parents=True)
    path().write_bytes(b"old")
    seen = []
    replace = os.replace

    def watched(source, target):
        assert target.read_bytes() == b"old"
        with np.load(source) as new:
            seen.append(sorted(new.files))
        replace(source, target)

    monkeypatch.setattr("os.replace", watched)
    Mnist1D().make()
    assert seen == [["x", "y"]]
