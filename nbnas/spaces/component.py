"""What a search space is made of: a component with decisions in it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from nbnas.errors import SpaceError
from nbnas.settings import Settings
from nbnas.spaces.decision import Decision, Option

if TYPE_CHECKING:
    import networkx

__all__ = ["COMPONENTS", "Component"]

COMPONENTS: dict[str, type[Component]] = {}


@dataclass(frozen=True)
class Component(Settings):
    """A part of a network in which something is left open. Plain data.

    A subclass sets `kind` (its name in files) and overrides `decisions` and `graph`; it may override `canonical` and
    `relaxable`.
    """

    kind: ClassVar[str]
    error: ClassVar[type[SpaceError]] = SpaceError

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "kind" not in vars(cls):  # files that name the kind of its base mean the base
            return
        known = COMPONENTS.get(cls.kind)
        if known is not None and known.__module__.startswith("nbnas.") and cls.__module__ != known.__module__:
            raise SpaceError(f"kind must be new, got {cls.kind!r}, which is built in; in component {cls.__name__}.")
        COMPONENTS[cls.kind] = cls

    @abstractmethod
    def decisions(self) -> tuple[Decision, ...]:
        """The open choices, conditions only on earlier ones."""

    @abstractmethod
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        """The drawing of one architecture, or of the whole component when `chosen` is `None`.

        Nodes (feature maps) carry `label`; edges carry `operation`, and `decision` where a decision names it.
        """

    def canonical(self, chosen: Mapping[str, Option]) -> str:
        """One text for all choices that compute the same function; here no two do."""
        return ";".join(f"{name}={option}" for name, option in chosen.items())

    def relaxable(self) -> str | None:
        """`None` when a supernet of it can be built, else the reason why not and what to use instead."""
        return f"{self.kind} has no relaxed view. Score its architectures with nb.evaluators.Training"
