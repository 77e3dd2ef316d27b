"""The schedule of a strategy on a supernet."""

from __future__ import annotations

from nbnas.charts import schedule
from nbnas.charts.panels import panels
from nbnas.events import EpochFinished, Record, SpaceChanged
from nbnas.state import RunState, fold


def told(changes=()):
    events = []
    for epoch in range(1, 7):
        metrics = {"train_loss": 1.0, "mixed_valid_accuracy": 0.5, "skip_dropout": 0.1 * epoch, "<b>own": 2.0}
        events.append(EpochFinished(epoch, metrics))
        if epoch in changes:
            events.append(SpaceChanged(epoch, "stage", {"edge": ("skip",)}))
    return fold(Record(number, 0.0, event) for number, event in enumerate(events, start=1))


def test_it_shows_the_metrics_that_no_other_chart_shows():
    shown = schedule.data(told())
    assert list(shown.series) == ["skip_dropout", "<b>own"]
    assert list(shown.series["skip_dropout"].x) == [1, 2, 3, 4, 5, 6]
    assert "schedule" in [panel.key for panel in panels(told(), differentiable=True)]
    assert "schedule" not in [panel.key for panel in panels(RunState(), differentiable=True)]


def test_options_that_are_dropped_are_marked_in_each_plot_and_told():
    figure = schedule.draw(schedule.data(told(changes=(2, 4))))
    lines = figure["layout"]["shapes"]
    assert [line["x0"] for line in lines] == [2.5, 4.5, 2.5, 4.5]
    assert {line["xref"] for line in lines} == {"x", "x2"}
    assert "options dropped after epoch 2, 4" in figure["layout"]["title"]["text"]


def test_names_are_shown_as_they_are():
    figure = schedule.draw(schedule.data(told()))
    assert not any("<b>" in note["text"] for note in figure["layout"]["annotations"])


def test_nothing_yet():
    assert "will appear" in str(schedule.draw(schedule.data(RunState())))
