"""One open choice of a search space."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Condition", "Decision", "Option"]

Option = str | int | float


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds when an earlier decision is active and took one of some options."""

    decision: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """One open choice between named options.

    Attributes:
        name: unique in its space; a key in files and events.
        options: what can be chosen, in a fixed order; a *choice* is an index into it.
        label: what a person reads; the name when empty.
        group: decisions of one group are shown together (the node of a cell, a layer).
        when: the decision is *active* when all these conditions hold.
    """

    name: str
    options: tuple[Option, ...]
    label: str = ""
    group: str = ""
    when: tuple[Condition, ...] = ()
