"""A progress bar for terminals; where there is no terminal, a line every tenth of the way."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator
from typing import TypeVar

from nbnas.errors import RunError
from nbnas.events import Progress
from nbnas.session import Run

__all__ = ["finish", "watch"]

T = TypeVar("T")


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


def finish(work: Generator[Progress, None, T], words: str, *, quiet: bool = False) -> T:
    """Does the work to its end, shows its progress on standard error, and returns what it returns."""
    shown = -1
    ended = ""
    while True:
        try:
            now = next(work)
        except StopIteration as end:
            sys.stderr.write(ended)
            result: T = end.value
            return result
        if quiet:
            continue
        share = now.done / max(now.total, 1)
        line = f"{words}: {now.what} {now.done:,} of {now.total:,}"
        if sys.stderr.isatty():
            cells = int(share * 30)
            sys.stderr.write(f"\r{'█' * cells}{'░' * (30 - cells)} {share:4.0%} {line}\x1b[K")
            sys.stderr.flush()
            ended = "\n"
        elif int(share * 10) != shown:
            shown = int(share * 10)
            sys.stderr.write(f"{shown * 10} % {line}\n")


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
