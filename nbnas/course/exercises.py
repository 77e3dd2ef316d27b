"""Exercises that check themselves: random cases against a reference, and messages that say what is wrong.

The exercises of lesson 06 are the `EXERCISES` of `nbnas.course.exercises_06`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from nbnas.errors import SettingsError

__all__ = ["Exercise", "Result", "exercise"]


@dataclass(frozen=True)
class Result:
    """What a check found. `message` says what is wrong, or that nothing is."""

    exercise: str
    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"exercise {self.exercise}: {'right' if self.passed else 'not yet'}. {self.message}"


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        name: lesson and letter, `06.b`.
        text: what is asked for, in one sentence.
        hints: from a nudge to nearly the solution; three of them.
        judge: from an answer to what is wrong with it; empty when it is right.
    """

    name: str
    text: str
    hints: tuple[str, str, str]
    judge: Callable[[Any], str] = field(repr=False)

    def check(self, answer: Any) -> Result:
        """Tries an answer, mostly a function, on random cases; never raises because of it."""
        wrong = self.judge(answer)
        return Result(self.name, not wrong, wrong or "All cases agree with the reference.")

    def hint(self, number: int = 1) -> str:
        """Hint 1, 2 or 3.

        Raises:
            SettingsError: there is no such hint.
        """
        if isinstance(number, bool) or number not in (1, 2, 3):
            raise SettingsError(f"hint must be 1, 2 or 3, got {number!r:.80}; exercise {self.name}.")
        return self.hints[number - 1]


def exercise(name: str) -> Exercise:
    """The exercise of a lesson, such as `06.b`.

    Raises:
        SettingsError: there is none of that name.
    """
    lesson = name.partition(".")[0] if isinstance(name, str) else ""
    found: dict[str, Exercise] = {}
    if len(lesson) == 2 and lesson.isascii() and lesson.isdigit() and find_spec(f"{__package__}.exercises_{lesson}"):
        found = {one.name: one for one in importlib.import_module(f"{__package__}.exercises_{lesson}").EXERCISES}
    if name not in found:
        known = f"the exercises of lesson {lesson}: {', '.join(found)}" if found else "one such as '06.b'"
        raise SettingsError(f"exercise must be {known}, got {name!r:.80}.")
    return found[name]
