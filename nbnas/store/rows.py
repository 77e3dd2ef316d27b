"""What stands in the tables: JSON texts, each row with a CRC, because SQLite does not notice a flipped bit."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from nbnas import jsonio
from nbnas.errors import StoreError
from nbnas.events import Record
from nbnas.store.database import Database

__all__ = ["add_event", "checked_text", "crc", "get_meta", "meta_row", "read_records", "record_of", "set_meta"]

_BATCH = 500
_REMEDY = "Restore run.db from a copy; `nbnas verify` lists everything that is wrong"

Reader = Callable[[Callable[[Database], Any]], Any]


def crc(*fields: Any) -> int:
    """CRC-32 of all fields together."""
    return zlib.crc32("\n".join(map(repr, fields)).encode("utf-8", "backslashreplace"))


def checked_text(value: Any, subject: str) -> str:
    """`value` as JSON that can be read again.

    Raises:
        StoreError: it is not finite JSON, or too large or too deep; `subject` names it.
    """
    try:
        # Half a surrogate pair (file names in messages) has no UTF-8; the escape is the same in Python and JSON.
        text = jsonio.dumps(value).encode("utf-8", "backslashreplace").decode()
    except (TypeError, ValueError, RecursionError) as cause:
        raise StoreError(f"{subject} must be finite JSON values, got: {cause}. Convert them first") from cause
    if len(text) > jsonio.MAX_BYTES or text.count("{") + text.count("[") > jsonio.MAX_DEPTH:
        jsonio.loads(text, subject, error=StoreError)
    return text


def meta_row(key: str, value: Any) -> tuple[str, str, int]:
    """The row of `meta` that holds `value`."""
    text = checked_text(value, key)
    return key, text, crc(key, text)


def set_meta(database: Database, key: str, value: Any) -> None:
    """Changes a value of `meta`; part of a transaction."""
    _, text, check = meta_row(key, value)
    database.change("UPDATE meta SET value = ?, crc = ? WHERE key = ?", text, check, key, expect=1)


def get_meta(database: Database, key: str, kind: type[Any] | tuple[type[Any], ...]) -> Any:
    """A value of `meta`, checked."""
    rows = database.rows("SELECT value, crc FROM meta WHERE key = ?", key)
    where = f"{database.path}: {key}"
    if len(rows) != 1 or not isinstance(rows[0][0], str) or crc(key, rows[0][0]) != rows[0][1]:
        raise StoreError(f"{where} must have the content that was stored, got another one. {_REMEDY}")
    value = jsonio.loads(rows[0][0], where, error=StoreError)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise StoreError(f"{where} is of the wrong kind, got {value!r:.80}. {_REMEDY}")
    return value


def add_event(database: Database, record: Record) -> None:
    """Inserts a record; part of a transaction."""
    kind, time = type(record.event).__name__, float(record.time)
    if not math.isfinite(time):
        raise StoreError(f"time must be finite, got {time}; event {record.seq} ({kind})")
    body = checked_text(record.event.to_json(), f"event {record.seq} ({kind})")
    check = crc(record.seq, time, kind, body)
    database.change("INSERT INTO event VALUES (?, ?, ?, ?, ?)", record.seq, time, kind, body, check)


def record_of(database: Database, row: tuple[Any, ...]) -> Record:
    """The record in a row of `event`, checked."""
    seq, time, kind, body, check = row
    where = f"{database.path}: event {seq}"
    if not isinstance(body, str) or crc(seq, time, kind, body) != check:
        raise StoreError(f"{where} must have the content that was stored, got another one. {_REMEDY}")
    event = jsonio.loads(body, where, error=StoreError)
    if not isinstance(event, dict):
        raise StoreError(f"{where} must be an object, got {event!r:.80}. {_REMEDY}")
    return Record.from_json({"seq": seq, "time": time, "kind": kind, "event": event})


def read_records(read: Reader, after: int) -> Iterator[Record]:
    """All records after number `after` that are stored now, in order, none missing.

    Args:
        read: calls its argument with the database; once a batch, so that a slow consumer hinders nobody.
        after: the number before the first one.
    """
    after = max(after, 0)
    last = read(lambda database: get_meta(database, "events", int))
    while after < last:
        upto = min(last, after + _BATCH)
        yield from read(partial(_read_batch, after=after, upto=upto))
        after = upto


def _read_batch(database: Database, after: int, upto: int) -> list[Record]:
    rows = database.rows(
        "SELECT seq, time, kind, body, crc FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        after, upto, _BATCH + 1,
    )  # fmt: skip
    expected = range(after + 1, upto + 1)
    found = [row[0] for row in rows]
    if found != list(expected):
        missing = next((seq for seq in expected if seq not in found), "another number")
        raise StoreError(f"{database.path}: event {missing} must be there, got none. {_REMEDY}")
    return [record_of(database, row) for row in rows]
