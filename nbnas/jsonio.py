"""JSON as nbnas reads and writes it: closed, finite, bounded, one text per value."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from nbnas.errors import NbnasError, SpecError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "dumps", "loads", "pointer"]

MAX_DEPTH = 32
MAX_BYTES = 4_000_000


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Writes `value` with sorted keys; NaN and infinity raise `ValueError`."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(value, allow_nan=False, ensure_ascii=False, sort_keys=True, indent=indent, separators=separators)


def pointer(where: str, key: str | int) -> str:
    """Extends a JSON pointer (RFC 6901) by one key."""
    return f"{where}/{str(key).replace('~', '~0').replace('/', '~1')}"


def loads(text: str | bytes, where: str, *, error: type[NbnasError] = SpecError) -> Any:
    """Reads one JSON value that came from outside.

    Args:
        text: UTF-8 JSON, at most `MAX_BYTES` long and `MAX_DEPTH` deep.
        where: the name of the source (a file, a field), put at the head of each message.
        error: the class to raise.

    Raises:
        NbnasError: of class `error`: not JSON, too large, too deep, a duplicate key, NaN or infinity.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as cause:
            raise error(f"{where}: must be UTF-8 text ({cause}). Save the file as UTF-8 JSON") from None
    if len(text) > MAX_BYTES:
        raise error(f"{where}: must be at most {MAX_BYTES:,} characters, got {len(text):,}")
    # Before parsing: the parser itself recurses, and a deep text would exhaust the stack.
    if (depth := _depth(text)) > MAX_DEPTH:
        raise error(f"{where}: must be nested at most {MAX_DEPTH} deep, got {depth:,}")

    def refuse(token: str) -> NoReturn:
        raise error(f"{where}: numbers must be finite, got {token}")

    def number(token: str) -> float:
        value = float(token)
        if value in (float("inf"), float("-inf")):
            refuse(token)
        return value

    def whole(token: str) -> int:
        if len(token) > 64:
            raise error(f"{where}: numbers must have at most 64 digits, got {len(token):,}")
        return int(token)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise error(f"{where}: key {twice[:80]!r} must occur once in its object, got it twice. Remove one")
        return result

    try:
        return json.loads(text, parse_constant=refuse, parse_float=number, parse_int=whole, object_pairs_hook=unique)
    except json.JSONDecodeError as cause:
        raise error(f"{where}: must be JSON; line {cause.lineno}, column {cause.colno}: {cause.msg}") from None


def _depth(text: str) -> int:
    """The deepest nesting of brackets outside of strings."""
    depth = deepest = 0
    in_string = escaped = False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest
