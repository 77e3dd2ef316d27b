"""A task on a device: its tensors, batches, loss and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from nbnas.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbnas.tasks.data import Data, Inputs, Split, Targets

__all__ = ["BoundTask", "TensorGraph", "TensorSplit", "accuracy", "resolve_device"]


class TensorSplit(NamedTuple):
    """Items and their classes on a device.

    Attributes:
        x: Values, float32 of shape (items, channels, *spatial), or (items, features) for vectors; or tokens, int64 of
            shape (items, length); or nodes, int64 of shape (items,).
        y: Classes, int64 of shape (items,), or (items, length) for one a position; in 0..classes - 1.
    """

    x: Tensor
    y: Tensor


class TensorGraph(NamedTuple):
    """The graph whose nodes are classified, on a device.

    Attributes:
        features: float32 of shape (nodes, features).
        edges: Pairs (source, target), int64 of shape (2, edges), both directions of an undirected edge, no loops.
    """

    features: Tensor
    edges: Tensor


class BoundTask:
    """What a search, a training and an evaluation use of a task.

    It holds neither the task nor its arrays, so that test cannot be reached from the binding of a search. A graph is
    there as a whole, with the features of all nodes; the classes of test nodes are not.

    Attributes:
        device: Where all tensors are.
        inputs: What `x` holds: `values`, `tokens` or `nodes`.
        targets: What has a class: an `item`, or each `position` of an item of tokens.
        input_shape: The shape of one item: (channels, *spatial) or (features,); (length,) of tokens; () of a node.
        dims: The number of spatial dimensions: 2 images, 1 sequences and tokens, 0 vectors and nodes.
        vocabulary: The number of different tokens; None where there are none.
        graph: The whole graph; None where there is none.
        classes: The number of classes.
        labels: The name of each class.
        digest: SHA-256 (hex) of the data, all splits.
        train: What weights (and alpha) are trained on.
        valid: What a search scores on.
    """

    def __init__(self, data: Data, device: torch.device, *, with_test: bool = False) -> None:
        self.device = device
        self.inputs: Inputs = data.inputs
        self.targets: Targets = data.targets
        self.input_shape = data.input_shape
        self.dims = data.dims
        self.vocabulary = data.vocabulary
        self.graph = None if data.graph is None else TensorGraph(*(torch.tensor(a, device=device) for a in data.graph))
        self.classes = data.classes
        self.labels = data.labels
        self.digest = data.digest
        self.train = _tensors(data.train, device)
        self.valid = _tensors(data.valid, device)
        self._test = _tensors(data.test, device) if with_test else None

    @property
    def test(self) -> TensorSplit:
        """What only a final report reads.

        Raises:
            TaskError: If this is the binding of a search.
        """
        if self._test is None:
            raise TaskError(
                "test must be asked for when binding, got a binding without it: a search never reads test. "
                "A final report uses task.bind(device, with_test=True)"
            )
        return self._test

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """The mean cross entropy in nats over all items, or positions, a scalar; lower is better.

        Args:
            logits: Unnormalised scores of shape (batch, classes), or (batch, length, classes).
            y: Classes of shape (batch,), or (batch, length).
        """
        return functional.cross_entropy(logits.flatten(0, -2), y.flatten())

    def metrics(self, logits: Tensor, y: Tensor) -> dict[str, float]:
        """`accuracy` in [0, 1], higher is better, and `loss` in nats, lower is better (shapes as in `loss`)."""
        return {"accuracy": accuracy(logits, y), "loss": float(self.loss(logits, y))}

    def batches(
        self, split: TensorSplit, size: int, generator: torch.Generator | None, *, drop_last: bool = False
    ) -> Iterator[TensorSplit]:
        """One epoch of a split. Every batch is a copy: what a network does to it in place stays in the batch.

        Args:
            split: `train`, `valid`, one of `halves()`, …
            size: Items a batch, 1 or more; the last batch may be smaller.
            generator: Gives the order, which depends on nothing else and is drawn at this call. It lives on the CPU,
                so that the order is the same on every device. None: in the order of the split.
            drop_last: Whether a smaller last batch is left out.

        Raises:
            TaskError: If the size gives no batch, or the generator is not on the CPU.
        """
        items = len(split.y)
        if size < 1 or (drop_last and size > items):
            limits = f"in 1..{items}, the items of the split, with drop_last" if drop_last else "1 or more"
            raise TaskError(f"batch size must be {limits}, got {size}")
        order = None if generator is None else _permutation(items, generator).to(self.device)
        stop = items - items % size if drop_last else items
        return (_batch(split, order, start, min(start + size, stop)) for start in range(0, stop, size))

    def halves(self, generator: torch.Generator) -> tuple[TensorSplit, TensorSplit]:
        """Two equal disjoint random halves of train, for w and for alpha; an odd item is left out.

        Raises:
            TaskError: If train has fewer than two items, or the generator is not on the CPU.
        """
        half = len(self.train.y) // 2
        if half == 0:
            raise TaskError("train must have 2 items or more to be halved, got 1")
        order = _permutation(len(self.train.y), generator).to(self.device)
        return _batch(self.train, order, 0, half), _batch(self.train, order, half, 2 * half)


def accuracy(logits: Tensor, y: Tensor) -> float:
    """The share of items, or positions, whose largest logit is that of their class, in [0, 1]; one with nan is wrong.

    Args:
        logits: Scores of shape (batch, classes), or (batch, length, classes).
        y: Classes of shape (batch,), or (batch, length).
    """
    right = (logits.argmax(dim=-1) == y) & ~logits.isnan().any(dim=-1)
    return int(right.sum()) / y.numel()


def resolve_device(name: str) -> torch.device:
    """The device of that name; `auto` is the first there is of CUDA, MPS, CPU.

    Raises:
        TaskError: If there is no such device here; it says which there are.
    """
    there = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    there += ["mps"] if torch.backends.mps.is_available() else []
    there += ["cpu"]
    if name == "auto":
        name = "cuda" if there[0].startswith("cuda") else there[0]
    if name == "cuda" and there[0].startswith("cuda"):
        # With its index, as the tensors on it say it.
        name = f"cuda:{torch.cuda.current_device()}"
    if name not in there:
        raise TaskError(f"device must be auto or one that is here ({', '.join(there)}), got {name!r}")
    return torch.device(name)


def _tensors(split: Split, device: torch.device) -> TensorSplit:
    return TensorSplit(torch.tensor(split.x, device=device), torch.tensor(split.y, device=device))


def _permutation(items: int, generator: torch.Generator) -> Tensor:
    if generator.device.type != "cpu":
        raise TaskError(f"generator must be on the CPU, got {generator.device}. Use torch.Generator()")
    return torch.randperm(items, generator=generator)


def _batch(split: TensorSplit, order: Tensor | None, start: int, stop: int) -> TensorSplit:
    if order is None:
        return TensorSplit(split.x[start:stop].clone(), split.y[start:stop].clone())
    index = order[start:stop]
    return TensorSplit(split.x.index_select(0, index), split.y.index_select(0, index))
