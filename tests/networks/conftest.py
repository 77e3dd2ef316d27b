"""What a network must know of a task, without a task; own operations that are forgotten after each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from nbnas.networks import operations
from nbnas.spaces import operations as names


@dataclass(frozen=True)
class Shape:
    input_shape: tuple[int, ...]
    classes: int = 10


@pytest.fixture
def shape() -> type[Shape]:
    return Shape


@pytest.fixture(autouse=True)
def forget_own_operations() -> Iterator[None]:
    before = dict(operations._own), dict(names._own)
    yield
    for registry, kept in zip((operations._own, names._own), before, strict=True):
        registry.clear()
        registry.update(kept)
