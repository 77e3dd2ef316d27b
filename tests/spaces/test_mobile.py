"""MnasNet (arXiv:1807.11626) and FBNet (arXiv:1812.03443)."""

import pytest

from nbnas.errors import SpaceError
from nbnas.spaces import fbnet, mnasnet, mobile
from nbnas.spaces.catalogue.mobile import FBNET_A, FBNET_C, MNASNET_A1, MNASNET_B1


def test_a_stage_of_mnasnet_has_432_options():
    """MnasNet, Sec. 4.1: a sub search space of size S = 432; stages of one layer have one depth less here."""
    one = mnasnet(widths=((18, 24, 30),), depths=((1, 2, 3),), strides=(2,))
    assert one.size == 432
    assert mnasnet().size == 432**5 * 288**2


def test_fbnet_has_22_layers_of_nine_blocks():
    """FBNet, Table 1: 22 layers; six of them change the shape, and have no skip here."""
    space = fbnet()
    assert sorted(len(decision.options) for decision in space.decisions) == [8] * 6 + [9] * 16
    assert space.size == 9**16 * 8**6
    assert [row.name for row in space.rows] == [decision.name for decision in space.decisions]


def test_named_architectures_are_in_the_spaces():
    assert mnasnet().options(mnasnet().architecture(MNASNET_A1)) == dict(MNASNET_A1)
    assert mnasnet().options(mnasnet().architecture(MNASNET_B1)) == dict(MNASNET_B1)
    for named in (FBNET_A, FBNET_C):
        assert len(named) == 22
        assert fbnet().options(fbnet().architecture(named)) == dict(named)


def test_mnasnet_says_why_it_has_no_relaxed_view():
    assert "nb.spaces.fbnet()" in (mnasnet().component.relaxable() or "")
    assert fbnet().component.relaxable() is None
    assert mobile().component.relaxable() is None


def test_mnasnet_needs_as_many_widths_as_depths():
    with pytest.raises(SpaceError, match=r"one item a stage, got \[1, 7, 7\]"):
        mnasnet(widths=((8,),))
