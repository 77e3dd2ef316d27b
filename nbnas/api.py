"""The calls that notebooks and scripts make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbnas.bar import finish, watch
from nbnas.errors import SettingsError, SpaceError
from nbnas.evaluators import EvaluatorSettings
from nbnas.objectives import Objective
from nbnas.processes import Budget
from nbnas.ranking import RankCorrelation, ranking
from nbnas.retraining import Retrained, retraining
from nbnas.session import Candidate, Run, open_run, start
from nbnas.spaces import Architecture, SearchSpace
from nbnas.spec import RunSpec
from nbnas.store import RunInfo, list_runs
from nbnas.strategies import StrategySettings
from nbnas.tasks import Task

if TYPE_CHECKING:
    from nbnas.widgets.space_editor import SpaceEditor
    from nbnas.widgets.workbench import Workbench as WorkbenchWidget

__all__ = [
    "Drawing",
    "Runs",
    "Workbench",
    "draw_cell",
    "edit",
    "open",
    "rank_correlation",
    "retrain",
    "run_spec",
    "runs",
    "search",
]


def search(
    space: SearchSpace,
    task: Task | None,
    strategy: StrategySettings,
    evaluator: EvaluatorSettings | None = None,
    *,
    budget: Budget,
    objective: Objective | None = None,
    seed: int = 0,
    device: str = "auto",
    name: str = "",
    background: bool = True,
) -> Run:
    """Starts a search and returns its run; at the end of a notebook cell the run shows itself, live.

    Args:
        space: what is searched.
        task: the data; `None` only with a table.
        strategy: how it is searched.
        evaluator: how scores are got; none for a differentiable strategy.
        budget: when it ends.
        objective: what is maximised, of the metrics of each trial; without it the evaluator's own score.
        seed: from which all chance comes; the same seed gives the same run.
        device: `auto` takes the first there is of CUDA, MPS, CPU.
        name: a label of your own.
        background: return at once; otherwise wait for the end behind a progress bar.

    Raises:
        NbnasError: the parts do not fit together; nothing has been started then.
        RunError: `background=False` and the run failed.
    """
    spec = RunSpec(space, task, strategy, evaluator, budget, seed, device, name, objective)
    return run_spec(spec, background=background)


def run_spec(spec: RunSpec, *, background: bool = True, quiet: bool = False) -> Run:
    """Starts the run of a specification, as `search` does."""
    run = start(spec)
    return run if background else watch(run, quiet=quiet)


def open(run_id: str, *, task: Task | None = None, evaluator: EvaluatorSettings | None = None) -> Run:
    """Opens a stored run: look at it, and go on with `run.resume()`.

    Args:
        run_id: as `nb.runs()` lists it.
        task: the task again, where its data are your own.
        evaluator: the evaluator again, where its table was given as arrays.

    Raises:
        StoreError: there is no such run, or it is damaged.
    """
    return open_run(run_id, task=task, evaluator=evaluator)


class Runs(list[RunInfo]):
    """The stored runs, newest first; shows itself as a table."""

    def __repr__(self) -> str:
        if not self:
            return "no runs yet"
        rows: list[tuple[str, ...]] = [("run", "status", "strategy", "space", "task", "events", "name")]
        rows += [
            tuple(map(_plain, (run.run_id, run.status, run.strategy, run.space, run.task, run.events, _note(run))))
            for run in self
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        return "\n".join(
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[6]]).rstrip()
            for row in rows
        )


def _note(run: RunInfo) -> str:
    return run.problem or run.label


def _plain(text: Any) -> str:
    """On one line and without control characters, whoever wrote it into a stored run."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(text))


def runs() -> Runs:
    """All stored runs, the newest first."""
    return Runs(list_runs())


def retrain(candidate: Candidate | None, *, epochs: int, seed: int = 0, device: str = "auto") -> Retrained:
    """Trains a found architecture from scratch on train and valid, and measures it once on test.

    Args:
        candidate: what a run found: `run.incumbent`.
        epochs: how long.
        seed: of weights and order.
        device: where.

    Raises:
        SettingsError: there is no candidate or no epoch, or the seed is none.
    """
    if not isinstance(candidate, Candidate):
        raise SettingsError(f"candidate must be the incumbent of a run, got {candidate!r:.80}. Pass run.incumbent")
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise SettingsError(f"epochs must be a whole number >= 1, got {epochs!r:.80}; in retrain.", field="epochs")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise SettingsError(f"seed must be a whole number in 0..2^63-1, got {seed!r:.80}; in retrain.", field="seed")
    training = retraining(candidate, epochs=epochs, seed=seed, device=device)
    while True:
        try:
            next(training)
        except StopIteration as end:
            result: Retrained = end.value
            return result


def rank_correlation(
    run: Run, *, sample: int = 20, epochs: int = 10, top: float = 0.25, seed: int = 0, quiet: bool = False
) -> RankCorrelation:
    """Trains some architectures on their own and tells how far the shared weights of a run rank them alike.

    Args:
        run: one that trains a supernet (a differentiable strategy, or shared weights); not under way.
        sample: how many architectures, drawn at random, none twice.
        epochs: of each training.
        top: the share of the sample, best by their own training, within which tau is told too.
        seed: of the draws and the trainings; the same seed gives the same result.
        quiet: whether no progress is shown.

    Raises:
        SettingsError: an argument is out of its range.
        RunError: the run has no supernet, or is searching now.
    """
    return finish(ranking(run, sample=sample, epochs=epochs, top=top, seed=seed), "own training", quiet=quiet)


class Drawing:
    """An SVG picture that shows itself in a notebook."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def __repr__(self) -> str:
        return f"<Drawing: SVG of {len(self.svg):,} characters>"

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> None:
        """Writes the picture to a file."""
        Path(path).write_text(self.svg, encoding="utf-8")


def draw_cell(
    space: SearchSpace,
    architecture: Architecture | None = None,
    distribution: dict[str, dict[str, float]] | None = None,
) -> Drawing:
    """Draws an architecture of a space, or the space itself.

    Args:
        space: where it belongs.
        architecture: what to draw; `None` draws what is open.
        distribution: probability of each option by decision name; edges get width and colour from it.
    """
    from nbnas.charts.cell_graph import draw

    if architecture is not None:
        space.validate(architecture)
    return Drawing(draw(space.graph(architecture, distribution)))


def edit(space: SearchSpace | None = None) -> SpaceEditor:
    """Opens a search space for editing by mouse; `editor.space` is the space as it stands, to be given to `search`.

    Args:
        space: where to start; a small NAS-Bench-201 when `None`. It is not changed itself.

    Raises:
        SpaceError: it is no space.
    """
    if space is not None and not isinstance(space, SearchSpace):
        raise SpaceError(f"space must be a search space, got {space!r:.80}. Try nb.edit(nb.spaces.nas_bench_201())")
    from nbnas.widgets.space_editor import SpaceEditor as Widget

    return Widget(space)


def Workbench(**settings: Any) -> WorkbenchWidget:
    """A whole search by mouse: forms, Start, the live view, and the code cell that does the same."""
    from nbnas.widgets.workbench import Workbench as Widget

    return Widget(**settings)


def _show(run: Run) -> None:
    from nbnas.widgets.run_view import RunView

    RunView(run)._ipython_display_()


Run.display_hook = staticmethod(_show)
