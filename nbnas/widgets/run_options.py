"""The fields of a run that belong to no part of the search."""

from __future__ import annotations

from dataclasses import dataclass

from nbnas.settings import Settings, setting

__all__ = ["RunOptions"]


@dataclass(frozen=True)
class RunOptions(Settings):
    """What identifies a run, beside what it searches."""

    seed: int = setting(0, "Of all its chance.", minimum=0)
    device: str = setting("auto", "Where networks are trained.", options=("auto", "cpu", "cuda", "mps"))
    name: str = setting("", "A label of your own.")
