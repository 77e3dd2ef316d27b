"""Spaces whose largest network no machine holds are refused when they are made, in a moment and with the place."""

from __future__ import annotations

import time

import pytest

from nbnas import spaces
from nbnas.errors import SpaceError
from nbnas.spaces import CATALOGUE, CellNetwork, Chain, Choice, Head, Network, Repeat, SearchSpace, Stage, Stages, Stem
from nbnas.spaces.bound import NOMINAL, Extent, bound_of_operation
from nbnas.spaces.operations import BUILT_IN


@pytest.mark.parametrize("name", CATALOGUE)
def test_published_spaces_are_far_from_the_limits(name):
    bound = CATALOGUE[name]().component.bound(NOMINAL)
    assert bound.parameters < 10**9
    assert bound.modules < 50_000


@pytest.mark.parametrize(
    "make",
    [
        lambda: spaces.darts(channels=36, cells=20),
        lambda: spaces.darts(channels=48, cells=14),
        lambda: spaces.nasnet(channels=168, cells=18),
        lambda: spaces.nas_bench_201(channels=128, cells=5),
        lambda: spaces.mnasnet(),
    ],
    ids=["DARTS, CIFAR", "DARTS, ImageNet", "NASNet-A (6 @ 4032)", "8 times as wide", "MnasNet"],
)
def test_published_sizes_are_allowed(make):
    assert make().size > 1


def network(*parts):
    return SearchSpace("large", Network((*parts, Head())))


def nest(part, depth, times=64):
    for _ in range(depth):
        part = Repeat(part, times)
    return part


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: SearchSpace("s", CellNetwork(2, ("conv_3x3",), channels=4096, cells=1, stages=8)),
            r"/component: cell_network must have at most 10\^10 parameters in its largest network, got up to 10\^1[23]",
        ),
        (lambda: SearchSpace("s", CellNetwork(16, cells=100, stages=8, channels=1)), "/component: .* 100,000 modules"),
        (
            lambda: network(Stem(8), Stages((Stage(width=8), Stage("conv", 64, 8192, 31))), Stem(4, name="last")),
            r"/component/parts/1/stages/1: stage must have at most 10\^10 parameters",
        ),
        (
            lambda: network(Stem(Choice(8, 4096), name="one"), Stem(Choice(8, 4096), 31, name="two")),
            r"/component: network must have at most 10\^10 parameters .* got up to 10\^10.2. Make it narrower or less",
        ),
        (lambda: SearchSpace("s", Chain(widths=(65536,), dense_widths=(65536,))), r"/component: chain must .*10\^10"),
        # 64^13 modules, and 2 × 64^13 decisions: told without making them.
        (lambda: network(nest(Stem(), 13)), r"/component/parts/0(/part)+: repeat must have at most 100,000 modules"),
        (lambda: network(nest(Stem(kernel=Choice(1, 3)), 13)), r"/component/parts/0(/part)+: repeat must have at most"),
    ],
    ids=["wide cells", "many cells", "one stage", "only together", "chain", "nest", "nest of decisions"],
)  # fmt: skip
def test_what_no_machine_holds_is_refused(make, said):
    begin = time.process_time()
    with pytest.raises(SpaceError, match=f"^{said}"):
        make()
    assert time.process_time() - begin < 5  # no measurement: what is not bounded takes years


def test_repetitions_count():
    one = Stem(16, 3).bound(Extent(16, 1, 10, 1))
    assert one.parameters >= 16 * 16 * 9
    five = Repeat(Stem(16, 3), Choice(2, 5)).bound(Extent(16, 1, 10, 1))
    assert five == (5 * one.parameters, 5 * one.modules, 16)


def test_operations_of_ones_own_count_as_large():
    assert bound_of_operation("mine", 8, 8)[0] > max(bound_of_operation(name, 8, 8)[0] for name in BUILT_IN)
