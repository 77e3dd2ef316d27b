"""Fixtures for tests in a real browser. One lab and one browser serve all of them, one at a time."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import nbformat
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.lab import ARTIFACTS, CHROMIUM_ARGUMENTS, Lab, Notebook, find_chromium

HERE = Path(__file__).parent
FAILED = pytest.StashKey[bool]()


class OpenNotebook(Protocol):
    """Opens a notebook in a new page, with a kernel of its own.

    Args:
        source: a notebook file, of which a copy is opened, or the sources of its code cells.
        viewport: width and height of the page in CSS pixels. Cells outside it are not drawn until scrolled to.
    """

    def __call__(self, source: Path | Sequence[str], *, viewport: tuple[int, int] = (1400, 1400)) -> Notebook: ...


def pytest_configure() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # fixtures then stop the lab and the browser


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(300))  # the driver's own limits come first, and say what was waited for


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; without one the test skips, or fails if `NBNAS_REQUIRE_BROWSER` is 1."""
    path = find_chromium()
    if path is None:
        reason = "no Chromium found: install it, or name it in NBNAS_CHROMIUM"
        (pytest.fail if os.environ.get("NBNAS_REQUIRE_BROWSER") == "1" else pytest.skip)(reason)
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab that serves an empty folder; kernels store their runs in another one."""
    root = tmp_path_factory.mktemp("lab")
    env = {"NBNAS_HOME": str(tmp_path_factory.mktemp("nbnas-home")), "OMP_NUM_THREADS": "1"}
    with Lab(root, env=env, log=ARTIFACTS / "lab.log") as lab:
        yield lab


@pytest.fixture
def open_notebook(lab: Lab, browser: Browser, request: pytest.FixtureRequest) -> Iterator[OpenNotebook]:
    """Opens notebooks; at the end of the test their pages and kernels are closed."""
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    opened: list[Notebook] = []

    def open_(source: Path | Sequence[str], *, viewport: tuple[int, int] = (1400, 1400)) -> Notebook:
        path = lab.root / f"{name}-{len(opened)}.ipynb"
        if isinstance(source, Path):
            shutil.copyfile(source, path)
        else:
            write_notebook(path, source)
        width, height = viewport
        context = browser.new_context(viewport={"width": width, "height": height})
        notebook = Notebook(context.new_page(), lab)
        opened.append(notebook)
        return notebook.open(path.name)

    yield open_
    for number, notebook in enumerate(opened):
        if request.node.stash.get(FAILED, False):
            notebook.screenshot(f"failed-{name}-{number}")
        if notebook.theme != "light":
            notebook.set_theme("light")  # the next test shares the lab, whose setting it is
        notebook.page.context.close()
    lab.shut_kernels_down()


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """Writes a notebook with these code cells."""
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(notebook, path)
