"""Conditions of which one is enough."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from nbnas.errors import SpaceError
from nbnas.spaces import Component, Condition, Decision, Head, Network, Repeat, SearchSpace, Stem

EITHER = Condition("a", ("x",), (Condition("b", ("x", "y")),))


@dataclass(frozen=True)
class Either(Component):
    kind: ClassVar[str] = "test_either"
    takes: ClassVar[str] = "map"
    gives: ClassVar[str] = "map"

    def decisions(self):
        return (Decision("a", ("x", "y")), Decision("b", ("x", "y", "z")), Decision("c", ("p", "q"), when=(EITHER,)))


def space_of(*parts):
    return SearchSpace("either", Network((Stem(4), *parts, Head())))


def test_a_decision_is_active_when_one_of_them_holds():
    """a = x: 3 · 2; a = y: b = x or y gives 2 · 2, b = z gives 1."""
    space = space_of(Either())
    assert space.size == 6 + 4 + 1 == sum(1 for _ in space.enumerate())
    for architecture in space.enumerate():
        chosen = space.options(architecture)
        there = chosen["test_either/a"] == "x" or chosen["test_either/b"] != "z"
        assert ("test_either/c" in chosen) == there


def test_they_are_renamed_within_other_components():
    space = space_of(Repeat(Either(), times=2))
    assert space.size == 11**2
    assert space.decisions[5].when[0].otherwise[0].decision == "repeat/2/b"


def test_all_of_them_must_name_earlier_decisions():
    class Wrong(Either):
        kind: ClassVar[str] = "test_wrong"

        def decisions(self):
            late = Condition("a", ("x",), (Condition("c", ("p",)),))
            return (Decision("a", ("x", "y")), Decision("b", ("x",), when=(late,)), Decision("c", ("p", "q")))

    with pytest.raises(SpaceError, match="come before it"):
        space_of(Wrong())
