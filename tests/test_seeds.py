"""One seed a run: streams that are equal for equal names and independent for others."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from nbnas.seeds import generator, seed_of


def test_a_stream_is_a_function_of_seed_name_and_keys():
    for seed, name, keys in product((0, 1, 2**63 - 1), ("strategy", "evaluator"), ((), (0,), (3, 4))):
        assert seed_of(seed, name, *keys) == seed_of(seed, name, *keys)
        draws = [generator(seed, name, *keys).random(4).tolist() for _ in range(2)]
        assert draws[0] == draws[1]


def test_every_purpose_has_its_own_seed():
    names = ("strategy", "evaluator", "weights", "order", "draws", "score", "alpha", "halves", "order of w",
             "order of alpha", "retrain", "retrain order")  # fmt: skip
    found = {
        seed_of(seed, name, *keys)
        for seed in range(20)
        for name in names
        for keys in [
            (),
            *((trial,) for trial in range(5)),
            *((trial, epoch) for trial in range(3) for epoch in range(3)),
        ]
    }
    assert len(found) == 20 * len(names) * (1 + 5 + 9)
    assert all(0 <= seed < 2**63 for seed in found)


def test_keys_are_not_glued_together():
    assert seed_of(0, "order", 1, 23) != seed_of(0, "order", 12, 3)
    assert seed_of(0, "order", 1) != seed_of(1, "order", 0)


def test_seeds_never_change():
    """A stored run goes on only where these are what they were."""
    assert seed_of(0, "weights") == GOLDEN["weights"]
    assert seed_of(7, "order", 3, 1) == GOLDEN["order"]
    assert generator(0, "strategy").integers(2**32, size=3).tolist() == GOLDEN["strategy"]


GOLDEN = {
    "weights": 8_123_138_349_646_949_767,
    "order": 1_857_053_679_032_301_650,
    "strategy": [1473754344, 999792134, 457211971],
}


def test_streams_are_uncorrelated():
    """1,000 numbers of neighbouring trials: no correlation beyond 6 standard errors (false alarm below 10^-6)."""
    rows = np.stack([generator(0, "order", trial).random(1000) for trial in range(40)])
    correlation = np.corrcoef(rows)[np.triu_indices(40, 1)]
    assert np.abs(correlation).max() < 6 / np.sqrt(1000)


@pytest.mark.parametrize("seed", [0, 5])
def test_global_generators_are_left_alone(seed):
    np.random.seed(seed)
    before = np.random.get_state()[1].tolist()
    generator(seed, "strategy").random(10)
    seed_of(seed, "weights")
    assert np.random.get_state()[1].tolist() == before
