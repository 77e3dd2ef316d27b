"""What an architecture costs, told without making its weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from nbnas.networks.build import build
from nbnas.networks.cost import macs, parameters
from nbnas.spaces.architecture import Architecture
from nbnas.spaces.space import SearchSpace

if TYPE_CHECKING:
    from nbnas.spaces.limit import Limit

__all__ = ["Inputs", "cost", "measure"]


@dataclass(frozen=True)
class Inputs:
    """The inputs of a task that one only imagines.

    Attributes:
        input_shape: the shape of one input.
        classes: the number of classes.
        vocabulary: the number of different tokens, where the inputs are tokens.
    """

    input_shape: tuple[int, ...]
    classes: int
    vocabulary: int | None = None

    @property
    def inputs(self) -> str:
        """What the inputs are."""
        return "values" if self.vocabulary is None else "tokens"

    @property
    def device(self) -> torch.device:
        """Where the network is: nowhere."""
        return torch.device("meta")


@lru_cache(maxsize=20_000)
def cost(space: SearchSpace, architecture: Architecture, inputs: Inputs) -> tuple[int, int]:
    """Parameters and multiply-adds of the network of one architecture, in form `evaluation`, without its weights.

    Raises:
        SpaceError: the space does not fit the inputs.
    """
    # Without `validate`, which may be what asks.
    network = build(space, architecture, inputs, seed=0, check=False)
    tokens = inputs.vocabulary is not None
    return parameters(network), macs(network, inputs.input_shape, dtype=torch.int64 if tokens else None)


def measure(space: SearchSpace, architecture: Architecture, limit: Limit) -> float:
    """What `limit` limits."""
    inputs = Inputs(limit.input_shape, limit.classes, limit.vocabulary)
    if limit.metric == "parameters":  # which takes no pass through the network
        return float(_weights(space, architecture, inputs))
    _, adds = cost(space, architecture, inputs)
    return float({"macs": adds, "flops": 2 * adds}[limit.metric])


@lru_cache(maxsize=20_000)
def _weights(space: SearchSpace, architecture: Architecture, inputs: Inputs) -> int:
    return parameters(build(space, architecture, inputs, seed=0, check=False))
