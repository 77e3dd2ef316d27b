"""Lesson 05: its claims hold, and each of them fails in a library, or a course, that was broken on purpose."""

from __future__ import annotations

import pytest

from nbnas.course import policy_gradient
from nbnas.errors import ClaimError
from nbnas.spaces import SearchSpace
from nbnas.strategies import reinforce
from tests.course.lessons import run

LESSON = "05_policy_gradient"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("NBNAS_PROFILE", "ci")


def fails(claim, *, skip=()):
    with pytest.raises(ClaimError, match=rf"^claim {claim.replace('.', '[.]')} must hold"):
        run(LESSON, until=claim, skip=skip)


def test_all_claims_hold(capsys):
    run(LESSON)
    said = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("CLAIM")]
    assert said == [f"05.{number}" for number in range(1, 12) if number != 6]  # 05.6 is about the live run


def test_a_controller_that_goes_downhill(monkeypatch):
    right = reinforce._Reinforce._loss
    monkeypatch.setattr(reinforce._Reinforce, "_loss", lambda *given: -right(*given))
    fails("05.1")


def test_an_entropy_bonus_that_cannot_be_turned_off(monkeypatch):
    right = reinforce._Reinforce._loss
    monkeypatch.setattr(
        reinforce._Reinforce, "_loss", lambda self, walk, *given: right(self, walk, *given) - 1e-3 * walk.entropy
    )
    fails("05.1")


def test_a_baseline_that_depends_on_the_draw(monkeypatch):
    monkeypatch.setattr(reinforce._Baseline, "update", lambda self, reward: self.total * reward)
    fails("05.2")


@pytest.mark.parametrize(("claim", "skip"), [("05.3", ()), ("05.7", ("05.3", "05.4", "05.5"))])
def test_a_controller_without_a_baseline(monkeypatch, claim, skip):
    """The mean step is the same, so that 05.2 holds: only the variance, and single draws, tell."""
    monkeypatch.setattr(reinforce._Baseline, "update", lambda self, reward: 0.0)
    fails(claim, skip=skip)


def test_scores_without_their_probabilities(monkeypatch):
    right = policy_gradient.scores
    monkeypatch.setattr(policy_gradient, "scores", lambda theta, every: right(theta, every) + 0.1)
    fails("05.4", skip=("05.3",))


def test_a_variance_that_is_twice_as_large(monkeypatch):
    right = policy_gradient.moments

    def doubled(*given):
        found = right(*given)
        return found._replace(variance=2 * found.variance)

    monkeypatch.setattr(policy_gradient, "moments", doubled)
    fails("05.5", skip=("05.3", "05.4"))


@pytest.mark.parametrize("always", [True, False])
def test_controllers_that_ignore_which_baseline_they_were_given(monkeypatch, always):
    right = policy_gradient.sample_run
    monkeypatch.setattr(
        policy_gradient, "sample_run", lambda *given, with_baseline, **more: right(*given, with_baseline=always, **more)
    )
    fails("05.8")


def test_an_ascent_that_stays_where_it_is(monkeypatch):
    monkeypatch.setattr(policy_gradient, "ascend", lambda theta, *_, **__: theta)
    fails("05.9")
    fails("05.10", skip=("05.9",))


def test_a_space_that_forgets_half_of_the_neighbours(monkeypatch):
    right = SearchSpace.neighbours
    monkeypatch.setattr(SearchSpace, "neighbours", lambda self, one: list(right(self, one))[::2])
    fails("05.11")
