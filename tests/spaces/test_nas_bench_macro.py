"""NAS-Bench-Macro: Su et al., CVPR 2021, arXiv:2103.11922."""

import pytest

from nbnas.errors import SpaceError
from nbnas.spaces import nas_bench_macro
from nbnas.spaces.catalogue.nas_bench_macro import from_official, to_official


def test_size():
    """3^8 = 6,561 networks."""
    assert nas_bench_macro().size == 6561 == sum(1 for _ in nas_bench_macro().enumerate())


def test_official_texts_round_trip():
    space = nas_bench_macro()
    texts = {to_official(space, architecture) for architecture in space.enumerate()}
    assert len(texts) == 6561
    assert all(to_official(space, from_official(space, text)) == text for text in sorted(texts)[::97])


@pytest.mark.parametrize("text", ["0121021", "012102013", "01210203", "0121 210"])
def test_other_texts_are_refused(text):
    with pytest.raises(SpaceError, match="8 digits"):
        from_official(nas_bench_macro(), text)


def test_functions():
    """An identity that keeps the shape vanishes: 3 (2^n - 1) functions of a stage of n layers."""
    space = nas_bench_macro()
    assert len({space.canonical(architecture) for architecture in space.enumerate()}) == 9 * 21 * 21
