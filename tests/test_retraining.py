"""Retraining: on train and valid together, measured once on test."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
import torch

import nbnas as nb
from nbnas.errors import RunError, TrialError
from nbnas.evaluators import fit
from nbnas.networks import build, parameters
from nbnas.retraining import retraining
from nbnas.session import Candidate
from nbnas.tasks import Data, Split
from nbnas.tasks.arrays import ArraysTask
from nbnas.tasks.bound import BoundTask
from tests.fixtures.runs import NB201, images

ARCHITECTURE = NB201.architecture("3-1-2-0-3-1")


def task_of(train=0, valid=1, test=2):
    """A task whose splits are made of one seed each."""

    def split(seed, items):
        rng = np.random.default_rng(seed)
        y = np.arange(items) % 3
        x = rng.normal(size=(items, 1, 8, 8)) + y.reshape(-1, 1, 1, 1)
        return Split(x.astype(np.float32), y.astype(np.int64))

    return ArraysTask.of(Data(split(train, 30), split(valid, 12), split(test, 12), 3, ("a", "b", "c")), "made")


def candidate(task=None):
    return Candidate(ARCHITECTURE, 0.5, 3, NB201, task or task_of())


def weights(result):
    return [value.clone() for value in result.model.state_dict().values()]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def test_the_accuracy_is_that_of_the_model_on_test():
    result = nb.retrain(candidate(), epochs=3, device="cpu")
    x, y = task_of().bind("cpu", with_test=True).test
    assert not result.model.training
    with torch.no_grad():
        right = float((result.model(x).argmax(1) == y).double().mean())
    assert result.test_accuracy == pytest.approx(right)
    assert result.parameters == parameters(result.model)
    assert len(result.losses) == 3
    assert result.losses[-1] < result.losses[0]


def test_it_trains_on_train_and_valid_and_not_on_test():
    base = nb.retrain(candidate(), epochs=2, device="cpu")
    assert same(base, nb.retrain(candidate(task_of(test=9)), epochs=2, device="cpu"))
    assert not same(base, nb.retrain(candidate(task_of(valid=9)), epochs=2, device="cpu"))
    assert not same(base, nb.retrain(candidate(task_of(train=9)), epochs=2, device="cpu"))


def test_test_is_measured_once_and_after_the_last_epoch(monkeypatch):
    calls = []
    score = fit.score

    def watched(network, task, split, **keywords):
        calls.append((len(split.y), len(seen)))
        return score(network, task, split, **keywords)

    monkeypatch.setattr(fit, "score", watched)
    seen = []
    training = retraining(candidate(), epochs=2, device="cpu", batch=10)
    with pytest.raises(StopIteration):
        while True:
            seen.append(next(training))
    assert calls == [(12, 8)]
    assert [(item.done, item.total) for item in seen] == [(done, 8) for done in range(1, 9)]  # 42 items, tens


def test_it_is_a_function_of_the_seed():
    one, other, third = (nb.retrain(candidate(), epochs=2, seed=seed, device="cpu") for seed in (0, 0, 1))
    assert same(one, other)
    assert (one.test_accuracy, one.losses) == (other.test_accuracy, other.losses)
    assert not same(one, third)


def test_it_starts_from_scratch_in_the_form_of_evaluation():
    """Nothing of the search's weights: the first batch sees the network that the seed makes."""
    made = []

    def watched(*given, **keywords):
        made.append((build(*given, **keywords), keywords))
        return made[-1][0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nbnas.networks.build", watched)
        training = retraining(candidate(), epochs=1, device="cpu")
        next(training)
        training.close()
    ((network, keywords),) = made
    assert keywords.get("form", "evaluation") == "evaluation"
    assert any(module.track_running_stats for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d))


def test_the_learning_rate_is_a_cosine_to_zero(monkeypatch):
    rates = []
    epoch = fit.fit_epoch

    def watched(*given, learning_rates, **keywords):
        rates.append(learning_rates)
        return epoch(*given, learning_rates=learning_rates, **keywords)

    monkeypatch.setattr(fit, "fit_epoch", watched)
    nb.retrain(candidate(), epochs=4, device="cpu")
    edges = [0.025 * (1 + math.cos(math.pi * place / 4)) for place in range(5)]
    assert rates == [pytest.approx(pair) for pair in pairwise(edges)]


def test_a_found_candidate_is_retrained():
    run = nb.search(
        NB201, images(), nb.strategies.Darts(batch=8), budget=nb.Budget(epochs=1), device="cpu", background=False
    )
    assert run.incumbent.trial is None
    assert 0 <= nb.retrain(run.incumbent, epochs=1, device="cpu").test_accuracy <= 1


def test_without_a_task_there_is_nothing_to_train_on():
    with pytest.raises(RunError, match="candidate must have a task to be retrained on, got none"):
        nb.retrain(dataclasses.replace(candidate(), task=None), epochs=1)


def test_a_loss_that_is_not_finite_is_an_error(monkeypatch):
    monkeypatch.setattr(BoundTask, "loss", lambda task, logits, y: logits.sum() * math.inf)
    with pytest.raises(TrialError, match=r"training gave (nan|-?inf); scores must be finite. Lower the learning rate"):
        nb.retrain(candidate(), epochs=3, device="cpu")
