"""The texts of a run's dashboard, as HTML in which every text of people is escaped."""

from __future__ import annotations

from typing import NamedTuple

from nbnas.state import Incumbent, RunState
from nbnas.widgets.live_run import LiveRun
from nbnas.widgets.page import escape

__all__ = [
    "Counts",
    "badge",
    "bar",
    "counts",
    "duration",
    "facts",
    "failures",
    "headline",
    "incumbent",
    "plain_text",
    "title",
    "under_way",
]


class Counts(NamedTuple):
    """What the texts need of a state, copied."""

    seq: int
    trials: int
    failed: int
    epochs: int
    current: tuple[int, str, int, int] | None
    causes: tuple[tuple[str, int], ...]
    last_failure: tuple[int, str, str] | None
    message: str
    incumbent: Incumbent | None


def counts(state: RunState) -> Counts:
    """Copies the numbers out of a state."""
    last = state.failed[-1] if state.failed else None
    causes = tuple(sorted(state.failures.items(), key=lambda item: -item[1]))
    return Counts(
        state.seq,
        state.trials_finished,
        state.trials_failed,
        state.epochs_trained,
        state.current,
        causes,
        last,
        state.message,
        state.incumbent,
    )


def duration(seconds: float) -> str:
    """Such as `8 s`, `2 min 05 s`, `1 h 10 min`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def headline(run: LiveRun) -> str:
    """Name, what is searched how, device and id."""
    name, how = title(run), _how(run)
    details = f"{escape(how)} · " if how != name else ""
    return (
        f'<div class="nbnas-title">{escape(name)}</div><div class="nbnas-quiet">{details}seed {run.spec.seed} · '
        f"{escape(str(run.device))} · run <code>{escape(run.id)}</code></div>"
    )


def title(run: LiveRun) -> str:
    """The run's own name, or what is searched how."""
    return run.name or _how(run)


def _how(run: LiveRun) -> str:
    spec = run.spec
    names = [type(part).__name__ for part in (spec.strategy, spec.evaluator) if part is not None]
    task = "" if spec.task is None else f" on {getattr(spec.task, 'kind', type(spec.task).__name__)}"
    return f"{' × '.join(names)} in {run.space.name}{task}"


def badge(status: str) -> str:
    """The status, announced by screen readers when it changes."""
    return f'<span class="nbnas-badge nbnas-{escape(status)}" role="status">{escape(status)}</span>'


def bar(fraction: float | None) -> str:
    """How much of the budget is used."""
    if fraction is None:
        return ""
    percent = round(100 * min(max(fraction, 0.0), 1.0), 1)
    return (
        f'<div class="nbnas-bar" role="progressbar" aria-label="budget used" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{percent:g}"><div style="width:{percent:g}%"></div></div>'
    )


def facts(run: LiveRun, now: Counts) -> str:
    """What is done, and how long it takes."""
    budget = run.spec.budget
    parts = []
    of_trials, of_epochs = getattr(budget, "trials", None), getattr(budget, "epochs", None)
    if now.trials or now.failed or of_trials:
        done = now.trials + now.failed
        parts.append(f"<b>{done:,}</b>{f' of {of_trials:,}' if of_trials else ''} trials")
    if now.epochs or of_epochs:
        parts.append(f"<b>{now.epochs:,}</b>{f' of {of_epochs:,}' if of_epochs else ''} epochs trained")
    parts.append(f"<b>{duration(run.elapsed)}</b> elapsed")
    if run.remaining is not None and run.status in ("running", "paused"):
        parts.append(f"about <b>{duration(run.remaining)}</b> left")
    return '<div class="nbnas-facts">' + "".join(f"<span>{part}</span>" for part in parts) + "</div>"


def under_way(run: LiveRun, now: Counts) -> str:
    """The trial, epoch and batch that are under way."""
    parts = []
    if now.current is not None:
        trial, _, epoch, epochs = now.current
        parts.append(f"trial {trial}" + (f", epoch {epoch} of {epochs}" if epochs else ""))
    progress = run.progress
    if progress is not None and run.status == "running":
        parts.append(f"{escape(progress.what)} {progress.done:,} of {progress.total:,}")
    words = " · ".join(parts) if run.status in ("starting", "running", "paused") else ""
    return f'<div class="nbnas-quiet">{words or "&nbsp;"}</div>'


def failures(status: str, now: Counts) -> str:
    """Why the run failed, and failed trials by cause with the newest message."""
    parts = []
    if status == "failed":
        parts.append(f'<div class="nbnas-alert" role="alert">The run failed: {escape(now.message)}</div>')
    if now.failed:
        by_cause = ", ".join(f"{count:,} × {escape(cause)}" for cause, count in now.causes)
        line = f"{now.failed:,} failed trial{'' if now.failed == 1 else 's'}: {by_cause}"
        if now.last_failure is not None:
            trial, _, message = now.last_failure
            line += f"<details><summary>newest, trial {trial}</summary><code>{escape(message[:2000])}</code></details>"
        parts.append(f'<div class="nbnas-failures">{line}</div>')
    return "".join(parts)


def incumbent(best: Incumbent | None) -> str:
    """The incumbent as text with its score."""
    if best is None:
        return '<div class="nbnas-heading">Cell graph of the search space</div>'
    where = "derived" if best.trial is None else f"trial {best.trial}"
    return (
        f'<div class="nbnas-heading">Incumbent <code>{escape(best.architecture)}</code> '
        f'<span class="nbnas-score">score {best.score:.4g}</span> <span class="nbnas-quiet">{where}</span></div>'
    )


def plain_text(run: LiveRun, now: Counts) -> str:
    """One line for where there are no pictures."""
    best = f", incumbent {now.incumbent.architecture} with score {now.incumbent.score:.4g}" if now.incumbent else ""
    return f"run {run.id}: {run.status}, {now.trials:,} trials, {now.epochs:,} epochs, {duration(run.elapsed)}{best}"
