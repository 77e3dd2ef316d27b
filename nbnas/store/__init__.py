"""Runs on disk: one folder a run, one writer, any number of readers. No torch here until a tensor is stored or read."""

from nbnas.store.folders import home, new_run_id, run_folder, runs_folder
from nbnas.store.listing import RunInfo, list_runs
from nbnas.store.run_reader import RunReader
from nbnas.store.run_store import RunStore
from nbnas.store.states import ResumePoint
from nbnas.store.verifying import verify

__all__ = [
    "ResumePoint",
    "RunInfo",
    "RunReader",
    "RunStore",
    "home",
    "list_runs",
    "new_run_id",
    "run_folder",
    "runs_folder",
    "verify",
]
