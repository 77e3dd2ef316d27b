"""One open choice of a search space."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

__all__ = ["Condition", "Decision", "Option", "within"]

Option = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds when an earlier decision is active and took one of some options.

    Attributes:
        decision: its name, from the component in which the condition stands, or from the root when it starts with `/`.
        options: those with which the condition holds.
    """

    decision: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """One open choice between named options.

    Attributes:
        name: unique in its space; a key in files and events. A path of component and field names, joined by `/`.
        options: what can be chosen, in a fixed order; a *choice* is an index into it.
        label: what a person reads; the name when empty.
        group: decisions of one group are shown together (the node of a cell, a layer).
        when: the decision is *active* when all these conditions hold.
        ordered: whether the options are steps of one quantity, from low to high.
    """

    name: str
    options: tuple[Option, ...]
    label: str = ""
    group: str = ""
    when: tuple[Condition, ...] = ()
    ordered: bool = False


def within(part: str, decisions: Iterable[Decision], when: tuple[Condition, ...] = ()) -> tuple[Decision, ...]:
    """The decisions of the part named `part`, as decisions of what contains it, under the further conditions `when`."""
    return tuple(
        replace(
            decision,
            name=f"{part}/{decision.name}",
            group=f"{part} {decision.group}".rstrip(),
            when=(
                *when,
                *(
                    rule if rule.decision.startswith("/") else Condition(f"{part}/{rule.decision}", rule.options)
                    for rule in decision.when
                ),
            ),
        )
        for decision in decisions
    )
