"""Spaces that tests share, and own operations that are forgotten after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nbnas import spaces
from nbnas.networks import operations
from nbnas.spaces import Architecture, SearchSpace
from nbnas.spaces import operations as names


@pytest.fixture(autouse=True)
def forget_own_operations() -> Iterator[None]:
    before = dict(operations._own), dict(names._own)
    yield
    for registry, kept in zip((operations._own, names._own), before, strict=True):
        registry.clear()
        registry.update(kept)


@pytest.fixture(scope="session")
def nb201() -> SearchSpace:
    return spaces.nas_bench_201()


@pytest.fixture(scope="session")
def all_nb201(nb201: SearchSpace) -> list[Architecture]:
    """All 15,625 architectures, made once."""
    return list(nb201.enumerate())
