"""The command line: `nbnas lab | search | resume | runs | verify`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from nbnas.errors import NbnasError

__all__ = ["main"]

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Neural architecture search, from a terminal.")

Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]


@app.command()
def lab(folder: Annotated[Path, typer.Argument(help="The folder to open.")] = Path()) -> None:
    """Open JupyterLab."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise NbnasError("jupyterlab must be installed, got none. Run: pip install jupyterlab")
    raise typer.Exit(subprocess.call([sys.executable, "-m", "jupyter", "lab", str(folder)]))


@app.command()
def search(spec: Annotated[Path, typer.Argument(help="A run specification (JSON).")], quiet: Quiet = False) -> None:
    """Run the search of a specification file, behind a progress bar."""
    from nbnas.api import run_spec
    from nbnas.bar import watch
    from nbnas.spec import RunSpec

    run = run_spec(RunSpec.load(spec))
    typer.echo(f"run {run.id}")
    watch(run, quiet=quiet)
    _report(run.id)


@app.command()
def resume(
    run_id: Annotated[str, typer.Argument(help="As `nbnas runs` lists it.")],
    accept_differences: Annotated[
        bool, typer.Option("--accept-differences", help="Go on although versions, threads or device differ.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run that was stopped or interrupted."""
    import nbnas.api
    from nbnas.bar import watch

    run = nbnas.api.open(run_id)
    run.resume(accept_differences=accept_differences)
    watch(run, quiet=quiet)
    _report(run_id)


@app.command()
def runs() -> None:
    """List the stored runs, the newest first."""
    import nbnas.api

    typer.echo(repr(nbnas.api.runs()))


@app.command()
def verify(run_id: Annotated[str, typer.Argument(help="As `nbnas runs` lists it.")]) -> None:
    """Check every event and checkpoint of a run against its checksum."""
    from nbnas.store import verify as problems_of

    problems = problems_of(run_id)
    for problem in problems:
        typer.echo(problem)
    typer.echo(f"{run_id}: {len(problems)} problems" if problems else f"{run_id}: whole")
    raise typer.Exit(1 if problems else 0)


def _report(run_id: str) -> None:
    import nbnas.api

    run = nbnas.api.open(run_id)
    best, front = run.read(lambda state: (state.incumbent, len(state.front)))
    if front:
        typer.echo(f"{run.status}; {front} architectures that no other is better than")
        return
    found = "no architecture found" if best is None else f"best {best.architecture} with score {best.score:.4f}"
    typer.echo(f"{run.status}; {found}")


def main() -> None:
    """Runs the command line; an error of ours is one line on standard error and exit status 1."""
    try:
        app(standalone_mode=True)
    except NbnasError as cause:
        text = "".join(char if char.isprintable() else " " for char in str(cause))
        typer.echo(f"nbnas: {' '.join(text.split())}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
