"""Optuna's samplers by ask and tell: the same as Optuna itself, resumed exactly, told of failures."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState

from nbnas import spaces
from nbnas.errors import SettingsError
from nbnas.events import DistributionUpdated, Evaluation
from nbnas.jsonio import dumps, loads
from nbnas.spaces import CellNetwork, Choice, Head, Integer, Limit, Mlp, Network, SearchSpace
from nbnas.strategies import Failure, OptunaSampler
from nbnas.strategies.optuna_sampler import _OptunaSampler
from nbnas.testing import check_strategy

PLAIN = SearchSpace("plain", CellNetwork(3, ("none", "skip", "conv_1x1")))
"""27 architectures, 3 decisions."""
CONDITIONAL = spaces.chain(2, 1, widths=(4, 8), kernels=(3,), dense_widths=(8,), activations=("relu",))
"""24 architectures of different numbers of decisions."""


def bound(space, seed=0, kind=_OptunaSampler, **settings):
    return kind(OptunaSampler(**settings), space, np.random.default_rng(seed))


def score(architecture):
    """How many decisions take their last option."""
    return float(sum(choice == 2 for choice in architecture.choices))


def played(strategy, trials, first=1):
    texts = []
    for trial in range(first, first + trials):
        proposal = strategy.ask()
        texts.append(str(proposal.architecture))
        strategy.tell(trial, proposal, Evaluation({}, (score(proposal.architecture),)))
    return texts


def by_optuna(space, trials, make, seed=0):
    """The same search written with Optuna alone."""
    rng = np.random.default_rng(seed)
    study = optuna.create_study(direction="maximize")
    texts = []
    for _ in range(trials):
        study.sampler = make(seed=int(rng.integers(2**32)))
        trial = study.ask()
        choices = []
        for place, decision in enumerate(space.decisions):
            active = space.active(place, choices + [None] * (len(space.decisions) - place))
            count = len(decision.options)
            if not active:
                choices.append(None)
            elif count == 1:
                choices.append(0)
            elif decision.ordered:
                choices.append(trial.suggest_int(decision.name, 0, count - 1))
            else:
                choices.append(trial.suggest_categorical(decision.name, tuple(range(count))))
        architecture = space.architecture(choices)
        study.tell(trial, score(architecture))
        texts.append(str(architecture))
    return texts


@pytest.mark.parametrize("space", [PLAIN, CONDITIONAL], ids=["plain", "conditional"])
def test_tpe_is_that_of_optuna(space):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = played(bound(space, startup=5, multivariate=False), 30)
    assert found == by_optuna(
        space, 30, lambda seed: optuna.samplers.TPESampler(n_startup_trials=5, multivariate=False, seed=seed)
    )
    assert found != played(bound(space, sampler="random"), 30)


def test_tpe_starts_as_random_search():
    assert played(bound(PLAIN, startup=8), 8) == played(bound(PLAIN, sampler="random"), 8)


@pytest.mark.parametrize("settings", [{}, {"multivariate": False}, {"sampler": "gp"}], ids=["joint", "each", "gp"])
def test_models_propose_what_scores_high(settings):
    """Where each decision's third option gains 1, random draws have 1 on average; of seeds 0..2 at most 1.13."""
    trials, last = (11, 3) if settings.get("sampler") == "gp" else (60, 30)
    texts = played(bound(PLAIN, startup=6, **settings), trials)
    assert np.mean([score(PLAIN.architecture(text)) for text in texts[-last:]]) > 1.7


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_a_resumed_one_goes_on_the_same_with_trials_under_way(sampler):
    """Trials that run are part of what TPE takes into account."""
    one = bound(PLAIN, sampler=sampler, startup=4)
    played(one, 6)
    proposals = [one.ask() for _ in range(3)]
    other = bound(PLAIN, seed=9, sampler=sampler, startup=4)
    other.load_state_dict(loads(dumps(one.state_dict()), "state"))
    for trial, proposal in enumerate(reversed(proposals), start=7):
        for strategy in (one, other):
            strategy.tell(trial, proposal, Evaluation({}, (score(proposal.architecture),)))
    assert played(one, 3, 10) == played(other, 3, 10)
    assert [trial.state for trial in one.study.trials] == [trial.state for trial in other.study.trials]
    assert [trial.params for trial in one.study.trials] == [trial.params for trial in other.study.trials]


def test_the_contract_with_a_gaussian_process():
    check_strategy(OptunaSampler(sampler="gp", startup=4), PLAIN, trials=6)


def test_a_failed_trial_is_told_as_failed():
    strategy = bound(PLAIN)
    first, second = strategy.ask(), strategy.ask()
    strategy.tell(1, second, Failure("nan", "made"))
    strategy.tell(2, first, Evaluation({}, (0.5,)))
    assert [trial.state for trial in strategy.study.trials] == [TrialState.COMPLETE, TrialState.FAIL]
    assert strategy.study.best_value == 0.5


def test_the_same_architecture_under_way_twice_is_told_once_each():
    strategy = bound(SearchSpace("small", CellNetwork(2, ("skip", "conv_1x1"))), sampler="random")
    proposals = [strategy.ask() for _ in range(6)]
    assert len({proposal.architecture for proposal in proposals}) == 2
    for trial, proposal in enumerate(proposals, start=1):
        strategy.tell(trial, proposal, Evaluation({}, (float(trial),)))
    assert sorted(trial.value for trial in strategy.study.trials) == [1, 2, 3, 4, 5, 6]


def test_steps_of_a_quantity_are_integers_and_names_are_categories():
    layers = Mlp(width=Integer(16, 80, 16), activation=Choice("relu", "tanh"))
    space = SearchSpace("mlp", Network((layers, Head())), dims=0)
    strategy = bound(space)
    played(strategy, 2)
    found = strategy.study.trials[0].distributions
    (ordered,) = [decision.name for decision in space.decisions if decision.ordered]
    assert found.pop(ordered) == IntDistribution(0, 4)
    assert all(isinstance(one, CategoricalDistribution) for one in found.values())


def test_decisions_that_are_not_active_are_not_suggested():
    strategy = bound(CONDITIONAL, sampler="random")
    played(strategy, 20)
    numbers = set()
    for (architecture, _), trial in zip(strategy.records, strategy.study.trials, strict=True):
        open_ = {decision.name for decision in CONDITIONAL.decisions if len(decision.options) > 1}
        assert set(trial.params) == open_ & set(CONDITIONAL.options(architecture))
        numbers.add(len(trial.params))
    assert len(numbers) > 1


def test_what_breaks_a_limit_is_told_as_failed_and_never_proposed():
    light = CellNetwork(3, ("none", "conv_1x1"), channels=2, cells=1, stages=1)
    space = SearchSpace("limited", light, limits=[Limit("parameters", maximum=100)])
    assert len(list(space.enumerate())) == 4
    strategy = bound(space)
    texts = played(strategy, 15)
    for text in texts:
        space.validate(space.architecture(text))
    failed = [trial for trial in strategy.study.trials if trial.state is TrialState.FAIL]
    assert failed
    assert len(strategy.study.trials) == 15 + len(failed)
    other = bound(space)
    other.load_state_dict(strategy.state_dict())
    assert played(strategy, 5) == played(other, 5)


def test_it_shows_the_options_of_the_best_quarter():
    strategy = bound(PLAIN, sampler="random")
    for trial in range(1, 11):
        proposal = strategy.ask()
        events = strategy.tell(trial, proposal, Evaluation({}, (float(trial),)))
        assert bool(events) == (trial % 5 == 0)
    (event,) = events
    assert isinstance(event, DistributionUpdated)
    last = [architecture for architecture, value in strategy.records if value > 8]
    for place, decision in enumerate(PLAIN.decisions):
        row = event.groups["population"][decision.name]
        assert row == {
            str(option): sum(one.choices[place] == choice for one in last) / 2
            for choice, option in enumerate(decision.options)
        }


def test_optuna_is_as_talkative_as_before():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    played(bound(PLAIN), 2)
    assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    optuna.logging.set_verbosity(before)


def test_without_optuna_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    settings = OptunaSampler.from_json({"sampler": "gp"})
    with pytest.raises(SettingsError, match=r"optuna must be installed.*pip install 'nbnas\[optuna\]'"):
        settings.bind(PLAIN, np.random.default_rng(0))


def test_settings_are_read_without_optuna():
    code = "import sys, nbnas.strategies as s; s.OptunaSampler(); sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("settings", "said"), [({"sampler": "cmaes"}, "one of tpe, gp, random"), ({"startup": 0}, "startup must be >= 1")]
)
def test_bad_settings(settings, said):
    with pytest.raises(SettingsError, match=said):
        OptunaSampler(**settings)


class ForgetsItsTrials(_OptunaSampler):
    def load_state_dict(self, state):
        super().load_state_dict({**state, "records": state["records"][-1:]})


def test_a_forgetful_one_is_seen():
    one, other = bound(PLAIN, startup=4), bound(PLAIN, kind=ForgetsItsTrials, startup=4)
    played(one, 12)
    other.load_state_dict(one.state_dict())
    assert played(one, 12) != played(other, 12)
