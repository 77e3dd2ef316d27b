"""Path codes counted by hand."""

from __future__ import annotations

from itertools import product

import networkx
import numpy as np
import pytest

from nbnas import spaces
from nbnas.spaces import Cell, CellNetwork, Choice, DartsNetwork, SearchSpace
from nbnas.strategies.codes import OneHotCoder, PathCoder, cells_of, path_words

NB201 = spaces.nas_bench_201(channels=2, cells=1)


def words(space, chosen, longest=16):
    return PathCoder(space, longest).words(space.architecture(chosen))


def cell(e01, e02, e12, e03, e13, e23):
    return {"edge_0_1": e01, "edge_0_2": e02, "edge_1_2": e12, "edge_0_3": e03, "edge_1_3": e13, "edge_2_3": e23}


def test_four_paths_of_nas_bench_201():
    """0-3, 0-1-3, 0-2-3 and 0-1-2-3."""
    found = words(NB201, cell("conv_1x1", "skip", "conv_3x3", "skip", "avg_pool_3x3", "conv_3x3"))
    assert found == {
        ("", "in", "skip"),
        ("", "in", "conv_1x1", "avg_pool_3x3"),
        ("", "in", "skip", "conv_3x3"),
        ("", "in", "conv_1x1", "conv_3x3", "conv_3x3"),
    }


def test_a_path_through_none_is_none():
    found = words(NB201, cell("conv_1x1", "none", "conv_3x3", "none", "avg_pool_3x3", "none"))
    assert found == {("", "in", "conv_1x1", "avg_pool_3x3")}
    assert words(NB201, cell(*["none"] * 6)) == set()


@pytest.mark.parametrize(("longest", "number"), [(1, 4), (2, 4 + 16), (3, 4 + 16 + 64)])
def test_nas_bench_201_has_84_paths(longest, number):
    """With 4 operations besides none: 4 of one, 16 of two, 64 of three; the published code counts none: 155."""
    coder = PathCoder(NB201, longest)
    rng = np.random.default_rng(0)
    found = set().union(*(coder.words(NB201.sample(rng)) for _ in range(2000)))
    assert len(found) == number
    assert coder.codes([NB201.sample(rng) for _ in range(1000)]).shape[1] == number


def test_isomorphic_cells_have_the_same_code():
    """Nodes 1 and 2 change places where no edge joins them: 5^4 cells, each and its mirror image."""
    operations = NB201.decisions[0].options
    coder = PathCoder(NB201, 3)
    differ = 0
    for a, b, c, d in list(product(operations, repeat=4))[::7]:
        one, other = cell(a, b, "none", "skip", c, d), cell(b, a, "none", "skip", d, c)
        both = coder.codes([NB201.architecture(one), NB201.architecture(other)])
        assert (both[0] == both[1]).all()
        differ += one != other
    assert differ > 50


def test_codes_are_one_exactly_where_a_path_is():
    coder, rng = PathCoder(NB201, 3), np.random.default_rng(0)
    drawn = [NB201.sample(rng) for _ in range(50)]
    codes = coder.codes(drawn)
    assert codes.sum(axis=1).tolist() == [len(coder.words(one)) for one in drawn]
    assert set(np.unique(codes)) == {0.0, 1.0}


def test_darts_has_paths_from_both_inputs_in_both_cells():
    """The first node's two operations are on both inputs, and it is part of the output."""
    space = spaces.darts()
    one = space.sample(np.random.default_rng(0))
    options = space.options(one)
    found = PathCoder(space, 1).words(one)
    for name in ("normal/", "reduction/"):
        assert (name, "c_{k-2}", options[f"{name}node_2/first"]) in found
        assert (name, "c_{k-1}", options[f"{name}node_2/second"]) in found
    assert {word[0] for word in found} == {"normal/", "reduction/"}
    assert all(len(word) == 3 for word in found)


def test_decisions_outside_of_cells_have_one_entry_an_option():
    space = SearchSpace("open", DartsNetwork(Cell(1), Cell(1), channels=Choice(4, 8)))
    coder, rng = PathCoder(space, 3), np.random.default_rng(0)
    for _ in range(5):
        one = space.sample(rng)
        outside = {word for word in coder.words(one) if not word[0].endswith("/")}
        assert outside == {("channels", str(space.options(one)["channels"]))}


def test_which_spaces_have_cells():
    assert list(cells_of(NB201)) == [""]
    assert list(cells_of(spaces.darts())) == ["normal/", "reduction/"]
    assert cells_of(spaces.chain(2, 1)) == {}


def test_edges_without_operation_pass_on_what_comes():
    graph = networkx.MultiDiGraph()
    for node in ("a", "b", "c", "d"):
        graph.add_node(node, label=node)
    graph.add_edge("a", "b", operation="one")
    graph.add_edge("a", "b", operation="two")
    graph.add_edge("c", "b", operation="none")
    graph.add_edge("b", "d")
    assert path_words(graph, 1) == {("a", "one"), ("a", "two")}


def test_one_hot_is_that_of_the_space():
    drawn = [NB201.sample(np.random.default_rng(seed)) for seed in range(5)]
    assert (OneHotCoder(NB201).codes(drawn) == [NB201.encode(one) for one in drawn]).all()


def test_a_large_dense_cell_is_coded_by_its_short_paths():
    """16 nodes have 2^14 paths; of at most two operations there are 15: over no node or over one of 14."""
    space = SearchSpace("dense", CellNetwork(16, ("conv_1x1",)))
    one = space.sample(np.random.default_rng(0))
    assert PathCoder(space, 2).words(one) == {("", "in", "conv_1x1"), ("", "in", "conv_1x1", "conv_1x1")}
