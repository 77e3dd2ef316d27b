"""What runs there are, from the last rows of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbnas.errors import StoreError
from nbnas.store.checks import check_event_schema
from nbnas.store.database import Database
from nbnas.store.folders import is_run_id, runs_folder
from nbnas.store.lock import is_busy
from nbnas.store.opening import read
from nbnas.store.rows import get_meta, record_of

__all__ = ["RunInfo", "list_runs"]

_LAST_ROWS = 8  # few events follow the one that ends a run
_ENDED = {"RunFinished": "finished", "RunStopped": "stopped", "RunFailed": "failed"}


@dataclass(frozen=True)
class RunInfo:
    """One line of the list of runs.

    Attributes:
        run_id: its name on disk.
        label: what people call it.
        created: seconds since the epoch.
        status: `created`, `running`, `paused`, `stopped`, `finished`, `failed`, `interrupted` (its process ended
            without saying so; it can be resumed) or `broken`.
        strategy: name of the strategy in its spec, empty where the spec has none; so with `space` and `task`.
        space: see `strategy`.
        task: see `strategy`.
        events: how many are stored.
        busy: a writer has it open now.
        problem: why it is broken.
    """

    run_id: str
    label: str = ""
    created: float | None = None
    status: str = "broken"
    strategy: str = ""
    space: str = ""
    task: str = ""
    events: int = 0
    busy: bool = False
    problem: str = ""


def list_runs(runs: Path | None = None) -> list[RunInfo]:
    """All runs, the newest first. A damaged one is listed as broken, with the reason.

    Raises:
        StoreError: the folder of runs cannot be read.
    """
    folder = runs_folder(runs)
    try:
        names = sorted((path.name for path in folder.iterdir() if is_run_id(path.name) and path.is_dir()), reverse=True)
    except FileNotFoundError:
        return []
    except OSError as cause:
        raise StoreError(
            f"{folder} must be a folder that can be read, got: {cause.strerror}. Set NBNAS_HOME"
        ) from cause
    return [_info(folder / name) for name in names]


def _info(folder: Path) -> RunInfo:
    try:
        busy = is_busy(folder)
        return read(folder, lambda database: _describe(database, folder.name, busy))
    except StoreError as cause:
        return RunInfo(folder.name, problem=str(cause))


def _describe(database: Database, run_id: str, busy: bool) -> RunInfo:
    check_event_schema(database)
    spec = get_meta(database, "spec", dict)
    return RunInfo(
        run_id,
        label=get_meta(database, "label", str),
        created=get_meta(database, "created", float),
        status=_status(database, busy),
        strategy=_name(spec.get("strategy")),
        space=_name(spec.get("space")),
        task=_name(spec.get("task")),
        events=get_meta(database, "events", int),
        busy=busy,
    )


def _status(database: Database, busy: bool) -> str:
    rows = database.rows("SELECT seq, time, kind, body, crc FROM event ORDER BY seq DESC LIMIT ?", _LAST_ROWS)
    kinds = [type(record_of(database, row).event).__name__ for row in rows]
    latest = next((kind for kind in kinds if kind in _ENDED or kind in ("RunStarted", "RunResumed", "RunPaused")), "")
    if latest in _ENDED:
        return _ENDED[latest]
    if not kinds:
        return "created"
    if not busy:
        return "interrupted"
    return "paused" if latest == "RunPaused" else "running"


def _name(part: Any) -> str:
    if isinstance(part, Mapping):
        part = next((part[key] for key in ("name", "kind") if isinstance(part.get(key), str)), "")
    return part if isinstance(part, str) else ""
