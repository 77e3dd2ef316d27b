"""Tasks as plain settings, their registry and their JSON."""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, ClassVar

from nbnas.errors import SettingsError, TaskError
from nbnas.jsonio import pointer
from nbnas.settings import Settings
from nbnas.tasks.data import Data, Split

if TYPE_CHECKING:
    from nbnas.tasks.bound import BoundTask

__all__ = ["TASKS", "Data", "Split", "Task", "TaskSettingsError", "task_from_json", "task_to_json"]

TASKS: dict[str, type[Task]] = {}
"""Every kind of task, by its name in JSON."""

_LOADED_LIMIT = 4
_LOADED: OrderedDict[Task, Data] = OrderedDict()
_LOADING = threading.RLock()


class TaskSettingsError(TaskError, SettingsError):
    """A setting of a task is wrong. `field` names it, so that a form can mark it."""


class Task(Settings, ABC):
    """Data with train, valid and test splits, a loss and a metric: described by plain settings, loaded on demand.

    A subclass is a frozen dataclass; its fields are declared with `nbnas.settings.setting`.

    Must be set or overridden: `kind` (the name in JSON; defining it registers the class), `title` (what a menu shows),
    `make` (reads or generates the data).
    May be overridden: `check` (rules between settings).

    Raises:
        TaskError: If a setting has the wrong type or is out of range, or another module has registered the kind.
    """

    error = TaskSettingsError
    kind: ClassVar[str]
    title: ClassVar[str]

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        kind = vars(cls).get("kind")
        if kind is None:  # a base for other tasks
            return
        if not isinstance(kind, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", kind):
            raise TaskError(f"kind must be lower-case letters, digits and _, got {kind!r}; {cls.__qualname__}")
        known = TASKS.get(kind)
        # A notebook cell may be run again, and a class may move from the notebook to a file.
        if known is not None and known.__module__ not in (cls.__module__, "__main__"):
            raise TaskError(
                f"kind must be new, got {kind!r}, which {known.__module__}.{known.__qualname__} has; "
                f"{cls.__module__}.{cls.__qualname__}. Choose another kind"
            )
        TASKS[kind] = cls

    @abstractmethod
    def make(self) -> Data:
        """Reads or generates the data; equal settings give equal data."""

    def load(self) -> Data:
        """The data; those of the last few tasks are kept, so that equal settings load once a process."""
        _check_frozen(type(self))
        with _LOADING:
            data = _LOADED.pop(self, None) or self.make()
            _LOADED[self] = data
            while len(_LOADED) > _LOADED_LIMIT:
                _LOADED.popitem(last=False)
            return data

    def bind(self, device: str = "cpu", *, with_test: bool = False) -> BoundTask:
        """The data as tensors on a device.

        Args:
            device: `auto` (the first there is of CUDA, MPS, CPU), `cpu`, `cuda`, `cuda:1`, `mps`.
            with_test: Whether test comes along. Only a final report asks for it; a search never does.

        Raises:
            TaskError: If the device is not there.
        """
        # Here, because a stored run names its task without ever needing torch.
        from nbnas.tasks.bound import BoundTask, resolve_device

        return BoundTask(self.load(), resolve_device(device), with_test=with_test)


def task_to_json(task: Task) -> dict[str, Any]:
    """`{"kind": …, "settings": {…}}`, plain values only; `task_from_json` reads it.

    Raises:
        TaskError: If the task's class is not registered under its kind.
    """
    cls = type(task)
    _check_frozen(cls)
    known = TASKS.get(getattr(cls, "kind", ""))
    # By name: after a notebook cell is run again, tasks made before still belong to their kind.
    if known is None or (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise TaskError(f"{cls.__qualname__} must define its own kind to be stored. Add a line kind = '…' to the class")
    return {"kind": task.kind, "settings": task.to_json()}


def task_from_json(value: object, where: str = "") -> Task:
    """The task that `task_to_json` described.

    Args:
        value: Parsed JSON.
        where: The place of `value` for messages: a JSON pointer, perhaps after a file name.

    Raises:
        TaskError: If the kind or a setting is unknown, missing, of a wrong type or out of range; it names the place.
    """
    if not isinstance(value, dict):
        raise TaskError(f"{where or '/'} must be an object, got {value!r:.80}")
    for key in value:
        if key not in ("kind", "settings"):
            raise TaskError(f"{pointer(where, str(key)[:80])} is not a known name; known: kind, settings")
    for key in ("kind", "settings"):
        if key not in value:
            raise TaskError(f"{pointer(where, key)} is missing. A task is an object with kind and settings")
    kind = value["kind"]
    if not isinstance(kind, str) or kind not in TASKS:
        raise TaskError(
            f"{pointer(where, 'kind')}: {kind!r:.80} is not a known task; known: {', '.join(sorted(TASKS))}"
        )
    return TASKS[kind].from_json(value["settings"], pointer(where, "settings"))


def _check_frozen(cls: type[Task]) -> None:
    parameters = vars(cls).get("__dataclass_params__")
    if parameters is None or not parameters.frozen:
        raise TaskError(f"{cls.__qualname__} must be a frozen dataclass. Put @dataclass(frozen=True) above the class")
