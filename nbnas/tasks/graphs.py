"""The user's own graph as a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbnas.errors import TaskError
from nbnas.tasks.arrays import ArraysTask
from nbnas.tasks.data import Data, Graph, Split, stratified
from nbnas.tasks.inputs import array, classes, encoded
from nbnas.tasks.parts import checked_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbnas.tasks.task import Task

__all__ = ["from_graph"]

_FRACTIONS = (0.2, 0.2)  # test, valid


def from_graph(
    features: Any,
    edges: Any,
    y: Any,
    *,
    train: Any = None,
    valid: Any = None,
    test: Any = None,
    directed: bool = False,
    seed: int = 0,
    name: str = "graph",
    labels: Sequence[str] | None = None,
) -> Task:
    """A task on the nodes of one graph: which class each has.

    A network sees the whole graph, the features of test nodes included; their classes it does not see. Features are
    taken as they are.

    Args:
        features: Numbers of shape (nodes, features).
        edges: Pairs (source, target) of numbers of nodes, of shape (2, edges). Repeats, and edges from a node to
            itself, are dropped.
        y: A class a node: whole numbers or texts, of shape (nodes,). Those of nodes in no split are not looked at.
        train: The nodes to train on: true or false a node, or the numbers of the nodes.
        valid: The nodes that a search scores on, as `train`.
        test: The nodes that only a final report reads, as `train`. Without all three, 60, 20 and 20 % of all nodes.
        directed: Whether edges go one way; otherwise the way back is added.
        seed: Of the split where none is given, which is stratified by class.
        name: What the graph is called in lists of runs.
        labels: The names of the classes, as in `from_arrays`.

    Raises:
        TaskError: If shapes, types, values or splits are wrong.
    """
    x = array(features)
    if x.dtype.kind not in "biuf" or x.ndim != 2:
        raise TaskError(f"features must be numbers of shape (nodes, features), got {x.dtype} of shape {x.shape}")
    nodes = len(x)
    pairs = _edges(array(edges), nodes, directed)
    codes = classes("y", y, nodes)
    given = {"train": train, "valid": valid, "test": test}
    missing = [part for part, value in given.items() if value is None]
    if len(missing) == len(given):
        _, all_codes = encoded([codes], labels)
        split = dict(
            zip(("test", "valid", "train"), stratified(all_codes[0], _FRACTIONS, checked_seed(seed)), strict=True)
        )
    elif missing:
        raise TaskError(f"{missing[0]} must be given where another split is, got None. Give all three, or none")
    else:
        split = {part: _nodes(part, array(value), nodes) for part, value in given.items()}
    names, ys = encoded([codes[split[part]] for part in given], labels)
    train_part, valid_part, test_part = (Split(split[part], part_y) for part, part_y in zip(given, ys, strict=True))
    with np.errstate(over="ignore"):  # `Data` refuses what is infinite in float32
        graph = Graph(x.astype(np.float32), pairs)
    return ArraysTask.of(Data(train_part, valid_part, test_part, len(names), names, graph=graph), name)


def _edges(edges: NDArray[Any], nodes: int, directed: bool) -> NDArray[np.int64]:
    """Each pair once, sorted."""
    if edges.dtype.kind not in "iu" or edges.ndim != 2 or len(edges) != 2:
        remedy = " Transpose them: edges.T" if edges.ndim == 2 and edges.shape[1] == 2 else ""
        raise TaskError(
            f"edges must be whole numbers of shape (2, edges), got {edges.dtype} of shape {edges.shape}.{remedy}"
        )
    source, target = _in_range("edges", edges, nodes)
    if not directed:
        source, target = np.concatenate([source, target]), np.concatenate([target, source])
    kept = np.unique((source * nodes + target)[source != target])
    return np.stack(np.divmod(kept, nodes)).astype(np.int64)


def _nodes(part: str, value: NDArray[Any], nodes: int) -> NDArray[np.int64]:
    """The numbers of the nodes of a split, in the order given."""
    if value.dtype.kind == "b" and value.shape == (nodes,):
        return np.flatnonzero(value).astype(np.int64)
    if value.dtype.kind not in "iu" or value.ndim != 1:
        raise TaskError(
            f"{part} must be true or false a node ({nodes}) or numbers of nodes, got {value.dtype} of shape "
            f"{value.shape}"
        )
    return _in_range(part, value, nodes)


def _in_range(subject: str, value: NDArray[Any], nodes: int) -> NDArray[np.int64]:
    if value.size and (value.min() < 0 or value.max() >= nodes):
        raise TaskError(f"{subject} must be in 0..nodes - 1 ({nodes - 1}), got {value.min()}..{value.max()}")
    return value.astype(np.int64)
