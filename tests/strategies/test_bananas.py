"""White, Neiswanger & Savani 2021: what is coded, predicted, drawn and proposed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from nbnas import spaces
from nbnas.errors import SettingsError
from nbnas.events import DistributionUpdated, Evaluation, ValuesUpdated
from nbnas.spaces import CellNetwork, Limit, SearchSpace
from nbnas.strategies import Bananas, Done, Failure, Proposal
from nbnas.strategies.bananas import _Bananas, errors_of

PLAIN = SearchSpace("plain", CellNetwork(3, ("none", "skip", "conv_1x1")))
"""27 architectures, 3 decisions."""
NB201 = spaces.nas_bench_201(channels=2, cells=1)
QUICK = {"layers": 1, "width": 8, "steps": 30}


def bound(space, seed=0, **settings):
    return _Bananas(Bananas(**{**QUICK, **settings}), space, np.random.default_rng(seed))


def linear_score(space, seed=0):
    """A sum of one random number an option: what a mutation gains does not depend on the rest."""
    weights = np.random.default_rng(seed).normal(size=len(space.encode(space.sample(np.random.default_rng(0)))))
    return lambda architecture: float(space.encode(architecture) @ weights)


def played(strategy, score, trials, slots=1, fails=lambda trial: False):
    """Proposals in order and the events of each answer."""
    proposals, events, pending = [], [], []
    while len(proposals) < trials or pending:
        while len(proposals) < trials and len(pending) < slots:
            proposal = strategy.ask()
            if isinstance(proposal, Done):
                trials = len(proposals)
                break
            proposals.append(proposal)
            pending.append(len(proposals))
        if not pending:
            break
        trial = pending.pop()
        proposal = proposals[trial - 1]
        answer = Failure("error", "made") if fails(trial) else Evaluation({}, (score(proposal.architecture),))
        events.append(strategy.tell(trial, proposal, answer))
    return proposals, events


def check_candidates_are_mutants_of_the_best(kind=_Bananas):
    """The paper mutates the architectures with the lowest error so far: the five best."""
    strategy = kind(Bananas(**QUICK, candidates=60, batch=5), NB201, np.random.default_rng(0))
    score = linear_score(NB201)
    proposals, _ = played(strategy, score, 40)
    scores = [score(proposal.architecture) for proposal in proposals]
    assert [proposal.operator for proposal in proposals] == ["sample"] * 10 + ["mutation"] * 30
    for place in range(10, 40):
        proposal, known = proposals[place], 10 + (place - 10) // 5 * 5  # what the last fit knew
        (parent,) = proposal.parents
        assert scores[parent - 1] in sorted(scores[:known])[-5:]
        assert proposal.architecture in set(NB201.neighbours(proposals[parent - 1].architecture))


def proposed_to_the_end(slots, kind=_Bananas, **settings):
    """All that it proposes until it is done, with so many trials at once."""
    strategy = kind(Bananas(**QUICK, initial=4, batch=3, **settings), PLAIN, np.random.default_rng(0))
    proposals, _ = played(strategy, linear_score(PLAIN), 100, slots)
    return [proposal.architecture for proposal in proposals]


def test_candidates_are_mutants_of_the_best():
    check_candidates_are_mutants_of_the_best()


@pytest.mark.parametrize("slots", [1, 4])
def test_every_architecture_is_proposed_once_and_then_it_is_done(slots):
    found = proposed_to_the_end(slots, isomorphic=True)
    assert sorted(map(str, found)) == sorted(map(str, PLAIN.enumerate()))


@pytest.mark.parametrize("slots", [1, 4])
def test_of_those_that_compute_the_same_one_is_proposed(slots):
    found = [PLAIN.canonical(one) for one in proposed_to_the_end(slots)]
    assert sorted(found) == sorted({PLAIN.canonical(one) for one in PLAIN.enumerate()})
    assert len(found) < 27


def test_errors_are_relative_to_a_bound_beyond_the_best():
    """The paper's loss is |(predicted - lb) / (true - lb) - 1|; here e = true - lb, in the unit of its mean."""
    scores = np.array([0.5, 0.7, 0.9])
    errors, bound_, unit = errors_of(scores)
    assert bound_ == pytest.approx(0.9 + 0.25 * 0.2)
    assert bound_ - unit * errors == pytest.approx(scores)
    assert errors == pytest.approx(np.array([0.45, 0.25, 0.05]) / 0.25)
    same, _, _ = errors_of(np.full(4, 0.3))
    assert same == pytest.approx(np.ones(4))


def test_a_shift_and_a_scale_of_the_scores_change_nothing():
    def texts(change):
        score = linear_score(NB201)
        return [str(one.architecture) for one in played(bound(NB201), lambda one: change(score(one)), 30)[0]]

    assert texts(lambda value: value) == texts(lambda value: 4 * value + 8)


@pytest.mark.parametrize("acquisition", ["its", "ei", "ucb"])
def test_it_comes_nearer_to_the_best_of_a_linear_table_than_random_search(acquisition):
    """Mean distance after 40 trials, over 3 seeds; at most half of that of 40 random draws."""
    score = linear_score(NB201, 3)
    best = max(map(score, NB201.enumerate()))
    left = {"bananas": 0.0, "random": 0.0}
    for seed in range(3):
        strategy = bound(NB201, seed, acquisition=acquisition, encoding="one_hot", batch=3, steps=60)
        rng = np.random.default_rng(seed)
        left["bananas"] += best - max(score(one.architecture) for one in played(strategy, score, 40)[0])
        left["random"] += best - max(score(NB201.sample(rng)) for _ in range(40))
    assert left["bananas"] < 0.5 * left["random"]


@pytest.mark.parametrize("encoding", ["path", "one_hot"])
def test_the_ensemble_ranks_what_it_has_not_seen(encoding):
    """200 are told of, on a table that is linear in the code; Kendall's tau on 120 others is above 0.8."""
    strategy = bound(NB201, encoding=encoding, path_length=2, steps=200, layers=2, width=20, loss="mae")
    rng = np.random.default_rng(1)
    drawn = [NB201.sample(rng) for _ in range(320)]
    codes = strategy.coder.codes(drawn)
    score = dict(zip(map(str, drawn), codes @ rng.normal(size=codes.shape[1]), strict=True))
    played(_Told(strategy, drawn[:200]), lambda one: score[str(one)], 200)
    mean, deviation = strategy._predicted(drawn[200:])
    assert kendalltau(mean, [score[str(one)] for one in drawn[200:]]).statistic > 0.8
    assert (deviation > 0).all()


class _Told:
    """Asks for given architectures and tells a strategy about them."""

    def __init__(self, strategy, architectures):
        self.strategy, self.left = strategy, list(architectures)

    def ask(self):
        return Proposal(self.left.pop(0))

    def tell(self, trial, proposal, answer):
        return self.strategy.tell(trial, proposal, answer)


def test_what_it_shows_is_what_it_expects():
    """On a linear table the marginal values differ between options as the weights do."""
    score = linear_score(NB201)
    strategy = bound(NB201, initial=100, encoding="one_hot", width=20, steps=200, loss="mae")
    _, events = played(strategy, score, 101)
    values, population = events[-1]
    assert isinstance(values, ValuesUpdated)
    assert isinstance(population, DistributionUpdated)
    assert all(not shown for shown in events[:-1])
    rng = np.random.default_rng(0)
    drawn = [NB201.sample(rng) for _ in range(3000)]
    true, expected = [], []
    for place, decision in enumerate(NB201.decisions):
        for choice, option in enumerate(decision.options):
            true.append(np.mean([score(one) for one in drawn if one.choices[place] == choice]))
            expected.append(values.rows[decision.name][option])
    assert np.corrcoef(true, expected)[0, 1] > 0.8


def test_a_failed_trial_teaches_nothing_and_does_not_come_again():
    strategy = bound(PLAIN, initial=4, batch=2, isomorphic=True)
    proposals, _ = played(strategy, linear_score(PLAIN), 100, fails=lambda trial: trial % 3 == 0)
    assert len(set(map(str, (one.architecture for one in proposals)))) == len(proposals) == 27
    assert {one.trial for one in strategy.known} == {trial for trial in range(1, 28) if trial % 3}


def test_when_everything_fails_it_goes_on_drawing():
    proposals, events = played(bound(PLAIN, isomorphic=True), linear_score(PLAIN), 100, fails=lambda trial: True)
    assert len(proposals) == 27
    assert {proposal.operator for proposal in proposals} == {"sample"}
    assert not any(events)


def test_all_are_within_the_limits_of_the_space():
    light = CellNetwork(3, ("none", "conv_1x1"), channels=2, cells=1, stages=1)
    space = SearchSpace("limited", light, limits=[Limit("parameters", maximum=100)])
    proposals, _ = played(bound(space, initial=2, batch=1, isomorphic=True), linear_score(space), 20)
    assert sorted(str(one.architecture) for one in proposals) == sorted(map(str, space.enumerate()))


def test_paths_need_a_cell():
    chain = spaces.chain(2, 1)
    with pytest.raises(SettingsError, match=r"must have a cell .* for encoding 'path', got 'chain'.*'one_hot'"):
        Bananas(encoding="path").bind(chain, np.random.default_rng(0))
    assert isinstance(Bananas().bind(chain, np.random.default_rng(0)), _Bananas)


def test_a_space_with_nothing_to_change_is_refused():
    with pytest.raises(SettingsError, match="two options to mutate, got none in 'one'"):
        Bananas().bind(SearchSpace("one", CellNetwork(3, ("skip",))), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"initial": 1}, "initial must be >= 2"),
        ({"acquisition": "pi"}, "one of its, ei, ucb"),
        ({"members": 1}, "members must be >= 2"),
        ({"learning_rate": 0.0}, "learning_rate must be > 0"),
    ],
)
def test_bad_settings(settings, said):
    with pytest.raises(SettingsError, match=said):
        Bananas(**settings)


class MutatesTheWorst(_Bananas):
    def _parents(self):
        return sorted(self.known, key=lambda one: one.score)[:5]


class ForgetsWhatItQueued(_Bananas):
    def _refill(self):
        seen = set(self.seen)
        super()._refill()
        self.seen = seen


def test_broken_ones_are_seen():
    with pytest.raises(AssertionError):
        check_candidates_are_mutants_of_the_best(MutatesTheWorst)
    again = [str(one) for one in proposed_to_the_end(1, ForgetsWhatItQueued, isomorphic=True)]
    assert len(set(again)) < len(again)
