"""What a view needs of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from nbnas.events import Progress
from nbnas.spaces import SearchSpace
from nbnas.state import RunState

__all__ = ["ENDED", "LiveRun"]

T = TypeVar("T")

ENDED = ("stopped", "finished", "failed", "interrupted")


class LiveRun(Protocol):
    """A run that goes on elsewhere. `nbnas.session.Run` is one."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def spec(self) -> Any: ...
    @property
    def space(self) -> SearchSpace: ...
    @property
    def device(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def progress(self) -> Progress | None: ...
    @property
    def elapsed(self) -> float: ...
    @property
    def remaining(self) -> float | None: ...
    @property
    def fraction(self) -> float | None: ...

    def read(self, function: Callable[[RunState], T], /) -> T:
        """Calls `function` with the state while nothing changes it."""

    def pause(self) -> Any: ...
    def step(self) -> Any: ...
    def resume(self) -> Any: ...
    def stop(self) -> Any: ...
