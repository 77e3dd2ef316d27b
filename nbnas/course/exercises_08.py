"""Exercises of lesson 08: a mixed operation, one step of DARTS, selection by removal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nbnas.course.checking import called, judged
from nbnas.course.exercises import Exercise
from nbnas.course.profile import rng

__all__ = ["EXERCISES", "Accuracy", "Gradient"]

Array = npt.NDArray[np.float64]
Pair = tuple[Array, Array]


def _softmax(alpha: Array) -> Array:
    weights = np.exp(alpha - alpha.max())
    return np.asarray(weights / weights.sum())


# -- a ---------------------------------------------------------------------------------------------------------------


def _mixed(outputs: Array, alpha: Array) -> Array:
    return np.tensordot(_softmax(alpha), outputs, axes=1)


def _judge_mixed(answer: Any) -> str:
    random = rng("08", "a")
    shapes = ((2, 3), (3, 3), (4, 2, 5), (5, 1, 2, 3))
    cases = [{"outputs": random.normal(size=shape), "alpha": random.normal(size=shape[0]) * 2} for shape in shapes]
    wrong = judged(
        answer,
        cases,
        _mixed,
        {
            "This weighs with alpha itself. In DARTS the weights are softmax(alpha): positive, with sum 1.": (
                lambda outputs, alpha: np.tensordot(alpha, outputs, axes=1)
            ),
            "This divides alpha by its sum. Take the exponentials first.": (
                lambda outputs, alpha: np.tensordot(alpha / alpha.sum(), outputs, axes=1)
            ),
            "The exponentials are not divided by their sum.": (
                lambda outputs, alpha: np.tensordot(np.exp(alpha), outputs, axes=1)
            ),
            "This is the strongest option alone: what is derived at the end, not what is trained.": (
                lambda outputs, alpha: outputs[alpha.argmax()]
            ),
            "This is the plain mean. Where does alpha come in?": lambda outputs, alpha: outputs.mean(axis=0),
        },
    )
    if wrong:
        return wrong
    large: dict[str, Any] = {"outputs": np.array([[1.0], [2.0], [4.0]]), "alpha": np.array([1000.0, 0.0, -1000.0])}
    value, raised = called(answer, large)
    if raised or not np.allclose(value, [1.0]):
        return "For alpha = [1000, 0, -1000] the exponentials overflow. Subtract the largest alpha first."
    return ""


# -- b ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gradient:
    """The gradients of ‖alpha w - data‖² / 2 with respect to alpha and to w."""

    def __call__(self, alpha: Array, w: Array, data: Array) -> Pair:
        rest = alpha * w - data
        return rest * w, rest * alpha


def _step(
    alpha: Array, w: Array, train: Array, valid: Array, gradient: Gradient, rate_alpha: float, rate_w: float
) -> Pair:
    moved = alpha - rate_alpha * gradient(alpha, w, valid)[0]
    return moved, w - rate_w * gradient(moved, w, train)[1]


def _judge_step(answer: Any) -> str:
    random = rng("08", "b")
    cases = [
        {
            **{name: random.normal(size=size) for name in ("alpha", "w", "train", "valid")},
            "gradient": Gradient(),
            "rate_alpha": float(random.uniform(0.1, 0.3)),
            "rate_w": float(random.uniform(0.4, 0.6)),
        }
        for size in (1, 2, 4)
    ]

    def at_once(
        alpha: Array, w: Array, train: Array, valid: Array, gradient: Gradient, rate_alpha: float, rate_w: float
    ) -> Pair:
        return alpha - rate_alpha * gradient(alpha, w, valid)[0], w - rate_w * gradient(alpha, w, train)[1]

    def w_first(
        alpha: Array, w: Array, train: Array, valid: Array, gradient: Gradient, rate_alpha: float, rate_w: float
    ) -> Pair:
        moved = w - rate_w * gradient(alpha, w, train)[1]
        return alpha - rate_alpha * gradient(alpha, moved, valid)[0], moved

    return judged(
        answer,
        cases,
        _step,
        {
            "The halves are swapped: alpha must see valid, and w must see train.": (
                lambda train, valid, **case: _step(train=valid, valid=train, **case)
            ),
            "Both learn on train. Then alpha prefers whatever fits train best; it must see valid.": (
                lambda train, valid, **case: _step(train=train, valid=train, **case)
            ),
            "Both learn on valid. The weights w must see train alone.": (
                lambda train, valid, **case: _step(train=valid, valid=valid, **case)
            ),
            "Here w moves with the alpha of before. In Algorithm 1 alpha moves first, and w sees the new one.": at_once,
            "Here w moves first. In Algorithm 1 alpha does, and w sees the new alpha.": w_first,
            "Both go uphill: subtract the gradients.": (
                lambda rate_alpha, rate_w, **case: _step(rate_alpha=-rate_alpha, rate_w=-rate_w, **case)
            ),
            "The two rates are swapped.": (
                lambda rate_alpha, rate_w, **case: _step(rate_alpha=rate_w, rate_w=rate_alpha, **case)
            ),
        },
    )


# -- c ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Accuracy:
    """A made-up supernet: the accuracy in [0, 1] of a mixture of shape (layers, options), in which layers interact."""

    seed: int
    layers: int
    options: int

    def __call__(self, shares: Array) -> float:
        random = np.random.default_rng(self.seed)
        alone = random.normal(size=(self.layers, self.options))
        pairs = 2 * random.normal(size=(self.layers, self.options, self.layers, self.options))
        given = np.asarray(shares, dtype=np.float64)
        value = (alone * given).sum() + np.einsum("ab,abcd,cd", given, pairs, given) / self.layers
        return float(1 / (1 + np.exp(-value)))


def _select(shares: Array, accuracy: Accuracy, *, rescaled: bool = True, settled: bool = True, sign: int = 1) -> Array:
    now, chosen = shares.copy(), []
    for layer in range(len(shares)):
        left = []
        for option in range(shares.shape[1]):
            without = now.copy()
            without[layer, option] = 0
            if rescaled:
                without[layer] /= without[layer].sum()
            left.append(sign * accuracy(without))
        chosen.append(int(np.argmin(left)))
        if settled:
            now[layer] = np.eye(shares.shape[1])[chosen[-1]]
    return np.array(chosen, dtype=np.float64)


def _judge_select(answer: Any) -> str:
    random = rng("08", "c")
    cases = [
        {"shares": random.dirichlet(np.ones(options), size=layers), "accuracy": Accuracy(place, layers, options)}
        for place, (layers, options) in enumerate(((1, 3), (2, 2), (3, 4), (3, 4), (4, 3), (5, 4), (6, 5)))
    ]

    def best_alone(shares: Array, accuracy: Accuracy) -> Array:
        chosen = []
        for layer in range(len(shares)):
            values = []
            for option in range(shares.shape[1]):
                one = shares.copy()
                one[layer] = np.eye(shares.shape[1])[option]
                values.append(accuracy(one))
            chosen.append(int(np.argmax(values)))
        return np.array(chosen, dtype=np.float64)

    mistakes: dict[str, Callable[..., Any]] = {
        "This takes the largest shares. How much accuracy is lost without an option is another question.": (
            lambda shares, accuracy: shares.argmax(axis=1)
        ),
        "This keeps the option whose removal costs least.": (
            lambda shares, accuracy: _select(shares, accuracy, sign=-1)
        ),
        "A layer that is settled must hold its option alone while the later ones are tried.": (
            lambda shares, accuracy: _select(shares, accuracy, settled=False)
        ),
        "After removing an option the others must grow, so that the shares of the layer sum to 1 again.": (
            lambda shares, accuracy: _select(shares, accuracy, rescaled=False)
        ),
        "This keeps the option that is best alone. Remove one at a time and see what is left.": best_alone,
    }
    return judged(answer, cases, _select, mistakes)


EXERCISES = (
    Exercise(
        "08.a",
        "Write mixed(outputs, alpha): the output of one mixed operation; outputs has shape (options, …).",
        (
            "How do real numbers become shares that are positive and sum to 1?",
            "p = softmax(alpha); subtract the largest alpha before the exponentials.",
            "The sum over options of p[o] * outputs[o]: np.tensordot(p, outputs, axes=1).",
        ),
        _judge_mixed,
    ),
    Exercise(
        "08.b",
        "Write step(alpha, w, train, valid, gradient, rate_alpha, rate_w): one round of first-order DARTS.",
        (
            "Look at Eqs. 3 and 4: which loss does alpha minimise, which one w?",
            "gradient(alpha, w, data) returns the pair for alpha and for w. Alpha moves first.",
            "alpha = alpha - rate_alpha * gradient(alpha, w, valid)[0], then w by [1] on train with the new alpha.",
        ),
        _judge_step,
    ),
    Exercise(
        "08.c",
        "Write select(shares, accuracy): layer by layer, keep the option whose removal costs most accuracy.",
        (
            "Set one share to 0, let the others of its layer sum to 1 again, ask accuracy(shares).",
            "The option to keep is the one without which the accuracy is lowest.",
            "Then make that layer one-hot and go on with the next one. Return one number a layer.",
        ),
        _judge_select,
    ),
)
