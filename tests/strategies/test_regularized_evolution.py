"""Real et al. 2019, Algorithm 1: what is born, what dies, and who becomes a parent."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from scipy import stats

from nbnas import spaces
from nbnas.errors import SettingsError
from nbnas.events import DistributionUpdated, Evaluation, PopulationUpdated
from nbnas.spaces import Cell, Head, Network, SearchSpace, Stem
from nbnas.strategies import Failure, RegularizedEvolution
from nbnas.testing import check_strategy

SPACE = spaces.nas_bench_201()
FALSE_ALARM = 1e-6
"""Of each chi-square test, were its draws not fixed by a seed."""


def bound(population, tournament, seed=0, space=SPACE, **settings):
    settings = RegularizedEvolution(population=population, tournament=tournament, **settings)
    return settings.bind(space, np.random.default_rng(seed))


def scored(value):
    return Evaluation({"valid_accuracy": value}, (value,))


def grown(population, tournament, fitness, seed=0, **settings):
    """A strategy that was told of as many first members as it wants."""
    strategy = bound(population, tournament, seed, **settings)
    for trial, value in enumerate(fitness, start=1):
        strategy.tell(trial, strategy.ask(), scored(value))
    return strategy


def change(events):
    (found,) = [event for event in events if isinstance(event, PopulationUpdated)]
    return found


def test_ageing_kills_the_oldest_even_when_it_is_the_best():
    strategy = grown(3, 2, [0.9, 0.1, 0.5])
    died = []
    for trial, value in [(4, 0.05), (5, 0.99), (6, 0.2), (7, 0.3), (8, 0.4)]:
        event = change(strategy.tell(trial, strategy.ask(), scored(value)))
        assert event.born == ((trial, value),)
        died += event.died
    assert died == [1, 2, 3, 4, 5]  # 1 was the best ever when it died, and so was 5


def test_the_population_grows_to_its_size_and_stays():
    strategy = bound(4, 2)
    alive: dict[int, float] = {}
    for trial in range(1, 20):
        event = change(strategy.tell(trial, strategy.ask(), scored(trial % 5 / 5)))
        alive |= dict(event.born)
        for dead in event.died:
            del alive[dead]
        assert len(alive) == min(trial, 4)


def test_the_first_members_are_random_and_all_others_are_mutated_children():
    strategy = bound(5, 2)
    of = {}
    for trial in range(1, 40):
        proposal = strategy.ask()
        if trial <= 5:
            assert (proposal.parents, proposal.operator) == ((), "sample")
        else:
            (parent,) = proposal.parents
            assert proposal.operator == "mutation"
            assert trial - 5 <= parent < trial  # one that is alive
            assert proposal.architecture in set(SPACE.neighbours(of[parent]))
        of[trial] = proposal.architecture
        strategy.tell(trial, proposal, scored((trial * 7 % 11) / 11))


@pytest.mark.parametrize(("population", "tournament"), [(3, 2), (3, 3), (4, 3), (4, 1)])
def test_the_tournament_draws_with_replacement(population, tournament):
    """The parent's distribution, by enumeration of all P^S equally likely draws.

    Without replacement a tournament as large as the population would take the best always.
    """
    fitness = [0.4, 0.1, 0.3, 0.2][:population]
    expected = Counter()
    for drawn in product(range(population), repeat=tournament):
        expected[max(drawn, key=lambda member: fitness[member]) + 1] += 1
    strategy = grown(population, tournament, fitness)
    asked = 6_000
    counts = Counter(strategy.ask().parents[0] for _ in range(asked))
    assert set(counts) <= set(expected)
    share = asked / population**tournament
    assert stats.chisquare(
        [counts[trial] for trial in expected], [count * share for count in expected.values()]
    ).pvalue > FALSE_ALARM  # fmt: skip


def test_a_tournament_of_one_is_random_and_a_large_one_takes_the_best_mostly():
    strategy = grown(10, 10, [place / 10 for place in range(10)])
    counts = Counter(strategy.ask().parents[0] for _ in range(3_000))
    assert abs(counts[10] / 3_000 - (1 - 0.9**10)) < 0.05


def test_a_failed_trial_never_becomes_a_member():
    strategy = grown(3, 3, [0.1, 0.2, 0.3])
    before = strategy.state_dict()["population"]
    for trial in range(4, 20):
        assert not [
            event
            for event in strategy.tell(trial, strategy.ask(), Failure("nan", "it was"))
            if isinstance(event, PopulationUpdated)
        ]
    assert strategy.state_dict()["population"] == before
    assert {strategy.ask().parents[0] for _ in range(100)} == {1, 2, 3}


def test_when_all_first_trials_fail_it_goes_on_drawing():
    strategy = bound(3, 2)
    for trial in range(1, 50):
        proposal = strategy.ask()
        assert proposal.operator == "sample"
        strategy.tell(trial, proposal, Failure("error", "again"))


def test_what_it_shows_are_the_frequencies_of_the_living():
    strategy = grown(5, 2, [0.1, 0.2, 0.3, 0.4])
    (shown,) = [
        event for event in strategy.tell(5, strategy.ask(), scored(0.5)) if isinstance(event, DistributionUpdated)
    ]
    members = [SPACE.architecture(text) for _, text, _ in strategy.state_dict()["population"]]
    assert len(members) == 5
    for place, decision in enumerate(SPACE.decisions):
        for choice, option in enumerate(decision.options):
            expected = sum(member.choices[place] == choice for member in members) / 5
            assert shown.groups["population"][decision.name][option] == pytest.approx(expected)


def test_frequencies_count_only_those_in_which_a_decision_is_active():
    space = spaces.chain(max_depth=2, max_dense=0)
    strategy = RegularizedEvolution(population=30, tournament=2).bind(space, np.random.default_rng(0))
    shown = []
    for trial in range(1, 31):
        shown += strategy.tell(trial, strategy.ask(), scored(0.5))
    rows = [event for event in shown if isinstance(event, DistributionUpdated)][-1].groups["population"]
    members = [space.architecture(text) for _, text, _ in strategy.state_dict()["population"]]
    deep = [member.choices[5] for member in members if member.choices[5] is not None]
    assert 0 < len(deep) < 30
    assert rows["layer_2/kind"] == {"conv": deep.count(0) / len(deep), "pool": deep.count(1) / len(deep)}


def test_children_of_several_trials_at_once_become_members_in_the_order_of_their_answers():
    strategy = grown(3, 2, [0.1, 0.2, 0.3])
    proposals = {trial: strategy.ask() for trial in (4, 5, 6)}
    died = [change(strategy.tell(trial, proposals[trial], scored(0.5))).died for trial in (6, 4, 5)]
    assert died == [(1,), (2,), (3,)]
    assert [trial for trial, _, _ in strategy.state_dict()["population"]] == [6, 4, 5]


def test_a_tournament_larger_than_the_population_is_refused():
    with pytest.raises(SettingsError, match=r"tournament must be in 1\.\.population \(100\), got 250.*Lower it"):
        RegularizedEvolution(population=100, tournament=250)


def test_several_objectives_are_refused_with_a_remedy():
    strategy = bound(3, 2)
    with pytest.raises(SettingsError, match=r"objectives must be exactly one for this strategy, got 2\. Combine"):
        strategy.tell(1, strategy.ask(), Evaluation({}, (0.5, 0.6)))


# -- the mutations of the paper ----------------------------------------------------------------------------------------

CELLS = SearchSpace("cells", Network((Stem(2), Cell(nodes=2, pairs="any"), Head())))
"""Of each of two nodes: an input and an operation, twice."""
PAIRS = SearchSpace("pairs", Network((Stem(2), Cell(nodes=2), Head())))
"""Of each of two nodes: a pair of inputs, for the first node only one, and two operations."""


def children(asked, space=CELLS, **settings):
    """A member of a population of one and its children, of which none is told."""
    strategy = grown(1, 1, [0.5], space=space, mutation="amoebanet", **settings)
    return strategy.population[0].architecture, [strategy.ask() for _ in range(asked)]


@pytest.mark.parametrize("space", [CELLS, PAIRS], ids=["four inputs", "one input"])
def test_a_hidden_state_an_operation_or_nothing_is_mutated_with_the_probabilities_of_the_paper(space):
    """Real et al. 2019, Methods Details: identity 0.05, the other mutations alike, each place and option alike.

    Were all decisions alike, the only open pair would change as often as each of the four operations.
    """
    parent, found = children(8_000, space)
    expected = {parent.choices: 0.05}
    decisions = list(enumerate(space.decisions))
    for kind in (True, False):
        places = [place for place, decision in decisions if decision.wiring is kind and len(decision.options) > 1]
        for place in places:
            others = [
                option for option in range(len(space.decisions[place].options)) if option != parent.choices[place]
            ]
            for option in others:
                child = (*parent.choices[:place], option, *parent.choices[place + 1 :])
                expected[child] = 0.95 / 2 / len(places) / len(others)
    assert sum(expected.values()) == pytest.approx(1)
    counts = Counter(proposal.architecture.choices for proposal in found)
    assert set(counts) <= set(expected)
    assert stats.chisquare(
        [counts[child] for child in expected], [share * len(found) for share in expected.values()]
    ).pvalue > FALSE_ALARM  # fmt: skip


@pytest.mark.parametrize("space", [CELLS, spaces.darts(), spaces.amoebanet(), spaces.enas_macro(layers=3)])
def test_a_child_names_its_mutation_and_the_decision(space):
    parent, found = children(200, space)
    kinds = set()
    for proposal in found:
        changed = [
            decision
            for decision, old, new in zip(space.decisions, parent.choices, proposal.architecture.choices, strict=True)
            if old != new
        ]
        kind, _, name = proposal.operator.partition(" mutation")
        kinds.add(kind)
        assert [f" of {decision.name}" for decision in changed] == ([name] if name else [])
        assert [{True: "hidden state", False: "operation"}[decision.wiring] for decision in changed] == (
            [] if kind == "identity" else [kind]
        )
    assert kinds == {"hidden state", "operation", "identity"}


def test_the_inputs_of_nodes_are_known_to_the_spaces():
    """By the names that they have in each space; no other decision is one."""
    known = {
        "darts": lambda name: name.endswith("/inputs"),
        "nasnet": lambda name: name.endswith("_input"),
        "recurrent": lambda name: name.endswith("/input"),
        "graph": lambda name: name.endswith("/input"),
        "enas_macro": lambda name: "/skip_" in name,
        "nas_bench_201": lambda name: False,
        "mlp": lambda name: False,
        "transformer": lambda name: False,
    }
    for name, is_input in known.items():
        space = spaces.CATALOGUE[name]()
        wiring = [decision.name for decision in space.decisions if decision.wiring]
        assert wiring == [decision.name for decision in space.decisions if is_input(decision.name)]


def test_without_inputs_all_mutations_are_of_operations():
    _, found = children(2_000, SPACE)
    counts = Counter(proposal.operator.partition(" mutation")[0] for proposal in found)
    assert set(counts) == {"operation", "identity"}
    assert stats.binomtest(counts["identity"], 2_000, 0.05).pvalue > FALSE_ALARM


def test_an_operation_names_what_was_changed_and_not_what_that_made_active():
    space = spaces.chain(max_depth=3, max_dense=0)
    _, found = children(300, space)
    assert {"operation mutation of depth"} < {proposal.operator for proposal in found}
    for proposal in found:
        space.validate(proposal.architecture)


def test_by_default_children_are_those_of_one_mutation_of_the_space():
    """The same draws from the same generator: what runs have stored is repeated."""
    strategy = grown(6, 3, [0.2, 0.5, 0.1, 0.9, 0.4, 0.3], seed=7)
    rng = np.random.default_rng(7)
    members = [SPACE.sample(rng) for _ in range(6)]
    assert [member.architecture for member in strategy.population] == members
    for _ in range(20):
        drawn = rng.integers(6, size=3)
        parent = max(drawn, key=lambda place: strategy.population[place].fitness)
        proposal = strategy.ask()
        assert proposal.architecture == SPACE.mutate(members[parent], rng)
        assert (proposal.parents, proposal.operator) == ((parent + 1,), "mutation")
    assert set(strategy.state_dict()) == {"rng", "population", "told"}


# -- the control without ageing ----------------------------------------------------------------------------------------


def worth(trial):
    """Another number below 0.6 for each of 53 trials in a row."""
    return (trial * 37 % 53 + 0.5) / 100


def test_without_ageing_the_worst_of_the_sample_dies_and_not_the_oldest():
    """Real et al. 2019, Methods: the worst of the random sample, though the child may be worse still."""
    population, tournament = 6, 3
    fitness = [0.9, 0.1, 0.5, 0.7, 0.3, 0.6]
    strategy = grown(population, tournament, fitness, seed=3, ageing=False)
    alive = dict(enumerate(fitness, start=1))
    best = []
    for trial in range(7, 60):
        rng = np.random.default_rng()
        rng.bit_generator.state = strategy.state_dict()["rng"]
        trials = [member.trial for member in strategy.population]
        sample = {trials[place] for place in rng.integers(population, size=tournament)}
        proposal = strategy.ask()
        assert proposal.parents == (max(sample, key=alive.__getitem__),)
        (died,) = change(strategy.tell(trial, proposal, scored(worth(trial)))).died
        assert died == min(sample, key=lambda one: (alive[one], one))
        del alive[died]
        alive[trial] = worth(trial)
        best.append(max(alive.values()))
    assert set(alive) == {member.trial for member in strategy.population}
    assert best == [0.9] * len(best)


def test_a_sample_whose_worst_is_dead_already_loses_its_next_worst():
    """Both samples are all of the population, so the two answers kill the two worst, in any order."""
    for order in ((4, 5), (5, 4)):
        strategy = bound(3, 3, ageing=False)
        for trial, value in enumerate((0.5, 0.1, 0.3), start=1):
            strategy.tell(trial, strategy.ask(), scored(value))
        strategy.rng = np.random.default_rng(next(seed for seed in range(10_000) if whole(seed)))
        proposals = {trial: strategy.ask() for trial in (4, 5)}
        died = [change(strategy.tell(trial, proposals[trial], scored(0.9))).died for trial in order]
        assert died == [(2,), (3,)]
        assert strategy.state_dict()["pending"] == []


def whole(seed):
    """Whether two tournaments in a row draw all three members."""
    strategy = grown(3, 3, [0.5, 0.1, 0.3], ageing=False)
    strategy.rng = np.random.default_rng(seed)
    for _ in range(2):
        strategy.ask()
    return all(len(sample) == 3 for _, _, sample in strategy.pending)


def test_a_failed_child_kills_nobody_without_ageing():
    strategy = grown(3, 2, [0.1, 0.2, 0.3], ageing=False)
    assert not strategy.tell(4, strategy.ask(), Failure("nan", "it was"))
    assert strategy.state_dict()["pending"] == []
    assert len(strategy.population) == 3


@pytest.mark.parametrize("settings", [{"mutation": "amoebanet"}, {"ageing": False}])
def test_it_keeps_the_promises_of_a_strategy(settings):
    check_strategy(RegularizedEvolution(population=6, tournament=3, **settings), trials=20)
