"""The conditions of decisions, checked and turned from names into places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

from nbnas.errors import SpaceError
from nbnas.spaces.component import MAX_DECISIONS, Component
from nbnas.spaces.decision import Condition, Decision, Option

__all__ = ["Ways", "absolute", "misplaced", "ways_of"]

Ways = list[tuple[int, frozenset[int]]]
"""The ways to fulfil a condition, of which one is enough: (place of the earlier decision, its allowed choices)."""


def absolute(decision: Decision) -> Decision:
    """The decision with conditions that are named from the root."""
    if not decision.when:
        return decision
    return replace(decision, when=tuple(rule.renamed(lambda name: name.removeprefix("/")) for rule in decision.when))


def ways_of(component: Component, decisions: Sequence[Decision], index: Mapping[str, int]) -> list[list[Ways]]:
    """For each decision its conditions, all of which must hold.

    Args:
        component: whose decisions they are.
        decisions: named from the root, as their conditions are.
        index: the place of each by name.

    Raises:
        SpaceError: with the JSON pointer of the place: a decision is there twice or has no options, or a condition is
            about one that does not come before it, or about what is no option.
    """
    if len(decisions) > MAX_DECISIONS:
        raise SpaceError(f"decisions must be at most {MAX_DECISIONS:,}, got {len(decisions):,}; in {component.kind}.")
    for place, decision in enumerate(decisions):
        if index[decision.name] != place:
            misplaced(component, decision.name, f"decision {decision.name!r} must occur once.")
        if not decision.options:
            misplaced(component, decision.name, f"decision {decision.name!r} must have an option, got none.")
    reader = _Reader(component, decisions, index)
    return [
        [[reader.condition(place, one) for one in (rule, *rule.otherwise)] for rule in decision.when]
        for place, decision in enumerate(decisions)
    ]


def misplaced(component: Component, decision: str, message: str, *, key: str = "") -> NoReturn:
    """Raises an error about a decision, with the JSON pointer of its field, perhaps of a key in there."""
    where = component.place(decision)
    if key and where.rpartition("/")[2] == decision.rpartition("/")[2]:  # a field, and not a component that decides it
        where += f"/{key}"
    raise SpaceError(f"/component{where}: {message}", field=where.removeprefix("/"))


class _Reader:
    def __init__(self, component: Component, decisions: Sequence[Decision], index: Mapping[str, int]) -> None:
        self.component, self.decisions, self.index = component, decisions, index
        # By the identity of the tuples, which repeated parts share: (options of the decision, those of the condition).
        self.allowed: dict[tuple[int, int], frozenset[int]] = {}

    def condition(self, place: int, rule: Condition) -> tuple[int, frozenset[int]]:
        name = self.decisions[place].name
        parent = self.index.get(rule.decision, place)
        if parent >= place:
            before = ", ".join(decision.name for decision in self.decisions[:place][-20:])
            misplaced(
                self.component,
                name,
                f"decision {name!r} must depend on decisions that come before it, got {rule.decision!r:.80}. "
                f"Those before it: {before[-300:] or 'none'}",
                key="when",
            )
        options = self.decisions[parent].options
        same = id(options), id(rule.options)
        if same not in self.allowed:
            places = {_key(option): number for number, option in enumerate(options)}
            for option in rule.options:
                if _key(option) not in places:
                    misplaced(
                        self.component,
                        name,
                        f"decision {name!r} must depend on options of {rule.decision!r:.200} "
                        f"({', '.join(map(str, options[:20]))[:200]}), got {option!r:.80}",
                        key="when",
                    )
            self.allowed[same] = frozenset(places[_key(option)] for option in rule.options)
        return parent, self.allowed[same]


def _key(option: Option) -> tuple[bool, Option]:
    """Tells `True` from 1, which are equal to Python."""
    return isinstance(option, bool), option
