"""Tasks: data, splits, loss and metric of what a search is for."""

from __future__ import annotations

from typing import Any

from nbnas.tasks.arrays import ArraysTask, from_arrays
from nbnas.tasks.data import Data, Split
from nbnas.tasks.dataset import from_dataset
from nbnas.tasks.digits import Digits
from nbnas.tasks.mnist1d import Mnist1D
from nbnas.tasks.task import TASKS, Task, TaskSettingsError, task_from_json, task_to_json

__all__ = [
    "TASKS",
    "ArraysTask",
    "Data",
    "Digits",
    "Mnist1D",
    "Split",
    "Task",
    "TaskSettingsError",
    "digits",
    "from_arrays",
    "from_dataset",
    "mnist1d",
    "task_from_json",
    "task_to_json",
]


def digits(**settings: Any) -> Digits:
    """1,797 images of handwritten digits, 8×8 pixels, 10 classes; the settings are those of `Digits`."""
    return Digits(**settings)


def mnist1d(**settings: Any) -> Mnist1D:
    """MNIST-1D: 5,000 sequences of 40 values, 10 classes; the settings are those of `Mnist1D`."""
    return Mnist1D(**settings)
