"""A progress bar for terminals; where there is no terminal, a line every tenth of the way."""

from __future__ import annotations

import contextlib
import sys
import time

from nbnas.errors import RunError
from nbnas.session import Run

__all__ = ["watch"]


def watch(run: Run, *, quiet: bool = False) -> Run:
    """Waits until the run has ended and shows its progress on standard error; an interrupt stops the run.

    Raises:
        RunError: the run failed.
    """
    if quiet:
        return run.wait()
    try:
        if sys.stderr.isatty():
            _bar(run)
        else:
            _lines(run)
    except KeyboardInterrupt:
        run.stop()
        with contextlib.suppress(RunError):
            run.wait()  # until that is stored
        raise
    return run.wait()


def _text(run: Run) -> str:
    trials, epochs = run.read(lambda state: (state.trials_finished + state.trials_failed, state.epochs_trained))
    best, front = run.read(lambda state: (state.incumbent, len(state.front)))
    score = f", front of {front}" if front else ""
    if best is not None:
        score = f", best {best.score:.4f} ({best.architecture})"
    return f"{run.device}: {trials} trials, {epochs} epochs{score}"


def _bar(run: Run) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    left = TextColumn("{task.fields[left]}")
    with Progress(*columns, left, console=Console(stderr=True)) as bar:
        line = bar.add_task("", total=1.0, left="")
        while True:
            alive = run.alive
            remaining = "" if run.remaining is None else f"about {run.remaining:.0f} s left"
            bar.update(line, completed=run.fraction, description=escape(_text(run)), left=remaining)
            if not alive:
                return
            time.sleep(0.2)


def _lines(run: Run) -> None:
    shown = 0
    while run.alive:
        if (tenth := int(run.fraction * 10)) > shown:
            shown = tenth
            sys.stderr.write(f"{tenth * 10} % {_text(run)}\n")
        time.sleep(0.1)
