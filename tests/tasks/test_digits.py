"""Digits: the whole of scikit-learn's images, split once and fairly."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from nbnas.tasks import Digits
from nbnas.tasks import digits as digits_task
from nbnas.tasks.data import stratified

PARTS = ("train", "valid", "test")


@pytest.fixture(scope="module")
def original():
    pixels, y = load_digits(return_X_y=True)
    return pixels.reshape(-1, 1, 8, 8), y


def pixels_of(data):
    """The images as whole numbers again, by part: scaling is undone by its two known levels, 0 and 16."""
    low = min(getattr(data, part).x.min() for part in PARTS)
    high = max(getattr(data, part).x.max() for part in PARTS)
    return {part: np.rint((getattr(data, part).x - low) / (high - low) * 16) for part in PARTS}


@pytest.mark.parametrize("settings", [{}, {"split_seed": 1}, {"valid_fraction": 0.05, "test_fraction": 0.4}])
def test_the_splits_are_disjoint_and_cover_all_1797(original, settings):
    data = Digits(**settings).load()
    parts = pixels_of(data)
    pairs = [
        (image.tobytes(), int(label))
        for part in PARTS
        for image, label in zip(parts[part], getattr(data, part).y, strict=True)
    ]
    assert len(pairs) == 1797
    # As multisets equal to the original with its labels: each image once, so no two parts share one.
    images, labels = original[0].astype(np.float32), original[1].tolist()
    assert sorted(pairs) == sorted((image.tobytes(), label) for image, label in zip(images, labels, strict=True))


@pytest.mark.parametrize("settings", [{}, {"split_seed": 5}, {"valid_fraction": 0.1, "test_fraction": 0.3}])
def test_the_splits_are_stratified(original, settings):
    task = Digits(**settings)
    data, whole = task.load(), np.bincount(original[1])
    for part, fraction in (("valid", task.valid_fraction), ("test", task.test_fraction)):
        counts = np.bincount(getattr(data, part).y, minlength=10)
        assert np.all(np.abs(counts - fraction * whole) < 1)
        assert counts.sum() == round(1797 * fraction)


def test_the_default_split_is_what_it_always_was():
    data = Digits().load()
    assert [len(getattr(data, part).y) for part in PARTS] == [1079, 359, 359]
    assert data.input_shape == (1, 8, 8)
    assert data.digest == "fae547794e4134add441fb15501ef7fa435e74daba98c2cd55b41221cc53bcba"
    assert Digits(split_seed=1).load().digest != data.digest


def test_train_has_mean_0_and_deviation_1_and_only_train():
    data = Digits().load()
    assert data.train.x.mean(dtype=np.float64) == pytest.approx(0, abs=1e-6)
    assert data.train.x.std(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert abs(data.valid.x.mean()) > 1e-4
    assert abs(data.test.x.mean()) > 1e-4


def test_changed_test_data_change_nothing_in_train(monkeypatch, original):
    before = Digits().load()
    test, _, _ = stratified(original[1], (0.2, 0.2), 0)

    def brighter(**_):
        pixels = original[0].reshape(-1, 64).copy()
        pixels[test] = 16
        return pixels, original[1]

    monkeypatch.setattr("sklearn.datasets.load_digits", brighter)
    after = Digits().make()
    assert not np.array_equal(after.test.x, before.test.x)
    for part in ("train", "valid"):
        assert np.array_equal(getattr(after, part).x, getattr(before, part).x)


def test_the_split_does_not_use_the_global_generator():
    state = np.random.get_state()[1].copy()
    assert digits_task().make().digest == Digits().load().digest
    assert np.array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize("seed", range(5))
def test_stratified_parts_partition_any_labels(seed):
    rng = np.random.default_rng(seed)
    y = np.concatenate([rng.integers(6, size=rng.integers(1, 90)), [99]])  # 99: a class of one
    parts = stratified(y, (0.3, 0.2), seed)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(y)))
    assert all(np.all(np.diff(part) > 0) for part in parts)
    # The last part, train, knows every class.
    assert set(y[parts[-1]]) == set(y)
