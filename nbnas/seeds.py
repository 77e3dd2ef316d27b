"""One seed a run, from which every generator gets its own independent stream."""

from __future__ import annotations

import zlib

import numpy as np

__all__ = ["generator", "seed_of"]


def _sequence(seed: int, name: str, keys: tuple[int, ...]) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()), *keys))


def generator(seed: int, name: str, *keys: int) -> np.random.Generator:
    """A numpy generator for one purpose, such as `("strategy",)` or `("data", trial, epoch)`."""
    return np.random.Generator(np.random.PCG64(_sequence(seed, name, keys)))


def seed_of(seed: int, name: str, *keys: int) -> int:
    """A seed in [0, 2^63) for one purpose, for generators of other libraries."""
    return int(_sequence(seed, name, keys).generate_state(1, np.uint64)[0] >> 1)
