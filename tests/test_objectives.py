"""What a run maximises, and the front of those that nothing is better than."""

import numpy as np
import pytest

import nbnas as nb
from nbnas.errors import RunError, SettingsError, TrialError
from nbnas.front import Front, Member, dominates
from nbnas.objectives import CostReward, Pareto, Score, objective_from_json, objective_to_json
from nbnas.processes import Budget
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.spec import RunSpec
from nbnas.strategies import NSGA2, RandomSearch, RegularizedEvolution
from nbnas.testing import tiny_spaces, tiny_task

METRICS = {"valid_accuracy": 0.8, "latency_ms": 120.0, "parameters": 30_000.0}


def test_the_reward_of_mnasnet():
    """Tan et al. 2019, Eq. 2 and the reason for -0.07: twice the latency is worth 5 % of accuracy."""
    soft = CostReward(target=80.0, cost="latency_ms")
    assert soft.values(METRICS) == ((0.8 * 1.5**-0.07,), 0.0)
    at_target = soft.values({**METRICS, "latency_ms": 80.0})[0][0]
    twice = soft.values({"valid_accuracy": 0.8 * 1.05, "latency_ms": 160.0})[0][0]
    assert at_target == 0.8
    assert twice == pytest.approx(at_target, rel=1e-3)
    hard = CostReward(target=80.0, cost="latency_ms", alpha=0.0, beta=-1.0)
    assert hard.values({**METRICS, "latency_ms": 40.0})[0] == (0.8,)
    assert hard.values({**METRICS, "latency_ms": 160.0})[0] == (0.4,)


def test_a_constraint_is_a_relative_violation_and_costs_a_penalty():
    one = Score(at_most=("parameters <= 20000",))
    assert one.values(METRICS) == ((pytest.approx(0.8 - 0.5),), 0.5)
    assert one.values({**METRICS, "parameters": 20_000.0}) == ((0.8,), 0.0)
    assert Score("latency_ms", minimize=True).values(METRICS) == ((-120.0,), 0.0)


def test_several_metrics_point_upwards():
    both = Pareto(("valid_accuracy",), ("parameters", "latency_ms"), ("latency_ms<=100",))
    assert both.values(METRICS) == ((0.8, -30_000.0, -120.0), pytest.approx(0.2))
    assert both.metrics() == ("valid_accuracy", "parameters", "latency_ms", "latency_ms")


@pytest.mark.parametrize("objective", [Score(), CostReward(target=3.0), Pareto(at_most=("parameters <= 5",))])
def test_objectives_survive_json(objective):
    assert objective_from_json(objective_to_json(objective), "/objective") == objective


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Score(at_most=("parameters < 3",)), "constraint must be like parameters <= 20000"),
        (lambda: Score(at_most=("parameters <= nan",)), "constraint must be like"),
        (lambda: CostReward(target=0.0), "target must be > 0"),
        (lambda: Pareto((), ()), "at least one metric"),
        (lambda: Pareto(("a",), ("a",)), "each once"),
        (lambda: objective_from_json({"kind": "os.system", "settings": {}}, "/objective"), "/objective/kind: 'os.sys"),
    ],
)
def test_bad_objectives_are_refused(make, said):
    with pytest.raises(SettingsError, match=said):
        make()


def test_a_missing_metric_is_a_failed_trial():
    with pytest.raises(TrialError, match=r"must read a metric of the trial .valid_accuracy, .*got 'energy_mj'"):
        Score("energy_mj").values(METRICS)


def test_domination():
    assert dominates((1, 2), (1, 1))
    assert not dominates((1, 1), (1, 1))
    assert not dominates((2, 0), (1, 1))
    # Deb et al. 2002, Def. 1: what keeps the constraints is better, whatever its objectives.
    assert dominates((0, 0), (9, 9), (0.0, 0.1))
    assert dominates((0, 0), (9, 9), (0.1, 0.2))
    assert not dominates((9, 9), (0, 0), (0.2, 0.1))


def test_a_front_is_what_no_other_dominates():
    rng = np.random.default_rng(0)
    points = [tuple(map(float, row)) for row in rng.integers(0, 12, size=(200, 2))]
    front = Front()
    for trial, point in enumerate(points):
        front.offer(Member(trial, str(trial), point))
    found = {member.objectives for member in front.members}
    assert found == {point for point in points if not any(dominates(other, point) for other in points)}
    assert len(found) == len(front.members)  # of equal ones the first
    assert Front.from_json(front.to_json()).members == front.members


def searched(strategy, objective, trials=12, **more):
    space, task = tiny_spaces()[0], tiny_task()
    evaluator = nb.evaluators.Training(epochs=1, batch=16)
    return nb.search(
        space, task, strategy, evaluator, budget=Budget(trials=trials), objective=objective, background=False, **more
    )


def test_a_run_with_several_objectives_has_a_front_and_no_incumbent():
    run = searched(NSGA2(population=4), Pareto())
    trials = {event.trial: event.objectives for event in run.events if type(event).__name__ == "TrialFinished"}
    assert len(trials) == 12
    best = {point for point in trials.values() if not any(dominates(other, point) for other in trials.values())}
    assert {member.objectives for member in run.front} == best
    assert all(run.state.front[member.trial] == member for member in run.front)
    with pytest.raises(RunError, match=r"no single best\. Use run\.front"):
        _ = run.incumbent
    again = searched(NSGA2(population=4), Pareto())
    assert [e.semantic_json() for e in again.events if e.semantic] == [
        e.semantic_json() for e in run.events if e.semantic
    ]


def test_costs_are_counted_where_the_objective_asks():
    run = searched(RandomSearch(), CostReward(target=1e6, cost="flops"), trials=3)
    (first, *_) = [event for event in run.events if type(event).__name__ == "TrialFinished"]
    network = nb.build(run.space, run.space.architecture(first.architecture), run.spec.task.bind())
    from nbnas.networks import flops

    assert first.metrics["flops"] == flops(network, run.spec.task.load().input_shape)
    assert first.objectives[0] == first.metrics["valid_accuracy"] * (first.metrics["flops"] / 1e6) ** -0.07
    assert run.incumbent.score == max(
        event.objectives[0] for event in run.events if type(event).__name__ == "TrialFinished"
    )


def test_the_incumbent_keeps_the_constraint_where_any_does():
    space = SearchSpace("small", CellNetwork(nodes=3, operations=("none", "skip", "conv_1x1")))
    every = list(space.enumerate())
    accuracy = np.linspace(0.1, 0.9, len(every))
    table = {"architecture": [str(one) for one in every], "valid_accuracy": accuracy, "latency_ms": 100 * accuracy}
    objective = Score(at_most=("latency_ms <= 50",), penalty=0.0)
    run = nb.search(
        space, None, RandomSearch(), nb.evaluators.Tabular(table), budget=Budget(trials=20), objective=objective,
        background=False,
    )  # fmt: skip
    scores = [event.objectives[0] for event in run.events if type(event).__name__ == "TrialFinished"]
    assert max(scores) > 0.5
    assert run.incumbent.score == max(score for score in scores if score <= 0.5)


def test_what_does_not_fit_is_refused_before_it_starts():
    space, task = tiny_spaces()[0], tiny_task()
    training = nb.evaluators.Training(epochs=1)
    with pytest.raises(SettingsError, match="objective must be a single one for RegularizedEvolution, got Pareto"):
        RunSpec(space, task, RegularizedEvolution(), training, Budget(trials=2), objective=Pareto())
    with pytest.raises(SettingsError, match="objective must be left out for Darts"):
        RunSpec(space, task, nb.strategies.Darts(), None, Budget(epochs=2), objective=Score())


def test_the_specification_survives_json():
    spec = RunSpec(
        tiny_spaces()[0],
        tiny_task(),
        NSGA2(population=4),
        nb.evaluators.Training(),
        Budget(trials=2),
        objective=Pareto(),
    )
    again = RunSpec.from_json(spec.to_json(), task=spec.task)
    assert again == spec
    plain = RunSpec(spec.space, spec.task, RandomSearch(), spec.evaluator, Budget(trials=2))
    assert "objective" not in plain.to_json()
