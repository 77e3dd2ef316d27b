"""Tasks: data, splits, loss and metric of what a search is for."""

from __future__ import annotations

from typing import Any

from nbnas.tasks.arrays import ArraysTask, from_arrays
from nbnas.tasks.breast_cancer import BreastCancer
from nbnas.tasks.characters import Characters
from nbnas.tasks.communities import Communities
from nbnas.tasks.data import Data, Graph, Split
from nbnas.tasks.dataset import from_dataset
from nbnas.tasks.digits import Digits
from nbnas.tasks.graphs import from_graph
from nbnas.tasks.mnist1d import Mnist1D
from nbnas.tasks.task import TASKS, Task, TaskSettingsError, task_from_json, task_to_json
from nbnas.tasks.texts import from_texts
from nbnas.tasks.topics import Topics
from nbnas.tasks.wine import Wine

__all__ = [
    "TASKS",
    "ArraysTask",
    "BreastCancer",
    "Characters",
    "Communities",
    "Data",
    "Digits",
    "Graph",
    "Mnist1D",
    "Split",
    "Task",
    "TaskSettingsError",
    "Topics",
    "Wine",
    "breast_cancer",
    "characters",
    "communities",
    "digits",
    "from_arrays",
    "from_dataset",
    "from_graph",
    "from_texts",
    "mnist1d",
    "task_from_json",
    "task_to_json",
    "topics",
    "wine",
]


def breast_cancer(**settings: Any) -> BreastCancer:
    """A table of 569 rows, 30 features, 2 classes; the settings are those of `BreastCancer`."""
    return BreastCancer(**settings)


def characters(**settings: Any) -> Characters:
    """6,000 windows of 32 characters of English prose, the next one to be told; the settings are of `Characters`."""
    return Characters(**settings)


def communities(**settings: Any) -> Communities:
    """1,000 nodes of one graph, 4 features, 4 classes; the settings are those of `Communities`."""
    return Communities(**settings)


def digits(**settings: Any) -> Digits:
    """1,797 images of handwritten digits, 8×8 pixels, 10 classes; the settings are those of `Digits`."""
    return Digits(**settings)


def mnist1d(**settings: Any) -> Mnist1D:
    """MNIST-1D: 5,000 sequences of 40 values, 10 classes; the settings are those of `Mnist1D`."""
    return Mnist1D(**settings)


def topics(**settings: Any) -> Topics:
    """2,400 windows of 24 words, 8 topics; the settings are those of `Topics`."""
    return Topics(**settings)


def wine(**settings: Any) -> Wine:
    """A table of 178 rows, 13 features, 3 classes; the settings are those of `Wine`."""
    return Wine(**settings)
