"""What the writer and readers check alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbnas import events
from nbnas.errors import StoreError
from nbnas.store.database import Database
from nbnas.store.rows import get_meta
from nbnas.store.states import load_state, read_index

__all__ = ["LONGEST_NAME", "check_event_schema", "checked_label", "load_result"]

LONGEST_NAME = 200


def check_event_schema(database: Database) -> None:
    """Refuses events of a newer format."""
    if (got := get_meta(database, "schema", int)) > events.SCHEMA:
        raise StoreError(
            f"{database.path} must have events of format {events.SCHEMA} or older, got {got}: "
            "a newer nbnas wrote it. Update nbnas"
        )


def checked_label(text: object) -> str:
    """A label without spaces around it.

    Raises:
        StoreError: it is not one line of at most 200 characters.
    """
    if not isinstance(text, str) or len(text) > LONGEST_NAME or not text.isprintable():
        raise StoreError(f"label must be one line of at most {LONGEST_NAME} characters, got {text!r:.80}. Shorten it")
    return text.strip()


def load_result(database: Database, folder: Path, name: str) -> dict[str, Any]:
    """A result by its name, checked."""
    index = read_index(database).result
    if name not in index:
        raise StoreError(f"run {folder.name} has no result {name!r:.80}; it has: {', '.join(sorted(index)) or 'none'}")
    result: dict[str, Any] = load_state(database, folder / "checkpoints", index[name])[1]
    return result
