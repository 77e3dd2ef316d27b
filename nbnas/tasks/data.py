"""Data in three splits: checked once, then read-only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from nbnas.errors import TaskError
from nbnas.tasks.checks import check_graph, check_split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Data", "Graph", "Inputs", "Split", "Targets", "stratified"]

Inputs: TypeAlias = Literal["values", "tokens", "nodes"]
"""What `x` holds: measured values, numbers of tokens, or numbers of nodes of a graph."""

Targets: TypeAlias = Literal["item", "position"]
"""What has a class: an item, or each position in it."""


class Split(NamedTuple):
    """Items and their classes.

    Attributes:
        x: Values, float32 of shape (items, channels, *spatial), or (items, features) for vectors; or tokens, int64 of
            shape (items, length), in 0..vocabulary - 1; or nodes, int64 of shape (items,), in 0..nodes - 1.
        y: Classes, int64 of shape (items,), or (items, length) for one a position; in 0..classes - 1.
    """

    x: NDArray[np.float32] | NDArray[np.int64]
    y: NDArray[np.int64]


class Graph(NamedTuple):
    """The graph whose nodes are classified.

    Attributes:
        features: float32 of shape (nodes, features).
        edges: Pairs (source, target), int64 of shape (2, edges), each once and none from a node to itself; an
            undirected edge is there in both directions.
    """

    features: NDArray[np.float32]
    edges: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Data:
    """Train, valid and test items of one classification task.

    The arrays are read-only, because one `Data` may serve many runs.

    Attributes:
        train: What weights (and alpha) are trained on.
        valid: What a search scores on.
        test: What only a final report reads.
        classes: The number of classes, 2 or more.
        labels: The name of each class, in the order of `y`.
        vocabulary: The number of different tokens where `x` holds tokens; otherwise None.
        graph: The whole graph, nodes of all splits, where `x` holds nodes; otherwise None.

    Raises:
        TaskError: If shapes, types or classes do not agree, a value is not finite, a split is empty, or splits share
            a node.
    """

    train: Split
    valid: Split
    test: Split
    classes: int
    labels: tuple[str, ...]
    vocabulary: int | None = None
    graph: Graph | None = None

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise TaskError(f"classes must be 2 or more, got {self.classes}. Give data with at least two classes")
        if len(self.labels) != self.classes or len(set(self.labels)) != self.classes:
            raise TaskError(
                f"labels must be {self.classes} different names, one a class, "
                f"got {len(self.labels)}: {self.labels!r:.200}"
            )
        if self.vocabulary is not None and self.graph is not None:
            raise TaskError("data must be of tokens or of nodes, got both a vocabulary and a graph. Leave one out")
        limit = self.vocabulary
        if self.graph is not None:
            features, edges = self.graph
            check_graph(features, edges)
            object.__setattr__(self, "graph", Graph(_read_only(features), _read_only(edges)))
            limit = len(features)
        for name, split in self._splits().items():
            check_split(name, *split, inputs=self.inputs, limit=limit, classes=self.classes)
            for array, first, letter in zip(split, self.train, "xy", strict=True):
                if array.shape[1:] != first.shape[1:]:
                    raise TaskError(
                        f"{name}.{letter} must have items of the same shape as train.{letter}, {first.shape[1:]}, "
                        f"got {array.shape[1:]}"
                    )
            object.__setattr__(self, name, Split(_read_only(split.x), _read_only(split.y)))
        if self.graph is not None:
            nodes = np.concatenate([split.x for split in self._splits().values()])
            if (counts := np.bincount(nodes.astype(np.int64))).max() > 1:
                raise TaskError(
                    f"a node must be in one split and there once, got node {counts.argmax()} {counts.max()} times. "
                    "Give disjoint splits"
                )

    @property
    def inputs(self) -> Inputs:
        """What `x` holds."""
        if self.graph is not None:
            return "nodes"
        return "values" if self.vocabulary is None else "tokens"

    @property
    def targets(self) -> Targets:
        """What has a class."""
        return "item" if self.train.y.ndim == 1 else "position"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one item: (channels, *spatial) or (features,); (length,) of tokens; () of a node."""
        return self.train.x.shape[1:]

    @property
    def dims(self) -> int:
        """The number of spatial dimensions: 2 images, 1 sequences and tokens, 0 vectors and nodes."""
        return len(self.input_shape) - 1 if self.inputs == "values" else len(self.input_shape)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over the shapes and bytes of all arrays, equal on every machine for equal data."""
        digest = hashlib.sha256()

        def add(name: str, array: NDArray[Any]) -> None:
            stored = array.dtype.newbyteorder("<").str
            digest.update(f"{name} {stored} {array.shape};".encode())
            digest.update(np.ascontiguousarray(array, dtype=stored).data)

        for name, split in self._splits().items():
            add(name, split.x)
            add(name, split.y)
        if self.graph is not None:
            add("features", self.graph.features)
            add("edges", self.graph.edges)
        return digest.hexdigest()

    def _splits(self) -> dict[str, Split]:
        return {"train": self.train, "valid": self.valid, "test": self.test}


def stratified(y: NDArray[np.int64], fractions: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Splits items so that every part has the classes in the proportions of the whole.

    Each part of `fractions` gets `round(items * fraction)` items, of each class its proportion rounded down or up; the
    last part gets the rest, and at least one item of each class, even where another part then gets fewer.

    Args:
        y: Classes, int64 of shape (items,).
        fractions: The share of each part but the last, in (0, 1); their sum is below 1.
        seed: Of the draw within each class.

    Returns:
        The indices of each part, ascending; together every item once.
    """
    # RandomState, not Generator: numpy promises its stream for ever, so a split stays what it was.
    rng = np.random.RandomState(seed)
    left = [rng.permutation(np.flatnonzero(y == label)) for label in np.unique(y)]
    sizes = np.array([len(members) for members in left])
    parts: list[NDArray[np.int64]] = []
    for fraction in fractions:
        share = sizes * fraction
        counts = np.floor(share).astype(np.int64)
        free = np.array([len(members) for members in left]) - 1
        counts = np.minimum(counts, free)
        missing = round(len(y) * fraction) - int(counts.sum())
        by_remainder = np.argsort(counts - share, kind="stable")
        for index in [i for i in by_remainder if counts[i] < free[i]][: max(missing, 0)]:
            counts[index] += 1
        parts.append(_sorted([members[:count] for members, count in zip(left, counts, strict=True)]))
        left = [members[count:] for members, count in zip(left, counts, strict=True)]
    return [*parts, _sorted(left)]


def _sorted(pieces: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.sort(np.concatenate(pieces)).astype(np.int64)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
