"""Children that go on from their parents' weights: bit by bit, bounded, and the same after a stop."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nbnas import spaces, tasks
from nbnas.evaluators import Training
from nbnas.evaluators.base import KeepingEvaluator
from nbnas.evaluators.inheritance import Inheritance
from nbnas.events import Evaluation, PopulationUpdated, TrialFinished, TrialStarted
from nbnas.networks import build
from nbnas.processes import Budget, Search, Trials
from nbnas.seeds import seed_of
from nbnas.session import start
from nbnas.spec import RunSpec
from nbnas.strategies import NSGA2, GeneticAlgorithm, Proposal, RandomSearch, RegularizedEvolution
from nbnas.testing import check_search
from tests.fixtures.runs import NB201, images

TINY = spaces.transformer(
    depths=(1, 2), widths=(8,), mixers=("attention", "conv_3", "skip"), heads=(2,), head_widths=(4,),
    hidden=(8, 16), activations=("gelu",), norms=("pre",),
)  # fmt: skip
TOPICS = tasks.topics(length=8, items=400, vocabulary=60, topics=4)
EVOLUTION = RegularizedEvolution(population=4, tournament=2, mutation="amoebanet")


def architecture(mixer="attention", hidden=16):
    return TINY.architecture(
        {"blocks/times": 1, "blocks/1/mixer": mixer, "blocks/1/feed_forward": "mlp", "blocks/1/hidden": hidden}
    )


def run_through(generator):
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


@pytest.fixture(scope="module")
def task():
    return TOPICS.bind("cpu")


@pytest.fixture
def evaluator(task):
    return Training(epochs=1, batch=32, learning_rate=0.3, inherit=True).bind(TINY, task, 5)


def standing(monkeypatch):
    """From now on no weight moves in training; transformers have no batch statistics that would."""
    monkeypatch.setattr(Training, "learning_rates", lambda self, epoch, peak=None: (0.0, 0.0))


def test_a_child_starts_from_the_trained_weights_of_its_parent_and_is_fresh_where_they_do_not_fit(
    evaluator, task, monkeypatch
):
    """Real et al. 2017: weights are kept where shapes match. The mixer is another one, all else is the same."""
    run_through(evaluator.evaluate(1, Proposal(architecture("attention"))))
    standing(monkeypatch)
    child = architecture("conv_3")
    run_through(evaluator.evaluate(2, Proposal(child, parents=(1,))))
    parent, found = evaluator.kept.weights[1], evaluator.kept.weights[2]
    untrained = build(TINY, architecture("attention"), task, seed=seed_of(5, "weights", 1)).state_dict()
    fresh = build(TINY, child, task, seed=seed_of(5, "weights", 2)).state_dict()
    shared = [name for name in found if name in parent and found[name].shape == parent[name].shape]
    own = {name.rpartition(".mixer.inner.")[2] for name in set(found) - set(shared)}
    assert own == {"depthwise.weight", "depthwise.bias"}
    for name in found:
        assert torch.equal(found[name], parent[name] if name in shared else fresh[name])
    assert any(not torch.equal(parent[name], untrained[name]) for name in shared)


def test_a_width_that_changes_makes_only_its_own_tensors_fresh(evaluator, monkeypatch):
    run_through(evaluator.evaluate(1, Proposal(architecture(hidden=16))))
    standing(monkeypatch)
    run_through(evaluator.evaluate(2, Proposal(architecture(hidden=8), parents=(1,))))
    parent, child = evaluator.kept.weights[1], evaluator.kept.weights[2]
    other = {name for name in child if child[name].shape != parent[name].shape}
    assert len(other) == 3  # weights into and out of the hidden units, and their bias
    assert all(torch.equal(child[name], parent[name]) for name in set(child) - other)


def test_a_copy_that_does_not_train_has_the_score_of_its_parent(evaluator, monkeypatch):
    first = run_through(evaluator.evaluate(1, Proposal(architecture())))
    standing(monkeypatch)
    copy = run_through(evaluator.evaluate(2, Proposal(architecture(), parents=(1,))))
    alone = run_through(evaluator.evaluate(3, Proposal(architecture())))
    assert copy.metrics["valid_loss"] == first.metrics["valid_loss"]
    assert copy.score == first.score
    assert copy.metrics["inherited_share"] == 1
    assert alone.metrics["inherited_share"] == 0
    assert alone.metrics["valid_loss"] != first.metrics["valid_loss"]


def test_the_inherited_share_counts_parameters(evaluator):
    run_through(evaluator.evaluate(1, Proposal(architecture(hidden=16))))
    found = run_through(evaluator.evaluate(2, Proposal(architecture(hidden=8), parents=(1,))))
    fresh = 8 * 8 + 8 + 8 * 8  # into the hidden units, their bias, out of them
    assert found.metrics["inherited_share"] == pytest.approx(1 - fresh / found.metrics["parameters"])


def test_what_the_first_parent_does_not_give_comes_from_the_second(task):
    kept = Inheritance()
    attends, convolves = (
        build(TINY, architecture(mixer, hidden), task, seed=place)
        for place, (mixer, hidden) in enumerate([("attention", 8), ("conv_3", 16)])
    )
    kept.keep(1, attends)
    kept.keep(2, convolves)
    child = build(TINY, architecture("conv_3", 8), task, seed=2)
    assert kept.hand_down((1, 2), child) == 1
    one, two, found = attends.state_dict(), convolves.state_dict(), child.state_dict()
    for name, tensor in found.items():
        fits = name in one and one[name].shape == tensor.shape
        assert torch.equal(tensor, one[name] if fits else two[name])
    assert any(name not in one for name in found)


def test_what_is_kept_does_not_move_when_the_network_is_trained_on(task):
    kept = Inheritance()
    network = build(TINY, architecture(), task, seed=0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    kept.keep(1, network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 1
    child = build(TINY, architecture(), task, seed=1)
    kept.hand_down((1,), child)
    with torch.no_grad():
        for parameter in child.parameters():
            parameter += 1
    assert all(torch.equal(kept.weights[1][name], before[name]) for name in before)


def test_batch_statistics_are_inherited_too():
    bound = images().bind("cpu")
    evaluator = Training(epochs=1, batch=8, inherit=True).bind(NB201, bound, 0)
    one = NB201.architecture("3-1-2-0-3-1")
    run_through(evaluator.evaluate(1, Proposal(one)))
    child = build(NB201, one, bound, seed=9)
    evaluator.kept.hand_down((1,), child)
    state = child.state_dict()
    assert any("running_var" in name for name in state)
    assert all(torch.equal(state[name], tensor) for name, tensor in evaluator.kept.weights[1].items())


def test_only_inheriting_training_keeps_something(task):
    assert isinstance(Training(inherit=True).bind(TINY, task, 0), KeepingEvaluator)
    assert not isinstance(Training().bind(TINY, task, 0), KeepingEvaluator)


# -- who is kept -------------------------------------------------------------------------------------------------------


class Counted:
    """An evaluator that trains nothing, keeps a tensor a trial, and asks parents for it."""

    def __init__(self):
        self.kept = Inheritance()
        self.follow, self.state_dict = self.kept.follow, self.kept.state_dict
        self.load_state_dict = self.kept.load_state_dict
        self.known: list[bool] = []

    def evaluate(self, trial, proposal):
        yield from ()
        self.known += [parent in self.kept.weights for parent in proposal.parents]
        self.kept.keep(trial, torch.nn.Linear(1, 1))
        value = trial * 37 % 101 / 101
        return Evaluation({"valid_accuracy": value}, (value,))


@pytest.mark.parametrize(
    ("strategy", "most"),
    [
        (RegularizedEvolution(population=7, tournament=3), 7),
        (RegularizedEvolution(population=7, tournament=3, ageing=False), 7),
        (GeneticAlgorithm(population=6, survival="plus"), 6 + 6),
        (GeneticAlgorithm(population=6, elitism=2), 6 + 6),
        (NSGA2(population=6), 6 + 6),
    ],
    ids=["ageing", "not ageing", "plus", "generational", "NSGA-II"],
)
def test_weights_are_kept_of_those_who_may_become_parents_and_of_no_others(strategy, most):
    """Each parent is known when it is asked for; never more are kept than members and their next generation."""
    evaluator = Counted()
    trials = Trials(strategy.bind(NB201, np.random.default_rng(0)), evaluator)
    counts = []
    for _ in range(60):
        list(trials.step())
        counts.append(len(evaluator.kept.weights))
    assert len(evaluator.known) > 40
    assert all(evaluator.known)
    assert max(counts) <= most
    assert set(trials.state_dict()["evaluator"]["weights"]) == set(evaluator.kept.weights)


def test_without_a_population_the_weights_of_the_last_hundred_trials_are_kept():
    kept = Inheritance()
    kept.follow(PopulationUpdated(((1, 0.5),), ()))
    for trial in range(1, 151):
        kept.keep(trial, torch.nn.Linear(1, 1))
    assert list(kept.weights) == [1, *range(51, 151)]
    kept.follow(PopulationUpdated(((150, 0.5),), (1,)))
    assert list(kept.weights) == [150]


# -- whole runs --------------------------------------------------------------------------------------------------------


def spec(trials, strategy=EVOLUTION, **settings):
    training = Training(epochs=1, batch=32, **settings)
    return RunSpec(TINY, TOPICS, strategy, training, Budget(trials=trials), device="cpu")


def test_a_run_that_is_stopped_and_resumed_is_the_one_that_was_not():
    check_search(spec(7, inherit=True))


def test_it_would_not_be_if_the_weights_were_forgotten(monkeypatch):
    """The control: without the state of the evaluator a resumed run is found to be another one."""
    monkeypatch.setattr(Inheritance, "load_state_dict", lambda self, state: None)
    with pytest.raises(AssertionError, match="search must do the same when it is stopped after step"):
        check_search(spec(7, inherit=True))


def test_evolution_of_transformers_with_inherited_weights_gets_further_in_as_many_epochs():
    """As AutoBERT-Zero evolves: an epoch a trial, from what was trained before; fresh weights do not learn in one."""
    task = tasks.topics(length=12, items=800, vocabulary=300, topics=3)
    ends = {}
    for inherit in (False, True):
        training = Training(epochs=1, batch=16, learning_rate=0.3, inherit=inherit)
        run = start(RunSpec(TINY, task, EVOLUTION, training, Budget(trials=20), device="cpu")).wait(60)
        assert run.status == "finished"
        finished = [event for event in run.events if isinstance(event, TrialFinished)]
        parents = {event.trial: event.parents for event in run.events if isinstance(event, TrialStarted)}
        ends[inherit] = sum(event.metrics["valid_loss"] for event in finished[-6:]) / 6
        for event in finished:
            share = event.metrics.get("inherited_share")
            assert share is None if not inherit else (share > 0.3) == bool(parents[event.trial])
    assert ends[False] > math.log(3) - 0.02  # no better than chance
    assert ends[True] < math.log(3) - 0.02


def test_without_inheritance_the_state_of_a_run_is_what_it_was():
    search = spec(3, RandomSearch()).bind().search
    assert isinstance(search, Search)
    assert "evaluator" not in search.process.state_dict()
    assert "evaluator" in spec(3, RandomSearch(), inherit=True).bind().search.process.state_dict()
