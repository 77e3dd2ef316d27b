"""Relaxed modules of which an architecture has only some parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

__all__ = ["Partial"]


class Partial(ABC):
    """A module of a supernet some of whose parts depend on several rows at once."""

    @abstractmethod
    def absent(self, paths: Mapping[str, tuple[int, ...]]) -> Iterable[str]:
        """The names of the parts, within this module, that an architecture does not have.

        Args:
            paths: for each row, named from the root, the places of the options that it computes.
        """
