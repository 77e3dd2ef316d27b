"""Lets search spaces ask what a network costs without knowing torch: the package says who can tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["measure", "provide"]

_provider: list[Callable[[], Callable[..., float]]] = []


def provide(provider: Callable[[], Callable[..., float]]) -> None:
    """Sets what loads the measure; `nbnas` itself calls this."""
    _provider[:] = [provider]


def measure(*question: Any) -> float:
    """What one architecture costs; see `nbnas.networks.measure.measure`."""
    return _provider[0]()(*question)
