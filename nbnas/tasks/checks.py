"""What the arrays of `Data` must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nbnas.errors import TaskError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_graph", "check_split"]

_SHAPES = {
    "values": "x of shape (items, channels, *spatial) with at most two spatial dimensions",
    "tokens": "x of shape (items, length)",
    "nodes": "x of shape (items,)",
}


def check_split(name: str, x: NDArray[Any], y: NDArray[Any], *, inputs: str, limit: int | None, classes: int) -> None:
    """Raises `TaskError` where a split is not as `Split` says.

    Args:
        name: Of the split.
        x: Its inputs.
        y: Its classes.
        inputs: `values`, `tokens` or `nodes`.
        limit: Tokens and nodes are below it.
        classes: Classes are below it.
    """
    values = inputs == "values"
    kind = "float32" if values else "int64"
    if x.dtype != kind or y.dtype != np.int64:
        raise TaskError(f"{name} must be x of {kind} and y of int64, got {x.dtype} and {y.dtype}")
    axes = {"values": (2, 3, 4), "tokens": (2,), "nodes": (1,)}[inputs]
    if x.ndim not in axes or (y.ndim != 1 and not (inputs == "tokens" and y.ndim == 2)):
        either = " or (items, length)" if inputs == "tokens" else ""
        raise TaskError(
            f"{name} must be {_SHAPES[inputs]} and y of shape (items,){either}, got {x.shape} and {y.shape}"
        )
    if len(x) != len(y):
        raise TaskError(f"{name} must have one label an item, got {len(x)} items and {len(y)} labels")
    if y.ndim == 2 and y.shape != x.shape:
        raise TaskError(f"{name} must have one label a position, got x of shape {x.shape} and y of shape {y.shape}")
    if x.size == 0:
        raise TaskError(f"{name} must have at least one item that is not empty, got x of shape {x.shape}")
    if values:
        _check_finite(f"{name}.x", x, "items", "item")
    elif x.min() < 0 or x.max() >= limit:
        word = {"tokens": "vocabulary", "nodes": "nodes"}[inputs]
        raise TaskError(f"{name}.x must be in 0..{word} - 1 ({(limit or 0) - 1}), got {x.min()}..{x.max()}")
    if y.min() < 0 or y.max() >= classes:
        raise TaskError(f"{name}.y must be in 0..classes - 1 ({classes - 1}), got {y.min()}..{y.max()}")


def check_graph(features: NDArray[Any], edges: NDArray[Any]) -> None:
    """Raises `TaskError` where a graph is not as `Graph` says."""
    if features.dtype != np.float32 or edges.dtype != np.int64:
        raise TaskError(f"graph must be features of float32 and edges of int64, got {features.dtype} and {edges.dtype}")
    if features.ndim != 2 or features.size == 0 or edges.ndim != 2 or len(edges) != 2:
        raise TaskError(
            "graph must be features of shape (nodes, features), not empty, and edges of shape (2, edges), got "
            f"{features.shape} and {edges.shape}"
        )
    _check_finite("graph.features", features, "nodes", "node")
    nodes = len(features)
    if edges.size == 0:
        return
    if edges.min() < 0 or edges.max() >= nodes:
        raise TaskError(f"graph.edges must be in 0..nodes - 1 ({nodes - 1}), got {edges.min()}..{edges.max()}")
    if (edges[0] == edges[1]).any():
        loop = edges[0][edges[0] == edges[1]][0]
        raise TaskError(f"graph.edges must be between different nodes, got one from node {loop} to itself. Drop it")
    pairs, counts = np.unique(edges[0] * nodes + edges[1], return_counts=True)
    if counts.max() > 1:
        source, target = divmod(int(pairs[counts.argmax()]), nodes)
        raise TaskError(f"graph.edges must be there once each, got ({source}, {target}) more often. Drop the repeats")


def _check_finite(subject: str, x: NDArray[Any], plural: str, singular: str) -> None:
    if not np.isfinite(x).all():
        bad = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
        raise TaskError(
            f"{subject} must be finite, got nan or infinity in {len(bad)} of {len(x)} {plural}, first in {singular} "
            f"{bad[0]}. Fill or drop those {plural}"
        )
