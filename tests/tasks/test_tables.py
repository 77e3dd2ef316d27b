"""Breast cancer and wine: scikit-learn's tables, split once and scaled by train."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.linear_model import LogisticRegression

from nbnas.tasks import BreastCancer, Wine

PARTS = ("train", "valid", "test")
TABLES = [(BreastCancer, load_breast_cancer, (569, 30)), (Wine, load_wine, (178, 13))]


def parts(data):
    return [getattr(data, part) for part in PARTS]


@pytest.mark.parametrize(("cls", "read", "shape"), TABLES)
@pytest.mark.parametrize("settings", [{}, {"split_seed": 3, "valid_fraction": 0.1, "test_fraction": 0.3}])
def test_every_row_is_in_one_split_with_its_class(cls, read, shape, settings, monkeypatch):
    y = read(return_X_y=True)[1]
    # Rows that say their own number; scaling keeps their order.
    x = np.arange(len(y))[:, None] * np.ones(shape)
    monkeypatch.setattr(f"sklearn.datasets.{read.__name__}", lambda **_: (x, y))
    data = cls(**settings).make()
    assert (data.inputs, data.input_shape, data.dims) == ("values", shape[1:], 0)
    found = np.concatenate([part.x for part in parts(data)])
    order = np.argsort(found[:, 0])
    assert found.shape == shape
    assert np.all(np.diff(found[order], axis=0) > 0), "every number once, in every feature"
    assert np.array_equal(np.concatenate([part.y for part in parts(data)])[order], y)


@pytest.mark.parametrize(("cls", "read", "shape"), TABLES)
def test_splits_are_stratified_and_scaled_by_train(cls, read, shape):
    data, y = cls().load(), read(return_X_y=True)[1]
    for part in parts(data)[1:]:
        assert np.all(np.abs(np.bincount(part.y) - 0.2 * np.bincount(y)) < 1)
    assert data.train.x.mean(axis=0, dtype=np.float64) == pytest.approx(0, abs=3e-6)
    assert data.train.x.std(axis=0, dtype=np.float64) == pytest.approx(1, abs=3e-6)
    assert np.abs(data.test.x.mean(axis=0)).max() > 1e-2


@pytest.mark.parametrize(("cls", "read", "shape"), TABLES)
def test_a_linear_model_is_nearly_right(cls, read, shape):
    data = cls().load()
    model = LogisticRegression(max_iter=200).fit(data.train.x, data.train.y)
    assert model.score(data.test.x, data.test.y) > 0.94


def test_the_classes_are_named_in_the_order_of_the_source():
    assert list(load_breast_cancer().target_names) == ["malignant", "benign"]
    assert BreastCancer().load().labels == ("malignant", "benign")
    assert len(Wine().load().labels) == 3


@pytest.mark.parametrize(
    ("cls", "digest"),
    [
        (BreastCancer, "739356a26d9972f0b67e657e12dd7ec67d2c1e211ffc89cbda6b2e327505a8fe"),
        (Wine, "c0b30989b78d6780dd3d5e84fa28c1309879a409d5a974f07398ed6cd6659efa"),
    ],
)
def test_the_default_split_is_what_it_always_was(cls, digest):
    assert cls().load().digest == digest
