"""Lesson 06: its claims hold, and each of them fails in a library, or a course, that was broken on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from nbnas.course import digits64, evolution
from nbnas.errors import ClaimError
from nbnas.strategies import GeneticAlgorithm, genetic_algorithm, regularized_evolution
from tests.course.lessons import run

LESSON = "06_evolution"
COUNTED = ("06.1", "06.3")
"""Claims of the two cells about what falls; counting is a cell of its own."""

Genetic = genetic_algorithm._GeneticAlgorithm
Ageing = regularized_evolution._RegularizedEvolution


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("NBNAS_PROFILE", "ci")


@pytest.fixture
def uncounted(monkeypatch):
    """Counting what falls takes seconds; claims after it do without."""
    monkeypatch.setattr(evolution, "drops", lambda *_, **__: evolution.Drops(0, 0, 0))


def fails(claim, *, skip=()):
    with pytest.raises(ClaimError, match=rf"^claim {claim.replace('.', '[.]')} must hold"):
        run(LESSON, until=claim, skip=skip)


def test_all_claims_hold(capsys):
    run(LESSON)
    said = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("CLAIM")]
    assert said == [f"06.{number}" for number in range(1, 11)]


def test_elites_that_are_the_worst(monkeypatch):
    right = genetic_algorithm._best
    monkeypatch.setattr(genetic_algorithm, "_best", lambda members: right(members)[::-1])
    fails("06.1")


def test_elites_of_which_there_is_one_only(monkeypatch):
    """The best never falls, but the mean of the two best does."""
    monkeypatch.setattr(Genetic, "_survivors", keep(1))
    fails("06.1")


def test_elitism_that_is_plus_survival(monkeypatch):
    monkeypatch.setattr(Genetic, "_survivors", keep(20))
    fails("06.2")


def keep(elite):
    """Survivors of a rule that keeps so many of the best, and then the best of the children."""

    def survivors(self):
        if not self.population:
            return self.children
        size = self.settings.population
        if elite >= size:
            return genetic_algorithm._best(self.population + self.children)[:size]
        return genetic_algorithm._best(self.population)[:elite] + self.children[: size - elite]

    return survivors


def test_plus_survival_without_parents(monkeypatch):
    right = Genetic._survivors

    def survivors(self):
        if self.settings.survival == "plus" and self.population:
            return self.children
        return right(self)

    monkeypatch.setattr(Genetic, "_survivors", survivors)
    fails("06.3")


def kill_the_worst(self, sample):
    dead = min(self.population, key=lambda member: member.fitness)
    self.population.remove(dead)
    return dead


def test_ageing_that_kills_the_worst(monkeypatch):
    monkeypatch.setattr(Ageing, "_kill", kill_the_worst)
    fails("06.4")


def test_ageing_that_spares_the_best(monkeypatch, uncounted):
    monkeypatch.setattr(Ageing, "_kill", kill_the_worst)
    fails("06.8", skip=COUNTED)


def test_a_roulette_that_is_fair_to_everybody(monkeypatch, uncounted):
    monkeypatch.setattr(
        GeneticAlgorithm, "probabilities", lambda self, fitness: np.full(len(fitness), 1 / len(fitness))
    )
    fails("06.5", skip=COUNTED)


def test_children_that_are_copies(monkeypatch, uncounted):
    monkeypatch.setattr(Genetic, "_mutate", lambda self, choices: [])
    fails("06.6", skip=COUNTED)


def test_a_mutation_that_changes_nothing(monkeypatch, uncounted):
    monkeypatch.setattr(evolution, "mutation_matrix", lambda space, rate: np.eye(64))
    fails("06.7", skip=(*COUNTED, "06.6"))


def test_a_chain_in_which_the_child_stays_always(monkeypatch, uncounted):
    monkeypatch.setattr(evolution, "chain", lambda mutation, fitness, *, plus: mutation)
    fails("06.9", skip=COUNTED)


def test_measuring_without_noise(monkeypatch, uncounted):
    table = digits64.measured()
    flat = np.broadcast_to(table.valid.mean(axis=0), table.valid.shape)
    monkeypatch.setattr(digits64, "measured", lambda: table._replace(valid=flat))
    fails("06.10", skip=(*COUNTED, "06.5", "06.6"))
