"""The main flow, by mouse, in a real JupyterLab: the tour, then the workbench with Darts on digits."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser.conftest import OpenNotebook
from tests.browser.lab import Notebook

TOUR = Path(__file__).parents[2] / "notebooks" / "00_workbench.ipynb"
HOSTILE = "<img src=x onerror=window.hacked=1>"


def epochs(view: Locator) -> int:
    """How many epochs the progress line tells."""
    found = re.search(r"(\d+)\s+(?:of \d+ )?epochs?", view.inner_text())
    return int(found.group(1)) if found else 0


def points(view: Locator) -> int:
    """How many points all charts of a view hold in the browser."""
    count = """view => [...view.querySelectorAll('.js-plotly-plot')].reduce((sum, plot) =>
        sum + plot.data.reduce((inner, trace) => inner + (trace.x ? trace.x.length : 0), 0), 0)"""
    return int(view.evaluate(count))


def until(condition: Callable[[], bool], what: str, *, seconds: float = 90) -> None:
    """Waits for a condition; fails, naming it, when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for: {what}"
        time.sleep(0.2)


def button(view: Locator, name: str) -> Locator:
    """A button by its text, before which stands an icon."""
    return view.get_by_role("button", name=re.compile(rf"\W*{name}$"))


def press(view: Locator, name: str) -> None:
    button(view, name).click()


def start_darts(notebook: Notebook, workbench: Locator, *, name: str = "") -> Locator:
    """Chooses Darts on digits by mouse, starts it, and returns the view of the run."""
    workbench.get_by_label("Start from").select_option(label="DARTS: gradients on a supernet, digits")
    expect(workbench.get_by_text("it takes no evaluator")).to_be_visible(timeout=30_000)
    workbench.get_by_label("epochs", exact=True).last.fill("60")
    if name:
        workbench.get_by_label("name", exact=True).fill(name)
        workbench.get_by_label("name", exact=True).press("Tab")
    press(workbench, "Start")
    view = workbench.locator(".nbnas-run").first
    expect(view.get_by_text("running")).to_be_visible(timeout=60_000)
    return view


def test_the_tour_then_darts_by_mouse(open_notebook: OpenNotebook):
    notebook = open_notebook(TOUR, viewport=(1400, 1900))
    notebook.run_all(timeout=200)
    workbench = notebook.page.locator(".nbnas-workbench")
    workbench.scroll_into_view_if_needed()
    notebook.screenshot("tour-workbench")

    view = start_darts(notebook, workbench, name=HOSTILE)
    until(lambda: epochs(view) >= 2, "two epochs")
    seen = points(view)
    assert seen > 0, "the charts hold data"
    until(lambda: points(view) > seen, "the charts' data grow")
    notebook.screenshot("workbench-running")

    press(view, "Pause")
    expect(view.get_by_text("paused")).to_be_visible(timeout=30_000)
    held = epochs(view)
    notebook.page.wait_for_timeout(2000)
    assert epochs(view) == held, "Pause holds"

    press(view, "Step")
    until(lambda: epochs(view) == held + 1, "Step adds one")
    expect(view.get_by_text("paused")).to_be_visible(timeout=30_000)
    notebook.page.wait_for_timeout(1500)
    assert epochs(view) == held + 1, "Step adds one and no more"

    press(view, "Resume")
    until(lambda: epochs(view) >= held + 3, "Resume goes on")
    press(view, "Stop")
    expect(view.get_by_text("stopped")).to_be_visible(timeout=30_000)
    notebook.screenshot("workbench-stopped")

    assert HOSTILE in workbench.inner_text(), "a hostile name is shown as text"
    assert notebook.page.evaluate("window.hacked === undefined"), "and nothing of it is run"
    notebook.assert_clean()


def test_a_wrong_value_is_marked_at_its_field_before_anything_starts(open_notebook: OpenNotebook):
    notebook = open_notebook(["import nbnas as nb\nnb.Workbench()", "print(len(nb.runs()))"])
    notebook.run_all()
    before = notebook.text(1)
    workbench = notebook.page.locator(".nbnas-workbench")
    field = workbench.get_by_label("tournament", exact=True)
    field.fill("250")
    field.press("Tab")
    expect(workbench.get_by_role("alert").filter(has_text="tournament must be in 1..population")).to_be_visible()
    expect(button(workbench, "Start")).to_be_disabled()
    notebook.screenshot("workbench-wrong-value")
    field.fill("3")
    field.press("Tab")
    expect(button(workbench, "Start")).to_be_enabled()
    notebook.run_cell(1)
    assert notebook.text(1) == before, "nothing has been started"
    notebook.assert_clean()


def test_reload_brings_the_view_back_and_a_restarted_kernel_resumes(open_notebook: OpenNotebook):
    search = """import nbnas as nb
run = nb.search(nb.spaces.nas_bench_201(8, 1), nb.tasks.digits(), nb.strategies.Darts(alpha_learning_rate=0.01),
                budget=nb.Budget(epochs=25), name="survivor")
run"""
    reattach = """import nbnas as nb
run = nb.open(nb.runs()[0].run_id)
print(run.status)
run.resume()
run"""
    ending = "run.wait(); print(run.status, run.state.epochs_trained)"
    notebook = open_notebook([search, "sum(range(10))", reattach, ending])
    notebook.run_cell(0)
    view = notebook.page.locator(".nbnas-run").first
    until(lambda: epochs(view) >= 1, "an epoch")
    notebook.run_cell(1)
    assert notebook.text(1) == "45", "the kernel is free meanwhile"

    notebook.save()
    notebook.reload()
    view = notebook.page.locator(".nbnas-run").first
    seen = epochs(view)
    until(lambda: epochs(view) > seen and points(view) > 0, "the view lives on after a reload")

    notebook.restart_kernel()
    notebook.run_cell(2)
    assert notebook.text(2).startswith("interrupted\n")
    notebook.run_cell(3, timeout=120)
    assert notebook.text(3) == "finished 25\n"
    notebook.screenshot("workbench-reattached")
