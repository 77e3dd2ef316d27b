"""The space editor in a real JupyterLab: a cell by mouse, its count, a search of it; JSON, undo, wrong values, keys."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Locator, expect

from tests.browser.conftest import OpenNotebook
from tests.browser.test_workbench import button, press

SEARCH = """run = nb.search(editor.space, nb.tasks.digits(), nb.strategies.RandomSearch(),
                nb.evaluators.Training(epochs=1), budget=nb.Budget(trials=3), background=False)
print(editor.space.size, editor.space.component.operations, run.status, run.incumbent is not None)"""


def count(editor: Locator, number: str) -> None:
    """Waits until the editor counts so many architectures."""
    expect(editor.locator(".nbnas-tile").first).to_have_text(re.compile(rf"^{re.escape(number)}\s*architectures"))


def test_a_cell_of_three_nodes_and_four_operations_by_mouse(open_notebook: OpenNotebook):
    notebook = open_notebook(["import nbnas as nb\neditor = nb.edit()\neditor", SEARCH], viewport=(1280, 1300))
    notebook.run_cell(0)
    editor = notebook.page.locator(".nbnas-editor")
    start = editor.get_by_label("Start from")
    start.select_option(label="nas bench 201: 15,625")
    count(editor, "15,625")

    editor.get_by_label("nodes", exact=True).fill("3")
    count(editor, "125")
    editor.get_by_label("conv_1x1", exact=True).uncheck()
    count(editor, "64")
    tile = editor.locator(".nbnas-tile").filter(has_text="parameters")
    expect(tile).to_have_text(re.compile(r"\d"), timeout=60_000)
    notebook.screenshot("editor-64")
    expect(editor.locator(".nbnas-code")).to_contain_text("nodes=3")

    press(editor, "Sample")
    expect(editor.locator(".nbnas-space-view .nbnas-heading")).to_contain_text("A sample")
    press(editor, "Neighbours")
    expect(editor.get_by_label("neighbours").locator("option")).to_have_count(9)
    notebook.screenshot("editor-neighbours")

    press(editor, "Undo")
    count(editor, "125")
    press(editor, "Redo")
    count(editor, "64")
    notebook.run_cell(1, timeout=120)
    assert notebook.text(1).splitlines()[-1] == ("64 ('none', 'skip', 'conv_3x3', 'avg_pool_3x3') finished True"), (
        "what is on the page is what was searched"
    )
    notebook.assert_clean()


def test_json_wrong_values_and_the_dark_theme(open_notebook: OpenNotebook):
    notebook = open_notebook(
        ["import nbnas as nb\neditor = nb.edit()\neditor", "print(editor.space.size, editor.valid)"],
        viewport=(1600, 1000),
    )
    notebook.run_cell(0)
    editor = notebook.page.locator(".nbnas-editor")
    field = editor.get_by_label("channels", exact=True)
    field.fill("0")
    expect(editor.get_by_role("alert").filter(has_text="channels must be >= 1")).to_be_visible()
    count(editor, "15,625")
    notebook.screenshot("editor-wrong-value")
    field.fill("8")
    expect(editor.get_by_role("alert")).to_have_count(0)

    parts = [{"kind": "stem", "channels": {"choice": [4, 8]}}, {"kind": "head"}]
    network = {"kind": "network", "parts": parts}
    space = {"schema": 1, "name": "<img src=x onerror=window.hacked=1>", "dims": 2, "component": network}
    editor.get_by_role("tab", name="JSON").click()
    area = editor.get_by_role("textbox", name="JSON")
    area.fill(json.dumps(space).replace("[4, 8]", "[4, 0]"))
    press(editor, "Read")
    expect(editor.get_by_role("alert").filter(has_text="/component/parts/0/channels")).to_be_visible()
    count(editor, "15,625")
    area.fill(json.dumps(space))
    press(editor, "Read")
    count(editor, "2")
    expect(editor.get_by_role("treeitem")).to_have_count(3)
    notebook.set_theme("dark")
    notebook.screenshot("editor-dark")
    notebook.set_theme("light")
    notebook.run_cell(1)
    assert notebook.text(1) == "2 True\n"
    press(editor, "Undo")
    count(editor, "15,625")
    assert notebook.page.evaluate("window.hacked === undefined"), "nothing of a hostile name is run"
    notebook.assert_clean()


def test_the_keyboard_reaches_everything_and_parts_are_put_together(open_notebook: OpenNotebook):
    notebook = open_notebook(
        ["import nbnas as nb\neditor = nb.edit()\neditor", "print(editor.space.component)"], viewport=(1280, 1300)
    )
    notebook.run_cell(0)
    page = notebook.page
    editor = page.locator(".nbnas-editor")
    editor.get_by_label("Start from").select_option(label="a new network")
    count(editor, "1")
    tree = editor.get_by_role("treeitem")
    tree.first.focus()
    page.keyboard.press("ArrowDown")
    expect(editor.locator(".nbnas-part .nbnas-heading")).to_have_text("stem")
    expect(tree.nth(1)).to_be_focused()
    editor.get_by_label("Kind of part").select_option(label="repeat")
    button(editor, "Add").focus()
    page.keyboard.press("Enter")
    expect(tree).to_have_count(5)
    expect(tree.nth(2)).to_have_attribute("aria-selected", "true")
    tree.nth(2).focus()
    page.keyboard.press("ArrowDown")
    expect(editor.locator(".nbnas-part .nbnas-heading")).to_have_text("stem")
    mode = editor.get_by_label("channels: fixed or open")
    mode.select_option("choice")
    options = editor.get_by_label("channels options")
    options.fill("4, 8")
    count(editor, "4")
    names = set()
    editor.get_by_label("Start from").focus()
    for _ in range(70):
        page.keyboard.press("Tab")
        name = page.evaluate(
            """() => { const e = document.activeElement;
            return e.closest('.nbnas-editor') === null ? '' : (e.getAttribute('role') ?? e.tagName) + ' ' +
                (e.labels?.[0]?.textContent || e.innerText || '').trim().split('\\n')[0]; }"""
        )
        names.add(name.strip())
    for wanted in ("Undo", "treeitem part", "Add", "Replace", "channels options", "stride: fixed or open", "Sample"):
        assert any(wanted in name for name in names), f"{wanted} must be reached by Tab; reached: {sorted(names)}"
    assert not [name for name in names if name in ("INPUT", "SELECT", "BUTTON", "TEXTAREA")], "all have names"
    notebook.run_cell(1)
    assert "Repeat(" in notebook.text(1)
    notebook.assert_clean()


def test_the_workbench_searches_the_edited_space(open_notebook: OpenNotebook):
    notebook = open_notebook(["import nbnas as nb\nworkbench = nb.Workbench()\nworkbench"], viewport=(1280, 2400))
    notebook.run_cell(0)
    workbench = notebook.page.locator(".nbnas-workbench")
    press(workbench, "Edit…")
    editor = workbench.locator(".nbnas-editor")
    editor.get_by_label("nodes", exact=True).fill("3")
    editor.get_by_label("conv_1x1", exact=True).uncheck()
    count(editor, "64")
    expect(workbench.get_by_text("64 architectures, 3 decisions")).to_be_visible()
    expect(workbench.locator(".nbnas-code").last).to_contain_text(
        "operations=('none', 'skip', 'conv_3x3', 'avg_pool_3x3')"
    )
    workbench.get_by_label("trials", exact=True).fill("3")
    workbench.get_by_label("trials", exact=True).press("Tab")
    notebook.screenshot("editor-workbench")
    press(workbench, "Start")
    view = workbench.locator(".nbnas-run").first
    expect(view.get_by_text("finished")).to_be_visible(timeout=120_000)
    expect(view.get_by_text("Incumbent").first).to_be_visible()
    notebook.screenshot("editor-search")
    notebook.assert_clean()
