"""A network that does not fit into the memory is refused before it takes any."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

import nbnas as nb
from nbnas.errors import TrialError
from nbnas.networks import guard
from nbnas.networks.guard import free_memory, within_memory
from nbnas.spaces import Choice, Head, Network, SearchSpace, Stem

SPACE = SearchSpace("s", Network((Stem(Choice(8, 64), name="one"), Stem(64, name="two"), Head())))


@pytest.mark.parametrize(("free", "fits"), [(7_000, {"0": False, "1": False}), (60_000, {"0": True, "1": False})])
def test_weights_take_half_of_the_free_memory_at_most(free, fits, shape, monkeypatch):
    """3·8·9 + 16 + 8·64·9 + 128 + 650 numbers of 4 bytes are 22 kB, and with 64 channels 157 kB."""
    monkeypatch.setattr(guard, "free_memory", lambda: free)
    for chosen, there in fits.items():
        architecture = SPACE.architecture(chosen)
        if there:
            nb.build(SPACE, architecture, shape((3, 8, 8)), seed=0)
            continue
        with pytest.raises(TrialError, match=r"weights of at most .* half of the free memory, got more than") as caught:
            nb.build(SPACE, architecture, shape((3, 8, 8)), seed=0)
        assert caught.value.cause == "out_of_memory"


def test_a_supernet_is_guarded_too(shape, monkeypatch):
    monkeypatch.setattr(guard, "free_memory", lambda: 1000)
    with pytest.raises(TrialError, match="half of the free memory"):
        nb.Supernet(nb.spaces.nas_bench_201(channels=4, cells=1), shape((3, 8, 8)), seed=0)


def test_it_is_told_before_the_memory_is_taken(monkeypatch):
    """The weights are there but not yet written: nothing is initialised."""
    monkeypatch.setattr(guard, "free_memory", lambda: 1000)
    monkeypatch.setattr(nn.init, "kaiming_uniform_", lambda *given, **keywords: pytest.fail("weights were written"))
    with pytest.raises(TrialError), within_memory():
        nn.Linear(100, 100)


def test_what_cannot_be_allocated_at_all_is_a_failed_trial():
    with pytest.raises(TrialError, match="weights that fit into the memory") as caught, within_memory():
        nn.Linear(2**22, 2**30)
    assert caught.value.cause == "out_of_memory"


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="my own"), within_memory():
        raise RuntimeError("my own")


def test_the_number_of_modules_is_limited(monkeypatch):
    monkeypatch.setattr(guard, "MAX_MODULES", 10)
    with pytest.raises(TrialError, match="at most 10 modules"), within_memory():
        nn.Sequential(*[nn.ReLU() for _ in range(11)])
    nn.Sequential(*[nn.ReLU() for _ in range(11)])  # afterwards all is as before


def test_weights_without_numbers_count_for_nothing(monkeypatch):
    monkeypatch.setattr(guard, "free_memory", lambda: 1000)
    with torch.device("meta"), within_memory():
        nn.Linear(10_000, 10_000)


def test_other_threads_are_left_alone(monkeypatch):
    monkeypatch.setattr(guard, "free_memory", lambda: 1000)
    made = []
    with within_memory():
        other = threading.Thread(target=lambda: made.append(nn.Linear(100, 100)))
        other.start()
        other.join()
    assert len(made) == 1


def test_free_memory_is_that_of_this_machine():
    assert 2**20 < free_memory() < 2**50
