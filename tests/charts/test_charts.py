"""What charts show: facts of their data, and figures that plotly takes, for every state of every kind of run."""

from __future__ import annotations

import subprocess
import sys
from html import unescape
from xml.etree import ElementTree

import pytest

from nbnas.charts import distribution, epochs, option_lines, policy, population, score, static
from nbnas.charts.incumbent import incumbent_svg
from nbnas.charts.panels import PANELS, panels
from nbnas.events import DistributionUpdated, Record, RunFailed, TrialFinished
from nbnas.series import MAX_POINTS
from nbnas.spaces import CellNetwork, SearchSpace, chain, nas_bench_201
from nbnas.spaces.operations import declare
from nbnas.state import RunState, fold
from tests.fixtures.records import HOSTILE, KINDS, run


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def space():
    return nas_bench_201(channels=8, cells=1)


def states(kind, space):
    """The empty state, that of a run under way, and that of a finished run."""
    records = list(run(kind, space))
    return [RunState(), fold(records[: len(records) // 2]), fold(records)]


def test_the_best_so_far_rises_to_the_best_score(space):
    state = fold(run("random", space))
    shown = score.data(state)
    assert list(shown.best.y) == sorted(shown.best.y)
    assert shown.top == shown.best.y[-1] == max(shown.scores.y) == state.incumbent.score
    assert len(shown.scores.x) == state.trials_finished == 37
    assert shown.failed == 3


def test_a_run_without_trials_shows_accuracies_left_and_losses_right(space):
    shown = epochs.data(fold(run("darts", space, 30)))
    assert list(shown.left) == ["valid_accuracy"]
    assert list(shown.right) == ["train_loss"]
    assert shown.left["valid_accuracy"].x == tuple(range(1, 31))


def test_the_policy_has_reward_baseline_and_entropy_of_each_trial(space):
    shown = policy.data(fold(run("controller", space)))
    assert len(shown.reward.x) == len(shown.baseline.x) == len(shown.entropy.x) == 37
    figure = policy.draw(shown)
    assert [trace["name"] for trace in figure["data"]] == ["reward", "baseline", "entropy"]
    assert "nats" in figure["layout"]["yaxis2"]["title"]["text"]


def test_quartiles_enclose_the_median_of_the_living(space):
    state = fold(run("evolution", space))
    shown = population.data(state)
    for low, middle, high, best in zip(shown.lower.y, shown.median.y, shown.upper.y, shown.best.y, strict=True):
        assert low <= middle <= high <= best
    living = population.alive(state)
    assert living.trials == tuple(sorted(state.alive))
    assert len(living.trials) == 10
    signs = {trace["name"]: trace for trace in population.draw_alive(living)["data"]}
    assert signs["oldest"]["x"] == [living.trials[0]]
    assert signs["fittest"]["y"] == [max(living.fitness)]
    assert len({trace["marker"]["symbol"] for trace in signs.values()}) == 3


def test_the_heat_map_has_a_row_a_decision_that_sums_to_one(space):
    shown = distribution.data(fold(run("darts", space)))
    assert [name for name, _, _ in shown.rows] == [decision.name for decision in space.decisions]
    assert shown.cells == 30
    for _, options, values in shown.rows:
        assert len(options) == len(values) == 5
        assert sum(values) == pytest.approx(1)


@pytest.mark.parametrize(("rows", "written"), [(12, True), (13, False)])
def test_probabilities_are_written_into_at_most_sixty_cells(rows, written):
    groups = {"cell": {f"edge {n}": dict.fromkeys("abcde", 0.2) for n in range(rows)}}
    state = fold([Record(1, 0.0, DistributionUpdated("alpha", 3, groups))])
    figure = distribution.draw(distribution.data(state))
    texts = [trace for trace in figure["data"] if trace.get("mode") == "text"]
    assert bool(texts) is written
    assert figure["layout"]["title"]["text"] == "Architecture weights, softmax(alpha), after step 3"


def test_rows_may_be_ragged_and_groups_tell_equal_decisions_apart():
    groups = {"normal": {"e": {"a": 0.4, "b": 0.6}}, "reduction": {"e": {"c": 1.0}}}
    shown = distribution.data(fold([Record(1, 0.0, DistributionUpdated("policy", 1, groups))]))
    assert [name for name, _, _ in shown.rows] == ["normal e", "reduction e"]
    heat, texts = distribution.draw(shown)["data"]
    assert heat["z"] == [[0.4, 0.6], [1.0, None]]
    assert texts["text"] == ["a 0.40", "b 0.60", "c 1.00"]


def test_at_most_forty_lines_are_shown_those_that_vary_most():
    still = {f"still {n}": {"a": 0.5, "b": 0.5} for n in range(30)}
    records = []
    for step in range(5):
        moving = {f"moving {n}": {"a": 0.5 + 0.1 * step, "b": 0.5 - 0.1 * step} for n in range(15)}
        records.append(Record(step + 1, 0.0, DistributionUpdated("alpha", step, {"cell": still | moving})))
    shown = option_lines.data(fold(records))
    assert (len(shown.lines), shown.total, shown.decisions) == (40, 90, 45)
    assert sum(line.decision.startswith("moving") for line in shown.lines) == 30
    assert "40 of 90 lines" in option_lines.draw(shown)["layout"]["title"]["text"]


def test_lines_of_options_differ_in_more_than_colour(space):
    figure = option_lines.draw(option_lines.data(fold(run("darts", space))))
    looks = {trace["name"]: (trace["line"]["color"], trace["line"]["dash"]) for trace in figure["data"]}
    assert len({dash for _, dash in looks.values()}) == len(looks) == 5
    signs = [trace for trace in figure["data"] if trace.get("showlegend", True)]
    assert [trace["name"] for trace in signs] == list(looks)
    assert all(trace.get("opacity", 1) == 1 for trace in signs)


def test_small_differences_between_probabilities_are_seen():
    groups = {"cell": {"edge": {"a": 0.19, "b": 0.21, "c": 0.2, "d": 0.2, "e": 0.2}}}
    state = fold([Record(n, 0.0, DistributionUpdated("alpha", n, groups)) for n in (1, 2)])
    assert option_lines.draw(option_lines.data(state))["layout"]["yaxis"]["range"] == [0, 0.3]


def test_a_trace_only_grows_while_its_generation_stays(space):
    """Live charts send only what was appended; a point that is shown must never change."""
    state, before = RunState(), score.data(RunState()).scores
    generations = set()
    for number in range(3 * MAX_POINTS):
        state.apply(Record(number + 1, 0.0, TrialFinished(number, "0", {}, (float(number * 7919 % 1000),))))
        if number % 37:
            continue
        after = score.data(state).scores
        if after.generation == before.generation:
            assert after.x[: len(before.x)] == before.x
            assert after.y[: len(before.y)] == before.y
        generations.add(after.generation)
        before = after
    assert len(generations) >= 2


@pytest.mark.parametrize("place", [0, 1, 2], ids=["empty", "running", "finished"])
def test_every_figure_is_valid_and_every_picture_is_xml(kind, space, place):
    import plotly.graph_objects as go

    state = states(kind, space)[place]
    for panel in PANELS:
        data = panel.data(state)
        figure = panel.draw(data)
        go.Figure(figure)
        assert panel.height(data) >= 200
        uids = [trace["uid"] for trace in figure["data"]]
        assert len(set(uids)) == len(uids)
        if not figure["data"]:
            assert figure["layout"]["annotations"][0]["text"].endswith("will appear here.") or panel.key == "epochs"
    ElementTree.fromstring(static.svg(state, space, "a run"))
    ElementTree.fromstring(incumbent_svg(space, state))


def test_panels_are_those_that_the_run_can_fill(space):
    def keys(kind):
        return [panel.key for panel in panels(fold(run(kind, space)), differentiable=kind == "darts")]

    assert keys("random") == ["score"]
    assert keys("evolution") == ["score", "population", "alive", "heat", "lines"]
    assert keys("controller") == ["score", "policy", "heat", "lines"]
    assert keys("darts") == ["epochs", "heat", "lines"]


def test_conditional_spaces_are_drawn_too():
    space = chain()
    ElementTree.fromstring(static.svg(fold(run("controller", space)), space))


def test_the_incumbent_of_another_space_does_not_break_the_drawing(space):
    state = fold(run("random", chain()))
    assert "another one" in incumbent_svg(space, state)


def test_hostile_names_are_text_in_every_output():
    declare(HOSTILE)
    space = SearchSpace(HOSTILE, CellNetwork(operations=("none", HOSTILE)))
    state = fold(run("darts", space))
    state.apply(Record(10**6, 10.0**6, RunFailed(HOSTILE)))
    picture = static.svg(state, space, HOSTILE)
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(picture).iter()}
    assert "<img" not in picture
    assert "img" not in tags
    assert HOSTILE in unescape(picture)
    for panel in PANELS:
        assert "<img" not in repr(panel.draw(panel.data(state)))


def test_charts_import_neither_torch_nor_jupyter():
    code = (
        "import sys, nbnas.charts.static, nbnas.charts.panels\n"
        "print([name for name in ('torch', 'IPython', 'ipywidgets', 'plotly') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
