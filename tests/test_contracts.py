"""Every strategy and every process keeps the promises of `nbnas.testing`, and its suites see broken ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from nbnas import evaluators, spaces, strategies
from nbnas.events import DistributionUpdated
from nbnas.processes import Budget
from nbnas.spaces import Architecture
from nbnas.spec import RunSpec
from nbnas.strategies import STRATEGIES, BlackBoxSettings, Darts, DifferentiableSettings, Proposal, Wait
from nbnas.strategies.darts import _Darts
from nbnas.strategies.random_search import _RandomSearch
from nbnas.testing import check_differentiable, check_search, check_strategy, tiny_spaces, tiny_task

SMALL = {
    "Bananas": [
        strategies.Bananas(initial=4, batch=3, layers=1, width=4, steps=5, candidates=12),
        strategies.Bananas(initial=4, batch=3, encoding="one_hot", acquisition="ei", layers=1, width=4, steps=5),
    ],
    "BayesianOptimization": [strategies.BayesianOptimization(initial=4)],
    "Darts": [
        strategies.Darts(batch=16, alpha_learning_rate=0.1),
        strategies.Darts(batch=16, alpha_learning_rate=0.1, order="exact", complexity="macs", complexity_weight=0.1),
    ],
    "DrNas": [strategies.DrNas(batch=16, alpha_learning_rate=0.1)],
    "FBNet": [strategies.FBNet(batch=16, alpha_learning_rate=0.1, complexity="macs")],
    "FairDarts": [strategies.FairDarts(batch=16, alpha_learning_rate=0.1, threshold=0.55)],
    "Gdas": [strategies.Gdas(batch=16, alpha_learning_rate=0.1)],
    "GeneticAlgorithm": [
        strategies.GeneticAlgorithm(population=4),
        strategies.GeneticAlgorithm(population=3, selection="rank", crossover="uniform", survival="plus", children=2),
        strategies.GeneticAlgorithm(population=3, selection="roulette", crossover="cell_aware", survival="comma"),
    ],
    "GridSearch": [strategies.GridSearch(), strategies.GridSearch(order="shuffled")],
    "LocalSearch": [strategies.LocalSearch(initial=3), strategies.LocalSearch(initial=2, query_until="all")],
    "NSGA2": [strategies.NSGA2(population=4)],
    "OptunaSampler": [strategies.OptunaSampler(startup=4), strategies.OptunaSampler(sampler="random")],
    "PDarts": [strategies.PDarts(batch=16, alpha_learning_rate=0.1, more_cells=(0, 3, 3), alpha_after=0.0)],
    "PcDarts": [strategies.PcDarts(batch=16, channel_share=2, alpha_learning_rate=0.1, w_learning_rate=0.025)],
    "Ppo": [strategies.Ppo(hidden=4, batch=4, minibatch=2, epochs=2, learning_rate=0.05)],
    "QLearning": [strategies.QLearning(trials=16, replay=4, learning_rate=0.5)],
    "RandomSearch": [strategies.RandomSearch()],
    "RegularizedEvolution": [strategies.RegularizedEvolution(population=8, tournament=3)],
    "Reinforce": [strategies.Reinforce(hidden=4), strategies.Reinforce(controller="softmax", learning_rate=0.1)],
}
"""Settings under which 16 trials show all that a strategy does."""

BLACK_BOX = [settings for name in SMALL for settings in SMALL[name] if isinstance(settings, BlackBoxSettings)]
DIFFERENTIABLE = [settings for name in SMALL for settings in SMALL[name] if settings.differentiable]


def named(settings: Any) -> str:
    names = ("controller", "survival", "order", "query_until", "encoding", "sampler")
    told = [getattr(settings, name, "") for name in names]
    return "-".join([type(settings).__name__, *filter(None, told)])


def test_every_strategy_of_nbnas_is_checked_here():
    assert {name for name, kind in STRATEGIES.items() if kind.__module__.startswith("nbnas.")} == set(SMALL)


@pytest.mark.parametrize("settings", BLACK_BOX, ids=named)
def test_strategies_that_are_asked_and_told(settings):
    check_strategy(settings, trials=16)


@pytest.mark.parametrize("settings", DIFFERENTIABLE, ids=named)
def test_strategies_that_train_a_supernet(settings):
    check_differentiable(settings)


@pytest.mark.parametrize("settings", BLACK_BOX, ids=named)
def test_one_shot(settings):
    shared = evaluators.SharedWeights(controller_steps=3, batch=16, score_items=10)
    check_search(RunSpec(tiny_spaces()[0], tiny_task(), settings, shared, Budget(epochs=3), device="cpu"))


@pytest.mark.parametrize("space", [tiny_spaces()[0], spaces.chain(max_depth=2)], ids=lambda space: space.name)
def test_trials_with_training(space):
    evolution = strategies.RegularizedEvolution(population=2, tournament=2)
    training = evaluators.Training(epochs=2, batch=32)
    check_search(RunSpec(space, tiny_task(), evolution, training, Budget(trials=4), device="cpu"))


def test_trials_with_a_table():
    space = spaces.chain(max_depth=1, max_dense=0, widths=(4,))
    texts = [str(architecture) for architecture in space.enumerate()]
    table = {"architecture": texts[1:], "valid_accuracy": np.linspace(0.1, 0.9, len(texts) - 1)}
    check_search(RunSpec(space, None, strategies.RandomSearch(), evaluators.Tabular(table), Budget(trials=12)))


# -- the suites have teeth ---------------------------------------------------------------------------------------------


@pytest.fixture
def own_strategies():
    """Strategies that a test defines are forgotten afterwards."""
    known = dict(STRATEGIES)
    yield
    STRATEGIES.clear()
    STRATEGIES.update(known)


def settings_of(kind: Callable[..., Any]) -> BlackBoxSettings:
    """Settings that bind to an object of the given class."""

    @dataclass(frozen=True)
    class Broken(BlackBoxSettings):
        title: ClassVar[str] = "Broken on purpose"

        def bind(self, space, rng):
            return kind(space, rng)

    return Broken()


class UsesGlobalChance(_RandomSearch):
    def ask(self):
        return Proposal(self.space.sample(np.random.default_rng(np.random.randint(2**31))))


class ForgetsItsGenerator(_RandomSearch):
    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class ForgetsACounter(_RandomSearch):
    """Its events depend on how often it was asked since it was made."""

    asked = 0

    def ask(self):
        self.asked += 1
        proposal = super().ask()
        return Proposal(proposal.architecture, operator="tenth" if self.asked % 10 == 0 else "sample")


class ProposesWhatDoesNotExist(_RandomSearch):
    def ask(self):
        architecture = super().ask().architecture
        return Proposal(Architecture(architecture.space, (*architecture.choices[:-1], 99)))


class IgnoresConditions(_RandomSearch):
    """Gives a choice to decisions that are not active."""

    def ask(self):
        architecture = super().ask().architecture
        return Proposal(Architecture(architecture.space, tuple(choice or 0 for choice in architecture.choices)))


class DrawsWhatDoesNotExist(_RandomSearch):
    def draw(self, rng):
        return Architecture(self.space.digest, ())


class WantsAnswersInOrder(_RandomSearch):
    told = 0

    def tell(self, trial, proposal, answer):
        if trial != self.told + 1:
            raise KeyError(trial)
        self.told = trial
        return ()

    def state_dict(self):
        return {**super().state_dict(), "told": self.told}

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.told = state["told"]


class WantsNoFailures(_RandomSearch):
    def tell(self, trial, proposal, answer):
        assert answer.score > -1
        return ()


class WaitsForNothing(_RandomSearch):
    asked = 0

    def ask(self):
        self.asked += 1
        return Wait() if self.asked == 7 else super().ask()


class Shows(_RandomSearch):
    """Shows a distribution over the first decision."""

    row: ClassVar[Callable[[Any], dict[str, float]]]

    def tell(self, trial, proposal, answer):
        decision = self.space.decisions[0]
        return [DistributionUpdated("policy", trial, {"policy": {decision.name: type(self).row(decision)}})]


class ShowsMoreThanAll(Shows):
    row = staticmethod(lambda decision: {str(option): 0.5 for option in decision.options})


class ShowsNoOptions(Shows):
    row = staticmethod(lambda decision: {"magic": 1.0})


class ShowsNan(Shows):
    row = staticmethod(lambda decision: {str(decision.options[0]): float("nan")})


class SavesASet(_RandomSearch):
    """Its state is a set, which no JSON has."""

    def state_dict(self):
        return {**super().state_dict(), "seen": {1, 2}}


class InventsParents(_RandomSearch):
    def ask(self):
        return Proposal(super().ask().architecture, parents=(1000,))


BROKEN = {
    UsesGlobalChance: "must repeat itself with the same seed",
    ForgetsItsGenerator: "stopped after step 1 and resumed",
    ForgetsACounter: "stopped after step",
    ProposesWhatDoesNotExist: "proposed architecture must belong to the space",
    IgnoresConditions: "proposed architecture must belong to the space; Broken on chain",
    DrawsWhatDoesNotExist: "draw must give an architecture",
    WantsAnswersInOrder: "must take answers late, out of order and failed",
    WantsNoFailures: "NoneType|no attribute|must run to its end",
    WaitsForNothing: "Wait",
    ShowsMoreThanAll: "must sum to 1",
    ShowsNoOptions: "must be named by options",
    ShowsNan: "must be finite",
    SavesASet: "must be made of what a store can hold",
    InventsParents: "parents must be earlier trials",
}


@pytest.mark.usefixtures("own_strategies")
@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_strategy_is_seen(kind):
    with pytest.raises(AssertionError, match=BROKEN[kind]):
        check_strategy(settings_of(kind), trials=12)


@pytest.mark.usefixtures("own_strategies")
def test_what_they_are_made_of_is_not_broken():
    check_strategy(settings_of(_RandomSearch), trials=12)


def test_settings_without_a_title_are_seen():
    @dataclass(frozen=True)
    class Nameless(BlackBoxSettings):
        def bind(self, space, rng):
            return _RandomSearch(space, rng)

    with pytest.raises(AssertionError, match="must have a title"):
        check_strategy(Nameless())


class ForgetsMomentum(_Darts):
    def state_dict(self):
        return {name: value for name, value in super().state_dict().items() if name != "alpha_optimizer"}

    def load_state_dict(self, state):
        super().load_state_dict({**state, "alpha_optimizer": self.alpha_optimizer.state_dict()})


class OrdersByGlobalChance(_Darts):
    def _batches(self, half, name):
        order = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
        return self.task.batches(half, self.batch, order, drop_last=True)


class ShowsLogits(_Darts):
    def probabilities(self):
        return {"alpha": {d.name: {str(option): 0.1 for option in d.options} for d in self.space.decisions}}


class ShowsHalf(_Darts):
    def probabilities(self):
        return {"alpha": dict(list(super().probabilities()["alpha"].items())[1:])}


BROKEN_DARTS = {
    ForgetsMomentum: "stopped after step 1 and resumed",
    OrdersByGlobalChance: "must repeat itself with the same seed",
    ShowsLogits: "must sum to 1",
    ShowsHalf: "must have each row of the relaxed view",
}


@pytest.mark.usefixtures("own_strategies")
@pytest.mark.parametrize("kind", BROKEN_DARTS, ids=lambda kind: kind.__name__)
def test_a_broken_differentiable_strategy_is_seen(kind):
    @dataclass(frozen=True)
    class Broken(DifferentiableSettings):
        title: ClassVar[str] = "Broken on purpose"

        def bind(self, space, supernet, task, seed, epochs):
            return kind(Darts(batch=16, alpha_learning_rate=0.1), space, supernet, task, seed, epochs)

    with pytest.raises(AssertionError, match=BROKEN_DARTS[kind]):
        check_differentiable(Broken())
