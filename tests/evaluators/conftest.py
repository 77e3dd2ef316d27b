"""Own operations are forgotten after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nbnas.networks import operations
from nbnas.spaces import operations as names


@pytest.fixture(autouse=True)
def forget_own_operations() -> Iterator[None]:
    before = dict(operations._own), dict(names._own)
    yield
    for registry, kept in zip((operations._own, names._own), before, strict=True):
        registry.clear()
        registry.update(kept)
