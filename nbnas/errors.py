"""Every error that a caller of nbnas can cause.

```
NbnasError
├── SpaceError      (ValueError)   a space, a decision or an architecture is wrong
├── TaskError       (ValueError)   data, splits or a device are wrong
├── SettingsError   (ValueError)   a setting of a strategy, an evaluator or a budget is wrong
│   └── SpecError                  a run specification (JSON) is wrong
├── TrialError      (RuntimeError) one trial failed; the run goes on
├── StoreError      (RuntimeError) a stored run cannot be read or written
│   ├── RunBusyError               the run is open in another process
│   └── ResumeError                a resumed run does not repeat what was recorded
├── RunError        (RuntimeError) a run failed or is in the wrong state for the call
└── ClaimError      (AssertionError) a claim of the course does not hold
```
The form of a message: `<subject> must be <expected>, got <value>; <where>. <what to do>`.
"""

from __future__ import annotations

__all__ = [
    "ClaimError",
    "NbnasError",
    "ResumeError",
    "RunBusyError",
    "RunError",
    "SettingsError",
    "SpaceError",
    "SpecError",
    "StoreError",
    "TaskError",
    "TrialError",
]


class NbnasError(Exception):
    """The root of all errors that nbnas raises on purpose."""


class SpaceError(NbnasError, ValueError):
    """A search space, a decision or an architecture is wrong. `field` is the place in its component, if it is there."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class TaskError(NbnasError, ValueError):
    """Data, splits or a device are wrong."""


class SettingsError(NbnasError, ValueError):
    """A setting is wrong. `field` names it, so that a form can mark it."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class SpecError(SettingsError):
    """A run specification is wrong."""


class TrialError(NbnasError, RuntimeError):
    """One trial failed. `cause` is a short word for counting: nan, out_of_memory, missing, error."""

    def __init__(self, message: str, *, cause: str = "error") -> None:
        super().__init__(message)
        self.cause = cause


class StoreError(NbnasError, RuntimeError):
    """A stored run cannot be read or written."""


class RunBusyError(StoreError):
    """The run is open for writing in another process."""


class ResumeError(StoreError):
    """A resumed run does not repeat what was recorded, or runs on another machine than before."""


class RunError(NbnasError, RuntimeError):
    """A run failed, or is in the wrong state for the call."""


class ClaimError(NbnasError, AssertionError):
    """A claim that a lesson of the course makes does not hold."""
