"""How a space is explored: one file an algorithm. Settings are plain data; `bind` makes the strategy."""

from nbnas.strategies.base import (
    STRATEGIES,
    BlackBoxSettings,
    BlackBoxStrategy,
    DifferentiableSettings,
    DifferentiableStrategy,
    Done,
    Failure,
    Proposal,
    StrategySettings,
    Wait,
)
from nbnas.strategies.darts import Darts
from nbnas.strategies.genetic_algorithm import GeneticAlgorithm
from nbnas.strategies.grid_search import GridSearch
from nbnas.strategies.local_search import LocalSearch
from nbnas.strategies.nsga2 import NSGA2
from nbnas.strategies.ppo import Ppo
from nbnas.strategies.q_learning import QLearning
from nbnas.strategies.random_search import RandomSearch
from nbnas.strategies.regularized_evolution import RegularizedEvolution
from nbnas.strategies.reinforce import Reinforce

__all__ = [
    "NSGA2",
    "STRATEGIES",
    "BlackBoxSettings",
    "BlackBoxStrategy",
    "Darts",
    "DifferentiableSettings",
    "DifferentiableStrategy",
    "Done",
    "Failure",
    "GeneticAlgorithm",
    "GridSearch",
    "LocalSearch",
    "Ppo",
    "Proposal",
    "QLearning",
    "RandomSearch",
    "RegularizedEvolution",
    "Reinforce",
    "StrategySettings",
    "Wait",
]
