"""The trials that no other trial is better than."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["Front", "Member", "dominates"]


class Member(NamedTuple):
    """One trial of a front.

    Attributes:
        trial: its number.
        architecture: its short text form.
        objectives: what was maximised.
        violation: by how much constraints are broken.
    """

    trial: int
    architecture: str
    objectives: tuple[float, ...]
    violation: float = 0.0


class Front:
    """The members that no other dominates, in the order of their trials."""

    def __init__(self) -> None:
        self.members: list[Member] = []

    def offer(self, member: Member) -> tuple[int, ...] | None:
        """Takes a member in unless another dominates it or is equal to it.

        Returns:
            The trials that left the front because of it; `None` when it was not taken in.
        """
        violation = member.violation
        for other in self.members:
            equal = (other.objectives, other.violation) == (member.objectives, violation)
            if equal or dominates(other.objectives, member.objectives, (other.violation, violation)):
                return None
        left = [
            other
            for other in self.members
            if dominates(member.objectives, other.objectives, (violation, other.violation))
        ]
        self.members = [other for other in self.members if other not in left] + [member]
        return tuple(other.trial for other in left)

    def to_json(self) -> list[list[Any]]:
        """The members as JSON values."""
        return [
            [member.trial, member.architecture, list(member.objectives), member.violation] for member in self.members
        ]

    @classmethod
    def from_json(cls, value: Sequence[Sequence[Any]]) -> Front:
        """Reads what `to_json` wrote."""
        front = cls()
        front.members = [Member(trial, text, tuple(values), violation) for trial, text, values, violation in value]
        return front


def dominates(one: Sequence[float], other: Sequence[float], violations: tuple[float, float] = (0.0, 0.0)) -> bool:
    """Whether objectives `one` (higher is better) are nowhere worse than `other` and somewhere better.

    With constraints (Deb et al., NSGA-II, IEEE Transactions on Evolutionary Computation 2002, Def. 1): what keeps them
    dominates what breaks them, and of two that break them the one that breaks them less.
    """
    if violations[0] != violations[1]:
        return violations[0] < violations[1]
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)
