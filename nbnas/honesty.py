"""What a supernet's own accuracy does not tell: how far the mixture is from what is derived, and how sharp the minimum.

Zela, Elsken, Saikia, Marrakchi, Brox & Hutter, Understanding and Robustifying Differentiable Architecture Search, ICLR
2020, arXiv:1909.09656: the largest eigenvalue of the Hessian of the validation loss with respect to alpha (Sec. 4), and
the accuracy lost where a mixture is made discrete (Sec. 4.2). Lanczos, An Iteration Method for the Solution of the
Eigenvalue Problem of Linear Differential and Integral Operators, 1950.
Differs from the paper: a few steps of Lanczos on exact Hessian-vector products instead of the whole Hessian, so that
the value is a lower bound, mostly a tight one; the same batch of valid after each epoch instead of a random one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from nbnas.spaces import Architecture, SearchSpace

if TYPE_CHECKING:
    from torch import Tensor

    from nbnas.networks import Mixture, Supernet
    from nbnas.tasks.bound import BoundTask

__all__ = [
    "Agreement",
    "accuracy",
    "agreement",
    "alpha_hessian_eigenvalue",
    "entropy",
    "hessian_due",
    "honest_metrics",
    "largest_eigenvalue",
    "skip_ratio",
]

SKIP = "skip"
ITEMS = 32
"""Of valid, on which the Hessian is taken."""
ITERATIONS = 10
"""At most so many Hessian-vector products."""
TOLERANCE = 0.05
"""The error of the eigenvalue, relative to it, that is small enough to stop."""

BATCHES = 24
"""At least so many batches are trained between two Hessians, so that these take about a tenth of the time."""

Rows = Mapping[str, Sequence[float]]
Vector = npt.NDArray[np.float64]


def honest_metrics(
    supernet: Supernet,
    task: BoundTask,
    mixture: Mapping[str, Tensor],
    derived: Architecture,
    *,
    rows: Rows | None = None,
    hessian: bool = True,
) -> dict[str, float]:
    """All figures after an epoch of a relaxed search; what cannot be told is absent. Reads valid, never test.

    Args:
        supernet: as it is now; its mode and the gradients of its weights stay as they are.
        task: the data.
        mixture: by row a weight for each option, shape (options,), made of alpha so that gradients reach it.
        derived: what alpha stands for now.
        rows: by row the probability of each option; `mixture` itself when `None`.
        hessian: whether the eigenvalue is taken, which costs most: see `hessian_due`.

    Returns:
        `valid_accuracy`: of the derived architecture with the weights it inherits, in [0, 1].
        `mixed_valid_accuracy`: of the mixture, in [0, 1].
        `skip_ratio`: share of skips among the derived edges, in [0, 1]; only where there can be some.
        `alpha_entropy_nats`, `alpha_entropy_ratio`: mean over rows, and that as a share of the largest possible.
        `alpha_hessian_eigenvalue`: the largest, in nats.
    """
    found = {
        "valid_accuracy": accuracy(supernet, task, derived),
        "mixed_valid_accuracy": accuracy(supernet, task, {name: row.detach() for name, row in mixture.items()}),
    }
    ratio = skip_ratio(supernet.space, derived)
    if ratio is not None:
        found["skip_ratio"] = ratio
    told = entropy({name: row.detach().tolist() for name, row in mixture.items()} if rows is None else rows)
    if told is not None:
        found["alpha_entropy_nats"], found["alpha_entropy_ratio"] = told
    if hessian:
        eigenvalue = alpha_hessian_eigenvalue(supernet, task, mixture)
        if eigenvalue is not None:
            found["alpha_hessian_eigenvalue"] = eigenvalue
    return found


def hessian_due(epoch: int, batches: int) -> bool:
    """Whether the Hessian is taken after an epoch (from 1) of so many batches: the first, and then ever so often."""
    return epoch == 1 or epoch % -(-BATCHES // max(batches, 1)) == 0


def accuracy(supernet: Supernet, task: BoundTask, mixture: Mixture) -> float:
    """The accuracy on valid, in [0, 1], of a mixture or of one architecture alone."""
    import torch

    right = 0.0
    with _evaluating(supernet), torch.no_grad():
        for x, y in task.batches(task.valid, min(512, len(task.valid.y)), None):
            right += task.metrics(supernet(x, mixture), y)["accuracy"] * len(y)
    return right / len(task.valid.y)


def skip_ratio(space: SearchSpace, architecture: Architecture) -> float | None:
    """The share of skips among the edges of an architecture, in [0, 1]; `None` where no edge can be one.

    Edges are the rows of the relaxed view that may be a skip, as often as the architecture computes them. An edge that
    is `none` counts.
    """
    paths = space.paths(architecture)
    chosen = [row.options[place] for row in space.rows if SKIP in row.options for place in paths[row.name]]
    return sum(option == SKIP for option in chosen) / len(chosen) if chosen else None


def entropy(rows: Rows) -> tuple[float, float] | None:
    """The mean entropy of rows in nats, and the mean of entropy / log(options), in [0, 1].

    `None` where the rows are no distributions (weights of sigmoids, for instance) or leave nothing to choose.
    """
    open_rows = [np.asarray(row, dtype=np.float64) for row in rows.values() if len(row) > 1]
    if not open_rows or any(row.min() < 0 or abs(row.sum() - 1) > 1e-3 for row in open_rows):
        return None
    nats = [float(-(row[row > 0] * np.log(row[row > 0])).sum()) for row in open_rows]
    ratios = [value / math.log(len(row)) for value, row in zip(nats, open_rows, strict=True)]
    return max(0.0, sum(nats) / len(nats)), min(1.0, max(0.0, sum(ratios) / len(ratios)))


# -- the Hessian -------------------------------------------------------------------------------------------------------


def alpha_hessian_eigenvalue(
    supernet: Supernet,
    task: BoundTask,
    mixture: Mapping[str, Tensor],
    *,
    items: int = ITEMS,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
) -> float | None:
    """The largest eigenvalue of the Hessian of the loss on the first items of valid with respect to alpha, in nats.

    Alpha is what the mixture is made of: the leaves of its graph. `None` when the loss does not depend on alpha in a
    way that can be differentiated, or is not finite.

    Args:
        supernet: whose weights are constants here.
        task: gives items and loss.
        mixture: as in `honest_metrics`.
        items: of valid.
        iterations: the most Hessian-vector products.
        tolerance: the relative error that is small enough to stop earlier.
    """
    import torch

    from nbnas.networks.freezing import constant

    alpha = _leaves(mixture)
    if not alpha:
        return None
    sizes = [part.numel() for part in alpha]
    x, y = next(iter(task.batches(task.valid, min(items, len(task.valid.y)), None)))
    with _evaluating(supernet), constant(supernet.parameters()), torch.enable_grad():
        loss = task.loss(supernet(x, mixture), y)
        gradient = _flat(torch.autograd.grad(loss, alpha, create_graph=True, allow_unused=True), alpha)
        if not gradient.requires_grad:
            return None

        def product(vector: Vector) -> Vector:
            towards = torch.as_tensor(vector, dtype=gradient.dtype, device=gradient.device)
            parts = torch.autograd.grad(gradient, alpha, towards, retain_graph=True, allow_unused=True)
            return np.asarray(_flat(parts, alpha).detach().cpu().double().numpy())

        value = largest_eigenvalue(product, sum(sizes), iterations, tolerance)
    return value if math.isfinite(value) else None


def largest_eigenvalue(
    product: Callable[[Vector], Vector], size: int, iterations: int = ITERATIONS, tolerance: float = TOLERANCE
) -> float:
    """The largest eigenvalue of a symmetric matrix by Lanczos' method, from products with it; at most the true one.

    The start is always the same, and each vector is made orthogonal to all before it.

    Args:
        product: vector -> matrix times vector, shapes (size,).
        size: of the matrix.
        iterations: the most products; with `size` of them the value is exact.
        tolerance: stops when the value is this near to an eigenvalue, relative to it.

    Returns:
        The eigenvalue, or nan where a product is not finite.
    """
    vector = np.random.default_rng(0).standard_normal(size)
    vectors = [vector / np.linalg.norm(vector)]
    diagonal: list[float] = []
    beside: list[float] = []
    value = math.nan
    for _ in range(min(iterations, size)):
        image = product(vectors[-1])
        if not np.isfinite(image).all():
            return math.nan
        diagonal.append(float(vectors[-1] @ image))
        known = np.array(vectors)
        for _ in range(2):  # once more, against what rounding leaves
            image = image - known.T @ (known @ image)
        off = float(np.linalg.norm(image))
        values, shapes = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        value = float(values[-1])
        # How far the value is from an eigenvalue, at most (Parlett, The Symmetric Eigenvalue Problem, Sec. 13.2).
        if off * abs(shapes[-1, -1]) <= tolerance * abs(value) or off <= 1e-12 * max(map(abs, values)):
            break
        beside.append(off)
        vectors.append(image / off)
    return value


def _leaves(mixture: Mapping[str, Tensor]) -> list[Tensor]:
    """The tensors that a mixture is made of and that want gradients, in the order of its rows."""
    found: dict[int, Tensor] = {}
    seen: set[object] = set()
    for row in mixture.values():
        if row.grad_fn is None and row.requires_grad:
            found.setdefault(id(row), row)
        stack = [row.grad_fn]
        while stack:
            node = stack.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            leaf = getattr(node, "variable", None)
            if leaf is not None:
                found.setdefault(id(leaf), leaf)
            stack += [before for before, _ in node.next_functions]
    return list(found.values())


def _flat(parts: Sequence[Tensor | None], like: Sequence[Tensor]) -> Tensor:
    import torch

    pairs = zip(parts, like, strict=True)
    return torch.cat([(torch.zeros_like(one) if part is None else part).reshape(-1) for part, one in pairs])


@contextmanager
def _evaluating(supernet: Supernet) -> Iterator[None]:
    training = supernet.training
    supernet.eval()
    try:
        yield
    finally:
        supernet.train(training)


# -- ranks -------------------------------------------------------------------------------------------------------------


class Agreement(NamedTuple):
    """How far two rankings of the same architectures agree.

    Attributes:
        tau: Kendall's tau-b, in [-1, 1]; `None` where one of them has nothing but ties.
        low, high: the ends of its interval by the bootstrap.
        architectures: how many there are.
    """

    tau: float | None
    low: float | None
    high: float | None
    architectures: int

    def __str__(self) -> str:
        if self.tau is None:
            return f"tau unknown ({self.architectures} architectures, nothing but ties)"
        between = "" if self.low is None else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"tau {self.tau:.2f}{between}, {self.architectures} architectures"


def agreement(
    one: Sequence[float], other: Sequence[float], *, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> Agreement:
    """Kendall's tau-b of two rankings, with the interval of a percentile bootstrap over architectures.

    Kendall, The Treatment of Ties in Ranking Problems, Biometrika 33, 1945. Efron, Bootstrap Methods, 1979.

    Args:
        one: a score for each architecture.
        other: another score for each.
        seed: of the bootstrap.
        resamples: drawn with replacement; those with nothing but ties are left out.
        level: what share of the resamples is inside.
    """
    signs = [np.sign(np.subtract.outer(values, values)) for values in (np.asarray(one), np.asarray(other))]
    count = len(one)
    tau = _tau(*signs)
    if tau is None:
        return Agreement(None, None, None, count)
    rng = np.random.default_rng(seed)
    drawn = [
        _tau(*(sign[np.ix_(places, places)] for sign in signs))
        for places in rng.integers(count, size=(resamples, count))
    ]
    there = [value for value in drawn if value is not None]
    low, high = np.quantile(there, [(1 - level) / 2, (1 + level) / 2])
    return Agreement(tau, float(low), float(high), count)


def _tau(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float | None:
    """Tau-b from the signs of all differences, shapes (architectures, architectures)."""
    pairs = math.sqrt(float(np.abs(one).sum()) * float(np.abs(other).sum()))
    return float((one * other).sum()) / pairs if pairs else None
