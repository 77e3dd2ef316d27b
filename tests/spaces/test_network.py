"""Networks of parts: what fits together, repetitions, drawings."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas.charts import cell_graph
from nbnas.errors import SpaceError
from nbnas.spaces import CellNetwork, Choice, DartsNetwork, Head, Integer, Network, Repeat, SearchSpace, Stem
from tests.fixtures.trees import spaces


def space_of(*parts):
    return SearchSpace("net", Network((*parts, Head())))


@pytest.mark.parametrize(
    ("make", "field", "said"),
    [
        (lambda: Network(()), "parts", r"parts must be 1..100 components, got 0; in Network"),
        (lambda: Network((Stem(),)), "parts/0", "parts/0 must be the head of the network, got 'stem'. Add a head"),
        (lambda: Network((Head(), Stem())), "parts/1", "a part that takes a logits, which 'head' gives, got 'stem'"),
        (lambda: Network((Head(), Head(name="b"))), "parts/1", "'head' gives, got 'b', which takes a vector"),
        (lambda: Network((Stem(), Stem(), Head())), "parts/1/name", "new among the parts, got 'stem'. Give each part"),
        (lambda: Network((Stem(name="head"), Head())), "parts/1/name", "new among the parts, got 'head'"),
        (lambda: Network(Stem()), "parts", "parts must be components"),
        (lambda: Network((Stem, Head())), "parts", r"parts must be components \(Component\), got \(<class"),
        (lambda: Repeat(Head()), "part", "one that gives what it takes .vector., got 'head', which gives logits"),
        (lambda: Repeat(None), "part", r"part must be a component \(Component\), got None"),
        (lambda: Repeat(Stem(), 0), "times", "times must be >= 1 and <= 64, got 0"),
        (lambda: Repeat(Stem(), Integer(60, 65)), "times", "times must be >= 1 and <= 64, got 65"),
        (lambda: Repeat(Stem(), shared=Choice(True, False)), "shared", "a value, it cannot be left open"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit(make, field, said):
    with pytest.raises(SpaceError, match=said) as caught:
        make()
    assert caught.value.field == field


def test_a_space_is_a_whole_network():
    with pytest.raises(SpaceError, match=r"component must be a whole network, got Stem\(.*with a head at its end"):
        SearchSpace("s", Stem())
    with pytest.raises(SpaceError, match=r"dims must be 2 .* since 'network' takes a map, got 0"):
        SearchSpace("s", Network((Stem(), Head())), dims=0)


@pytest.mark.parametrize(("times", "shared", "size"), [(3, False, 8), (3, True, 2), (Integer(1, 3), True, 6)])
def test_repetitions_choose_together_or_each_for_itself(times, shared, size):
    space = space_of(Repeat(Stem(kernel=Choice(1, 3)), times, shared))
    assert space.size == size


def test_repetitions_that_are_not_there_choose_nothing():
    """2 + 2^2 + 2^3, and of those left out no choice."""
    space = space_of(Repeat(Stem(kernel=Choice(1, 3)), Choice(1, 3, 2)))
    assert space.size == 2 + 2**2 + 2**3 == len(set(space.enumerate()))
    one = space.architecture({"repeat/times": 1, "repeat/1/kernel": 3})
    assert str(one) == "0-1-.-."


def test_canonical_forms_are_of_what_is_built():
    space = space_of(Repeat(Stem(kernel=Choice(1, 3)), Integer(1, 3)))
    assert len({space.canonical(one) for one in space.enumerate()}) == space.size
    shared = space_of(Repeat(Stem(kernel=Choice(1, 3)), Integer(1, 3), shared=True))
    assert len({shared.canonical(one) for one in shared.enumerate()}) == shared.size


@settings(deadline=None, max_examples=40)
@given(spaces(), st.integers(0, 2**32 - 1))
def test_every_architecture_is_drawn_as_a_path_from_in_to_out(space, seed):
    for architecture in (None, space.sample(np.random.default_rng(seed))):
        graph = space.graph(architecture)
        labels = dict(graph.nodes(data="label"))
        assert list(labels.values()).count("in") == list(labels.values()).count("out") == 1
        start, end = (next(node for node, label in labels.items() if label == name) for name in ("in", "out"))
        assert networkx.has_path(graph, start, end)
        assert networkx.is_directed_acyclic_graph(graph)
        assert all(degree == 1 for node, degree in graph.out_degree() if node != end)
        assert cell_graph.draw(graph).startswith("<svg")


def test_a_repetition_is_drawn_as_often_as_it_is_there():
    space = space_of(Stem(4), Repeat(Stem(kernel=Choice(1, 3)), Integer(1, 3)))
    graph = space.graph(space.architecture("2-0-1-0"))
    assert [name for _, _, name in graph.edges(data="operation")] == [
        "stem", "stem, kernel 1", "stem, kernel 3", "stem, kernel 1", "head",
    ]  # fmt: skip


def test_a_network_of_one_part_is_drawn_as_that_part():
    """With its panels, both edges of a pair, and the full names of its decisions."""
    alone, within = SearchSpace("s", DartsNetwork()), SearchSpace("s", Network((DartsNetwork(name="cells"),)))
    architecture = alone.sample(np.random.default_rng(0))
    one, other = alone.graph(architecture), within.graph(within.architecture(architecture.choices))
    assert other.is_multigraph()
    assert list(other.nodes(data=True)) == [(f"cells/{node}", data) for node, data in one.nodes(data=True)]
    assert [name for *_, name in other.edges(data="decision")] == [
        name and f"cells/{name}" for *_, name in one.edges(data="decision")
    ]
    assert "decision" not in Network((CellNetwork(3),)).graph(None).nodes


def test_a_drawing_is_not_changed_by_being_used():
    part = CellNetwork(3)
    before = list(part.graph(None).edges(data=True))
    Network((part,)).graph(None)
    assert list(part.graph(None).edges(data=True)) == before
