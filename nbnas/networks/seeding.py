"""Weights that are a function of one seed, whatever else draws random numbers meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from typing_extensions import override

__all__ = ["Seeded", "generator"]

_DRAWS = {
    *("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like"),
    *("normal", "bernoulli", "multinomial", "poisson"),
    *("uniform_", "normal_", "random_", "bernoulli_", "exponential_", "cauchy_", "geometric_", "log_normal_"),
}


def generator(seed: int | None) -> torch.Generator:
    """A generator on the CPU; `seed` is at least 0, of any length; `None` takes a fresh one."""
    # torch's own CPU generator keeps the lowest 32 bits of a seed only: 2**32 would be 0. This mixes all of them.
    mixed = np.random.SeedSequence(seed).generate_state(1)[0]
    return torch.Generator().manual_seed(int(mixed))


class Seeded(TorchFunctionMode):
    """Within it, this thread's torch draws random numbers from a generator of its own.

    Searches build networks on a worker thread while cells run on the main one. Forking and seeding the global generator
    would let each disturb the other; this leaves the global generator alone, which is safe between threads.

    Args:
        seed: at least 0; `None` takes a fresh one from the operating system.
    """

    def __init__(self, seed: int | None) -> None:
        super().__init__()
        self.generator = generator(seed)

    @override
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        draws = getattr(func, "__name__", "") in _DRAWS
        if (draws or "generator" in kwargs) and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        return func(*args, **kwargs)
