"""The user's own arrays as a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np
from typing_extensions import override

from nbnas.errors import TaskError
from nbnas.settings import setting
from nbnas.tasks.data import Data, Split
from nbnas.tasks.inputs import Layout, classes, inputs, statistics
from nbnas.tasks.parts import parts
from nbnas.tasks.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ArraysTask", "from_arrays"]


@dataclass(frozen=True)
class ArraysTask(Task):
    """Data that a notebook holds. Its settings say which data they were; the data themselves are not stored."""

    kind = "arrays"
    title = "Own data"

    name: str = setting(help="What the data are called.")
    digest: str = setting(help="SHA-256 of the data, all splits.")
    input_shape: tuple[int, ...] = setting(
        help="Shape of one item: channels and spatial dimensions, or features; length of a text; nothing for a node."
    )
    items: tuple[int, ...] = setting(help="Number of items in train, valid and test.")
    labels: tuple[str, ...] = setting(help="Names of the classes.")

    @classmethod
    def of(cls, data: Data, name: str) -> Self:
        """The task that holds `data`."""
        items = tuple(len(split.y) for split in (data.train, data.valid, data.test))
        task = cls(name, data.digest, data.input_shape, items, data.labels)
        object.__setattr__(task, "_data", data)
        return task

    @override
    def make(self) -> Data:
        data: Data | None = vars(self).get("_data")
        if data is None:
            raise TaskError(_not_stored(self.name, self.digest))
        return data

    @override
    def load(self) -> Data:
        # Not kept by the class: the data live as long as the task does.
        return self.make()

    @classmethod
    @override
    def from_json(cls, value: Any, where: str = "") -> NoReturn:
        task = super().from_json(value, where)
        raise TaskError(f"{where or '/'}: {_not_stored(task.name, task.digest)}")


def from_arrays(
    x: Any,
    y: Any,
    *,
    valid: float | tuple[Any, Any] | None = None,
    test: float | tuple[Any, Any] | None = None,
    seed: int = 0,
    name: str = "arrays",
    labels: Sequence[str] | None = None,
    layout: Layout | None = None,
    normalize: bool = True,
) -> Task:
    """A classification task on arrays or tensors.

    Args:
        x: Inputs, numbers; by default of shape (items, length), (items, height, width) or
            (items, channels, height, width).
        y: A class an item: whole numbers or texts, of shape (items,).
        valid: What a search scores on: `(x, y)`, or the share of the given items; None is 0.2.
        test: What only a final report reads: `(x, y)`, or the share of the given items; None is 0.2.
        seed: Of the split, which is stratified by class.
        name: What the data are called in lists of runs.
        labels: The names of the classes. With them, whole numbers in `y` count from 0 in this order, and texts in `y`
            are among them; without, the classes are the different values in `y`, sorted.
        layout: What the axes of `x` are, where it is not the default: `nchw`, `nhwc`, `nhw` images, `ncl`, `nlc`, `nl`
            sequences, `nf` vectors of features.
        normalize: Whether each channel (or feature) is scaled to mean 0 and standard deviation 1 by the statistics of
            train.

    Raises:
        TaskError: If shapes, types, values or splits are wrong, or the axes may mean two things.
    """
    given_x = inputs("x", x, layout)

    def pair(part: str, value: tuple[Any, Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        part_x = inputs(f"{part} x", value[0], layout)
        if part_x.shape[1:] != given_x.shape[1:]:
            raise TaskError(f"{part} x must have items of shape {given_x.shape[1:]} as x has, got {part_x.shape[1:]}")
        return part_x, classes(f"{part} y", value[1], len(part_x))

    given = given_x, classes("y", y, len(given_x))
    names, splits = parts(given, pair, valid=valid, test=test, seed=seed, labels=labels)
    mean, deviation = statistics(splits["train"][0]) if normalize else (0.0, 1.0)
    with np.errstate(over="ignore"):  # `Data` refuses what is infinite in float32
        done = {part: Split(((px - mean) / deviation).astype(np.float32), py) for part, (px, py) in splits.items()}
    return ArraysTask.of(Data(done["train"], done["valid"], done["test"], len(names), names), name)


def _not_stored(name: str, digest: str) -> str:
    return (
        f"the data of task {name!r} (digest {digest[:12]}…) must be given again, they are not stored. "
        "Make the task as before and pass it: nb.open(run_id, task=task)"
    )
