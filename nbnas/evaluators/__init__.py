"""How the score of an architecture is got."""

from nbnas.evaluators.base import EVALUATORS, Evaluator, EvaluatorSettings
from nbnas.evaluators.shared_weights import SharedWeights
from nbnas.evaluators.tabular import Table, Tabular
from nbnas.evaluators.training import Training

__all__ = ["EVALUATORS", "Evaluator", "EvaluatorSettings", "SharedWeights", "Table", "Tabular", "Training"]
