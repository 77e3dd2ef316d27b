"""Limits on what an architecture may cost, as a part of a search space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from nbnas.errors import SpaceError
from nbnas.measuring import measure
from nbnas.settings import Settings, setting

if TYPE_CHECKING:
    from nbnas.spaces.architecture import Architecture
    from nbnas.spaces.space import SearchSpace

__all__ = ["Limit", "checked_limits"]


@dataclass(frozen=True)
class Limit(Settings):
    """A range for the parameters or the FLOPs of the network for one kind of input, form `evaluation`."""

    error: ClassVar[type[SpaceError]] = SpaceError

    metric: str = setting("parameters", "What is limited.", options=("parameters", "flops", "macs"))
    maximum: float | None = setting(None, "The most that is allowed; none: any.", minimum=0)
    minimum: float | None = setting(None, "The least that is allowed; none: any.", minimum=0)
    input_shape: tuple[int, ...] = setting(
        (3, 32, 32), "Shape of one input: channels and spatial dimensions.", minimum=1, maximum=65536
    )
    classes: int = setting(10, "Classes of the task.", minimum=2, maximum=1_000_000)
    vocabulary: int | None = setting(None, "Different tokens, where the inputs are tokens.", minimum=1, maximum=1 << 24)

    @override
    def check(self) -> None:
        if self.maximum is None and self.minimum is None:
            self.fail("maximum", "given, or minimum")
        if self.maximum is not None and self.minimum is not None and self.minimum > self.maximum:
            self.fail("minimum", f"at most maximum ({self.maximum:g})")
        if not 1 <= len(self.input_shape) <= 3:
            self.fail("input_shape", "one to three numbers")

    def broken(self, space: SearchSpace, architecture: Architecture) -> str:
        """How the architecture breaks the limit, in words; empty when it keeps it."""
        value = measure(space, architecture, self)
        if self.maximum is not None and value > self.maximum:
            return f"{self.metric} must be at most {self.maximum:,.0f}, got {value:,.0f}"
        if self.minimum is not None and value < self.minimum:
            return f"{self.metric} must be at least {self.minimum:,.0f}, got {value:,.0f}"
        return ""


def checked_limits(limits: Sequence[Limit], flow: str, dims: int) -> tuple[Limit, ...]:
    """The limits, if they are about inputs that the space takes."""
    for place, limit in enumerate(limits):
        where = f"/limits/{place}"
        if not isinstance(limit, Limit):
            raise SpaceError(f"limits must be limits, got {limit!r:.120}; in a search space.", field=where)
        if flow == "nodes":
            raise SpaceError("limits must be none for spaces of graphs, whose networks hold their graph.", field=where)
        tokens = flow == "tokens"
        if tokens != (limit.vocabulary is not None):
            expected = "given, since the space takes tokens" if tokens else "absent, since the space takes no tokens"
            raise SpaceError(
                f"vocabulary must be {expected}, got {limit.vocabulary}; in a limit.", field=f"{where}/vocabulary"
            )
        lengths = {1} if tokens else ({dims + 1, 1} if flow == "vector" else {dims + 1})
        if len(limit.input_shape) not in lengths:
            raise SpaceError(
                f"input_shape must have {max(lengths)} numbers, since dims is {dims}, got {limit.input_shape}; "
                "in a limit.",
                field=f"{where}/input_shape",
            )
    return tuple(limits)
