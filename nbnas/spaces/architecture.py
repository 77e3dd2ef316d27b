"""One candidate of a search space, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbnas.errors import SpaceError

__all__ = ["Architecture"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """The option choices for the decisions of one space; equal iff space and choices are equal.

    Attributes:
        space: the digest of the space it belongs to.
        choices: one option index per decision in the order of the space; `None` where the decision is not active.
    """

    space: str
    choices: tuple[int | None, ...]

    def __str__(self) -> str:
        """The short text form: option indices joined by `-`, with `.` where a decision is not active."""
        return "-".join("." if choice is None else str(choice) for choice in self.choices)

    def to_json(self) -> dict[str, Any]:
        """`{"space": digest, "choices": text form}`."""
        return {"space": self.space, "choices": str(self)}

    @classmethod
    def from_json(cls, value: Any, where: str = "") -> Architecture:
        """Reads what `to_json` wrote; `SearchSpace.validate` tells whether it fits a space."""
        if (
            not isinstance(value, dict)
            or set(value) != {"space", "choices"}
            or not all(isinstance(item, str) for item in value.values())
        ):
            raise SpaceError(f"{where or '/'} must be an architecture with space and choices, got {value!r:.120}")
        return cls(value["space"], parse_choices(value["choices"], where))


def parse_choices(text: str, where: str = "") -> tuple[int | None, ...]:
    """Reads the short text form, such as `3-0-.-1`."""
    parts = text.split("-") if text else []
    for part in parts:
        if part != "." and not (part.isascii() and part.isdigit() and len(part) < 10):
            raise SpaceError(
                f"architecture text must be option indices joined by '-', such as 3-0-.-1, got {text!r:.80}; "
                f"{where or 'in a text'}"
            )
    return tuple(None if part == "." else int(part) for part in parts)
