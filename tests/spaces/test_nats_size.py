"""NATS-Bench, size search space: Dong et al., TPAMI 2021, arXiv:2009.00437."""

import pytest

from nbnas.errors import SpaceError
from nbnas.spaces import SearchSpace, SizeNetwork, nats_size
from nbnas.spaces.catalogue.nats_size import from_official, to_official


def test_size():
    """Sec. 3.2: 8^5 = 32,768 architectures."""
    assert nats_size().size == 32768
    assert SearchSpace.from_json(nats_size().to_json()) == nats_size()


def test_official_texts_round_trip():
    space = nats_size((8, 64))
    texts = [to_official(space, architecture) for architecture in space.enumerate()]
    assert texts[0] == "8:8:8:8:8"
    assert texts[-1] == "64:64:64:64:64"
    assert len(set(texts)) == 32
    assert [to_official(space, from_official(space, text)) for text in texts] == texts


@pytest.mark.parametrize("text", ["8:8:8:8", "8:8:8:8:9", "8:8:8:8:-8", "8:8:8:8:8:8", "", "8:8:8:8:" + "8" * 5000])
def test_other_texts_are_refused(text):
    with pytest.raises(SpaceError, match="must be"):
        from_official(nats_size(), text)


def test_it_says_why_it_has_no_relaxed_view():
    assert "nb.evaluators.Training" in (nats_size().component.relaxable() or "")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"widths": (16, 8)}, "ascending"), ({"operations": ("skip",) * 5}, "1, 3, 6"), ({"operations": ()}, "1, 3, 6")],
)
def test_networks_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(SpaceError, match=said):
        SizeNetwork(**wrong)
