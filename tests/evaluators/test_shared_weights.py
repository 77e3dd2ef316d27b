"""Shared weights: one path a batch is trained, and single paths are scored (ENAS, Pham et al. 2018)."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pytest
import torch

from nbnas import spaces, tasks
from nbnas.errors import RunError, SettingsError, TrialError
from nbnas.evaluators import SharedWeights
from nbnas.events import EpochFinished, TrialFinished
from nbnas.networks.mixed_operation import MixedOperation
from nbnas.networks.recalibration import recalibrate
from nbnas.processes import Budget
from nbnas.seeds import seed_of
from nbnas.session import start
from nbnas.spec import RunSpec
from nbnas.strategies import Proposal, RandomSearch, Reinforce
from nbnas.tasks.bound import TensorSplit
from tests.fixtures.runs import NB201, images


class Draws:
    """A strategy that believes in given architectures."""

    def __init__(self, *texts):
        self.architectures = [NB201.architecture(text) for text in texts]
        self.drawn = 0

    def draw(self, rng):
        self.drawn += 1
        return self.architectures[(self.drawn - 1) % len(self.architectures)]


@pytest.fixture
def task():
    return images().bind("cpu")


def bound(task, seed=0, **settings):
    return SharedWeights(**{"batch": 8, **settings}).bind(NB201, task, seed)


def epoch(evaluator, strategy):
    generator = evaluator.epoch(strategy)
    items = []
    while True:
        try:
            items.append(next(generator))
        except StopIteration as end:
            return items, end.value


def changed(evaluator, before):
    """Which (decision, choice) have other weights than before, and whether what all paths share has."""
    paths, shared = set(), False
    owners = {
        id(parameter): (module.decision, choice)
        for module in evaluator.supernet.modules()
        if isinstance(module, MixedOperation)
        for choice, option in enumerate(module.options)
        for parameter in option.parameters()
    }
    for name, parameter in evaluator.supernet.named_parameters():
        if not torch.equal(parameter, before[name]):
            if id(parameter) in owners:
                paths.add(owners[id(parameter)])
            else:
                shared = True
    return paths, shared


def copied(evaluator):
    return {name: parameter.detach().clone() for name, parameter in evaluator.supernet.named_parameters()}


def test_only_drawn_paths_are_trained(task):
    """Weight decay and momentum do not move the others either, in several epochs."""
    evaluator, strategy = bound(task), Draws("2-2-2-2-2-2", "3-2-1-0-1-3")
    before = copied(evaluator)
    for _ in range(2):
        epoch(evaluator, strategy)
    paths, shared = changed(evaluator, before)
    assert shared
    edges = [decision.name for decision in NB201.decisions]
    assert paths == {(name, 2) for name in edges} | {("edge_0_1", 3), ("edge_2_3", 3)}


def test_a_path_that_is_no_longer_drawn_stays_as_it_is(task):
    evaluator = bound(task)
    epoch(evaluator, Draws("2-2-2-2-2-2"))
    before = copied(evaluator)
    epoch(evaluator, Draws("3-3-3-3-3-3"))
    paths, _ = changed(evaluator, before)
    assert paths == {(decision.name, 3) for decision in NB201.decisions}


def test_each_batch_draws_one_path_from_the_strategy(task):
    evaluator, strategy = bound(task), Draws("2-2-2-2-2-2")
    items, metrics = epoch(evaluator, strategy)
    assert strategy.drawn == 3 == len(items)  # 24 items of train
    assert [(item.done, item.total) for item in items] == [(1, 3), (2, 3), (3, 3)]
    assert metrics["train_loss"] > 0


def test_uniform_draws_ask_the_strategy_nothing(task):
    evaluator, strategy = bound(task, draws="uniform"), Draws("2-2-2-2-2-2")
    seen = Counter()
    forward = evaluator.supernet.forward

    def watched(x, architecture):
        seen[architecture] += 1
        return forward(x, architecture)

    evaluator.supernet.forward = watched
    for _ in range(4):
        epoch(evaluator, strategy)
    assert strategy.drawn == 0
    assert sum(seen.values()) == 12
    rng = np.random.default_rng()
    rng.bit_generator.state = bound(task, draws="uniform").rng.bit_generator.state
    assert seen == Counter(NB201.sample(rng) for _ in range(12))


def test_train_alone_is_trained_on_and_valid_alone_scores(task):
    other = copy.copy(task)
    other.valid = TensorSplit(torch.randn_like(task.valid.x), task.valid.y.flip(0))
    one, two = bound(task), bound(other)
    for evaluator in (one, two):
        epoch(evaluator, Draws("2-3-2-3-2-3"))
    assert all(torch.equal(value, copied(two)[name]) for name, value in copied(one).items())
    architecture = NB201.architecture("2-3-2-3-2-3")
    found = scored(one, architecture)
    with torch.no_grad():
        logits = one.supernet.eval()(task.valid.x, architecture)
    assert found.metrics["valid_accuracy"] == float((logits.argmax(1) == task.valid.y).double().mean())
    assert found.objectives == (found.metrics["valid_accuracy"],)
    assert scored(two, architecture).metrics["valid_loss"] != found.metrics["valid_loss"]


def scored(evaluator, architecture, trial=1):
    scoring = evaluator.evaluate(trial, Proposal(architecture))
    try:
        while True:
            next(scoring)
    except StopIteration as end:
        return end.value


def test_scoring_leaves_the_weights_alone(task):
    evaluator = bound(task)
    epoch(evaluator, Draws("2-3-2-3-2-3"))
    before = copied(evaluator)
    for trial, text in enumerate(["2-3-2-3-2-3", "0-0-0-1-0-0", "3-3-3-3-3-3"], start=1):
        scored(evaluator, NB201.architecture(text), trial)
    assert changed(evaluator, before) == (set(), False)


def test_a_part_of_valid_is_drawn_anew_for_each_trial_and_is_the_same_again(task):
    evaluator = bound(task, score_items=5)
    architecture = NB201.architecture("2-3-2-3-2-3")
    losses = [scored(evaluator, architecture, trial).metrics["valid_loss"] for trial in range(1, 9)]
    assert len(set(losses)) == 8
    assert losses == [scored(evaluator, architecture, trial).metrics["valid_loss"] for trial in range(1, 9)]
    whole = [scored(bound(task, score_items=count), architecture).metrics for count in (0, 12, 500)]
    assert whole[0] == whole[1] == whole[2]  # valid has 12 items


def test_a_recalibrated_score_is_that_of_statistics_of_train(task):
    """Against the network by hand; the 2 batches of 8 that were taken are the first of an order of the seed."""
    evaluator = bound(task, normalisation="recalibrated", recalibration_batches=2)
    epoch(evaluator, Draws("2-3-2-3-2-3"))
    architecture = NB201.architecture("2-3-2-3-2-3")
    network = evaluator.supernet.extract(architecture)
    order = torch.Generator().manual_seed(seed_of(0, "recalibration"))
    taken = [x for x, _ in task.batches(task.train, 8, order)][:2]
    assert list(recalibrate(network, taken)) == [1, 2]
    with torch.no_grad():
        expected = task.metrics(network(task.valid.x), task.valid.y)
    before = copied(evaluator)
    for trial in (1, 2):
        found = scored(evaluator, architecture, trial).metrics
        assert found["valid_loss"] == pytest.approx(expected["loss"], rel=1e-5)
        assert found["valid_accuracy"] == expected["accuracy"]
    assert changed(evaluator, before) == (set(), False)
    assert len(list(evaluator.evaluate(3, Proposal(architecture)))) == 3  # progress: 2 batches and the score
    assert len(list(bound(task, normalisation="recalibrated").evaluate(3, Proposal(architecture)))) == 4  # 24 / 8 there


@pytest.mark.parametrize("normalisation", ["recalibrated", "batch"])
def test_a_recalibrated_score_of_all_items_is_the_mean_of_the_scores_of_its_parts(task, normalisation):
    """So the score of an item does not depend on the others; with batch statistics it does."""
    evaluator = bound(task, normalisation=normalisation)
    epoch(evaluator, Draws("2-3-2-3-2-3"))
    architecture = NB201.architecture("2-3-2-3-2-3")
    whole, losses = task.valid, []
    expected = scored(evaluator, architecture).metrics["valid_loss"]
    for part in (slice(0, 3), slice(3, 12)):
        task.valid = TensorSplit(whole.x[part], whole.y[part])
        losses.append(scored(evaluator, architecture).metrics["valid_loss"])
    gap = abs((3 * losses[0] + 9 * losses[1]) / 12 - expected)
    assert gap < 1e-5 if normalisation == "recalibrated" else gap > 1e-3


def test_recalibration_takes_train_alone(task):
    one, two = (bound(task, normalisation="recalibrated") for _ in range(2))
    epoch(one, Draws("2-3-2-3-2-3"))
    two.load_state_dict(one.state_dict())
    architecture = NB201.architecture("2-3-2-3-2-3")
    before = scored(one, architecture).metrics
    other = copy.copy(task)
    other.train = TensorSplit(task.train.x + 1.5 * torch.randn_like(task.train.x), task.train.y)
    two.task = other
    assert scored(one, architecture).metrics == before
    assert abs(scored(two, architecture).metrics["valid_loss"] - before["valid_loss"]) > 1e-3


def test_the_learning_rate_falls_by_a_cosine_and_restarts_after_10_and_30_epochs(task):
    """ENAS: T_0 = 10, T_mul = 2; torch's own schedule."""
    evaluator = bound(task)
    reference = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(reference, 10, 2, eta_min=0.0005)
    rates = []
    for done in range(75):
        evaluator.done = done
        rates.append(evaluator._learning_rate())
        assert rates[-1] == pytest.approx(reference.param_groups[0]["lr"], rel=1e-9)
        reference.step()
        schedule.step()
    assert [done for done in range(75) if rates[done] == 0.05] == [0, 10, 30, 70]


def test_the_learning_rate_is_that_of_the_epoch(task):
    evaluator, strategy, seen = bound(task), Draws("2-3-2-3-2-3"), []
    for _ in range(11):
        epoch(evaluator, strategy)
        seen.append(evaluator.optimizer.param_groups[0]["lr"])
    assert seen[0] == seen[10] == 0.05
    assert seen == [*sorted(seen[:10], reverse=True), 0.05]


def test_all_weights_being_lost_ends_the_run_with_what_to_lower(task):
    task.train = TensorSplit(torch.full_like(task.train.x, torch.inf), task.train.y)
    with pytest.raises(RunError, match="training of shared weights gave nan in epoch 1; lower learning_rate"):
        epoch(bound(task), Draws("2-3-2-3-2-3"))


def test_a_score_that_is_nan_fails_the_trial(task):
    task.valid = TensorSplit(torch.full_like(task.valid.x, torch.inf), task.valid.y)
    with pytest.raises(TrialError, match=r"shared weights gave a loss of nan; trial 1") as caught:
        scored(bound(task), NB201.architecture("2-3-2-3-2-3"))
    assert caught.value.cause == "nan"


def test_settings_that_do_not_fit():
    with pytest.raises(SettingsError, match=r"learning_rate_end must be at most learning_rate \(0\.01\), got 0\.02"):
        SharedWeights(learning_rate=0.01, learning_rate_end=0.02)
    with pytest.raises(SettingsError, match="draws must be one of strategy, uniform, fair, got 'random'"):
        SharedWeights(draws="random")


@pytest.mark.parametrize(
    ("space", "items", "settings", "message"),
    [
        (
            spaces.darts(cells=3, nodes=2),
            images,
            {"draws": "fair"},
            "draws must be strategy or uniform for space 'darts'",
        ),
        (
            spaces.recurrent(nodes=2, width=4, embedding=4),
            lambda: tasks.characters(items=100, length=4),
            {"normalisation": "recalibrated"},
            "normalisation must be batch for space 'recurrent'",
        ),
    ],
    ids=["fair", "recalibrated"],
)
def test_settings_that_do_not_fit_the_space_are_refused_before_anything_starts(
    space, items, settings, message, nbnas_home
):
    spec = RunSpec(space, items(), RandomSearch(), SharedWeights(**settings), Budget(epochs=1), device="cpu")
    with pytest.raises(SettingsError, match=message):
        start(spec)
    assert not list(nbnas_home.glob("**/run.db"))


@pytest.mark.parametrize("strategy", [RandomSearch(), Reinforce(hidden=4)], ids=lambda one: type(one).__name__)
def test_a_run_is_an_epoch_and_then_its_trials(strategy):
    shared = SharedWeights(controller_steps=4, batch=12)
    run = start(RunSpec(NB201, images(), strategy, shared, Budget(epochs=3), device="cpu")).wait(60)
    kinds = [type(event) for event in run.events if isinstance(event, EpochFinished | TrialFinished)]
    assert kinds == ([EpochFinished] + [TrialFinished] * 4) * 3
    assert [event.epoch for event in run.events if isinstance(event, EpochFinished)] == [1, 2, 3]
    assert [event.trial for event in run.events if isinstance(event, TrialFinished)] == list(range(1, 13))
