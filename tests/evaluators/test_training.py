"""Training: the score is the accuracy on valid, and what goes wrong in a trial stays in the trial."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

import nbnas as nb
from nbnas.errors import TrialError
from nbnas.evaluators import Training
from nbnas.evaluators.fit import fit_epoch, score, sgd
from nbnas.events import Progress, TrialFailed, TrialFinished, TrialProgressed
from nbnas.networks import build, parameters
from nbnas.processes import Budget
from nbnas.session import start
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.spec import RunSpec
from nbnas.strategies import Proposal, RandomSearch
from nbnas.tasks.bound import TensorSplit
from tests.fixtures.runs import CHAIN, NB201, images

ONE = NB201.architecture("3-1-2-0-3-1")


def run_through(generator):
    """All items that a generator yields, and what it returns."""
    items = []
    while True:
        try:
            items.append(next(generator))
        except StopIteration as end:
            return items, end.value


def evaluated(settings, task, trial=1, seed=0, architecture=ONE):
    return run_through(settings.bind(NB201, task, seed).evaluate(trial, Proposal(architecture)))


@pytest.fixture
def task():
    return images().bind("cpu")


def test_the_score_is_the_accuracy_on_valid_after_the_last_epoch(task):
    """Recomputed from the network: built from the seed of the trial and trained by the parts alone."""
    settings = Training(epochs=3, batch=7)
    items, found = evaluated(settings, task)
    network = None

    def watched(*given, **keywords):
        nonlocal network
        network = build(*given, **keywords)
        return network

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nbnas.networks.build", watched)
        again = evaluated(settings, task)[1]
    with torch.no_grad():
        logits = network.eval()(task.valid.x)
    right = float((logits.argmax(1) == task.valid.y).double().mean())
    loss = float(nn.functional.cross_entropy(logits, task.valid.y))
    assert again.metrics == found.metrics
    assert found.objectives == (found.metrics["valid_accuracy"],)
    assert found.metrics["valid_accuracy"] == pytest.approx(right)
    assert found.metrics["valid_loss"] == pytest.approx(loss, rel=1e-5)
    assert found.metrics["parameters"] == parameters(network)
    assert found.measured["train_seconds"] > 0
    epochs = [item for item in items if isinstance(item, TrialProgressed)]
    assert [(item.trial, item.epoch, item.epochs) for item in epochs] == [(1, 1, 3), (1, 2, 3), (1, 3, 3)]
    assert found.metrics.items() > epochs[-1].metrics.items()
    batches = [(item.done, item.total) for item in items if isinstance(item, Progress)]
    assert batches == [(1, 3), (2, 3), (3, 3)] * 3  # 24 items in batches of 7, the rest left out


def test_valid_is_not_trained_on(task):
    other = copy.copy(task)
    other.valid = TensorSplit(torch.randn_like(task.valid.x), task.valid.y)
    losses = [[item.metrics["train_loss"] for item in evaluated(Training(epochs=2), one)[0] if hasattr(item, "metrics")]
              for one in (task, other)]  # fmt: skip
    assert losses[0] == losses[1]


def test_a_trial_is_a_function_of_seed_and_trial_alone(task):
    settings = Training(epochs=2, batch=8)

    def outcome(trial, seed):
        torch.manual_seed(np.random.default_rng().integers(2**31))
        items, found = evaluated(settings, task, trial, seed)
        return [dict(item.metrics) for item in items if isinstance(item, TrialProgressed)], found.metrics

    assert outcome(1, 0) == outcome(1, 0)
    assert outcome(1, 0) != outcome(2, 0)
    assert outcome(1, 0) != outcome(1, 1)


def test_each_trial_starts_from_weights_of_its_own(task, monkeypatch):
    made = []

    def watched(*given, **keywords):
        made.append(build(*given, **keywords))
        return made[-1]

    monkeypatch.setattr("nbnas.networks.build", watched)
    for trial, seed in ((1, 0), (1, 0), (2, 0), (1, 1)):
        next(Training(epochs=1, batch=8).bind(NB201, task, seed).evaluate(trial, Proposal(ONE)))
    first, again, second, other = (network.state_dict()["stem.0.weight"] for network in made)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


def test_the_learning_rate_falls_by_a_cosine_to_zero(task):
    settings = Training(epochs=4, batch=12, learning_rate=0.3)
    edges = [settings.learning_rates(epoch) for epoch in range(4)]
    for epoch, (first, last) in enumerate(edges):
        assert first == pytest.approx(0.15 * (1 + math.cos(math.pi * epoch / 4)))
        assert last == pytest.approx(0.15 * (1 + math.cos(math.pi * (epoch + 1) / 4)))
    network = build(NB201, ONE, task, seed=0)
    optimizer = sgd(network, 1.0, 0.9, 5e-4)
    rates = []
    for _ in fit_epoch(
        network, task, task.train, optimizer, torch.Generator(), batch=6, learning_rates=edges[1]
    ):  # linear between the two
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx(np.linspace(edges[1][0], edges[1][1], 5)[:4].tolist())
    assert optimizer.param_groups[0]["nesterov"]


def test_training_learns(task):
    found = evaluated(Training(epochs=12, batch=8), task)[1]
    assert found.metrics["valid_accuracy"] > 0.6  # a third by chance
    assert found.metrics["train_loss"] < 0.8


def test_scores_over_many_batches_are_those_of_one(task):
    network = build(NB201, ONE, task, seed=0)
    whole = score(network, task, task.train)
    for batch in (1, 5, 24):
        parts = score(network, task, task.train, batch=batch)
        assert parts["accuracy"] == whole["accuracy"]
        assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-5)


def own_space(name):
    return SearchSpace("own", CellNetwork(2, ("skip", name), channels=2, cells=1, stages=1))


def run_of(space, settings, trials=12):
    return start(RunSpec(space, images(), RandomSearch(), settings, Budget(trials=trials), device="cpu")).wait(60)


def outcomes(run):
    failed = [event for event in run.events if isinstance(event, TrialFailed)]
    finished = [event for event in run.events if isinstance(event, TrialFinished)]
    assert run.status == "finished"
    assert len(failed) + len(finished) == 12
    assert failed
    assert finished
    assert all(event.architecture == "1" for event in failed)  # the own operation
    assert all(event.architecture == "0" for event in finished)
    return failed


def test_an_operation_that_raises_fails_its_trial_and_the_run_goes_on():
    @nb.operation("broken")
    class Broken(nn.Module):
        def __init__(self, in_channels, out_channels, stride):
            super().__init__()

        def forward(self, x):
            raise RuntimeError("it broke")

    for event in outcomes(run_of(own_space("broken"), Training(epochs=1))):
        assert event.cause == "error"
        assert "operation 'broken' failed on" in event.message
        assert "RuntimeError: it broke" in event.message
        assert f"architecture 1, trial {event.trial}, epoch 1" in event.message


def test_an_operation_that_gives_nan_fails_its_trial_and_the_run_goes_on():
    @nb.operation("log")
    class Log(nn.Module):
        def __init__(self, in_channels, out_channels, stride):
            super().__init__()

        def forward(self, x):
            return torch.log(-x.abs())

    for event in outcomes(run_of(own_space("log"), Training(epochs=2))):
        assert event.cause == "nan"
        assert event.message.startswith("training gave nan; scores must be finite. Lower the learning rate")
        assert f"architecture 1, trial {event.trial}, epoch 1" in event.message


def test_out_of_memory_fails_its_trial_with_a_remedy():
    @nb.operation("huge")
    class Huge(nn.Module):
        def __init__(self, in_channels, out_channels, stride):
            super().__init__()

        def forward(self, x):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 TiB")

    for event in outcomes(run_of(own_space("huge"), Training(epochs=1))):
        assert event.cause == "out_of_memory"
        assert "Tried to allocate 20 TiB. Lower batch, channels or cells" in event.message


def test_a_learning_rate_that_diverges_fails_the_trial_and_the_run_goes_on():
    """Weight decay times learning rate above 2 doubles the weights at each step until they overflow."""
    settings = Training(epochs=40, batch=2, learning_rate=100, weight_decay=1e6)
    run = run_of(CHAIN, settings, trials=3)
    failed = [event for event in run.events if isinstance(event, TrialFailed)]
    assert run.status == "finished"
    assert len(failed) == 3
    assert {event.cause for event in failed} == {"nan"}
    assert run.incumbent is None
    assert run.state.failures == {"nan": 3}


def test_valid_that_gives_nan_fails_the_trial(task):
    task.valid = TensorSplit(torch.full_like(task.valid.x, math.inf), task.valid.y)
    with pytest.raises(
        TrialError, match=r"evaluation gave a loss of nan; .*; architecture 3-1-2-0-3-1, trial 1, epoch 1"
    ):
        evaluated(Training(epochs=1), task)


def test_closing_an_evaluation_ends_it_within_a_batch(task):
    scoring = Training(epochs=1000).bind(NB201, task, 0).evaluate(1, Proposal(ONE))
    assert isinstance(next(scoring), Progress)
    scoring.close()
    with pytest.raises(StopIteration):
        next(scoring)
