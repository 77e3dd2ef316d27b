"""A real JupyterLab, and a notebook open in it in a real browser.

with Lab(folder) as lab:
    notebook = Notebook(page, lab)
    notebook.open("demo.ipynb")
    notebook.run_all()
    notebook.assert_clean()
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from playwright.sync_api import ConsoleMessage, Error, Locator, Page, Request
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

__all__ = ["ARTIFACTS", "CHROMIUM_ARGUMENTS", "CellError", "Lab", "Notebook", "find_chromium"]

ARTIFACTS = Path(__file__).parents[2] / "artifacts"

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # it is not available to root nor in most containers, and only our own pages are shown
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # a page that needs the network shows it
]

QUIET_SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
}


# JupyterLab itself complains so where a kernel restarts soon after it was started.
KNOWN_NOISE = re.compile(r"Canceled future for (debug|create_subshell)_request message before replies were done")


# JavaScript on the notebook in front.
SEES_NOTEBOOK = "const app = window.jupyterapp; const panel = app?.shell.currentWidget;"
CELL_STATES = "panel?.content?.widgets?.map(cell => cell.model.executionState ?? 'idle')"
IS_IDLE = f"panel?.sessionContext?.session?.kernel?.status === 'idle' && {CELL_STATES}.every(state => state === 'idle')"
STATE = (
    "{kernel: panel?.sessionContext?.session?.kernel?.status, "
    f"connection: panel?.sessionContext?.session?.kernel?.connectionStatus, cells: {CELL_STATES}}}"
)


class CellError(AssertionError):
    """A cell of the notebook raised."""


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome: `NBNAS_CHROMIUM`, or the first on the search path."""
    names = [os.environ.get("NBNAS_CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "chrome"]
    return next((path for name in names if name and (path := shutil.which(name))), None)


class Lab:
    """A JupyterLab on a free loopback port, with its own settings, kernels' folders and token.

    Args:
        root: the folder that it serves; notebooks to open lie in it.
        env: further environment variables of the server and its kernels.
        log: the file for the server's output.
    """

    STARTS = 3
    START_SECONDS = 90.0
    STOP_SECONDS = 20.0

    def __init__(self, root: Path, *, env: Mapping[str, str] | None = None, log: Path | None = None) -> None:
        self.root = root
        self.token = secrets.token_hex(16)
        self.url = ""
        self._scratch = Path(tempfile.mkdtemp(prefix="nbnas-lab-"))
        self._log = log or self._scratch / "lab.log"
        self._env = self._isolated(env or {})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Starts the server and waits until it answers.

        Raises:
            RuntimeError: it did not, in `STARTS` attempts; with the end of its log.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        for _ in range(self.STARTS):
            self._launch()
            if self._answers():
                return
            self._stop()
        log = self.log_tail()
        self.close()
        raise RuntimeError(f"JupyterLab must answer within {self.START_SECONDS:.0f} s; its log ends:\n{log}")

    def close(self) -> None:
        """Stops the server with its kernels and removes its folders; a second call does nothing."""
        self._stop()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def address(self, notebook: str) -> str:
        """The address of a notebook, with a fresh workspace; `notebook` is relative to `root`."""
        return f"{self.url}doc/tree/{notebook}?reset&token={self.token}"

    def api(self, path: str, method: str = "GET") -> Any:
        """One call of the server's REST interface, such as `api("sessions")`."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}api/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            body = response.read()
        return json.loads(body) if body else None

    def shut_kernels_down(self) -> None:
        """Ends every kernel, so that the next notebook has the machine for itself."""
        for session in self.api("sessions"):
            self.api(f"sessions/{session['id']}", "DELETE")

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of the server's log."""
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def _isolated(self, env: Mapping[str, str]) -> dict[str, str]:
        """The environment: the user's settings are neither read nor changed."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "JPY_"))}
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        own = {variable: str(self._scratch / folder) for variable, folder in folders.items()}
        for plugin, settings in QUIET_SETTINGS.items():
            path = self._scratch / "settings" / f"{plugin}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(settings), encoding="utf-8")
        return {**outside, **own, "JUPYTER_TOKEN": self.token, **env}

    def _launch(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        flags = [
            "--no-browser",
            "--ServerApp.ip=127.0.0.1",
            "--ServerApp.port=0",  # the system names a free one, which the runtime file tells
            "--ServerApp.allow_root=True",
            f"--ServerApp.root_dir={self.root}",
            "--ServerApp.shutdown_no_activity_timeout=900",  # should this process die without closing it
            "--MappingKernelManager.cull_idle_timeout=900",
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.extension_manager=readonly",
            "--LabApp.news_url=",
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *flags],
                env=self._env,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        """Waits for the server; false if it ended or took too long."""
        assert self._process is not None
        runtime = self._scratch / "runtime" / f"jpserver-{self._process.pid}.json"
        deadline = time.monotonic() + self.START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError, ValueError, KeyError):  # not written yet, or not listening yet
                self.url = json.loads(runtime.read_text(encoding="utf-8"))["url"]
                self.api("status")
                return True
            time.sleep(0.1)
        return False

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()  # the server then ends its kernels
        try:
            process.wait(self.STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(self.STOP_SECONDS)


class Notebook:
    """One notebook, open in a browser page. Cells are numbered from 0, with markdown cells counted.

    Attributes:
        page: the Playwright page.
        console: every line of the browser's console, as (type, text).
        page_errors: exceptions that no JavaScript caught.
        outside: addresses that the page asked for on other machines.
        theme: JupyterLab's, as `set_theme` left it.
    """

    TIMEOUT = 60.0

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page = page
        self.lab = lab
        self.console: list[tuple[str, str]] = []
        self.page_errors: list[str] = []
        self.outside: list[str] = []
        self.theme: Literal["light", "dark"] = "light"
        page.on("console", self._on_console)
        page.on("pageerror", self._on_page_error)
        page.on("request", self._on_request)

    def open(self, path: str) -> Self:
        """Opens the notebook (relative to the lab's root) and waits for its kernel."""
        self.page.goto(self.lab.address(path), wait_until="domcontentloaded")
        self._wait_ready()
        return self

    def reload(self) -> None:
        """Reloads the page, as a user does; the kernel lives on."""
        self.page.reload(wait_until="domcontentloaded")
        self._wait_ready()

    def run_all(self, *, timeout: float = TIMEOUT) -> None:
        """Runs every cell and waits for the last one.

        Raises:
            CellError: a cell raised and is not tagged `raises-exception`.
        """
        self._run("notebook:run-all-cells", timeout)

    def run_cell(self, index: int, *, timeout: float = TIMEOUT) -> None:
        """Runs one cell and waits for it.

        Raises:
            CellError: it raised and is not tagged `raises-exception`.
        """
        self._in_notebook("panel.content.deselectAll(); panel.content.activeCellIndex = argument;", index)
        self._run("notebook:run-cell", timeout, index)

    def restart_kernel(self) -> None:
        """Restarts the kernel, without the dialog; outputs stay on screen."""
        self._in_notebook("await panel.sessionContext.session.kernel.restart();")
        self.wait_idle()

    def wait_idle(self, *, timeout: float = TIMEOUT) -> None:
        """Waits until no cell is queued or running and the kernel is idle.

        Raises:
            TimeoutError: it is not within `timeout` seconds; with the states of kernel and cells.
        """
        self._wait("the kernel must be idle", IS_IDLE, timeout)

    def save(self) -> None:
        """Saves the notebook with its outputs."""
        self._in_notebook("await panel.context.save();")

    def cell(self, index: int) -> Locator:
        """The cell on the page, scrolled into view."""
        self._in_notebook("await panel.content.scrollToItem(argument);", index)
        return self.page.locator(f'.jp-Notebook-cell[data-windowed-list-index="{index}"]')

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """The outputs of a code cell, as nbformat has them."""
        found: list[dict[str, Any]] = self._in_notebook(
            "return panel.content.widgets[argument].model.sharedModel.toJSON().outputs ?? [];", index
        )
        return found

    def text(self, index: int) -> str:
        """What a code cell printed and its plain-text results, joined."""
        parts = (o.get("text") or o.get("data", {}).get("text/plain", "") for o in self.outputs(index))
        return "".join(part if isinstance(part, str) else "".join(part) for part in parts)

    def cell_errors(self) -> list[str]:
        """Exceptions of all cells that are not tagged `raises-exception`, as `cell 3: ValueError: …`."""
        found: list[str] = self._in_notebook(
            """return panel.content.widgets.flatMap((cell, index) => {
                const json = cell.model.sharedModel.toJSON();
                if ((json.metadata.tags ?? []).includes('raises-exception')) return [];
                return (json.outputs ?? []).filter(o => o.output_type === 'error')
                    .map(o => `cell ${index}: ${o.ename}: ${o.evalue}`);
            });"""
        )
        return found

    def set_theme(self, theme: Literal["light", "dark"]) -> None:
        """Switches JupyterLab's theme, for all notebooks of this lab."""
        name = f"JupyterLab {theme.capitalize()}"
        self._in_notebook("await app.commands.execute('apputils:change-theme', {theme: argument});", name)
        light = "true" if theme == "light" else "false"
        self._wait(f"the theme must be {theme}", f"document.body.dataset.jpThemeLight === '{light}'", self.TIMEOUT)
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")
        self.theme = theme

    def screenshot(self, name: str, *, cell: int | None = None) -> Path:
        """Saves `artifacts/NAME.png` of the window, or of one cell."""
        path = ARTIFACTS / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        (self.page if cell is None else self.cell(cell)).screenshot(path=path)
        return path

    def assert_clean(self, *, allow: str | None = None) -> None:
        """Asserts that nothing failed so far: no cell, no script, no console error, no request to other machines.

        Args:
            allow: a regular expression; console and page errors that it matches are expected.
        """
        errors = [f"console: {text}" for kind, text in self.console if kind == "error"]
        errors += [f"page: {text}" for text in self.page_errors]
        errors = [text for text in errors if not KNOWN_NOISE.search(text)]
        if allow is not None:
            errors = [text for text in errors if not re.search(allow, text)]
        errors += [f"request to another machine: {address}" for address in self.outside]
        errors += self.cell_errors()
        assert not errors, "\n".join(errors)

    def _run(self, command: str, timeout: float, *cells: int) -> None:
        """Executes a command that runs cells and waits for them."""
        self._in_notebook(
            """window.nbnasRun = null;
            app.commands.execute(argument)
                .then(() => { window.nbnasRun = 'done'; }, error => { window.nbnasRun = String(error); });""",
            command,
        )
        self._wait(f"{command} must end", "window.nbnasRun !== null", timeout)
        outcome = self.page.evaluate("() => window.nbnasRun")
        self.wait_idle(timeout=timeout)
        errors = self.cell_errors()
        if cells:
            errors = [error for error in errors if error.startswith(tuple(f"cell {index}:" for index in cells))]
        if errors:
            raise CellError("\n".join(errors))
        if outcome != "done":
            raise CellError(f"{command}: {outcome}")

    def _in_notebook(self, script: str, argument: Any = None) -> Any:
        """Runs JavaScript that sees `app`, the notebook's `panel` and `argument`."""
        return self.page.evaluate(f"async argument => {{ {SEES_NOTEBOOK} {script} }}", argument)

    def _wait(self, what: str, condition: str, timeout: float) -> None:
        """Waits for a condition in JavaScript that sees `app` and `panel`."""
        # Polled by the clock: animation frames, Playwright's default, may stop in a window that nobody sees.
        script = f"() => {{ {SEES_NOTEBOOK} return {condition}; }}"
        try:
            self.page.wait_for_function(script, polling=50, timeout=timeout * 1000)
        except PlaywrightTimeoutError:
            state = self.page.evaluate(f"() => {{ {SEES_NOTEBOOK} return {STATE}; }}")
            raise TimeoutError(f"{what} within {timeout:.0f} s, got {state}; console: {self.console[-5:]}") from None

    def _wait_ready(self) -> None:
        self._wait("the notebook must open", "panel?.context && panel.sessionContext", self.TIMEOUT)
        self._in_notebook("await panel.context.ready; await panel.sessionContext.ready;")
        self.wait_idle()

    def _on_console(self, message: ConsoleMessage) -> None:
        self.console.append((message.type, message.text[:2000]))

    def _on_page_error(self, error: Error) -> None:
        self.page_errors.append(str(error)[:2000])

    def _on_request(self, request: Request) -> None:
        if request.url.startswith(("http:", "https:", "ws:", "wss:")) and "//127.0.0.1:" not in request.url:
            self.outside.append(request.url[:200])
