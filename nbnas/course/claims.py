"""Claims: what a lesson says, as a check that fails when it is not so."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from nbnas.errors import ClaimError, SettingsError

__all__ = ["KINDS", "Claim", "claim"]

KINDS = ("identity", "statistical", "empirical")
"""identity: holds for all numbers, up to rounding; statistical: fails by chance with a probability that the lesson
states; empirical: measured with fixed seeds, and the lesson says how far the threshold is from what was seen."""

_STEPS = (2, 3, 5, 10, 20, 50, 100)


class Claim(NamedTuple):
    """A claim that holds. Its text is the same on every machine: measured values stay out of it."""

    name: str
    sentence: str
    kind: str
    margin: str = ""

    @property
    def text(self) -> str:
        """One line for the reader."""
        how = ", ".join(filter(None, (self.kind, self.margin)))
        return f"CLAIM {self.name} holds ({how}): {self.sentence}"

    def _ipython_display_(self) -> None:
        """Nothing: it was printed when it was made, and would stand there twice at the end of a cell."""


def claim(
    name: str,
    sentence: str,
    holds: bool | np.bool_,
    *,
    kind: str = "identity",
    value: float | None = None,
    threshold: float | None = None,
    margin_sd: float | None = None,
) -> Claim:
    """Asserts a claim of a lesson and prints it.

    Args:
        name: lesson and number, `05.2`.
        sentence: what is claimed, in words.
        holds: whether it does.
        kind: one of `KINDS`.
        value: what was found, for the message when it does not hold.
        threshold: what the value was compared with, likewise.
        margin_sd: how many standard deviations of the value lie between it and the threshold.

    Raises:
        ClaimError: it does not hold.
        SettingsError: it is no claim: a wrong name or kind, no sentence, or `holds` is not one truth value.
    """
    if not re.fullmatch(r"\d\d\.\d+", name):
        raise SettingsError(f"name must be lesson and number such as '05.2', got {name!r:.80}; in claim.")
    if kind not in KINDS:
        raise SettingsError(f"kind must be one of {', '.join(KINDS)}, got {kind!r:.80}; claim {name}.")
    if not sentence.strip():
        raise SettingsError(f"sentence must say what is claimed, got {sentence!r}; claim {name}.")
    if not isinstance(holds, bool | np.bool_):
        raise SettingsError(f"holds must be True or False, got {holds!r:.80}; claim {name}. Use all(…) for several")
    if not holds:
        seen = "" if value is None else f", got {value:.6g}"
        limit = "" if threshold is None else f" against {threshold:.6g}"
        raise ClaimError(f"claim {name} must hold{seen}{limit}: {sentence}")
    margin = "" if margin_sd is None else _margin(margin_sd)
    made = Claim(name, sentence, kind, margin)
    print(made.text)
    return made


def _margin(margin_sd: float) -> str:
    """In coarse steps, so that the text stays the same where numbers differ a little."""
    reached = [step for step in _STEPS if margin_sd >= step]
    return f"margin above {reached[-1]} sd" if reached else f"margin below {_STEPS[0]} sd"
