"""The Python that makes a space makes an equal one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbnas as nb
from nbnas import spaces
from nbnas.settings import setting
from nbnas.spaces import CATALOGUE, CellNetwork, Choice, Head, Integer, Limit, Network, Real, Repeat, SearchSpace, Stem
from nbnas.spaces.chain import Chain
from nbnas.spaces.code import space_code
from nbnas.spaces.component import COMPONENTS, Component, Flow
from tests.fixtures.records import HOSTILE


def made(code, **names):
    return eval(code, {"nb": nb, **names})  # our own code, not data


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_space_of_the_catalogue_is_one_call(name):
    assert space_code(CATALOGUE[name]()) == f"nb.spaces.{name}()"


@pytest.mark.parametrize(
    ("space", "code"),
    [
        (nb.spaces.nas_bench_201(8, 1), "nb.spaces.nas_bench_201(channels=8, cells=1)"),
        (nb.spaces.nas_bench_201(dims=1), "nb.spaces.nas_bench_201(dims=1)"),
        (nb.spaces.chain(widths=(4,)), "nb.spaces.chain(widths=(4,))"),
        (nb.spaces.enas_recurrent(nodes=8, width=32), "nb.spaces.enas_recurrent(nodes=8, width=32)"),
        (nb.spaces.darts(8, 5, 2), "nb.spaces.darts(channels=8, cells=5, nodes=2)"),
        (
            SearchSpace("nas_bench_201", CellNetwork(3, ("none", "skip"))),
            "nb.spaces.SearchSpace('nas_bench_201', nb.spaces.CellNetwork(nodes=3, operations=('none', 'skip')))",
        ),
        (
            SearchSpace("mine", Network((Stem(Choice(8, 16)), Head()))),
            "nb.spaces.SearchSpace('mine', "
            "nb.spaces.Network((nb.spaces.Stem(channels=nb.spaces.Choice(8, 16)), nb.spaces.Head())))",
        ),
    ],
)
def test_code_is_short(space, code):
    assert space_code(space, width=200) == code
    assert made(code) == space


stems = st.builds(
    Stem,
    channels=st.integers(1, 64) | st.just(Choice(8, 16)) | st.just(Integer(4, 32, 4)),
    kernel=st.sampled_from([1, 3, Integer(3, 7, 2), Choice(3, 5, when={"channels": (8,)})]),
    stride=st.sampled_from([1, 2, Choice(1, 2)]),
    label=st.text(max_size=20).filter(str.isprintable),
    name=st.just(""),
)
heads = st.builds(Head, dropout=st.sampled_from([0.0, 0.25, Real(0.0, 0.5), Real(0.001, 0.5, log=True, steps=5)]))
repeats = st.builds(Repeat, part=stems, times=st.sampled_from([1, 3, Choice(1, 2)]), shared=st.booleans())
networks = st.builds(
    lambda stem, repeat, head: Network((stem, repeat, head)), stems.filter(lambda stem: True), repeats, heads
)
limits = st.lists(st.builds(Limit, maximum=st.floats(1, 1e9), input_shape=st.just((1, 40))), max_size=2)
some_names = st.text(min_size=1, max_size=80).filter(str.isprintable) | st.just(HOSTILE)


def _condition_holds(network):
    """The condition above names a field that must be open."""
    return all(
        isinstance(part.channels, Choice) or not getattr(part.kernel, "when", ())
        for part in (network.parts[0], network.parts[1].part)
    )


@settings(deadline=None, max_examples=100)
@given(some_names, networks.filter(_condition_holds) | st.builds(Chain, max_depth=st.integers(1, 4)), limits)
def test_code_makes_an_equal_space_of_the_same_name(name, component, limits):
    space = SearchSpace(name, component, dims=1, limits=limits)
    for width in (30, 100):
        again = made(space_code(space, width=width))
        assert again == space
        assert again.name == space.name


def test_lines_are_broken_where_they_can_be():
    space = SearchSpace("mine", Network((Stem(Choice(8, 16), name="first"), Repeat(Stem()), Head())))
    lines = space_code(space, width=60).splitlines()
    assert max(map(len, lines)) <= 64
    assert lines[0] == "nb.spaces.SearchSpace("
    assert lines[-1] == ")"


@dataclass(frozen=True)
class OwnBody(Component):
    """A part of a user's own."""

    kind: ClassVar[str] = "own_body_for_code"
    takes: ClassVar[Flow] = "map"
    gives: ClassVar[Flow] = "map"

    width: int = setting(3, "Width.", open=True)


def test_an_own_component_is_written_by_its_name():
    try:
        space = SearchSpace("mine", Network((Stem(), OwnBody(Choice(3, 4)), Head())))
        assert ", OwnBody(width=nb.spaces.Choice(3, 4))," in space_code(space, width=200)
        assert made(space_code(space), OwnBody=OwnBody) == space
    finally:
        COMPONENTS.pop(OwnBody.kind, None)


@pytest.mark.parametrize(
    "make",
    [
        lambda: spaces.enas_macro(3, dropout=Choice(0.0, 0.2)),
        lambda: spaces.enas_macro(3, channels=Choice(8, 16)),
        lambda: spaces.darts(channels=Integer(8, 16, 4)),
    ],
    ids=["enas dropout", "enas channels", "darts channels"],
)
def test_an_open_argument_of_the_catalogue_is_python_that_runs(make):
    space = make()
    assert eval(space_code(space), {"nb": nb}) == space
