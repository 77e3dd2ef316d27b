"""Statistics of normalisation for one path (SPOS, Guo et al. 2020)."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nbnas import spaces
from nbnas.errors import SettingsError
from nbnas.networks import Supernet
from nbnas.networks.recalibration import check_recalibrates, recalibrate
from tests.fixtures.runs import NB201, images

PATH = NB201.architecture("2-3-2-1-4-3")


@pytest.fixture(scope="module")
def task():
    return images().bind("cpu")


@pytest.fixture
def supernet(task):
    return Supernet(NB201, task, seed=3)


def norms_of(network):
    return [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]


def recalibrated(supernet, batches, path=PATH):
    network = supernet.extract(path)
    assert list(recalibrate(network, batches)) == list(range(1, len(batches) + 1))
    return network


def test_the_statistics_of_every_layer_are_those_of_its_inputs(supernet, task):
    """Its mean over batches, by hand: the mean, and the variance with n - 1."""
    network = supernet.extract(PATH)
    inputs = {norm: [] for norm in norms_of(network)}
    for norm, seen in inputs.items():
        norm.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0].detach().clone()))
    list(recalibrate(network, task.train.x.split(8)))
    assert len(inputs) > 8
    for norm, seen in inputs.items():
        columns = [one.transpose(0, 1).flatten(1) for one in seen]
        mean = torch.stack([one.mean(dim=1) for one in columns]).mean(dim=0)
        variance = torch.stack([one.var(dim=1) for one in columns]).mean(dim=0)
        assert len(columns) == 3
        assert torch.allclose(norm.running_mean, mean, atol=1e-5)
        assert torch.allclose(norm.running_var, variance, rtol=1e-4, atol=1e-6)


def test_the_first_layer_by_hand(supernet, task):
    """Stem: a convolution of train, then normalisation."""
    network = recalibrated(supernet, [task.train.x[:8], task.train.x[8:16]])
    first = next(one for one in supernet.modules() if isinstance(one, nn.Conv2d))
    with torch.no_grad():
        maps = [first(x).transpose(0, 1).flatten(1) for x in (task.train.x[:8], task.train.x[8:16])]
    assert torch.allclose(norms_of(network)[0].running_mean, (maps[0].mean(1) + maps[1].mean(1)) / 2, atol=1e-6)
    assert torch.allclose(norms_of(network)[0].running_var, (maps[0].var(1) + maps[1].var(1)) / 2, rtol=1e-5)


def test_an_item_is_then_judged_alone(supernet, task):
    """However items are grouped and ordered; with batch statistics both matter."""
    x = task.valid.x
    order = torch.arange(len(x) - 1, -1, -1)
    network = recalibrated(supernet, task.train.x.split(8))
    with torch.no_grad():
        whole = network(x)
        assert torch.allclose(torch.cat([network(part) for part in x.split(5)]), whole, atol=1e-5)
        assert torch.allclose(network(x[order])[order], whole, atol=1e-5)
        plain = supernet.eval().extract(PATH)
        parts = torch.cat([plain(part) for part in x.split(5)])
        assert (parts - plain(x)).abs().max() > 0.05
    assert whole.std() > 0.05


def test_nothing_but_the_statistics_changes(supernet, task):
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    network = recalibrated(supernet.train(), task.train.x.split(8))
    after = supernet.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert supernet.training
    assert not any(norm.track_running_stats for norm in norms_of(supernet))
    assert not any(one.training for one in network.modules())
    weights = supernet.weights_of(PATH)
    assert {name for name, _ in network.named_parameters()} == set(weights)
    assert all(torch.equal(value, weights[name]) for name, value in network.named_parameters())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_each_path_has_its_own(supernet, task):
    batches = task.train.x.split(8)
    one, other = (recalibrated(supernet, batches, NB201.architecture(text)) for text in ("2-3-2-1-4-3", "3-3-2-1-4-3"))
    assert torch.equal(norms_of(one)[0].running_mean, norms_of(other)[0].running_mean)  # the stem, before any choice
    assert not torch.allclose(norms_of(one)[-1].running_mean, norms_of(other)[-1].running_mean)


def test_own_statistics_of_a_layer_are_forgotten(task):
    """As of an operation of one's own whose normalisation tracks: it has seen all paths."""
    network = nn.Sequential(nn.BatchNorm2d(1, momentum=0.5), nn.Flatten(), nn.Linear(64, 3))
    network(task.valid.x + 7)
    list(recalibrate(network, [task.train.x]))
    norm = network[0]
    assert norm.running_mean == pytest.approx(float(task.train.x.mean()), abs=1e-5)
    assert norm.running_var == pytest.approx(float(task.train.x.var()), rel=1e-5)


def test_what_keeps_no_statistics_is_refused():
    class Shapes:
        input_shape, classes, inputs, targets, vocabulary = (6,), 5, "tokens", "position", 5

    with pytest.raises(SettingsError, match="normalisation must be batch for space 'recurrent', whose recurrent cell"):
        check_recalibrates(Supernet(spaces.recurrent(nodes=2, width=4, embedding=4), Shapes(), seed=0), "recurrent")
    check_recalibrates(Supernet(spaces.enas_recurrent(nodes=2, width=4, embedding=4), Shapes(), seed=0), "free")
