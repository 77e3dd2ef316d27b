"""Exercises: every right solution passes, every wrong one is told what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from nbnas import course
from nbnas.course import digits64, exercises_05, exercises_06
from nbnas.errors import SettingsError

ALL = [*exercises_05.EXERCISES, *exercises_06.EXERCISES]


def softmax(theta):
    weights = np.exp(theta - theta.max())
    return weights / weights.sum()


def score(theta, choice):
    return np.eye(len(theta))[choice] - softmax(theta)


def by_hand(theta, choice):
    """The same as a list, by another way."""
    p = softmax(theta)
    return [float(place == choice) - p[place] for place in range(len(theta))]


def best_baseline(probabilities, rewards, scores):
    weights = probabilities * (scores**2).sum(axis=1)
    return weights @ rewards / weights.sum()


def step(theta, choices, rewards, baseline, learning_rate):
    pulls = [(r - baseline) * score(theta, c) for c, r in zip(choices, rewards, strict=True)]
    return theta + learning_rate * np.mean(pulls, axis=0)


def tournament(fitness, size):
    rank = np.argsort(np.argsort(fitness))
    n = len(fitness)
    return ((rank + 1) / n) ** size - (rank / n) ** size


def counted(fitness, size):
    """By listing all draws."""
    n = len(fitness)
    wins = np.zeros(n)
    for code in range(n**size) if n**size < 10_000 else ():
        drawn = [(code // n**k) % n for k in range(size)]
        wins[max(drawn, key=lambda place: fitness[place])] += 1
    return wins / n**size if wins.any() else tournament(fitness, size)


def ageing(population, child):
    return [member for member in population if member != min(population)] + [child]


def deque_like(population, child):
    return sorted([*population, child])[1:]


def optimum():
    fitness = digits64.measured().valid[:, :, -1].mean(axis=0)
    return [digits64.measured().architectures[int(fitness.argmax())]] * 10


RIGHT = {
    "05.a": [score, by_hand],
    "05.b": [best_baseline, lambda p, r, s: (p * (s * s).sum(1) * r).sum() / (p * (s * s).sum(1)).sum()],
    "05.c": [step],
    "06.a": [tournament, counted],
    "06.b": [optimum, optimum()],
    "06.c": [ageing, deque_like],
}


def changes_its_argument(theta, choice):
    theta -= theta.max()
    return score(theta, choice)


def sorts_in_place(population, child):
    population.sort()
    return [*population[1:], child]


WRONG = {
    "05.a": [
        (lambda theta, choice: -score(theta, choice), "sign is turned"),
        (lambda theta, choice: np.eye(len(theta))[choice], "what the softmax gives"),
        (lambda theta, choice: softmax(theta)[choice] * score(theta, choice), r"divided by pi\(choice\)"),
        (lambda theta, choice: 2 * score(theta, choice), "2 times what they should be"),
        (
            lambda theta, choice: np.eye(len(theta))[choice] - np.exp(theta) / np.exp(theta).sum(),
            "Subtract the largest theta first",
        ),
        (changes_its_argument, "changes its argument theta"),
        (lambda theta, choice: None, "returns None"),
        (lambda theta, choice: 0.5, r"shape \(2,\), got shape \(\)"),
        (lambda theta, choice: [float("nan")] * len(theta), "finite numbers"),
        (lambda theta: theta, "raised TypeError"),
        (lambda theta, choice: "up", "must return numbers"),
        (np.ones(4), "must be a function"),
    ],
    "05.b": [
        (lambda p, r, s: p @ r, "This is J"),
        (lambda p, r, s: (s**2).sum(1) @ r / (s**2).sum(), "probabilities are missing"),
        (
            lambda p, r, s: (p * np.linalg.norm(s, axis=1)) @ r / (p @ np.linalg.norm(s, axis=1)),
            "must be squared",
        ),
        (lambda p, r, s: 0.0, "expected"),
    ],
    "05.c": [
        (lambda t, c, r, b, lr: 2 * t - step(t, c, r, b, lr), "downhill"),
        (lambda t, c, r, b, lr: step(t, c, r, b, lr * len(c)), "sum over the draws"),
        (lambda t, c, r, b, lr: step(t, c, r, 0, lr), "baseline is not subtracted"),
        (lambda t, c, r, b, lr: step(t, c, r, b, lr) - t, "must be added to theta"),
    ],
    "06.a": [
        (lambda f, k: tournament(-f, k), "order is turned"),
        (lambda f, k: ((np.argsort(np.argsort(f)) + 1) / len(f)) ** k, "difference of two"),
        (lambda f, k: np.full(len(f), 1 / len(f)), "expected"),
        (
            lambda f, k: (
                (np.argsort(np.argsort(f)) / len(f)) ** k - ((np.argsort(np.argsort(f)) - 1).clip(0) / len(f)) ** k
            ),
            "Off by one",
        ),
    ],
    "06.b": [
        (["0-0-0"] * 10, r"by \+0\.\d+ in expectation"),
        (["0-0-0"], "2 members or more"),
        (["0-0-0", "9-9-9"], "no architecture of digits64"),
        ("0-0-0", "must be a list"),
        (lambda: 3, "must be a list"),
        (lambda: 1 / 0, "raised ZeroDivisionError"),
        (list(digits64.measured().architectures), "in expectation"),
    ],
    "06.c": [
        (lambda p, c: [one for one in p if one != min(p, key=lambda m: m[1])] + [c], "oldest dies even when"),
        (lambda p, c: list(p), "joins always"),
        (lambda p, c: [*p, c], "keep its size"),
        (lambda p, c: [one for one in p if one != max(p)] + [c], "oldest dies even when"),
        (sorts_in_place, "changes its argument population"),
        (lambda p, c: None, "returns None"),
        (lambda p, c: 5, "must return a list"),
        ([1], "must be a function"),
    ],
}


@pytest.mark.parametrize("name", [one.name for one in ALL])
def test_right_solutions_pass_whatever_their_way(name):
    for answer in RIGHT[name]:
        result = course.exercise(name).check(answer)
        assert result, result
        assert "right" in repr(result)


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        pytest.param(name, answer, words, id=f"{name}-{place}")
        for name, cases in WRONG.items()
        for place, (answer, words) in enumerate(cases)
    ],
)
def test_a_wrong_solution_is_told_what_is_wrong(name, answer, words):
    result = course.exercise(name).check(answer)
    assert not result
    assert "not yet" in repr(result)
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(result.message)


def test_every_exercise_has_wrong_solutions_and_three_different_hints():
    for one in ALL:
        assert len(WRONG[one.name]) >= 3
        assert len({one.hint(number) for number in (1, 2, 3)}) == 3


@pytest.mark.parametrize("number", [0, 4, True, "1"])
def test_there_is_no_other_hint(number):
    with pytest.raises(SettingsError, match="hint must be 1, 2 or 3"):
        course.exercise("05.a").hint(number)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("05.z", r"exercises of lesson 05: 05\.a, 05\.b, 05\.c"),
        ("99.a", "one such as"),
        ("../x", "one such as"),
        ("", "one such as"),
        (5, "one such as"),
    ],
)
def test_an_unknown_exercise_is_refused(name, message):
    with pytest.raises(SettingsError, match=message):
        course.exercise(name)
