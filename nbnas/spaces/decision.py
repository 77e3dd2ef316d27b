"""One open choice of a search space."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

__all__ = ["Condition", "Decision", "Option", "within"]

Option = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds when an earlier decision is active and took one of some options, or when another condition holds.

    Attributes:
        decision: its name, from the component in which the condition stands, or from the root when it starts with `/`.
        options: those with which the condition holds.
        otherwise: further conditions, any one of which is enough; they have no `otherwise` themselves.
    """

    decision: str
    options: tuple[Option, ...]
    otherwise: tuple[Condition, ...] = ()

    def renamed(self, rename: Callable[[str], str]) -> Condition:
        """The same condition with other names of the decisions."""
        others = tuple(rule.renamed(rename) for rule in self.otherwise)
        return Condition(rename(self.decision), self.options, others)


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
        wiring: whether the options say from which nodes, or layers, a node takes its input.
    """

    name: str
    options: tuple[Option, ...]
    label: str = ""
    group: str = ""
    when: tuple[Condition, ...] = ()
    ordered: bool = False
    wiring: bool = False


def within(part: str, decisions: Iterable[Decision], when: tuple[Condition, ...] = ()) -> tuple[Decision, ...]:
    """The decisions of the part named `part`, as decisions of what contains it, under the further conditions `when`."""

    def renamed(name: str) -> str:
        return name if name.startswith("/") else f"{part}/{name}"

    return tuple(
        replace(
            decision,
            name=f"{part}/{decision.name}",
            group=f"{part} {decision.group}".rstrip(),
            when=(*when, *(rule.renamed(renamed) for rule in decision.when)),
        )
        for decision in decisions
    )
