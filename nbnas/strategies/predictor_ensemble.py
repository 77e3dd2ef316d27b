"""An ensemble of small multilayer perceptrons that is fitted anew whenever there is more to learn from.

White, Neiswanger & Savani, BANANAS, AAAI 2021, arXiv:1910.11858: fully connected networks with ReLU, trained by Adam on
the absolute error of each item, weighted. All members are computed together, on the processor and in double precision,
so that a fit takes a fraction of a second and repeats to the bit.
Glorot & Bengio, Understanding the Difficulty of Training Deep Feedforward Neural Networks, AISTATS 2010 (first
weights); Kingma & Ba, Adam, ICLR 2015, arXiv:1412.6980.
Differs from the paper: a step takes all items instead of 32; the step size falls to 0 along a cosine.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["PredictorEnsemble"]

Floats = npt.NDArray[np.float64]

_BETAS = (0.9, 0.99)


class PredictorEnsemble:
    """Members differ in their first weights only.

    Args:
        features: length of an item's code.
        members: how many networks.
        layers: hidden layers.
        width: units of a hidden layer.
        rng: of the first weights.
    """

    def __init__(self, features: int, members: int, layers: int, width: int, rng: np.random.Generator) -> None:
        widths = [features, *[width] * layers, 1]
        shapes = [shape for one, other in pairwise(widths) for shape in ((one, other), (1, other))]
        sizes = [members * one * other for one, other in shapes]
        self._values = np.zeros(sum(sizes))
        self._slopes = np.zeros(sum(sizes))
        self._parts = _views(self._values, members, shapes)
        self._slope_parts = _views(self._slopes, members, shapes)
        for weights in self._parts[::2]:
            bound = math.sqrt(6 / (weights.shape[1] + weights.shape[2]))
            weights[...] = rng.uniform(-bound, bound, weights.shape)

    def predict(self, codes: Floats) -> Floats:
        """The prediction of each member, shape (members, items), for codes of shape (items, features)."""
        return self._forward(codes)[-1][:, :, 0]

    def fit(self, codes: Floats, targets: Floats, weights: Floats, steps: int, learning_rate: float) -> None:
        """Descends the mean of weight times absolute error over all items.

        Args:
            codes: shape (items, features).
            targets: shape (items,).
            weights: of the items, shape (items,).
            steps: of Adam.
            learning_rate: its first step size.
        """
        (decay, square_decay), tiny = _BETAS, 1e-8
        mean, square = np.zeros_like(self._values), np.zeros_like(self._values)
        change, scale = np.empty_like(self._values), np.empty_like(self._values)
        for step in range(steps):
            self.slope(codes, targets, weights)
            mean *= decay
            mean += (1 - decay) * self._slopes
            square *= square_decay
            np.multiply(self._slopes, self._slopes, out=scale)
            square += (1 - square_decay) * scale
            np.divide(square, 1 - square_decay ** (step + 1), out=scale)
            np.sqrt(scale, out=scale)
            scale += tiny
            np.divide(mean, scale, out=change)
            rate = learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
            change *= rate / (1 - decay ** (step + 1))
            self._values -= change

    def slope(self, codes: Floats, targets: Floats, weights: Floats) -> Floats:
        """The gradient of each member's loss by all parameters, member by member within each layer."""
        layers = self._forward(codes)
        ahead = np.sign(layers[-1] - targets[:, None]) * (weights[:, None] / len(targets))
        for place in range(len(self._parts) // 2 - 1, -1, -1):
            np.matmul(layers[place].swapaxes(-1, -2), ahead, out=self._slope_parts[2 * place])
            np.sum(ahead, axis=1, keepdims=True, out=self._slope_parts[2 * place + 1])
            if place:
                ahead = ahead @ self._parts[2 * place].swapaxes(-1, -2)
                ahead *= layers[place] > 0
        return self._slopes

    def _forward(self, codes: Floats) -> list[Floats]:
        """What each layer gives, the codes first, the output last: shapes (members, items, units)."""
        found = [codes]
        for place in range(0, len(self._parts), 2):
            given = found[-1] @ self._parts[place]
            given += self._parts[place + 1]
            if place + 2 < len(self._parts):
                np.maximum(given, 0, out=given)
            found.append(given)
        return found


def _views(flat: Floats, members: int, shapes: list[tuple[int, int]]) -> list[Floats]:
    """The parts of a flat array, each of shape (members, *shape)."""
    ends = np.cumsum([members * one * other for one, other in shapes])
    pieces = np.split(flat, ends[:-1])
    return [piece.reshape(members, *shape) for piece, shape in zip(pieces, shapes, strict=True)]
