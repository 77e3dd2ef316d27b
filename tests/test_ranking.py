"""Whether shared weights rank architectures as their own training does."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

import nbnas as nb
from nbnas import ranking, session
from nbnas.bar import finish
from nbnas.errors import RunError, SettingsError
from nbnas.events import Progress
from nbnas.honesty import accuracy
from nbnas.spaces import CellNetwork, SearchSpace
from tests.fixtures.runs import images

SPACE = SearchSpace("tiny", CellNetwork(3, ("skip", "conv_1x1", "conv_3x3"), channels=2, cells=1, stages=1))


def search(strategy=None, evaluator=None, **budget):
    strategy = strategy or nb.strategies.Darts(batch=8)
    budget = nb.Budget(**(budget or {"epochs": 2}))
    run = nb.search(SPACE, images(), strategy, evaluator, budget=budget, device="cpu")
    return run.wait()


@pytest.fixture
def run():
    return search()


def correlation(run, **settings):
    return nb.rank_correlation(run, **({"sample": 4, "epochs": 1, "quiet": True} | settings))


def test_each_architecture_has_the_accuracy_of_the_runs_weights_and_that_of_its_own_training(run):
    found = correlation(run)
    strategy = run._search.process.strategy
    assert len(found.ranked) == found.all.architectures == 4
    assert len({SPACE.canonical(SPACE.architecture(one.architecture)) for one in found.ranked}) == 4
    task = images().bind("cpu")
    for number, one in enumerate(found.ranked):
        assert one.shared == accuracy(strategy.supernet, task, SPACE.architecture(one.architecture))
        assert number == 0 or one.alone <= found.ranked[number - 1].alone
    assert found.top.architectures == 2
    assert found.epochs == 1


def test_the_same_seed_gives_the_same_result_and_another_one_another(run):
    assert correlation(run) == correlation(run)
    drawn = [{one.architecture for one in correlation(run, seed=seed).ranked} for seed in (0, 1)]
    assert drawn[0] != drawn[1]


def test_a_run_that_is_opened_again_has_the_same_weights(run, monkeypatch):
    monkeypatch.setattr(session, "_LIVE", {})
    again = nb.open(run.id, task=images())
    assert again is not run
    assert again._search is None
    assert correlation(again) == correlation(run)
    assert again.status == "finished"


def test_shared_weights_score_as_the_search_itself_does():
    run = search(nb.strategies.RandomSearch(), nb.evaluators.SharedWeights(controller_steps=2, batch=8), trials=4)
    before = {name: value.clone() for name, value in run._search.process.evaluator.supernet.state_dict().items()}
    found = correlation(run)
    evaluator = run._search.process.evaluator
    task = images().bind("cpu")
    for one in found.ranked:
        assert one.shared == accuracy(evaluator.supernet, task, SPACE.architecture(one.architecture))
    assert all((value == before[name]).all() for name, value in evaluator.supernet.state_dict().items())


def test_sciuto_2020_tau_compares_with_own_training_and_the_top_is_the_best_by_it():
    """All agree but the best five, which shared weights rank the wrong way round."""
    alone = np.linspace(0.1, 0.9, 20)
    shared = np.concatenate([alone[:15], alone[:14:-1]])
    found = [ranking.Ranked(str(n), float(a), float(b)) for n, (a, b) in enumerate(zip(shared, alone, strict=True))]
    result = ranking._compared(found, 1, 0.25, 0, 0)
    assert result.top.tau == -1
    assert result.top.architectures == 5
    assert result.all.tau == pytest.approx(1 - 2 * 10 / 190)  # 10 of 190 pairs are turned round
    assert result.all.low <= result.all.tau <= result.all.high
    assert [one.architecture for one in result.ranked[:2]] == ["19", "18"]
    assert str(result).startswith("all: tau 0.89 [")


def test_a_small_space_gives_all_that_it_has():
    found = correlation(search(), sample=200)
    every = {SPACE.canonical(one) for one in SPACE.enumerate()}
    assert found.all.architectures == len(every) < 27


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"sample": 3}, "sample must"), ({"epochs": 0}, "epochs must"), ({"top": 0}, "top must"), ({"seed": -1}, "seed")],
    ids=lambda value: str(value)[:9],
)
def test_wrong_arguments_are_named(run, settings, said):
    with pytest.raises(SettingsError, match=said):
        correlation(run, **settings)


def test_a_run_without_a_supernet_is_refused():
    run = search(nb.strategies.RandomSearch(), nb.evaluators.Training(epochs=1), trials=1)
    with pytest.raises(RunError, match="must train a supernet"):
        correlation(run)


def test_a_run_under_way_is_refused_and_a_paused_one_is_not():
    run = nb.search(SPACE, images(), nb.strategies.Darts(batch=8), budget=nb.Budget(epochs=100_000), device="cpu")
    try:
        with pytest.raises(RunError, match="must be paused or ended"):
            correlation(run)
        run.pause()
        while run.status != "paused":
            pass
        assert correlation(run).all.architectures == 4
        assert run.status == "paused"
    finally:
        run.stop()
        run.wait()


def test_progress_is_told_a_tenth_at_a_time_where_there_is_no_terminal(monkeypatch):
    def work():
        for done in range(1, 41):
            yield Progress(done, 40, "epoch")
        return "result"

    lines = io.StringIO()
    monkeypatch.setattr(sys, "stderr", lines)
    assert finish(work(), "own training") == "result"
    assert lines.getvalue().splitlines()[-1] == "100 % own training: epoch 40 of 40"
    assert len(lines.getvalue().splitlines()) == 11
    assert finish(work(), "own training", quiet=True) == "result"
    assert len(lines.getvalue().splitlines()) == 11
