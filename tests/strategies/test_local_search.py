"""White, Nolen & Savani 2021: where hill climbing goes, and where it stops."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from nbnas import spaces
from nbnas.errors import SettingsError
from nbnas.events import Evaluation, PopulationUpdated
from nbnas.spaces import CellNetwork, Limit, SearchSpace
from nbnas.strategies import Done, Failure, LocalSearch, Proposal, Wait
from nbnas.strategies.local_search import _LocalSearch

PLAIN = SearchSpace("plain", CellNetwork(3, ("none", "skip", "conv_1x1")))
"""27 architectures, 3 decisions."""
CONDITIONAL = spaces.chain(2, 1, widths=(4, 8), kernels=(3,), dense_widths=(8,), activations=("relu",))
"""24 architectures of different numbers of decisions."""
MODES = ("better", "all")


def table_of(space, seed):
    """A score for each architecture; some are equal."""
    rng = np.random.default_rng(seed)
    return {str(one): float(rng.integers(20)) for one in space.enumerate()}


def optima(space, table):
    """By enumeration: no neighbour is better."""
    found = set()
    for text, score in table.items():
        if all(table[str(one)] <= score for one in space.neighbours(space.architecture(text))):
            found.add(text)
    return found


def answer(value):
    return Failure("error", "made") if value is None else Evaluation({}, (value,))


class Played:
    """A run to its end: texts by trial, and the moves `(trial or None)` in order."""

    def __init__(self, strategy, table, slots=1, seed=0):
        self.text: dict[int, str] = {}
        self.proposals: dict[int, Proposal] = {}
        self.moves: list[int | None] = []
        self.when: list[int] = []  # how many trials were told before each move
        rng, pending, told, done = np.random.default_rng(seed), [], 0, False
        while True:
            while not done and len(pending) < slots:
                proposal = strategy.ask()
                if isinstance(proposal, Wait):
                    assert pending
                    break
                if isinstance(proposal, Done):
                    done = True
                    break
                trial = len(self.text) + 1
                assert trial <= 3 * len(table)
                self.text[trial], self.proposals[trial] = str(proposal.architecture), proposal
                pending.append(trial)
            if not pending:
                break
            trial = pending.pop(rng.integers(len(pending)))
            told += 1
            for event in strategy.tell(trial, self.proposals[trial], answer(table[self.text[trial]])):
                assert isinstance(event, PopulationUpdated)
                self.moves.append(event.born[0][0] if event.born else None)
                self.when.append(told)

    def climbs(self):
        """The trials that each whole climb went through; the last one may be cut short."""
        found: list[list[int]] = [[]]
        for trial in self.moves:
            if trial is None:
                found.append([])
            else:
                found[-1].append(trial)
        return found[:-1]


def bound(space, seed=0, kind=_LocalSearch, **settings):
    return kind(LocalSearch(**settings), space, np.random.default_rng(seed))


def started_at(text, space, table, mode, kind=_LocalSearch):
    """The climb from one architecture, as texts."""
    strategy = bound(space, kind=kind, initial=1, query_until=mode)
    strategy.load_state_dict({**strategy.state_dict(), "starts": [text], "pending": [text]})
    events = list(strategy.tell(1, Proposal(space.architecture(text)), answer(table[text])))
    texts = {1: text}
    while events[-1].born:
        proposal = strategy.ask()
        trial = len(texts) + 1
        texts[trial] = str(proposal.architecture)
        events += strategy.tell(trial, proposal, answer(table[texts[trial]]))
    return [texts[event.born[0][0]] for event in events if event.born]


def check_fixed_points(mode, space=PLAIN, kind=_LocalSearch):
    """It stays where it is exactly at the local optima, and each climb goes up, neighbour by neighbour, to one."""
    for seed in range(3):
        table = table_of(space, seed)
        best = optima(space, table)
        assert 0 < len(best) < len(table)
        for text in table:
            climb = started_at(text, space, table, mode, kind)
            assert (climb == [text]) == (text in best)
            assert climb[-1] in best
            for one, other in pairwise(climb):
                assert table[other] > table[one]
                assert space.architecture(other) in set(space.neighbours(space.architecture(one)))


def check_nothing_is_evaluated_twice(mode, space=PLAIN, kind=_LocalSearch):
    """It ends when there is nothing left, and each architecture was evaluated once."""
    for slots in (1, 4):
        played = Played(bound(space, kind=kind, initial=3, query_until=mode), table_of(space, 0), slots)
        assert sorted(played.text.values()) == sorted(map(str, space.enumerate()))
        assert played.climbs()
        assert {played.text[climb[-1]] for climb in played.climbs()} <= optima(space, table_of(space, 0))


def check_moves_to_the_best_of_all(kind=_LocalSearch):
    for seed in range(3):
        table = table_of(PLAIN, seed)
        for text in table:
            for one, other in pairwise(started_at(text, PLAIN, table, "all", kind)):
                assert table[other] == max(table[str(near)] for near in PLAIN.neighbours(PLAIN.architecture(one)))


@pytest.mark.parametrize("space", [PLAIN, CONDITIONAL], ids=["plain", "conditional"])
@pytest.mark.parametrize("mode", MODES)
def test_fixed_points_are_exactly_the_local_optima(mode, space):
    check_fixed_points(mode, space)


@pytest.mark.parametrize("space", [PLAIN, CONDITIONAL], ids=["plain", "conditional"])
@pytest.mark.parametrize("mode", MODES)
def test_each_architecture_is_evaluated_once_also_with_late_answers(mode, space):
    check_nothing_is_evaluated_twice(mode, space)


def test_it_moves_to_the_best_of_all_neighbours():
    check_moves_to_the_best_of_all()


def test_it_moves_to_the_first_neighbour_that_is_better():
    """In the order of evaluation; none is evaluated after it before the move."""
    table = table_of(spaces.nas_bench_201(), 0)
    strategy = bound(spaces.nas_bench_201(), initial=1)
    current, worse = None, 0
    for trial in range(1, 300):
        proposal = strategy.ask()
        score = table[str(proposal.architecture)]
        events = strategy.tell(trial, proposal, answer(score))
        if proposal.operator == "neighbour":
            assert (score > current) == any(dict(event.born).get(trial) == score for event in events)
            worse += score <= current
        if events:
            current = events[-1].born[0][1] if events[-1].born else None
    assert worse > 20


def test_it_starts_at_the_best_of_the_first_random_ones():
    table = table_of(PLAIN, 1)
    played = Played(bound(PLAIN, initial=7), table)
    assert [played.proposals[trial].operator for trial in range(1, 9)] == ["sample"] * 7 + ["neighbour"]
    first = played.moves[0]
    assert played.when[0] == 7
    assert table[played.text[first]] == max(table[played.text[trial]] for trial in range(1, 8))
    assert played.proposals[8].parents == (first,)


def test_a_later_start_is_one_random_architecture():
    played = Played(bound(PLAIN, initial=2, restart=1), table_of(PLAIN, 2))
    place = played.moves.index(None)
    trial = played.when[place] + 1
    assert (played.proposals[trial].operator, played.proposals[trial].parents) == ("sample", ())
    assert played.moves[place + 1] == trial


def test_neighbours_are_evaluated_in_a_random_order():
    """Each of the 24 neighbours comes first about as often."""
    space = spaces.nas_bench_201()
    text = str(space.sample(np.random.default_rng(0)))
    firsts = set()
    for seed in range(300):
        strategy = bound(space, seed, initial=1)
        strategy.load_state_dict({**bound(space, seed).state_dict(), "starts": [text], "pending": [text], "wanted": 1})
        strategy.tell(1, Proposal(space.architecture(text)), answer(0.5))
        firsts.add(str(strategy.ask().architecture))
    assert firsts == {str(one) for one in space.neighbours(space.architecture(text))}


def test_a_failed_trial_is_never_where_it_stands():
    table = {text: None if place % 3 == 0 else score for place, (text, score) in enumerate(table_of(PLAIN, 4).items())}
    for slots in (1, 3):
        played = Played(bound(PLAIN, initial=2, query_until="all"), table, slots)
        assert len(played.text) == 27
        assert all(table[played.text[trial]] is not None for trial in played.moves if trial is not None)


def test_when_everything_fails_it_goes_on_drawing():
    played = Played(bound(PLAIN), dict.fromkeys(table_of(PLAIN, 0)))
    assert (len(played.text), played.moves) == (27, [])


def test_too_many_neighbours_are_random_ones():
    space = spaces.nas_bench_201()
    strategy = bound(space, initial=1, neighbourhood=5)
    strategy.tell(1, start := strategy.ask(), answer(1.0))
    near = [strategy.ask() for _ in range(5)]
    assert len({str(one.architecture) for one in near}) == 5
    assert {one.architecture for one in near} <= set(space.neighbours(start.architecture))
    assert isinstance(strategy.ask(), Wait)
    for trial, proposal in enumerate(near, start=2):
        strategy.tell(trial, proposal, answer(0.0))
    assert strategy.ask().operator == "sample"


def test_all_are_within_the_limits_of_the_space():
    costs = sorted(limit_cost(one) for one in PLAIN.enumerate())
    space = SearchSpace("limited", PLAIN.component, limits=[Limit("parameters", maximum=costs[13])])
    table = dict.fromkeys(map(str, space.enumerate()), 1.0)
    assert 0 < len(table) < 27
    assert sorted(Played(bound(space, initial=3), table).text.values()) == sorted(table)


def limit_cost(architecture):
    from nbnas.measuring import measure

    return measure(PLAIN, architecture, Limit("parameters", maximum=0))


def test_a_space_with_nothing_to_change_is_refused():
    with pytest.raises(SettingsError, match="two options to mutate, got none in 'one'"):
        LocalSearch().bind(SearchSpace("one", CellNetwork(3, ("skip",))), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("settings", "said"), [({"initial": 0}, "initial must be >= 1"), ({"query_until": "worse"}, "one of better, all")]
)
def test_bad_settings(settings, said):
    with pytest.raises(SettingsError, match=said):
        LocalSearch(**settings)


class GivesUpEarly(_LocalSearch):
    """Believes that it is at an optimum after one neighbour."""

    def _all_known(self, texts):
        return any(text in self.known for text in texts)


class GoesSideways(_LocalSearch):
    """Takes an equal neighbour, where it was not yet, for a better one."""

    def _better(self):
        here = self._score(self.current)
        self.stood = {*getattr(self, "stood", ()), self.current}
        return next((text for text in self.neighbours if self._score(text) >= here and text not in self.stood), None)


class EvaluatesAgain(_LocalSearch):
    def _is_new(self, text):
        return text not in self.pending and (self.current is not None or text not in self.known)


class TakesTheFirst(_LocalSearch):
    def _better(self):
        if not self._all_known(self.neighbours):
            return None
        return next((text for text in self.neighbours if self._score(text) > self._score(self.current)), None)


@pytest.mark.parametrize(
    ("check", "kind"),
    [
        (lambda kind: check_fixed_points("better", kind=kind), GivesUpEarly),
        (lambda kind: check_fixed_points("all", kind=kind), GivesUpEarly),
        (lambda kind: check_fixed_points("better", kind=kind), GoesSideways),
        (lambda kind: check_nothing_is_evaluated_twice("better", kind=kind), EvaluatesAgain),
        (lambda kind: check_moves_to_the_best_of_all(kind), TakesTheFirst),
    ],
    ids=["gives up, better", "gives up, all", "sideways", "again", "first"],
)
def test_broken_ones_are_seen(check, kind):
    check(_LocalSearch)
    with pytest.raises(AssertionError):
        check(kind)
