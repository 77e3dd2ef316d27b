"""Charts of what a search has in mind: honesty of a mixture, values of options, fronts; and their static pictures."""

from __future__ import annotations

import math
import re
from html import unescape
from xml.etree import ElementTree

import pytest

from nbnas.charts import front, heat, honesty, static, values
from nbnas.charts.multiples import suffix
from nbnas.charts.panels import panels
from nbnas.events import EpochFinished, FrontChanged, Record, RunStarted, TrialFinished, ValuesUpdated
from nbnas.front import Front, Member, dominates
from nbnas.objectives import Pareto, objective_to_json
from nbnas.spaces import nas_bench_201
from nbnas.state import RunState, fold
from tests.fixtures.records import HOSTILE

ALL = ("mixed_valid_accuracy", "valid_accuracy", "skip_ratio", "alpha_entropy_ratio", "alpha_hessian_eigenvalue")


def folded(*events):
    return fold(Record(number, 0.0, event) for number, event in enumerate(events, start=1))


def relaxed(epochs=12, names=ALL):
    """A search that collapses: the mixture gets better, what is derived worse."""
    found = []
    for epoch in range(1, epochs + 1):
        share = epoch / epochs
        metrics = {
            "mixed_valid_accuracy": 0.5 + 0.4 * share,
            "valid_accuracy": 0.5 + 0.3 * math.sin(math.pi * share),
            "skip_ratio": round(6 * share) / 6,
            "alpha_entropy_ratio": 1 - 0.7 * share,
            "alpha_hessian_eigenvalue": 0.1 + share**3,
        }
        found.append(EpochFinished(epoch, {name: metrics[name] for name in names} | {"train_loss": 1.0}))
    return folded(*found)


def several(vectors, objective=None):
    """A run that has tried these objectives, one trial each."""
    spec = {} if objective is None else {"objective": objective_to_json(objective)}
    found, kept = [RunStarted(spec, {})], Front()
    for trial, vector in enumerate(vectors, start=1):
        found.append(TrialFinished(trial, f"a{trial}", {}, vector))
        left = kept.offer(Member(trial, f"a{trial}", vector))
        if left is not None:
            found.append(FrontChanged(trial, f"a{trial}", vector, 0.0, left))
    return folded(*found)


# -- honesty -----------------------------------------------------------------------------------------------------------


def test_the_gap_is_that_of_the_last_epoch_and_is_shaded_between_the_two_lines():
    figure = honesty.draw(honesty.data(relaxed()))
    assert figure["layout"]["title"]["text"] == "Honesty: mixture 0.900, derived 0.500, gap +0.400"
    derived, mixed = figure["data"][:2]
    assert (derived["xaxis"], mixed["xaxis"]) == ("x", "x")
    assert mixed["fill"] == "tonexty"
    assert mixed["y"][-1] == pytest.approx(0.9)
    assert derived["line"]["dash"] != mixed["line"]["dash"]
    assert derived["marker"]["symbol"] != mixed["marker"]["symbol"]


def test_each_figure_has_a_plot_of_its_own_and_one_that_was_not_measured_has_none():
    assert [trace["xaxis"] for trace in honesty.draw(honesty.data(relaxed()))["data"]] == ["x", "x", "x2", "x3", "x4"]
    few = honesty.draw(honesty.data(relaxed(names=(*ALL[:2], ALL[3]))))
    assert [trace["xaxis"] for trace in few["data"]] == ["x", "x", "x2"]
    assert few["layout"]["annotations"][1]["text"].startswith("entropy of alpha")


def test_the_panel_appears_with_the_mixture():
    def keys(state):
        return [panel.key for panel in panels(state, differentiable=True)]

    assert "honesty" in keys(relaxed())
    assert "honesty" not in keys(relaxed(names=("valid_accuracy",)))


# -- values ------------------------------------------------------------------------------------------------------------


def test_the_best_option_of_each_decision_has_a_star_and_equals_have_none():
    rows = {"kernel": {"3": 0.5, "5": 0.75}, "width": {"8": 0.25, "16": 0.25}, "act": {"a": 1.0, "b": 0.5, "c": 1.0}}
    shown = values.data(folded(ValuesUpdated("Q", 35, rows)))
    heat_map, texts = values.draw(shown)["data"]
    assert texts["text"] == ["3 0.50", "5 0.75 ★", "8 0.25", "16 0.25", "a 1.00 ★", "b 0.50", "c 1.00 ★"]
    assert heat_map["z"] == [[0.5, 0.75, None], [0.25, 0.25, None], [1.0, 0.5, 1.0]]
    assert (heat_map["zmin"], heat_map["zmax"]) == (0.25, 1.0)
    assert values.draw(shown)["layout"]["title"]["text"].startswith("Q after trial 35")


def test_of_many_options_only_the_best_are_marked():
    rows = {f"decision {n}": {str(option): option / 10 for option in range(7)} for n in range(9)}
    _, texts = values.draw(values.data(folded(ValuesUpdated("Q", 5, rows))))["data"]
    assert texts["text"] == ["★"] * 9
    assert texts["x"] == [6] * 9


def test_equal_values_everywhere_are_drawn_too():
    figure = values.draw(values.data(folded(ValuesUpdated("Q", 5, {"a": {"x": 0.5, "y": 0.5}}))))
    assert figure["data"][0]["zmin"] < 0.5 < figure["data"][0]["zmax"]


def test_texts_on_cells_are_readable():
    """WCAG 2.2, contrast of texts: at least 4.5 : 1."""

    def light(colour):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for step in range(101):
        fill, ink = (light(colour) for colour in heat.cell_colours(step / 100))
        assert (max(fill, ink) + 0.05) / (min(fill, ink) + 0.05) > 4.5


# -- fronts ------------------------------------------------------------------------------------------------------------

PAIRS = [(0.5, -100.0), (0.9, -900.0), (0.7, -300.0), (0.4, -200.0), (0.8, -950.0), (0.95, -2000.0)]


def test_the_front_is_shown_in_the_units_of_its_metrics():
    shown = front.data(several(PAIRS, Pareto()))
    assert shown.axes == (front.Axis("valid_accuracy", False), front.Axis("parameters", True))
    assert [member.trial for member in shown.members] == [1, 2, 3, 6]
    assert len(shown.tried) == 6
    traces = {trace["name"]: trace for trace in front.draw(shown)["data"]}
    assert traces["front"]["y"] == [100.0, 900.0, 300.0, 2000.0]
    assert traces["all trials"]["y"] == [-second for _, second in PAIRS]
    assert traces["front"]["customdata"][0] == "trial 1: a1"
    layout = front.draw(shown)["layout"]
    assert layout["yaxis"]["title"]["text"] == "parameters (lower is better)"
    assert layout["title"]["text"].startswith("Front: 4 trials")


def test_no_trial_stands_beyond_the_stairs_of_the_front():
    """The stairs are the edge of what was reached: their inner corners are reached, and no trial dominates them."""
    shown = front.data(several(PAIRS))
    line = next(trace for trace in front.draw(shown)["data"] if trace["uid"] == "stairs")
    points = list(zip(line["x"], line["y"], strict=True))
    assert points[::2] == sorted(member.objectives for member in shown.members)
    for corner in points[1::2]:
        assert any(dominates(vector, corner) for vector in PAIRS)
    beyond = [(x + 1e-6, y + 1e-6) for x, y in points]
    assert not any(dominates(vector, point) for vector in PAIRS for point in beyond)


def test_three_objectives_are_three_pairs():
    vectors = [(0.5, -3.0, -1.0), (0.6, -2.0, -9.0), (0.4, -1.0, -5.0)]
    shown = front.data(several(vectors, Pareto(minimize=("parameters", "flops"))))
    figure = front.draw(shown)
    assert [note["text"] for note in figure["layout"]["annotations"]] == [
        "parameters ↓", "flops ↓", "flops ↓",
    ]  # fmt: skip
    axes = [figure["layout"][name]["title"]["text"] for name in ("xaxis", "xaxis2", "xaxis3")]
    assert axes == ["valid_accuracy ↑", "valid_accuracy ↑", "parameters ↓"]
    assert {trace["xaxis"] for trace in figure["data"]} == {"x", "x2", "x3"}
    assert sum(trace["showlegend"] for trace in figure["data"]) == 2
    last = [trace for trace in figure["data"] if trace["xaxis"] == "x3" and trace["name"] == "front"]
    assert (last[0]["x"], last[0]["y"]) == ([3.0, 2.0, 1.0], [1.0, 9.0, 5.0])


def test_what_breaks_a_constraint_has_its_own_sign():
    state = folded(FrontChanged(1, "a", (0.5, -1.0), 0.0), FrontChanged(2, "b", (0.6, -2.0), 0.3))
    signs = {trace["name"]: trace for trace in front.draw(front.data(state))["data"]}
    assert signs["front, breaks a constraint"]["x"] == [0.6]
    assert signs["front, breaks a constraint"]["marker"]["symbol"] != signs["front"]["marker"]["symbol"]


def test_a_run_for_several_objectives_shows_its_front_first_and_no_empty_score():
    assert [panel.key for panel in panels(several(PAIRS, Pareto()), differentiable=False)] == ["front"]
    waiting = several([], Pareto())
    assert [panel.key for panel in panels(waiting, differentiable=False)] == ["front"]
    assert front.draw(front.data(waiting))["layout"]["annotations"][0]["text"].endswith("will appear here.")


def test_long_runs_keep_the_latest_trials():
    state = several([(float(trial), -float(trial)) for trial in range(4500)])
    assert len(state.tried) + state.tried_dropped == 4500
    assert 1000 <= len(state.tried) <= 2000
    assert state.tried[-1] == (4500, (4499.0, -4499.0))


# -- all of them -------------------------------------------------------------------------------------------------------

DRAWN = {
    "honesty": (honesty, relaxed()),
    "honesty after one epoch": (honesty, relaxed(epochs=1)),
    "values": (values, folded(ValuesUpdated("Q", 5, {"a": {"x": 0.1, "y": 0.9}, HOSTILE: {HOSTILE: 0.2}}))),
    "front of two": (front, several(PAIRS, Pareto())),
    "front of four": (
        front,
        several([(1.0, 2.0, float(n), -float(n)) for n in range(3)], Pareto(maximize=(HOSTILE, "b", "c"))),
    ),
    "no front": (front, several([])),
}
each = pytest.mark.parametrize("name", DRAWN)


@each
def test_figures_are_valid_and_names_are_text(name):
    import plotly.graph_objects as go

    chart, state = DRAWN[name]
    figure = chart.draw(chart.data(state))
    go.Figure(figure)
    assert "<img" not in repr(figure)
    assert len({trace["uid"] for trace in figure["data"]}) == len(figure["data"])


@each
def test_static_pictures_have_every_plot(name):
    chart, state = DRAWN[name]
    picture = static.svg(state, nas_bench_201(channels=8, cells=1))
    texts = [element.text or "" for element in ElementTree.fromstring(picture).iter() if element.tag.endswith("text")]
    figure = chart.draw(chart.data(state))
    assert not re.search(r"\bnan\b", picture)
    notes = figure["layout"]["annotations"] if "grid" in figure["layout"] else []
    for number, note in enumerate(notes):
        assert f"xaxis{suffix(number)}" in figure["layout"]
        assert unescape(note["text"])[:10] in {text[:10] for text in texts}


def test_an_empty_state_has_none_of_them():
    assert not any(panel.ready(RunState()) for panel in panels(RunState(), differentiable=False))
