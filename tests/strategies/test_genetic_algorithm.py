"""Genetic algorithms: who becomes a parent, what a child inherits, who survives."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise, product
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nbnas import spaces
from nbnas.errors import SettingsError
from nbnas.events import DistributionUpdated, Evaluation, PopulationUpdated
from nbnas.measuring import measure
from nbnas.spaces import CellNetwork, Component, Condition, Decision, Limit, SearchSpace
from nbnas.spaces.component import COMPONENTS
from nbnas.strategies import Failure, GeneticAlgorithm, Wait
from nbnas.strategies.genetic_algorithm import _GeneticAlgorithm

SPACE = spaces.nas_bench_201()
CONDITIONAL = spaces.chain(max_depth=3)
FALSE_ALARM = 1e-6
"""Of each chi-square test, were its draws not fixed by a seed."""
FITNESS = (0.4, 0.1, 0.3, 0.2, 0.8)
quick = settings(deadline=None, max_examples=50)


def bound(space=SPACE, seed=0, kind=_GeneticAlgorithm, **chosen):
    return kind(GeneticAlgorithm(**chosen), space, np.random.default_rng(seed))


def scored(value):
    return Evaluation({}, (value,))


def grown(fitness, space=SPACE, seed=0, kind=_GeneticAlgorithm, **chosen):
    """A strategy with its first population, of trials 1, 2, …"""
    strategy = bound(space, seed, kind, population=len(fitness), **chosen)
    for trial, value in enumerate(fitness, start=1):
        strategy.tell(trial, strategy.ask(), scored(value))
    return strategy


def generation(strategy, trial, fitness):
    """Lets a generation have some fitness; returns its proposals by trial, and the last events."""
    proposals, events = {}, []
    for number, value in enumerate(fitness, start=trial):
        proposals[number] = strategy.ask()
        assert not events
        events = list(strategy.tell(number, proposals[number], scored(value)))
    return proposals, events


def members(strategy):
    return {trial: fitness for trial, _, fitness in strategy.state_dict()["population"]}


APART = ("0-0-0-0-0-0", "1-1-1-1-1-1", "2-2-2-2-2-2", "3-3-3-3-3-3", "4-4-4-4-4-4")
"""Any two differ in every decision."""


def children(space=SPACE, count=300, texts=APART, kind=_GeneticAlgorithm, **chosen):
    """Children with the choices of their parents, which stay the same; `texts` are the members."""
    fitness = FITNESS if texts is APART else np.linspace(0.5, 0.9, len(texts))
    strategy = bound(space, kind=kind, population=len(texts), survival="plus", children=count, **chosen)
    members = [[trial, text, float(value)] for trial, (text, value) in enumerate(zip(texts, fitness, strict=True), 1)]
    strategy.load_state_dict({**strategy.state_dict(), "population": members})
    of = {trial: space.architecture(text).choices for trial, text, _ in members}
    for _ in range(count):
        child = strategy.ask()
        space.validate(child.architecture)
        yield child, child.architecture.choices, *(of[parent] for parent in child.parents)


def sampled(space, count=12):
    rng = np.random.default_rng(0)
    return [str(space.sample(rng)) for _ in range(count)]


# -- selection ---------------------------------------------------------------------------------------------------------


def check_tournament(kind=GeneticAlgorithm):
    """By enumeration of all n^k equally likely draws, of which the best wins; the best member, 1 - (1 - 1/n)^k."""
    for size, fitness in product((1, 2, 3, 5), (FITNESS, (0.4, 0.1, 0.1), (0.5, 0.5))):
        if size > len(fitness):
            continue
        wins = Counter()
        for drawn in product(range(len(fitness)), repeat=size):
            best = max(fitness[place] for place in drawn)
            group = [place for place, value in enumerate(fitness) if value == best]
            wins.update({place: 1 / len(group) for place in group})
        found = kind(population=len(fitness), tournament=size, elitism=0).probabilities(fitness)
        assert found == pytest.approx([wins[place] / len(fitness) ** size for place in range(len(fitness))])
        if fitness == FITNESS:
            assert found[4] == pytest.approx(1 - (1 - 1 / 5) ** size)


def check_roulette(kind=GeneticAlgorithm):
    """Goldberg 1989: f / sum f."""
    assert kind(selection="roulette").probabilities(FITNESS) == pytest.approx([one / 1.8 for one in FITNESS])


def check_rank(kind=GeneticAlgorithm):
    """Baker 1985: from (2 - s) / n for the worst to s / n for the best, in equal steps."""
    for pressure in (1.0, 1.5, 2.0):
        found = kind(selection="rank", pressure=pressure).probabilities(FITNESS)
        expected = [(2 - pressure) / 5 + 2 * rank * (pressure - 1) / (5 * 4) for rank in (3, 0, 2, 1, 4)]
        assert found == pytest.approx(expected)
        assert found.max() == pytest.approx(pressure / 5)


def check_truncation(kind=GeneticAlgorithm):
    """Nothing below the cut, and all above it alike."""
    for share, kept in ((0.2, [4]), (0.4, [0, 4]), (0.5, [0, 2, 4]), (1.0, [0, 1, 2, 3, 4])):
        found = kind(selection="truncation", truncation=share).probabilities(FITNESS)
        assert found == pytest.approx([(place in kept) / len(kept) for place in range(5)])


@pytest.mark.parametrize("check", [check_tournament, check_roulette, check_rank, check_truncation])
def test_selection_has_its_closed_form(check):
    check()


def test_roulette_of_what_is_not_positive():
    """Fitness below 0 is measured from the worst; where all is the same, all are alike."""
    plain, above = GeneticAlgorithm(selection="roulette"), GeneticAlgorithm(selection="roulette_above_worst")
    assert plain.probabilities([-3, -1, 0]) == pytest.approx([0, 2 / 5, 3 / 5])
    assert plain.probabilities([0, 0, 0]) == pytest.approx([1 / 3] * 3)
    assert plain.probabilities([-2, -2]) == pytest.approx([1 / 2] * 2)
    assert plain.probabilities([-1e308, 1e308]) == pytest.approx([0, 1])
    # Xie & Yuille 2017: proportional to what exceeds the worst, which never becomes a parent.
    assert above.probabilities([0.7, 0.8, 1.0]) == pytest.approx([0, 1 / 4, 3 / 4])
    assert above.probabilities([0.7, 0.7]) == pytest.approx([1 / 2] * 2)


KINDS = ("tournament", "roulette", "roulette_above_worst", "rank", "truncation")


@pytest.mark.parametrize("selection", KINDS)
@quick
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12))
def test_the_fitter_is_at_least_as_likely_and_equals_are_alike(selection, fitness):
    row = GeneticAlgorithm(selection=selection).probabilities(fitness)
    assert row.sum() == pytest.approx(1)
    assert (row >= 0).all()
    by_fitness = sorted(zip(fitness, row, strict=True))
    for (low, one), (high, other) in pairwise(by_fitness):
        assert other == pytest.approx(one, abs=1e-12) if low == high else other >= one - 1e-12


@pytest.mark.parametrize("selection", KINDS)
def test_parents_are_drawn_so(selection):
    """Both of them."""
    found = [child.parents for child, *_ in children(selection=selection, crossover_rate=1, count=4_000)]
    row = GeneticAlgorithm(population=5, selection=selection).probabilities(FITNESS)
    for number in (0, 1):
        counts = Counter(parents[number] for parents in found)
        drawn = [place for place in range(5) if row[place] > 0]
        assert set(counts) <= {place + 1 for place in drawn}
        observed = [counts[place + 1] for place in drawn]
        assert stats.chisquare(observed, [row[place] * 4_000 for place in drawn]).pvalue > FALSE_ALARM


# -- crossover and mutation --------------------------------------------------------------------------------------------


def check_one_point(kind=_GeneticAlgorithm):
    """A prefix of one parent, a suffix of the other, and each cut occurs."""
    cuts = Counter()
    for child, choices, one, other in children(crossover="one_point", crossover_rate=1, mutation_rate=0, kind=kind):
        assert child.operator == "one_point crossover"
        fits = [cut for cut in range(1, 6) if choices == one[:cut] + other[cut:]]
        assert fits
        if all(a != b for a, b in zip(one, other, strict=True)):
            cuts.update(fits)
    assert sorted(cuts) == [1, 2, 3, 4, 5]
    assert stats.chisquare(list(cuts.values())).pvalue > FALSE_ALARM


def check_groups(kind=_GeneticAlgorithm):
    """Each group comes whole from one parent, one group as likely from each as another."""
    groups = [decision.group for decision in SPACE.decisions]
    assert groups == ["node 1", "node 2", "node 2", "node 3", "node 3", "node 3"]
    patterns = Counter()
    for _, choices, one, other in children(crossover="cell_aware", crossover_rate=1, mutation_rate=0, kind=kind):
        if one == other:
            continue
        whole = []
        for start, end in ((0, 1), (1, 3), (3, 6)):
            assert choices[start:end] in (one[start:end], other[start:end])
            whole.append(choices[start:end] == one[start:end])
        if all(a != b for a, b in zip(one, other, strict=True)):
            patterns[tuple(whole)] += 1
    assert len(patterns) == 8
    assert stats.chisquare(list(patterns.values())).pvalue > FALSE_ALARM


@pytest.mark.parametrize("check", [check_one_point, check_groups])
def test_what_a_child_inherits(check):
    check()


def test_uniform_takes_each_decision_from_either():
    patterns = Counter()
    for child, choices, one, other in children(crossover="uniform", crossover_rate=1, mutation_rate=0, count=2_000):
        assert child.operator == "uniform crossover"
        assert all(choice in pair for choice, pair in zip(choices, zip(one, other, strict=True), strict=True))
        if all(a != b for a, b in zip(one, other, strict=True)):
            patterns[tuple(choice == a for choice, a in zip(choices, one, strict=True))] += 1
    assert len(patterns) == 2**6
    assert stats.chisquare(list(patterns.values())).pvalue > FALSE_ALARM


@pytest.mark.parametrize("crossover", ["one_point", "uniform", "cell_aware"])
def test_crossover_respects_conditions(crossover):
    """What is active comes from a parent that has it."""
    for _, choices, one, other in children(
        CONDITIONAL, 400, sampled(CONDITIONAL), crossover=crossover, crossover_rate=1, mutation_rate=0, selection="rank"
    ):
        for choice, a, b in zip(choices, one, other, strict=True):
            assert choice is None or choice in (a, b)
        if crossover == "one_point":
            cut = next((place for place, pair in enumerate(zip(choices, one, strict=True)) if pair[0] != pair[1]), 99)
            for choice, b in list(zip(choices, other, strict=True))[cut:]:
                assert choice is None or b is None or choice == b


@pytest.fixture
def two_conditions():
    """A space with a decision that is active only where two others agree."""

    @dataclass(frozen=True)
    class Agreeing(Component):
        kind: ClassVar[str] = "agreeing"

        def decisions(self):
            both = (Condition("p", ("yes",)), Condition("q", ("yes",)))
            return Decision("p", ("no", "yes")), Decision("q", ("no", "yes")), Decision("r", ("a", "b", "c"), when=both)

    yield SearchSpace("two", Agreeing())
    del COMPONENTS["agreeing"]


def test_what_neither_parent_has_is_drawn(two_conditions):
    texts = ("1-0-.", "0-1-.")
    found = children(two_conditions, 2_000, texts, crossover="uniform", crossover_rate=1, mutation_rate=0, tournament=1)
    counts = Counter("-".join(map(str, choices[2:])) for _, choices, *_ in found if choices[:2] == (1, 1))
    assert set(counts) == {"0", "1", "2"}
    assert stats.chisquare(list(counts.values())).pvalue > FALSE_ALARM


def test_without_crossover_and_mutation_children_are_copies():
    """They are evaluated like any other, and become members beside their parents."""
    strategy = grown(FITNESS, crossover_rate=0, mutation_rate=0, elitism=2)
    before = {trial: text for trial, text, _ in strategy.state_dict()["population"]}
    proposals, _ = generation(strategy, 6, (0.5, 0.6, 0.7))
    for proposal in proposals.values():
        (parent,) = proposal.parents
        assert (str(proposal.architecture), proposal.operator) == (before[parent], "copy")
    assert members(strategy) == {1: 0.4, 5: 0.8, 6: 0.5, 7: 0.6, 8: 0.7}


def test_mutation_changes_each_decision_with_its_rate_and_is_named():
    names = [decision.name for decision in SPACE.decisions]
    for rate, expected in ((0.3, 0.3), (None, 1 / 6)):
        counts = np.zeros(6)
        for child, choices, one in children(crossover_rate=0, mutation_rate=rate, count=2_000):
            changed = [name for name, old, new in zip(names, one, choices, strict=True) if old != new]
            counts += [name in changed for name in names]
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            assert child.operator == (f"mutation of {', '.join(changed[:3])}{more}" if changed else "copy")
        for count in counts:
            assert stats.binomtest(int(count), 2_000, expected).pvalue > FALSE_ALARM
    assert all(
        old != new
        for _, choices, one in children(crossover_rate=0, mutation_rate=1)
        for old, new in zip(one, choices, strict=True)
    )


def test_a_mutation_goes_to_each_other_option_alike():
    counts = Counter(
        (one[0], choices[0]) for _, choices, one in children(crossover_rate=0, mutation_rate=1, count=3000)
    )
    for old in {pair[0] for pair in counts}:
        assert {new for before, new in counts if before == old} == set(range(5)) - {old}
        assert stats.chisquare([counts[old, new] for new in range(5) if new != old]).pvalue > FALSE_ALARM


def test_children_name_their_parents_and_how_they_came_about():
    found = list(children(crossover_rate=0.5, mutation_rate=0.2, count=1_000))
    crossed = [child for child, *_ in found if len(child.parents) == 2]
    assert stats.binomtest(len(crossed), 1_000, 0.5).pvalue > FALSE_ALARM
    assert all(child.operator.startswith("one_point crossover") for child in crossed)
    assert not any("crossover" in child.operator for child, *_ in found if len(child.parents) == 1)
    assert "one_point crossover + mutation of edge_0_1" in {child.operator for child in crossed}


def test_mutation_respects_conditions():
    counts = Counter()
    for child, choices, one in children(CONDITIONAL, 300, sampled(CONDITIONAL), crossover_rate=0, mutation_rate=0.5):
        counts["grown"] += sum(a is None and b is not None for a, b in zip(one, choices, strict=True))
        counts["shrunk"] += sum(a is not None and b is None for a, b in zip(one, choices, strict=True))
        counts["depth"] += "mutation of depth" in child.operator
    assert min(counts.values()) > 50


# -- survival ----------------------------------------------------------------------------------------------------------


def check_the_best_is_never_lost(kind=_GeneticAlgorithm):
    for survival in ("generational", "plus"):
        rng = np.random.default_rng(1)
        strategy = grown(tuple(rng.random(6)), kind=kind, survival=survival)
        best, trial, rose = max(members(strategy).values()), 7, 0
        for _ in range(60):
            size = strategy.settings.brood
            generation(strategy, trial, rng.random(size) * rng.choice([0.5, 1.0], p=[0.8, 0.2]))
            trial += size
            now = max(members(strategy).values())
            assert now >= best
            rose += now > best
            best = now
        assert rose


def test_the_best_is_never_lost_with_an_elite_or_plus():
    check_the_best_is_never_lost()


@pytest.mark.parametrize(
    ("chosen", "survivors"),
    [
        ({"survival": "generational", "elitism": 0}, {6: 0.1, 7: 0.35, 8: 0.05, 9: 0.2, 10: 0.3}),
        ({"survival": "generational", "elitism": 1}, {5: 0.8, 6: 0.1, 7: 0.35, 8: 0.05, 9: 0.2}),
        ({"survival": "generational", "elitism": 3}, {5: 0.8, 1: 0.4, 3: 0.3, 6: 0.1, 7: 0.35}),
        ({"survival": "plus"}, {5: 0.8, 1: 0.4, 7: 0.35, 10: 0.3, 3: 0.3}),
        ({"survival": "plus", "children": 2}, {5: 0.8, 1: 0.4, 7: 0.35, 3: 0.3, 4: 0.2}),
        ({"survival": "comma"}, {6: 0.1, 7: 0.35, 8: 0.05, 9: 0.2, 10: 0.3}),
        ({"survival": "comma", "children": 7}, {7: 0.35, 10: 0.3, 9: 0.2, 11: 0.25, 6: 0.1}),
    ],
)
def test_who_survives(chosen, survivors):
    """The elite stays with its fitness and is not proposed again; comma loses even the best."""
    strategy = grown(FITNESS, **chosen)
    fitness = (0.1, 0.35, 0.05, 0.2, 0.3, 0.25, 0.0)[: strategy.settings.brood]
    _, events = generation(strategy, 6, fitness)
    assert members(strategy) == survivors
    (change,) = [event for event in events if isinstance(event, PopulationUpdated)]
    assert dict(change.born) == {trial: value for trial, value in survivors.items() if trial > 5}
    assert set(change.died) == set(range(1, 6)) - set(survivors)


def test_of_equal_fitness_children_come_before_parents():
    strategy = grown((0.5, 0.5, 0.5), survival="plus")
    generation(strategy, 4, (0.5, 0.5, 0.4))
    assert set(members(strategy)) == {4, 5, 1}


def test_a_generation_is_complete_before_the_next_one_is_born():
    strategy = grown(FITNESS, elitism=1)
    proposals = {trial: strategy.ask() for trial in (6, 7, 8, 9)}
    assert isinstance(strategy.ask(), Wait)
    for trial in (9, 6, 8):
        assert strategy.tell(trial, proposals[trial], scored(trial / 10)) == ()
        assert isinstance(strategy.ask(), Wait)
    assert strategy.tell(7, proposals[7], Failure("nan", "it was")) == ()
    proposals[10] = strategy.ask()  # another one takes the place of the failed one
    assert set(proposals[10].parents) <= {1, 2, 3, 4, 5}
    assert isinstance(strategy.ask(), Wait)
    strategy.tell(10, proposals[10], scored(0.15))
    assert members(strategy) == {5: 0.8, 9: 0.9, 6: 0.6, 8: 0.8, 10: 0.15}
    assert set(strategy.ask().parents) <= {5, 6, 8, 9, 10}


def test_the_population_that_is_shown_is_the_population():
    strategy = bound(population=6, survival="plus", children=4)
    alive, rng, shown = {}, np.random.default_rng(0), 0
    for trial in range(1, 61):
        for event in strategy.tell(trial, strategy.ask(), scored(float(rng.random()))):
            if isinstance(event, PopulationUpdated):
                assert not set(dict(event.born)) & set(alive)
                alive |= dict(event.born)
                for dead in event.died:
                    del alive[dead]
                assert alive == members(strategy)
            else:
                assert isinstance(event, DistributionUpdated)
                shown += 1
                texts = [SPACE.architecture(text).choices for _, text, _ in strategy.state_dict()["population"]]
                for place, decision in enumerate(SPACE.decisions):
                    for choice, option in enumerate(decision.options):
                        share = sum(one[place] == choice for one in texts) / 6
                        assert event.groups["population"][decision.name].get(option, 0) == pytest.approx(share)
    assert shown == 1 + (60 - 6) // 4


def test_when_everything_fails_it_goes_on_drawing():
    strategy = bound(population=3)
    for trial in range(1, 30):
        proposal = strategy.ask()
        assert proposal.operator == "sample"
        strategy.tell(trial, proposal, Failure("error", "again"))


def test_children_keep_the_limits_of_the_space():
    """Where none of many does, the child is a copy."""
    free = SearchSpace("free", CellNetwork(3, ("none", "skip", "conv_1x1")))
    costs = {str(one): measure(free, one, Limit("parameters", maximum=0)) for one in free.enumerate()}
    space = SearchSpace("limited", free.component, limits=[Limit("parameters", maximum=sorted(costs.values())[8])])
    texts = sorted(map(str, space.enumerate()))[:6]
    assert any(costs[str(child.architecture)] > sorted(costs.values())[8] for child, *_ in children(free, 60, texts))
    assert len({choices for _, choices, *_ in children(space, 60, texts)}) > 5  # each of which is validated
    limit = Limit("parameters", maximum=min(costs.values()))
    tight = SearchSpace("tight", CellNetwork(3, ("skip", "conv_1x1")), limits=[limit])
    only = [str(one) for one in tight.enumerate()]
    assert only == ["0-0-0"]
    for child, choices, *_ in children(tight, 5, only * 2, crossover_rate=1, mutation_rate=1):
        assert (choices, child.operator, len(child.parents)) == ((0, 0, 0), "copy", 1)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"population": 0}, "population must be >= 2"),
        ({"tournament": 21}, r"tournament must be in 1\.\.population \(20\), got 21.*Lower it"),
        ({"elitism": 20}, r"elitism must be below population \(20\), got 20.*Lower it"),
        ({"crossover_rate": 1.1}, "crossover_rate must be >= 0 and <= 1"),
        ({"mutation_rate": -0.1}, "mutation_rate must be >= 0 and <= 1"),
        ({"truncation": 0}, "truncation must be > 0 and <= 1"),
        ({"pressure": 2.5}, "pressure must be >= 1 and <= 2"),
        ({"survival": "comma", "children": 19}, r"children must be at least population \(20\) with comma, got 19"),
        ({"selection": "luck"}, "selection must be one of tournament"),
    ],
)
def test_bad_settings(chosen, said):
    with pytest.raises(SettingsError, match=said):
        GeneticAlgorithm(**chosen)


def test_a_space_with_nothing_to_mutate_is_refused():
    with pytest.raises(SettingsError, match="two options to mutate, got none in 'one'"):
        GeneticAlgorithm().bind(SearchSpace("one", CellNetwork(3, ("skip",))), np.random.default_rng(0))


# -- the checks have teeth ---------------------------------------------------------------------------------------------


class Nameless(GeneticAlgorithm):
    """Joins no table."""

    title: ClassVar[str] = ""


class WithoutReplacement(Nameless):
    """As if the best of a tournament of other members were drawn."""

    def probabilities(self, fitness):
        left = [max(s) for s in product(fitness, repeat=self.tournament) if len(set(s)) == len(s)]
        return np.asarray([left.count(value) / max(1, len(left)) for value in fitness])


class Squared(Nameless):
    def probabilities(self, fitness):
        row = super().probabilities(fitness) ** 2
        return row / row.sum()


class CutsTwice(_GeneticAlgorithm):
    def _mask(self):
        return [1 <= place < 4 for place in range(6)]


class CutsInTheMiddle(_GeneticAlgorithm):
    def _mask(self):
        return [place < 3 for place in range(6)]


class TakesEachDecision(_GeneticAlgorithm):
    def _mask(self):
        return [bool(coin) for coin in self.rng.random(6) < 0.5]


class ForgetsTheElite(_GeneticAlgorithm):
    def _survivors(self):
        return self.children + self.population[len(self.children) - len(self.population) :]


@pytest.mark.parametrize(
    ("check", "kind", "right"),
    [
        (check_tournament, WithoutReplacement, GeneticAlgorithm),
        (check_roulette, Squared, GeneticAlgorithm),
        (check_rank, Squared, GeneticAlgorithm),
        (check_one_point, CutsTwice, _GeneticAlgorithm),
        (check_one_point, CutsInTheMiddle, _GeneticAlgorithm),
        (check_groups, TakesEachDecision, _GeneticAlgorithm),
        (check_the_best_is_never_lost, ForgetsTheElite, _GeneticAlgorithm),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_broken_ones_are_seen(check, kind, right):
    check(right)
    with pytest.raises(AssertionError):
        check(kind)
