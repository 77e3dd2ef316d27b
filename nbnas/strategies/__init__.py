"""How a space is explored: one file an algorithm. Settings are plain data; `bind` makes the strategy."""

from nbnas.strategies.bananas import Bananas
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
from nbnas.strategies.bayesian_optimization import BayesianOptimization
from nbnas.strategies.darts import Darts
from nbnas.strategies.drnas import DrNas
from nbnas.strategies.fair_darts import FairDarts
from nbnas.strategies.fbnet import FBNet
from nbnas.strategies.gdas import Gdas
from nbnas.strategies.genetic_algorithm import GeneticAlgorithm
from nbnas.strategies.grid_search import GridSearch
from nbnas.strategies.local_search import LocalSearch
from nbnas.strategies.nsga2 import NSGA2
from nbnas.strategies.optuna_sampler import OptunaSampler
from nbnas.strategies.pc_darts import PcDarts
from nbnas.strategies.pdarts import PDarts
from nbnas.strategies.ppo import Ppo
from nbnas.strategies.q_learning import QLearning
from nbnas.strategies.random_search import RandomSearch
from nbnas.strategies.regularized_evolution import RegularizedEvolution
from nbnas.strategies.reinforce import Reinforce

__all__ = [
    "NSGA2",
    "STRATEGIES",
    "Bananas",
    "BayesianOptimization",
    "BlackBoxSettings",
    "BlackBoxStrategy",
    "Darts",
    "DifferentiableSettings",
    "DifferentiableStrategy",
    "Done",
    "DrNas",
    "FBNet",
    "Failure",
    "FairDarts",
    "Gdas",
    "GeneticAlgorithm",
    "GridSearch",
    "LocalSearch",
    "OptunaSampler",
    "PDarts",
    "PcDarts",
    "Ppo",
    "Proposal",
    "QLearning",
    "RandomSearch",
    "RegularizedEvolution",
    "Reinforce",
    "StrategySettings",
    "Wait",
]
