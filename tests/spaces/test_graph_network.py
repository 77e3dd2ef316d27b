"""The space of NAS-Bench-Graph: its size, and which networks are the same, checked against the published table."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from nbnas.errors import SpaceError
from nbnas.spaces import Choice, GraphNetwork, graph
from nbnas.spaces.catalogue.graph import from_links, links
from nbnas.spaces.graph_network import GRAPH_OPERATIONS, GraphStep, canonical_steps, ends

SKIP = GRAPH_OPERATIONS.index("skip")


@pytest.fixture(scope="module")
def all_steps():
    """All 24 · 9^4 ways to write a network, in the order of the table: the links, then the operations."""
    by_links = [
        [[GraphStep(name, source) for name in GRAPH_OPERATIONS] for source in (0, *link)]
        for link in itertools.product(range(2), range(3), range(4))
    ]
    return [
        tuple(steps)
        for first, *rest in by_links
        for steps in itertools.product([GraphStep(name, 0) for name in GRAPH_OPERATIONS], *rest)
        if first
    ]


def test_size_is_the_number_of_ways_to_write_a_network():
    space = graph()
    assert space.size == 24 * 9**4 == 157_464
    assert [len(decision.options) for decision in space.decisions] == [1, 9, 2, 9, 3, 9, 4, 9]


def test_there_are_as_many_classes_as_the_paper_says(all_steps):
    """26,206 different networks (Sec. 3.1), and the one of skips only; equal forms are equal rows of the table."""
    forms = [canonical_steps(steps) for steps in all_steps]
    assert len(forms) == 157_464
    assert len(set(forms)) == 26_206 + 1
    folder = os.environ.get("NBNAS_DATA")
    table = Path(folder or "") / "nasbench_graph" / "nbgraph.npz"
    if not folder or not table.exists():
        pytest.skip(f"the classes are counted; NAS-Bench-Graph's table is not there to compare with ({table})")
    rows = np.load(table)["lookup"].ravel().tolist()
    pairs = set(zip(forms, rows, strict=True))
    assert len(pairs) == len(set(forms)) == len(set(rows))  # one row for each form, one form for each row
    assert {form for form, row in pairs if row == -1} == {"x"}


@pytest.mark.parametrize(
    ("link", "operations", "form"),
    [
        ((0, 1, 2, 3), ("gcn", "skip", "skip", "gat"), "x(gcn(gat))"),  # a skip with a child
        ((0, 1, 2, 1), ("gcn", "skip", "gat", "fc"), "x(gcn(fc,gat))"),
        ((0, 1, 2, 3), ("gcn", "gat", "fc", "skip"), "x(gcn(gat(fc)))"),  # without siblings
        ((0, 0, 0, 1), ("gcn", "skip", "gat", "fc"), "x(gat,gcn(fc))"),  # under the input
        ((0, 1, 1, 1), ("gcn", "skip", "gat", "skip"), "x(gcn(gat,skip,skip))"),  # those stay
        ((0, 0, 1, 2), ("skip", "skip", "skip", "skip"), "x"),
    ],
)
def test_which_skips_go(link, operations, form):
    space = graph()
    architecture = from_links(space, link, operations)
    assert space.canonical(architecture) == form
    assert links(space, architecture) == (link, operations)


def test_the_order_of_nodes_does_not_matter():
    """[0, 1, 2, 1] is [0, 1, 1, 2] with the last two nodes exchanged (`regularize` of the published code)."""
    space = graph()
    one = from_links(space, [0, 1, 2, 1], ["gcn", "gin", "fc", "cheb"])
    other = from_links(space, [0, 1, 1, 2], ["gcn", "gin", "cheb", "fc"])
    assert space.canonical(one) == space.canonical(other) == "x(gcn(cheb,gin(fc)))"


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ([("gcn", 0), ("gat", 1), ("fc", 1), ("gin", 0)], (2, 3, 4)),
        ([("gcn", 0), ("skip", 0), ("skip", 2), ("gin", 0)], (1, 4)),  # skips of the input add nothing
        ([("gcn", 0), ("skip", 1), ("skip", 1), ("gin", 0)], (2, 3, 4)),
        ([("skip", 0), ("skip", 1)], (0,)),
    ],
)
def test_ends(steps, wanted):
    assert ends([GraphStep(*step) for step in steps]) == wanted


def test_as_many_ends_as_the_canonical_tree_has_leaves(all_steps):
    def leaves(form):
        return 1 + sum(form[place] == "," for place in range(len(form)))

    for steps in all_steps[::97]:
        assert len(ends(steps)) == leaves(canonical_steps(steps))


def test_fields_that_do_not_fit_are_named():
    with pytest.raises(SpaceError, match=r"channels must be divisible by heads \(4\), got 10"):
        graph(channels=10)
    assert graph(channels=10, operations=("gcn", "skip")).component.channels == 10
    with pytest.raises(SpaceError, match="operations must be names that occur once each"):
        graph(operations=("gcn", "gcn"))
    with pytest.raises(SpaceError, match="operations must be 2, one a link, got 1"):
        from_links(graph(nodes=2), [0, 0], ["gcn"])


def test_what_cannot_be_mixed_says_so():
    assert "Take pre=1" in graph(pre=0).component.relaxable()
    assert "field 'channels' is open" in GraphNetwork(channels=Choice(8, 16)).relaxable()
    assert graph().component.relaxable() is None
    assert SKIP == 8
