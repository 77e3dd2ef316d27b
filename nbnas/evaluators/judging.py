"""Turns the evaluation of a trial into what the run maximises; adds what the network costs where that is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbnas.errors import SettingsError
from nbnas.events import Evaluation
from nbnas.objectives import Objective
from nbnas.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from nbnas.tasks.bound import BoundTask

__all__ = ["COSTS", "Judge"]

COSTS = ("parameters", "macs", "flops")
"""Metrics that a network is asked for without training it, in form `evaluation`; flops are 2 a multiply-add."""


class Judge:
    """Applies an objective.

    Args:
        objective: what the run maximises; `None` leaves evaluations as they are.
        space: whose architectures are judged.
        task: gives the inputs that costs are counted for; without it the evaluator must give all metrics.
    """

    def __init__(self, objective: Objective | None, space: SearchSpace, task: BoundTask | None) -> None:
        self.objective = objective
        self.space = space
        self.task = task
        self._wanted = tuple(name for name in COSTS if objective is not None and name in objective.metrics())

    def __call__(self, architecture: Architecture, evaluation: Evaluation) -> Evaluation:
        """The evaluation with the objectives of the run.

        Raises:
            TrialError: a metric is missing.
        """
        if self.objective is None:
            return evaluation
        metrics = dict(evaluation.metrics)
        if missing := [name for name in self._wanted if name not in metrics]:
            costs = self._costs(architecture)
            metrics |= {name: costs[name] for name in missing if name in costs}
        values, violation = self.objective.values(metrics)
        return replace(evaluation, metrics=metrics, objectives=values, violation=violation)

    def _costs(self, architecture: Architecture) -> dict[str, float]:
        if self.task is None:
            return {}
        from nbnas.networks import build, parameters
        from nbnas.networks.measure import Inputs, cost

        if self.task.inputs == "nodes":  # a network of nodes holds its graph
            return {"parameters": float(parameters(build(self.space, architecture, self.task, seed=0)))}
        weights, macs = cost(
            self.space, architecture, Inputs(self.task.input_shape, self.task.classes, self.task.vocabulary)
        )
        return {"parameters": float(weights), "macs": float(macs), "flops": 2.0 * macs}


def check_several(objective: Objective | None, several: bool, title: str) -> None:
    """Raises `SettingsError` when a strategy for one objective is given several."""
    if objective is not None and objective.several and not several:
        raise SettingsError(
            f"objective must be a single one for {title}, got {type(objective).__name__}. Combine the metrics with "
            "nb.objectives.CostReward, or use a strategy for several objectives, such as NSGA2",
            field="objective",
        )
