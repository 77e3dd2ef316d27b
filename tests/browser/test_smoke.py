"""The harness itself: JupyterLab starts, runs cells, shows widgets, and failures are seen."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenNotebook
from tests.browser.lab import CellError

SLIDER = """
import ipywidgets
slider = ipywidgets.IntSlider(value=3, max=9, description='width')
answer = ipywidgets.Label()
slider.observe(lambda change: setattr(answer, 'value', f'width is {change.new}'), 'value')
ipywidgets.VBox([slider, answer])
""".strip()


def test_a_widget_shows_and_answers(open_notebook: OpenNotebook):
    notebook = open_notebook([SLIDER, "print(slider.value)"])
    notebook.run_all()
    assert notebook.text(1) == "3\n"

    handle = notebook.cell(0).get_by_role("slider")
    expect(handle).to_be_visible()
    handle.press("ArrowRight")
    # The kernel reads clicks beside cells, so that only its answer tells that it has read this one.
    expect(notebook.cell(0).get_by_text("width is 4")).to_be_visible()
    notebook.run_cell(1)
    assert notebook.text(1) == "4\n"

    notebook.screenshot("smoke")
    notebook.assert_clean()


def test_reload_restart_and_theme(open_notebook: OpenNotebook):
    notebook = open_notebook(["x = 1", "print('x' in globals())"])
    notebook.run_all()
    assert notebook.text(1) == "True\n"
    notebook.save()
    notebook.reload()
    assert notebook.text(1) == "True\n"
    notebook.restart_kernel()
    notebook.run_cell(1)
    assert notebook.text(1) == "False\n"

    background = "getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor"
    light = notebook.page.evaluate(background)
    notebook.set_theme("dark")
    assert notebook.page.evaluate(background) != light
    notebook.screenshot("smoke-dark")
    notebook.assert_clean()


def test_a_failing_cell_is_seen(open_notebook: OpenNotebook):
    notebook = open_notebook(["1 / 0", "print('not reached')"])
    with pytest.raises(CellError, match="cell 0: ZeroDivisionError"):
        notebook.run_all()
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        notebook.assert_clean()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("console.error('from the console')", "console: from the console"),
        ("setTimeout(() => { throw new Error('uncaught') })", "page: .*uncaught"),
        ("fetch('http://elsewhere.invalid/x').catch(() => {})", "request to another machine: .*elsewhere"),
    ],
    ids=["console", "script", "network"],
)
def test_a_failing_page_is_seen(open_notebook: OpenNotebook, script: str, message: str):
    notebook = open_notebook(["1"])
    notebook.assert_clean()
    notebook.page.evaluate(f"() => {{ {script}; }}")
    notebook.page.wait_for_timeout(300)
    with pytest.raises(AssertionError, match=re.compile(message)):
        notebook.assert_clean()
