"""The table of digits64: complete, as published, and what training still gives."""

from __future__ import annotations

import numpy as np
import pytest

import nbnas as nb
from nbnas.course import digits64
from nbnas.errors import SettingsError

TABLE = digits64.measured()


def test_it_holds_all_64_architectures_five_seeds_and_nine_epochs():
    assert TABLE.architectures == tuple(str(one) for one in digits64.space().enumerate())
    assert TABLE.valid.shape == TABLE.test.shape == (5, 64, 9)
    assert ((TABLE.valid >= 0) & (TABLE.valid <= 1)).all()
    assert np.isfinite(TABLE.test).all()
    # Whole items: 359 of them in each part.
    assert np.abs(TABLE.valid * 359 - np.rint(TABLE.valid * 359)).max() < 1e-9


def test_networks_that_differ_in_skips_only_have_the_same_numbers_and_all_others_do_not():
    space = digits64.space()
    groups = {}
    for place, one in enumerate(space.enumerate()):
        groups.setdefault(space.canonical(one), []).append(place)
    assert len(groups) == 40
    assert sum(len(places) * (len(places) - 1) // 2 for places in groups.values()) == 3 * 3 + 9 * 3
    for places in groups.values():
        for numbers in (TABLE.valid[:, places], TABLE.test[:, places]):
            assert (numbers == numbers[:, :1]).all()
    assert len({TABLE.valid[:, places[0]].tobytes() for places in groups.values()}) == 40


def test_parameters_and_multiply_adds_in_closed_form():
    """Stem: 9·16 weights on 64 pixels; a convolution of size k: 256·k²; head: 160 weights and 10 biases."""
    sizes = {"skip": 0, "avg_pool_3x3": 0, "conv_1x1": 1, "conv_3x3": 9}
    for place, one in enumerate(digits64.space().enumerate()):
        kernels = [sizes[str(name)] for name in digits64.space().options(one).values()]
        norms = 32 * (1 + sum(size > 0 for size in kernels))
        assert TABLE.parameters[place] == 144 + 256 * sum(kernels) + norms + 170
        assert TABLE.macs[place] == 64 * (144 + 256 * sum(kernels)) + 170


@pytest.mark.parametrize("name", ["2-0-1"])
def test_training_again_gives_the_row(name):
    """The library of today trains as the one that made the table.

    Bit for bit on the same platform; elsewhere the curve may drift, by less than 6 standard deviations of the seeds.
    """
    place = TABLE.architectures.index(name)
    spread = TABLE.valid[:, place].std(axis=0, ddof=1)
    again = np.array(digits64.train(name, 1))
    assert np.abs(again - TABLE.valid[1, place])[-1] <= 6 * spread[-1]
    others = np.abs(TABLE.valid[:, place] - again).mean(axis=1)
    assert others.argmin() == 1  # it is that seed's curve, and no other's


def test_one_damaged_byte_is_noticed(monkeypatch):
    monkeypatch.setattr(digits64, "SHA256", "0" * 64)
    digits64.measured.cache_clear()
    with pytest.raises(SettingsError, match=r"digits64\.npz must have the SHA-256 0000000000000000…, got "):
        digits64.measured()
    digits64.measured.cache_clear()


def test_nobody_can_change_the_shared_table():
    with pytest.raises(ValueError, match="read-only"):
        TABLE.valid[0, 0, 0] = 1.0


def test_a_search_reads_valid_and_never_test():
    table = digits64.table(2)
    assert not any("test" in name for name in table.metrics)
    assert (table.metrics["valid_accuracy"] == TABLE.valid[2, :, -1]).all()
    assert (table.metrics["valid_accuracy_epoch_3"] == TABLE.valid[2, :, 2]).all()
    mean = digits64.table(None).metrics["valid_accuracy"]
    assert mean == pytest.approx(TABLE.valid[:, :, -1].mean(axis=0), abs=1e-15)


@pytest.mark.parametrize("seed", [5, -1, True, "0"])
def test_other_seeds_are_refused(seed):
    with pytest.raises(SettingsError, match=r"seed must be one of 0, 1, 2, 3, 4, or None"):
        digits64.table(seed)


def test_grid_search_on_the_table_finds_the_best():
    run = nb.search(
        digits64.space(),
        None,
        nb.strategies.GridSearch(),
        digits64.evaluator(0),
        budget=nb.Budget(trials=64),
    ).wait()
    assert run.incumbent.score == TABLE.valid[0, :, -1].max()
    assert run.state.trials_finished == 64
