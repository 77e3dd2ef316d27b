"""Compares a function with a reference on random cases, and names known mistakes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["array_of", "called", "judged"]

TOLERANCE = 1e-9
_MOST = 300

Function = Callable[..., Any]


def judged(
    function: Any, cases: Sequence[Mapping[str, Any]], reference: Function, mistakes: Mapping[str, Function]
) -> str:
    """What is wrong with a function that returns numbers; empty when it agrees with the reference in all cases.

    Args:
        function: takes the arguments of a case by position.
        cases: arguments by their names.
        reference: what is right, an array or a number.
        mistakes: by what to tell the reader the functions that make a known mistake.
    """
    if not callable(function):
        return f"The answer must be a function, got {_short(function)}."
    got: list[npt.NDArray[np.float64]] = []
    for case in cases:
        value, wrong = called(function, case)
        if wrong:
            return wrong
        right = np.asarray(reference(**case), dtype=np.float64)
        made, wrong = array_of(value, right.shape, case)
        if wrong:
            return wrong
        got.append(made)
    wanted = [np.asarray(reference(**case), dtype=np.float64) for case in cases]
    if all(map(_close, got, wanted)):
        return ""
    for words, mistaken in mistakes.items():
        if all(_close(one, np.asarray(mistaken(**case), np.float64)) for one, case in zip(got, cases, strict=True)):
            return words
    place = next(place for place in range(len(cases)) if not _close(got[place], wanted[place]))
    ratios = [a / b for one, other in zip(got, wanted, strict=True) for a, b in _pairs(one, other)]
    if ratios and max(ratios) - min(ratios) < TOLERANCE * abs(ratios[0]):
        return f"All values are {ratios[0]:.4g} times what they should be: look for a factor or a sign."
    return f"For {_told(cases[place])} expected {_short(wanted[place])}, got {_short(got[place])}."


def called(function: Function, case: Mapping[str, Any]) -> tuple[Any, str]:
    """What a function returns for a case, and what went wrong: it raised, or changed what it was given."""
    given = copy.deepcopy(dict(case))
    try:
        with np.errstate(all="ignore"):
            value = function(*given.values())
    except Exception as cause:
        return None, f"For {_told(case)} it raised {type(cause).__name__}: {cause!s:.120}."
    if any(not _same(given[name], case[name]) for name in case):
        name = next(name for name in case if not _same(given[name], case[name]))
        return None, f"It changes its argument {name}. Work on a copy."
    return value, ""


def array_of(value: Any, shape: tuple[int, ...], case: Mapping[str, Any]) -> tuple[npt.NDArray[np.float64], str]:
    """The value as numbers of a shape, and what is wrong with it."""
    none = np.empty(0)
    if value is None:
        return none, "It returns None. Is the return statement there?"
    try:
        made = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return none, f"It must return numbers, got {_short(value)}."
    if made.shape != shape:
        return none, f"It must return an array of shape {shape}, got shape {made.shape}; for {_told(case)}."
    if not np.isfinite(made).all():
        return none, f"It must return finite numbers, got {_short(made)}; for {_told(case)}."
    return made, ""


def _close(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> bool:
    return bool(np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE))


def _pairs(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in zip(one.ravel(), other.ravel(), strict=True) if abs(b) > TOLERANCE]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and np.array_equal(one, other)
    return bool(one == other)


def _told(case: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_short(value)}" for name, value in case.items())


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = np.array2string(value, precision=4, separator=", ", threshold=12)
    text = " ".join(str(value).split())
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"
