"""How much a lesson computes, and where its chance comes from.

`NBNAS_PROFILE` is `ci` (seconds, for automatic checks), `class` (the default) or `full`. Claims are the same in all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from nbnas.errors import SettingsError
from nbnas.seeds import generator

__all__ = ["PROFILES", "Profile", "params", "rng"]

PROFILES = ("ci", "class", "full")

T = TypeVar("T")


@dataclass(frozen=True)
class Profile:
    """The profile that holds. `name` is one of `PROFILES`."""

    name: str

    def pick(self, ci: T, classroom: T, full: T) -> T:
        """The value for this profile."""
        return (ci, classroom, full)[PROFILES.index(self.name)]


def params() -> Profile:
    """The profile that the environment asks for.

    Raises:
        SettingsError: `NBNAS_PROFILE` is none of them.
    """
    name = os.environ.get("NBNAS_PROFILE") or "class"
    if name not in PROFILES:
        raise SettingsError(
            f"NBNAS_PROFILE must be one of {', '.join(PROFILES)}, got {name!r:.80}; in the environment."
        )
    return Profile(name)


def rng(notebook: str, section: str) -> np.random.Generator:
    """A generator for one section of a lesson; sections do not shift each other's numbers.

    Args:
        notebook: `05`.
        section: `2`.
    """
    return generator(0, f"course/{notebook}/{section}")
