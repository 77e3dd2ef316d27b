"""Scores architectures by looking them up in a table of measured metrics."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from nbnas.errors import SettingsError, SpaceError, TrialError
from nbnas.evaluators.base import Evaluator, EvaluatorSettings, Scoring
from nbnas.events import Evaluation, Progress
from nbnas.settings import setting
from nbnas.spaces import SearchSpace
from nbnas.strategies.base import Proposal

if TYPE_CHECKING:
    from nbnas.tasks.bound import BoundTask

__all__ = ["Table", "Tabular"]


class Table:
    """Metrics by architecture.

    Args:
        architectures: short text forms such as `3-0-1`, each once.
        metrics: by name (with its unit) one number an architecture; NaN where it was not measured.

    Raises:
        SettingsError: lengths differ, a text occurs twice, or values are not numbers.
    """

    def __init__(self, architectures: npt.ArrayLike, metrics: Mapping[str, npt.ArrayLike]) -> None:
        names = np.asarray(architectures)
        if names.ndim != 1:
            raise SettingsError(f"table must list architectures, got shape {names.shape}.", field="table")
        texts = [str(text) for text in names.tolist()]
        self.rows = {text: row for row, text in enumerate(texts)}
        if not texts or not metrics:
            raise SettingsError("table must have architectures and metrics, got none of one.", field="table")
        if len(self.rows) < len(texts):
            twice = next(text for row, text in enumerate(texts) if self.rows[text] != row)
            raise SettingsError(f"table must name each architecture once, got {twice!r:.80} twice.", field="table")
        self.metrics: dict[str, npt.NDArray[np.float64]] = {}
        for name, values in metrics.items():
            try:
                column = np.asarray(values, dtype=np.float64)
            except (TypeError, ValueError):
                raise SettingsError(f"table column {name!r:.80} must hold numbers.", field="table") from None
            if column.shape != (len(texts),):
                raise SettingsError(
                    f"table column {name!r:.80} must have shape ({len(texts)},), got {column.shape}.", field="table"
                )
            self.metrics[str(name)] = column
        digest = hashlib.sha256("\n".join(texts).encode())
        for name in sorted(self.metrics):
            digest.update(name.encode() + self.metrics[name].tobytes())
        self.digest = digest.hexdigest()

    @classmethod
    def load(cls, path: str | Path) -> Table:
        """Reads an npz file: `architecture` (texts), every other array a metric. Objects are refused."""
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                columns = {name: arrays[name] for name in arrays.files}
            if odd := [name for name, column in columns.items() if not isinstance(column, np.ndarray)]:
                raise ValueError(f"{odd[0]!r:.80} is no array")
        except Exception as cause:  # on damaged files numpy, zipfile and zlib raise errors of many classes
            raise SettingsError(
                f"table must be an npz file of plain arrays, got {str(path)!r}: {cause}", field="table"
            ) from None
        if "architecture" not in columns:
            known = ", ".join(columns) or "none"
            raise SettingsError(f"table must have an array named architecture, got {known}; {path}", field="table")
        return cls(columns.pop("architecture"), columns)

    def save(self, path: str | Path) -> None:
        """Writes an npz file that `load` reads."""
        np.savez_compressed(path, architecture=np.array(list(self.rows)), **self.metrics)  # type: ignore[arg-type]


_DIGEST = "sha256:"
_LEAST = 0.01
"""The share of a space that a table must hold."""
_GIVEN: dict[str, Table] = {}
"""Tables that were given as arrays in this process, by their digest."""


@dataclass(frozen=True)
class Tabular(EvaluatorSettings):
    """Looks the metrics of an architecture up in a table; nothing is trained.

    `table` is the path of an npz file, a `Table`, or a mapping with `architecture` and one array a metric. A table that
    is not a file is named by its digest in a stored run; give it again to resume.
    """

    title: ClassVar[str] = "Table"
    needs_task: ClassVar[bool] = False
    counts_epochs: ClassVar[bool] = False

    table: str = setting(help="Path of an npz file with architecture and metrics.")
    score: str = setting("valid_accuracy", "The metric to maximise.")

    @override
    def __post_init__(self) -> None:
        given: Any = self.table
        if isinstance(given, Path):
            given = str(given)
        if isinstance(given, Mapping):
            if "architecture" not in given:
                raise SettingsError("table must have a key architecture.", field="table")
            metrics = {name: values for name, values in given.items() if name != "architecture"}
            given = Table(given["architecture"], metrics)
        if isinstance(given, Table):
            _GIVEN[given.digest] = given
            given = f"{_DIGEST}{given.digest}"
        object.__setattr__(self, "table", given)
        super().__post_init__()

    @override
    def does_same(self, stored: Mapping[str, Any]) -> bool:
        before = stored.get("table")
        same = self.to_json() == {**stored, "table": self.table}
        if isinstance(before, str) and before.startswith(_DIGEST):
            return same and self.open().digest == before.removeprefix(_DIGEST)
        return same  # a file may have moved

    def open(self) -> Table:
        """The table itself.

        Raises:
            SettingsError: the file cannot be read, or the table must be given again, or has no such metric.
        """
        if self.table.startswith(_DIGEST):
            table = _GIVEN.get(self.table.removeprefix(_DIGEST))
            if table is None:
                raise SettingsError(
                    f"table {self.table[:19]}… was given as arrays and must be given again; "
                    f"make nb.evaluators.Tabular(table) once more in this process",
                    field="table",
                )
        else:
            table = Table.load(self.table)
        if self.score not in table.metrics:
            raise SettingsError(
                f"score must be a metric of the table ({', '.join(table.metrics)}), got {self.score!r:.80}; in "
                "Tabular. Name one of these",
                field="score",
            )
        return table

    @override
    def bind(self, space: SearchSpace, task: BoundTask | None, seed: int) -> Evaluator:
        table = self.open()
        for text in table.rows:
            try:
                space.architecture(text)
            except SpaceError as cause:
                raise SettingsError(
                    f"table must hold architectures of space {space.name!r}, got {text!r:.80}: {cause}. "
                    "Choose the space that was measured",
                    field="table",
                ) from None
        # With fewer, a run is nothing but failed trials. Limits may leave as few of the space as were measured.
        if not space.limits and len(table.rows) < _LEAST * space.size:
            raise SettingsError(
                f"table must hold at least {100 * _LEAST:g} % of the {space.size:,} architectures of space "
                f"{space.name!r}, got {len(table.rows):,}. Close decisions of the space, or add rows",
                field="table",
            )
        return _Tabular(table, self.score)


class _Tabular:
    def __init__(self, table: Table, score: str) -> None:
        self.table, self.score = table, score

    def evaluate(self, trial: int, proposal: Proposal) -> Scoring:
        yield Progress(0, 1, "row")
        text = str(proposal.architecture)
        row = self.table.rows.get(text)
        if row is None:
            raise TrialError(
                f"table must hold the architecture, got none for {text} (trial {trial}). Add its row",
                cause="missing",
            )
        columns = ((name, float(column[row])) for name, column in self.table.metrics.items())
        metrics = {name: value for name, value in columns if math.isfinite(value)}
        if self.score not in metrics:
            raise TrialError(f"table gave no finite {self.score} for {text} (trial {trial})", cause="missing")
        return Evaluation(metrics, (metrics[self.score],))
