"""What a run maximises: one value or several, made of the metrics of a trial. Strategies see only the result."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import override

from nbnas.errors import SettingsError, TrialError
from nbnas.settings import Settings, setting

__all__ = [
    "OBJECTIVES",
    "CostReward",
    "Objective",
    "Pareto",
    "Score",
    "objective_from_json",
    "objective_to_json",
]

OBJECTIVES: dict[str, type[Objective]] = {}
"""All objectives by class name."""


class Objective(Settings):
    """Base of all objectives; a subclass with a `title` joins `OBJECTIVES` under its class name."""

    title: ClassVar[str] = ""
    several: ClassVar[bool] = False
    """Whether it may give more than one value."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if cls.title:
            OBJECTIVES[cls.__name__] = cls

    @abstractmethod
    def metrics(self) -> tuple[str, ...]:
        """The metrics that it reads."""

    @abstractmethod
    def values(self, metrics: Mapping[str, float]) -> tuple[tuple[float, ...], float]:
        """The objectives, each higher is better, and by how much constraints are broken, at least 0.

        Raises:
            TrialError: a metric is missing.
        """


@dataclass(frozen=True)
class Score(Objective):
    """One metric, as high as possible or as low as possible, perhaps under constraints."""

    title: ClassVar[str] = "One metric"

    metric: str = setting("valid_accuracy", "The metric.")
    minimize: bool = setting(False, "Whether lower is better.")
    at_most: tuple[str, ...] = setting((), "Constraints, such as parameters <= 20000.")
    penalty: float = setting(1.0, "Taken off for each time that a constraint is overrun by its limit.", minimum=0)

    @override
    def check(self) -> None:
        for place, text in enumerate(self.at_most):
            _constraint(text, f"at_most/{place}")

    @override
    def metrics(self) -> tuple[str, ...]:
        return (self.metric, *(_constraint(text, "at_most")[0] for text in self.at_most))

    @override
    def values(self, metrics: Mapping[str, float]) -> tuple[tuple[float, ...], float]:
        value = _of(metrics, self.metric)
        violation = _violation(metrics, self.at_most)
        return ((-value if self.minimize else value) - self.penalty * violation,), violation


@dataclass(frozen=True)
class CostReward(Objective):
    """Accuracy times (cost / target)^w.

    Tan et al., MnasNet: Platform-Aware Neural Architecture Search for Mobile, CVPR 2019, arXiv:1807.11626, Eqs. 2, 3:
    w = alpha where the cost is at most the target, else beta. -0.07 for both is the soft constraint, 0 and -1 the hard.
    """

    title: ClassVar[str] = "Accuracy under a cost (MnasNet)"

    target: float = setting(help="The cost that one wants, in the unit of the cost.", above=0)
    metric: str = setting("valid_accuracy", "What is wanted, at least 0.")
    cost: str = setting("parameters", "The cost, above 0: parameters, flops, latency_ms, …")
    alpha: float = setting(-0.07, "Exponent up to the target.", minimum=-10, maximum=0)
    beta: float = setting(-0.07, "Exponent above the target.", minimum=-10, maximum=0)

    @override
    def metrics(self) -> tuple[str, ...]:
        return self.metric, self.cost

    @override
    def values(self, metrics: Mapping[str, float]) -> tuple[tuple[float, ...], float]:
        cost = _of(metrics, self.cost)
        if cost <= 0:
            raise TrialError(f"{self.cost} must be above 0 in a reward, got {cost:g}", cause="missing")
        exponent = self.alpha if cost <= self.target else self.beta
        return (_of(metrics, self.metric) * (cost / self.target) ** exponent,), 0.0


@dataclass(frozen=True)
class Pareto(Objective):
    """Several metrics at once, none of them traded for another, perhaps under constraints."""

    title: ClassVar[str] = "Several metrics (Pareto)"
    several: ClassVar[bool] = True

    maximize: tuple[str, ...] = setting(("valid_accuracy",), "Metrics as high as possible.")
    minimize: tuple[str, ...] = setting(("parameters",), "Metrics as low as possible.")
    at_most: tuple[str, ...] = setting((), "Constraints, such as parameters <= 20000.")

    @override
    def check(self) -> None:
        names = self.maximize + self.minimize
        if not names or len(set(names)) < len(names):
            self.fail("maximize", "with minimize at least one metric, each once")
        for place, text in enumerate(self.at_most):
            _constraint(text, f"at_most/{place}")

    @override
    def metrics(self) -> tuple[str, ...]:
        return (*self.maximize, *self.minimize, *(_constraint(text, "at_most")[0] for text in self.at_most))

    @override
    def values(self, metrics: Mapping[str, float]) -> tuple[tuple[float, ...], float]:
        high = [_of(metrics, name) for name in self.maximize]
        low = [-_of(metrics, name) for name in self.minimize]
        return (*high, *low), _violation(metrics, self.at_most)


def objective_to_json(objective: Objective) -> dict[str, Any]:
    """`{"kind", "settings"}`."""
    return {"kind": type(objective).__name__, "settings": objective.to_json()}


def objective_from_json(value: Any, where: str) -> Objective:
    """Reads what `objective_to_json` wrote; only registered kinds exist."""
    if not isinstance(value, dict) or set(value) != {"kind", "settings"}:
        raise SettingsError(f"{where} must be an object with kind and settings, got {value!r:.80}")
    if not isinstance(value["kind"], str) or value["kind"] not in OBJECTIVES:
        raise SettingsError(
            f"{where}/kind: {value['kind']!r:.80} is not a known objective; known: {', '.join(OBJECTIVES)}"
        )
    return OBJECTIVES[value["kind"]].from_json(value["settings"], f"{where}/settings")


def _of(metrics: Mapping[str, float], name: str) -> float:
    if name not in metrics:
        raise TrialError(
            f"objective must read a metric of the trial ({', '.join(metrics) or 'none'}), got {name!r:.80}",
            cause="missing",
        )
    return metrics[name]


def _constraint(text: str, field: str) -> tuple[str, float]:
    """`metric <= number` as a pair."""
    name, sign, number = text.partition("<=")
    try:
        limit = float(number)
    except ValueError:
        limit = float("nan")
    if not sign or not name.strip() or not abs(limit) < float("inf"):
        raise SettingsError(f"constraint must be like parameters <= 20000, got {text!r:.80}; in {field}.", field=field)
    return name.strip(), limit


def _violation(metrics: Mapping[str, float], constraints: Sequence[str]) -> float:
    """The sum over constraints of by how much each is broken, relative to its limit."""
    total = 0.0
    for text in constraints:
        name, limit = _constraint(text, "at_most")
        total += max(0.0, _of(metrics, name) - limit) / max(abs(limit), 1.0)
    return total
