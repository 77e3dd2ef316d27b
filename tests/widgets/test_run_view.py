"""The dashboard of a run, without a browser."""

from __future__ import annotations

import threading

import ipywidgets
import pytest

from nbnas.errors import RunError
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.spaces.operations import declare
from nbnas.widgets import live_output, run_texts
from nbnas.widgets.flusher import Flusher
from nbnas.widgets.live_output import LiveOutput
from nbnas.widgets.run_view import RunView
from tests.fixtures.fake_run import FakeRun
from tests.fixtures.records import HOSTILE, KINDS


def texts(widget):
    """All HTML and SVG below a widget."""
    own = widget.value if isinstance(widget, ipywidgets.HTML) else getattr(widget, "svg", "")
    return own + "".join(texts(child) for child in getattr(widget, "children", ()))


def enabled(view):
    return [name for name, button in view.buttons.items() if not button.disabled]


@pytest.fixture
def published(monkeypatch):
    """What is displayed: (bundle, display id, update)."""
    found = []

    def publish(bundle, display_id, *, update=False):
        found.append((bundle, display_id, update))
        return True

    monkeypatch.setattr(live_output, "_publish", publish)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_follows_a_run_from_start_to_end(kind):
    run = FakeRun(kind)
    view = RunView(run, flusher=Flusher())
    assert "starting" in texts(view)
    assert view.flush() > 0
    run.advance(60)
    view.flush()
    assert "running" in texts(view)
    run.advance()
    assert view.flush() is None
    shown = texts(view)
    assert "finished" in shown
    assert run.id in shown
    assert run.read(lambda state: state.incumbent).architecture in shown
    assert len(view._grid.children) == {"random": 1, "evolution": 5, "controller": 4, "darts": 3}[kind]


def test_buttons_call_the_run_and_are_enabled_where_they_make_sense():
    run = FakeRun().advance(20)
    view = RunView(run, flusher=Flusher())
    assert enabled(view) == ["pause", "stop"]
    view.buttons["pause"].click()
    view.flush()
    assert enabled(view) == ["step", "resume", "stop"]
    view.buttons["resume"].click()
    view.flush()
    assert enabled(view) == ["pause", "stop"]
    view.buttons["stop"].click()
    view.flush()
    assert enabled(view) == ["step", "resume"]
    assert run.called == ["pause", "resume", "stop"]
    run.advance()
    view.flush()
    assert enabled(view) == []


def test_a_click_is_answered_at_once_although_the_run_takes_its_time():
    run = FakeRun().advance(20)
    run.stop = lambda: run.called.append("stop")  # will hold later
    view = RunView(run, flusher=Flusher())
    view.buttons["stop"].click()
    view.flush()
    assert "Stop heard" in texts(view)
    assert enabled(view) == []
    FakeRun.stop(run)
    view.flush()
    assert "Stop heard" not in texts(view)
    assert "stopped" in texts(view)


def test_a_step_is_heard_until_it_is_done():
    run = FakeRun().advance(20)
    run.pause()
    view = RunView(run, flusher=Flusher())
    run.step = lambda: None
    view.buttons["step"].click()
    view.flush()
    assert "Step heard" in texts(view)
    run.advance(5)
    view.flush()
    assert "Step heard" not in texts(view)


def test_what_the_run_refuses_is_shown():
    run = FakeRun().advance(20)

    def refuse():
        raise RunError(f"run cannot pause {HOSTILE}")

    run.pause = refuse
    view = RunView(run, flusher=Flusher())
    view.buttons["pause"].click()
    view.flush()
    assert "run cannot pause &lt;img" in texts(view)
    assert enabled(view) == ["pause", "stop"]


def test_only_the_flusher_writes(monkeypatch, published):
    """After the display, clicks and the run's own thread write nothing."""
    run = FakeRun(steps=12).play(0.005)
    flusher = Flusher()
    view = RunView(run, flusher=flusher)
    writers = set()
    for widget in (view._badge, view._facts, view._note, view._grid, *view.buttons.values()):
        widget.observe(lambda change: writers.add(threading.current_thread().name))
    view._ipython_display_()
    view.buttons["pause"].click()
    view.buttons["resume"].click()
    flusher.join(20)
    assert not flusher.alive
    assert run.status == "finished"
    assert writers == {"nbnas-flusher"}


def test_a_finished_run_replaces_its_views_by_a_picture(published):
    run = FakeRun().advance(20)
    view = RunView(run, flusher=Flusher())
    view.output.show()
    view.output.show()
    assert [sorted(bundle) for bundle, _, _ in published] == [
        ["application/vnd.jupyter.widget-view+json", "text/plain"],
        ["image/svg+xml", "text/plain"],
    ] * 2
    places = [display_id for _, display_id, _ in published]
    assert len(set(places)) == 4
    published.clear()
    run.advance()
    view.flush()
    assert [display_id for _, display_id, _ in published] == places
    for bundle, _, update in (published[0], published[2]):
        assert update
        assert bundle["image/svg+xml"].startswith("<svg")
        assert "finished" in bundle["text/plain"]


def test_a_stopped_run_keeps_its_view_and_renews_its_picture(published):
    run = FakeRun().advance(20)
    view = RunView(run, flusher=Flusher())
    view.output.show()
    published.clear()
    run.stop()
    assert view.flush() > 0
    (bundle, _, update) = published[0]
    assert len(published) == 1
    assert update
    assert "stopped" in bundle["text/plain"]
    run.resume()
    run._stop = True
    view.flush()
    assert enabled(view) == ["pause", "stop"]


def test_a_view_within_another_widget_never_replaces_it(published):
    outer = LiveOutput(RunView(FakeRun(), flusher=Flusher()), "outer")
    outer.show()
    run = FakeRun().advance(20)
    view = RunView(run, output=outer, flusher=Flusher())
    published.clear()
    run.advance()
    view.flush()
    assert [sorted(bundle) for bundle, _, _ in published] == [["image/svg+xml", "text/plain"]]


def test_a_failed_run_says_why():
    run = FakeRun().advance(20)
    run.fail(f"no memory left {HOSTILE}")
    view = RunView(run, flusher=Flusher())
    assert "The run failed: no memory left &lt;img" in texts(view)
    assert enabled(view) == ["step", "resume"]


def test_hostile_texts_are_escaped_everywhere():
    declare(HOSTILE)
    space = SearchSpace(HOSTILE, CellNetwork(operations=("none", HOSTILE)))
    for kind in KINDS:
        run = FakeRun(kind, HOSTILE, space=space).advance()
        view = RunView(run, flusher=Flusher())
        shown = texts(view)
        assert "<img" not in shown
        assert "&lt;img" in shown
        assert all("<img" not in bundle for bundle in view.output._picture.values() if bundle.startswith("<svg"))


def test_a_page_that_is_not_a_notebook_gets_no_display():
    LiveOutput(RunView(FakeRun(), flusher=Flusher()), "a run").show()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min 00 s"), (7500, "2 h 05 min")],
)
def test_durations(seconds, words):
    assert run_texts.duration(seconds) == words
