"""Lesson 08: its numbers, its exercises, and that its claims fail in a library that was broken on purpose."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import nbnas as nb
from nbnas import course, honesty
from nbnas.course import darts, digits64, exercises_08, skip_connections
from nbnas.errors import ClaimError
from nbnas.networks import Supernet
from nbnas.networks.mixed_operation import MixedOperation
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.relaxed import Relaxed
from tests.course.lessons import run

LESSON = "08_darts"


@pytest.fixture(scope="module")
def pair():
    """The two searches of the profile ci."""
    return [darts.search(seed) for seed in range(2)]


@pytest.fixture
def lesson(monkeypatch, pair):
    """Executes the lesson up to a claim; its searches are there already."""
    monkeypatch.setenv("NBNAS_PROFILE", "ci")
    monkeypatch.setattr(darts, "search", lambda seed: pair[seed]._replace(strategy=copy.copy(pair[seed].strategy)))
    return lambda claim="", skip=(): run(LESSON, until=claim, skip=skip)


# -- the search --------------------------------------------------------------------------------------------------------


def test_a_search_of_the_lesson_is_the_run_of_that_seed(tmp_path, monkeypatch):
    """Same events as `nb.search`, so that the lesson shows what the library does."""
    monkeypatch.setenv("NBNAS_HOME", str(tmp_path))
    ours = darts.search(3, epochs=1)
    budget = nb.Budget(epochs=1)
    run = nb.search(digits64.space(), digits64.task(), darts.SETTINGS, budget=budget, seed=3, device="cpu")
    run.wait()
    finished = [event for event in run.events if type(event).__name__ == "EpochFinished"]
    assert finished[0].metrics == ours.epochs[0]
    assert run.incumbent.architecture == ours.architecture


def test_the_own_figures_are_those_of_the_library(pair):
    found = darts.discretised(pair[0])
    assert found.mixed == pair[0].epochs[-1]["mixed_valid_accuracy"]
    assert found.inherited == pair[0].epochs[-1]["valid_accuracy"]


def test_the_mixture_itself_loses_nothing_by_its_own_statistics(pair):
    """So that what is lost with borrowed statistics is lost by being one network."""
    searched = pair[0]
    mixture = {name: row.detach() for name, row in searched.strategy.mixture().items()}
    borrowing = darts.borrowing(searched)
    kept = honesty.accuracy(borrowing, searched.task, mixture)
    assert kept == pytest.approx(honesty.accuracy(searched.strategy.supernet, searched.task, mixture), abs=0.03)
    x = searched.task.valid.x[:6]
    with torch.no_grad():  # what it says of an image does not depend on the others
        together, alone = (borrowing(x, mixture), torch.cat([borrowing(one[None], mixture) for one in x]))
    assert (together - alone).abs().max() < 1e-4


def test_measuring_leaves_the_supernet_as_it_was(pair):
    before = copy.deepcopy(pair[1].strategy.supernet.state_dict())
    first = darts.discretised(pair[1])
    after = pair[1].strategy.supernet.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert list(before) == list(after)
    assert darts.discretised(pair[1]) == first


def test_the_stored_seeds_are_made_again(pair):
    """Weights depend on the platform in their last digits, hence the tolerance."""
    for seed, searched in enumerate(pair):
        assert darts.discretised(searched) == pytest.approx(darts.measured().found[seed], abs=0.05)


def test_what_the_lesson_says_of_the_stored_seeds():
    """The margins: means over the stored seeds, and by how many standard deviations of a mean of two they clear 0.1."""
    found = np.array(darts.measured().found)
    assert found.shape == (24, 4)
    mixed, borrowed, recalibrated, inherited = found.T
    worth = np.array([ALONE[text] for text in darts.measured().argmax])
    for values in (mixed - inherited, mixed - recalibrated, recalibrated - borrowed, worth - inherited):
        assert (values.mean() - 0.1) / (values.std(ddof=1) / 2**0.5) > 2
    assert (mixed > recalibrated).all()
    assert not any("0" in text.split("-") for text in darts.measured().argmax)  # no skip among what is derived


ALONE = dict(zip(digits64.measured().architectures, digits64.measured().valid[:, :, -1].mean(axis=0), strict=True))


# -- skips -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [0.1, 1.0, 3.0])
def test_the_best_share_has_no_slope_and_the_variance_of_two_measurements_that_are_combined(other):
    """The smallest error is the harmonic one: 1 / (1/s_x² + 1/s_o²)."""
    share = skip_connections.best_share(2.0, other)
    assert float(skip_connections.expected_loss(share, 2.0, other)) == pytest.approx(1 / (1 / 4 + 1 / other**2))


def test_the_closed_form_holds_for_errors_that_are_drawn():
    rng = np.random.default_rng(0)
    skip, conv = rng.normal(0, 1, 200_000), rng.normal(0, 2, 200_000)
    least_squares = float(((conv - skip) * conv).mean() / ((conv - skip) ** 2).mean())  # of theta skip + (1-theta) conv
    assert least_squares == pytest.approx(skip_connections.best_share(1.0, 2.0), abs=0.01)


def test_the_flow_is_the_gradient_of_its_loss():
    """One small step by autograd, of a softmax over two alphas and of w."""
    alpha, w = torch.zeros(2, dtype=torch.float64, requires_grad=True), torch.zeros((), dtype=torch.float64)
    w.requires_grad_()
    share = alpha.softmax(0)
    ((1 - share[0] * 0.7 - share[1] * w) ** 2 / 2).backward()
    size = 1e-5
    after = (alpha.detach() - 3 * size * alpha.grad).softmax(0)
    moved = skip_connections.flow(0.7, 3.0, size, step=size)
    assert float(moved.skip) - 0.5 == pytest.approx(float(after[0]) - 0.5, rel=1e-3)
    assert float(moved.weight) == pytest.approx(-size * float(w.grad), rel=1e-3)


def test_without_alpha_the_other_option_learns_as_the_closed_form_says():
    """dw/dt = (1 - c/2 - w/2) / 2: w = (2 - c) (1 - exp(-t/4))."""
    moved = skip_connections.flow(0.6, 0.0, 3.0)
    assert float(moved.weight) == pytest.approx(1.4 * (1 - np.exp(-0.75)), rel=1e-9)


def test_the_skip_gains_until_the_weight_has_its_strength():
    """What is conserved gives the largest share: a - exp(-a) + 1 = ratio c²."""
    moved = [skip_connections.flow(0.5, 5.0, time, step=0.05) for time in np.linspace(1, 7, 31)]
    shares, weights = ([float(one[place]) for one in moved] for place in (0, 1))
    top = int(np.argmax(shares))
    a = np.log(shares[top] / (1 - shares[top]))
    assert a - np.exp(-a) + 1 == pytest.approx(5 * 0.25, abs=2e-3)
    assert weights[top] == pytest.approx(0.5, abs=0.03)


def test_the_table_of_skips_is_made_of_the_benchmark():
    """6 edges of 5 operations: (6 over k) 4^(6-k) cells have k skips; the last one is the published result of DARTS."""
    table = skip_connections.skip_table()
    assert table.cells == (4096, 6144, 3840, 1280, 240, 24, 1)
    assert table.mean[6] == pytest.approx(54.30, abs=0.005)
    assert table.best[1] == max(table.best) == pytest.approx(94.37, abs=0.005)
    path = Path(os.environ.get("NBNAS_DATA", "")) / "nasbench201" / "nb201.npz"
    if os.environ.get("NBNAS_DATA") and path.exists():
        assert skip_connections.table_of(path) == table


# -- claims can fail ---------------------------------------------------------------------------------------------------


def test_all_claims_hold(lesson, capsys):
    lesson()
    printed = capsys.readouterr().out
    assert [f"CLAIM 08.{number} holds" in printed for number in range(1, 11)] == [True] * 10


def fails(lesson, name, skip=()):
    with pytest.raises(ClaimError, match=rf"^claim {name.replace('.', '[.]')} must hold"):
        lesson(name, skip)


def test_alpha_that_learns_from_the_other_half_breaks_a_claim(lesson, monkeypatch):
    usual = Relaxed.alpha_step
    monkeypatch.setattr(Relaxed, "alpha_step", lambda self, alpha_batch, w_batch: usual(self, w_batch, alpha_batch))
    fails(lesson, "08.1")


def test_weights_that_learn_from_both_halves_break_a_claim(lesson, monkeypatch):
    usual = Relaxed.w_step

    def both(self, batch):
        usual(self, next(iter(self.task.batches(self.alpha_half, 32, None))))
        return usual(self, batch)

    monkeypatch.setattr(Relaxed, "w_step", both)
    fails(lesson, "08.1")


def test_deriving_the_weakest_breaks_a_claim(lesson, monkeypatch):
    usual = SearchSpace.derive

    def weakest(self, rows):
        return usual(self, {name: [-value for value in row] for name, row in rows.items()})

    monkeypatch.setattr(SearchSpace, "derive", weakest)
    fails(lesson, "08.2")
    fails(lesson, "08.4", skip=("08.2",))


def test_an_architecture_that_is_scored_by_the_mixture_breaks_a_claim(lesson, monkeypatch, pair):
    usual = Supernet.forward
    mixture = {name: row.detach() for name, row in pair[0].strategy.mixture().items()}

    def mixed(self, x, chosen):
        return usual(self, x, mixture if isinstance(chosen, Architecture) else chosen)

    monkeypatch.setattr(Supernet, "forward", mixed)
    fails(lesson, "08.3")


def test_recalibration_that_sees_no_data_breaks_a_claim(lesson, monkeypatch):
    from nbnas.networks import recalibration

    usual = recalibration.recalibrate
    monkeypatch.setattr(recalibration, "recalibrate", lambda network, batches: usual(network, ()))
    fails(lesson, "08.5")


def test_a_table_that_does_not_fall_breaks_a_claim(lesson, monkeypatch):
    table = skip_connections.skip_table()
    swapped = table._replace(mean=(*table.mean[:3], table.mean[4], table.mean[3], *table.mean[5:]))
    monkeypatch.setattr(skip_connections, "skip_table", lambda: swapped)
    fails(lesson, "08.10")


def test_a_wrong_formula_breaks_a_claim(lesson, monkeypatch):
    monkeypatch.setattr(skip_connections, "best_share", lambda skip, other: skip**2 / (skip**2 + other**2))
    fails(lesson, "08.6")


def broken_slope(monkeypatch, alpha):
    """The flow with another slope of alpha, a function of the right one and of alpha's rate."""
    usual = skip_connections._slope

    def wrong(state, c, rate):
        slope = usual(state, c, rate)
        return np.stack([alpha(slope[0], rate), slope[1]])

    monkeypatch.setattr(skip_connections, "_slope", wrong)


def test_alpha_that_goes_uphill_breaks_the_race(lesson, monkeypatch):
    broken_slope(monkeypatch, lambda slope, rate: -slope)
    fails(lesson, "08.7")


def test_a_softmax_of_which_one_half_is_forgotten_breaks_what_is_conserved(lesson, monkeypatch):
    broken_slope(monkeypatch, lambda slope, rate: slope / 2)
    fails(lesson, "08.8", skip=("08.7",))


def test_alpha_that_moves_without_a_loss_breaks_the_warm_up(lesson, monkeypatch):
    broken_slope(monkeypatch, lambda slope, rate: slope + 0.001 * rate)
    fails(lesson, "08.9", skip=("08.7", "08.8"))


# -- exercises ---------------------------------------------------------------------------------------------------------


def softmax(alpha):
    weights = np.exp(alpha - np.max(alpha))
    return weights / weights.sum()


def mixed(outputs, alpha):
    return sum(share * output for share, output in zip(softmax(alpha), outputs, strict=True))


def step(alpha, w, train, valid, gradient, rate_alpha, rate_w):
    alpha = alpha - rate_alpha * gradient(alpha, w, valid)[0]
    w = w - rate_w * gradient(alpha, w, train)[1]
    return alpha, w


def select(shares, accuracy, keep=min, settle=True, rescale=True):
    now = np.array(shares)
    chosen = []
    for layer, row in enumerate(now.copy()):
        left = {}
        for option in range(len(row)):
            tried = now.copy()
            tried[layer, option] = 0
            if rescale:
                tried[layer] = tried[layer] / tried[layer].sum()
            left[option] = accuracy(tried)
        chosen.append(keep(left, key=left.get))
        if settle:
            now[layer] = np.arange(len(row)) == chosen[-1]
    return chosen


def changes_shares(shares, accuracy):
    shares[0] = 0
    return [0] * len(shares)


def test_the_mixed_operation_of_the_exercise_is_that_of_the_library():
    options = ("skip", "avg_pool_3x3", "conv_3x3")
    operation = MixedOperation("edge", options, 4, 4, 1, dims=2).double()
    x, alpha = torch.randn(2, 4, 5, 5, dtype=torch.float64), torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    outputs = np.stack([option(x).detach().numpy() for option in operation.options])
    ours = operation(x, {"edge": alpha.softmax(0)}).detach().numpy()
    assert np.abs(mixed(outputs, alpha.numpy()) - ours).max() < 1e-12


def test_the_step_of_the_exercise_sees_halves_as_the_library_does():
    """Alpha before w, and the new alpha in w's loss: what `Relaxed.epoch` does with one batch of each half."""
    calls = []

    class Spy(Relaxed):
        def alpha_step(self, alpha_batch, w_batch):
            calls.append("alpha")
            return 0.0

        def w_step(self, batch):
            calls.append("w")
            return 0.0

    space, task = digits64.space(), digits64.task().bind("cpu")
    next(Spy(darts.SETTINGS, space, Supernet(space, task, seed=0), task, 0, 1).epoch())
    assert calls == ["alpha", "w"]


RIGHT = {"08.a": mixed, "08.b": step, "08.c": select}

WRONG = {
    "08.a": [
        (lambda outputs, alpha: np.tensordot(alpha, outputs, axes=1), "weighs with alpha itself"),
        (lambda outputs, alpha: np.tensordot(alpha / alpha.sum(), outputs, axes=1), "exponentials first"),
        (lambda outputs, alpha: outputs[np.argmax(alpha)], "strongest option alone"),
        (lambda outputs, alpha: outputs.mean(axis=0), "plain mean"),
        (lambda outputs, alpha: np.tensordot(np.exp(alpha), outputs, axes=1), "not divided by their sum"),
        (
            lambda outputs, alpha: np.tensordot(np.exp(alpha) / np.exp(alpha).sum(), outputs, axes=1),
            "exponentials overflow",
        ),
        (lambda outputs, alpha: 2 * mixed(outputs, alpha), "2 times what they should be"),
        (lambda outputs, alpha: outputs, "must return an array of shape"),
        (lambda outputs, alpha: None, "returns None"),
    ],
    "08.b": [
        (lambda a, w, train, valid, *rest: step(a, w, valid, train, *rest), "halves are swapped"),
        (lambda a, w, train, valid, *rest: step(a, w, train, train, *rest), "Both learn on train"),
        (lambda a, w, train, valid, *rest: step(a, w, valid, valid, *rest), "Both learn on valid"),
        (
            lambda a, w, t, v, g, r, s: (a - r * g(a, w, v)[0], w - s * g(a, w, t)[1]),
            "alpha of before",
        ),
        (
            lambda a, w, t, v, g, r, s: (a - r * g(a, w - s * g(a, w, t)[1], v)[0], w - s * g(a, w, t)[1]),
            "w moves first",
        ),
        (lambda a, w, t, v, g, r, s: step(a, w, t, v, g, -r, -s), "uphill"),
        (lambda a, w, t, v, g, r, s: step(a, w, t, v, g, s, r), "rates are swapped"),
        (lambda a, w, t, v, g, r, s: a, "must return an array of shape"),
    ],
    "08.c": [
        (lambda shares, accuracy: shares.argmax(axis=1), "largest shares"),
        (lambda shares, accuracy: select(shares, accuracy, keep=max), "costs least"),
        (lambda shares, accuracy: select(shares, accuracy, settle=False), "hold its option alone"),
        (lambda shares, accuracy: select(shares, accuracy, rescale=False), "others must grow"),
        (lambda shares, accuracy: shares.argmin(axis=1), "expected"),
        (changes_shares, "changes its argument shares"),
        (lambda shares, accuracy: 0, "must return an array of shape"),
    ],
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_solutions_pass(name):
    result = course.exercise(name).check(RIGHT[name])
    assert result, result


@pytest.mark.parametrize(
    ("name", "answer", "words"), [(name, *case) for name, cases in WRONG.items() for case in cases]
)
def test_a_wrong_solution_is_told_what_is_wrong(name, answer, words):
    result = course.exercise(name).check(answer)
    assert not result
    assert words in result.message


def test_each_exercise_has_three_hints_and_the_lesson_asks_for_it():
    for one in exercises_08.EXERCISES:
        assert len({one.hint(number) for number in (1, 2, 3)}) == 3
        assert len(WRONG[one.name]) >= 3
