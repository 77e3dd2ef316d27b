"""Cells with two inputs: decisions, canonical forms against isomorphism of graphs, the relaxed view."""

from __future__ import annotations

import math
import random
from itertools import permutations

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas.errors import SpaceError
from nbnas.spaces import Cell
from nbnas.spaces.cell import Term

FEW = ("none", "skip", "max_pool_3x3", "conv_1x1")
CELLS = [
    Cell(4, FEW),
    Cell(4, FEW, pairs="any"),
    Cell(5, FEW, pairs="any", output="concat_unused"),
    Cell(3, ("skip", "conv_1x1"), output="concat_unused"),
]
each_cell = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.nodes}-{cell.pairs}-{cell.output}")


def drawn(cell, rng):
    return {decision.name: decision.options[rng.randrange(len(decision.options))] for decision in cell.decisions()}


any_cell = st.sampled_from(CELLS).flatmap(lambda cell: st.randoms(use_true_random=False).map(lambda r: (cell, r)))


def as_graph(cell, chosen):
    """Nodes with what they are, each summand as a node of its own, named by its operation."""
    graph = networkx.DiGraph()
    ends = cell.concatenated(chosen)
    for node in (0, 1):
        graph.add_node(node, what=f"input {node}")
    for node, pair in cell.terms(chosen).items():
        graph.add_node(node, what="end" if node in ends else "inner")
        for place, term in enumerate(pair):
            graph.add_node((node, place), what=term.operation)
            graph.add_edge(term.source, (node, place))
            graph.add_edge((node, place), node)
    return graph


def isomorphic(one, other):
    return networkx.is_isomorphic(one, other, node_match=lambda a, b: a["what"] == b["what"])


def renumbered(cell, chosen, rng):
    """The same cell with its nodes in another order in which sources come first, and summands exchanged."""
    terms = cell.terms(chosen)
    left, place = list(terms), {0: 0, 1: 1}
    while left:
        ready = [node for node in left if all(term.source in place for term in terms[node])]
        node = rng.choice(ready)
        left.remove(node)
        place[node] = len(place)
    moved = {}
    for node, pair in terms.items():
        pair = [Term(term.operation, place[term.source]) for term in pair]
        rng.shuffle(pair)
        moved[place[node]] = tuple(pair)
    return cell.chosen(moved)


# -- the discrete view -------------------------------------------------------------------------------------------------


def test_decisions_of_a_pair_of_different_inputs():
    """Node j takes one of C(j, 2) pairs."""
    decisions = {decision.name: decision.options for decision in Cell(4).decisions()}
    assert [name for name in decisions if name.startswith("node_3/")] == [
        "node_3/inputs",
        "node_3/first",
        "node_3/second",
    ]
    assert decisions["node_3/inputs"] == ("0,1", "0,2", "1,2")
    assert [len(decisions[f"node_{node}/inputs"]) for node in (2, 3, 4, 5)] == [
        math.comb(node, 2) for node in (2, 3, 4, 5)
    ]
    assert all("none" not in options for options in decisions.values())


def test_decisions_of_two_free_inputs():
    decisions = {decision.name: decision.options for decision in Cell(2, FEW, pairs="any").decisions()}
    assert list(decisions)[4:] == ["node_3/first_input", "node_3/first", "node_3/second_input", "node_3/second"]
    assert decisions["node_3/second_input"] == (0, 1, 2)
    assert decisions["node_3/second"] == ("skip", "max_pool_3x3", "conv_1x1")


@each_cell
def test_terms_and_choices_are_inverse(cell):
    rng = random.Random(1)
    for _ in range(50):
        chosen = drawn(cell, rng)
        assert cell.chosen(cell.terms(chosen)) == chosen


def test_what_no_other_node_uses_is_concatenated():
    cell = Cell(3, FEW, output="concat_unused")
    pairs = {2: (Term("skip", 0), Term("skip", 1)), 3: (Term("skip", 0), Term("skip", 2))}
    both = cell.chosen(pairs | {4: (Term("skip", 2), Term("skip", 1))})
    last = cell.chosen(pairs | {4: (Term("skip", 2), Term("skip", 3))})
    assert (cell.concatenated(both), cell.concatenated(last)) == ((3, 4), (4,))
    assert Cell(3, FEW).concatenated(last) == (2, 3, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"operations": ("skip", "skip")}, "operations must be names that occur once each"),
        ({"operations": ("none",)}, "operations must be at least one operation besides none"),
        ({"operations": ("skip", "conv_9x9")}, "operations/1: 'conv_9x9' is not a known operation|'conv_9x9' is not"),
        ({"nodes": 0}, "nodes must be"),
        ({"pairs": "all"}, "pairs must be"),
        ({"output": "sum"}, "output must be"),
    ],
)
def test_wrong_cells_are_refused(arguments, message):
    with pytest.raises(SpaceError, match=message):
        Cell(**arguments)


def test_two_summands_on_one_node_need_free_inputs():
    twice = {2: (Term("skip", 0), Term("conv_1x1", 0))}
    with pytest.raises(SpaceError, match="'any', since node 2 takes node 0 twice"):
        Cell(1, FEW).chosen(twice)
    assert Cell(1, FEW, pairs="any").chosen(twice)["node_2/second"] == "conv_1x1"


@each_cell
def test_the_graph_has_two_edges_a_node_and_one_to_the_output_for_each_concatenated(cell):
    rng = random.Random(2)
    for _ in range(20):
        chosen = drawn(cell, rng)
        graph = cell.graph(chosen)
        output = cell.nodes + 2
        assert {graph.in_degree(node) for node in cell.inner()} == {2}
        assert tuple(sorted(graph.predecessors(output))) == cell.concatenated(chosen)
        edges = [(source, target, data["operation"]) for source, target, data in graph.edges(data=True) if data]
        assert sorted(edges) == sorted(
            (t.source, n, t.operation) for n, pair in cell.terms(chosen).items() for t in pair
        )


# -- canonical forms ---------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=100)
@given(any_cell)
def test_renumbered_nodes_and_exchanged_summands_have_one_form(drawing):
    cell, rng = drawing
    chosen = drawn(cell, rng)
    other = renumbered(cell, chosen, rng)
    assert isomorphic(as_graph(cell, chosen), as_graph(cell, other))  # so the test does what it says
    assert cell.canonical(chosen) == cell.canonical(other)


@pytest.mark.parametrize("output", ["concat", "concat_unused"])
@pytest.mark.parametrize("pairs", ["distinct", "any"])
def test_forms_are_equal_iff_graphs_are_isomorphic(pairs, output):
    """Over many cells of two operations, all pairs that could be confused."""
    cell, rng = Cell(4, ("skip", "conv_1x1"), pairs, output), random.Random(0)
    graphs: dict[str, networkx.DiGraph] = {}
    for _ in range(300):
        chosen = drawn(cell, rng)
        graph = as_graph(cell, chosen)
        first = graphs.setdefault(cell.canonical(chosen), graph)
        assert isomorphic(first, graph)
    by_size: dict[str, list[networkx.DiGraph]] = {}
    for graph in graphs.values():  # one of each form: no two of them may be isomorphic
        what = graph.nodes(data="what")
        size = sorted((kind, graph.in_degree(node), graph.out_degree(node)) for node, kind in what)
        by_size.setdefault(str(size), []).append(graph)
    for graphs_alike in by_size.values():
        for place, graph in enumerate(graphs_alike):
            assert not any(isomorphic(graph, other) for other in graphs_alike[:place])
    assert 100 < len(graphs) < 300


def test_which_of_two_twins_is_used_matters():
    """Nodes 2 and 3 have the same expression, but their own weights."""
    cell = Cell(4, ("skip", "conv_1x1"), pairs="any")
    twin = (Term("conv_1x1", 0), Term("conv_1x1", 1))
    same = {2: twin, 3: twin, 4: (Term("conv_1x1", 2), Term("conv_1x1", 2)), 5: (Term("skip", 0), Term("skip", 0))}
    both = same | {4: (Term("conv_1x1", 2), Term("conv_1x1", 3))}
    other = same | {4: (Term("conv_1x1", 3), Term("conv_1x1", 3))}
    forms = [cell.canonical(cell.chosen(terms)) for terms in (same, both, other)]
    assert forms[0] == forms[2] != forms[1]


def test_many_twins_are_no_trouble():
    """12 nodes that cannot be told apart have 479,001,600 orders."""
    cell = Cell(12, ("conv_1x1",))
    chosen = cell.chosen({node: (Term("conv_1x1", 0), Term("conv_1x1", 1)) for node in cell.inner()})
    assert cell.canonical(chosen).count("conv_1x1(0)+conv_1x1(1)") == 12


def test_the_inputs_are_told_apart():
    cell = Cell(1, ("skip", "conv_1x1"))
    forms = set()
    for one, other in permutations(("skip", "conv_1x1")):
        forms.add(cell.canonical({"node_2/inputs": "0,1", "node_2/first": one, "node_2/second": other}))
    assert len(forms) == 2


# -- the relaxed view --------------------------------------------------------------------------------------------------


def test_rows_are_all_edges_with_all_operations():
    rows = Cell().rows()
    assert [row.name for row in rows[:5]] == ["edge_0_2", "edge_1_2", "edge_0_3", "edge_1_3", "edge_2_3"]
    assert len(rows) == 2 + 3 + 4 + 5
    assert {row.options for row in rows} == {Cell().operations}


@settings(deadline=None, max_examples=100)
@given(any_cell)
def test_one_hot_weights_derive_the_architecture(drawing):
    cell, rng = drawing
    chosen = drawn(cell, rng)
    paths = cell.paths(chosen)
    assert sum(map(len, paths.values())) == 2 * cell.nodes
    if any(len(path) > 1 for path in paths.values()):
        return  # no row can stand for two operations
    weights = {row.name: {option: float(option in paths[row.name]) for option in row.options} for row in cell.rows()}
    derived = cell.derive(weights)
    terms, wanted = cell.terms(derived), cell.terms(chosen)
    assert {node: set(pair) for node, pair in terms.items()} == {node: set(pair) for node, pair in wanted.items()}
    if cell.pairs == "distinct":
        assert derived == chosen


def test_an_operation_taken_twice_is_a_path_twice():
    cell = Cell(1, FEW, pairs="any")
    paths = cell.paths(cell.chosen({2: (Term("skip", 1), Term("skip", 1))}))
    assert paths == {"edge_0_2": (), "edge_1_2": ("skip", "skip")}


def test_derive_takes_the_two_strongest_edges_without_none():
    """DARTS, Sec. 2.4, by hand: `none` counts neither as operation nor for the strength of its edge."""
    cell = Cell(2, ("none", "skip", "conv_1x1"))
    weights = {
        "edge_0_2": {"none": 0.98, "skip": 0.01, "conv_1x1": 0.01},
        "edge_1_2": {"none": 0.0, "skip": 0.4, "conv_1x1": 0.6},
        "edge_0_3": {"none": 0.0, "skip": 0.5, "conv_1x1": 0.5},
        "edge_1_3": {"none": 0.1, "skip": 0.0, "conv_1x1": 0.9},
        "edge_2_3": {"none": 0.3, "skip": 0.6, "conv_1x1": 0.1},
    }
    assert cell.derive(weights) == {
        "node_2/inputs": "0,1", "node_2/first": "skip", "node_2/second": "conv_1x1",
        "node_3/inputs": "1,2", "node_3/first": "conv_1x1", "node_3/second": "skip",
    }  # fmt: skip


def test_derive_takes_two_different_edges_with_free_inputs_too():
    cell = Cell(1, FEW, pairs="any")
    rng = np.random.default_rng(0)
    for _ in range(20):
        weights = {row.name: dict(zip(row.options, rng.random(4), strict=True)) for row in cell.rows()}
        derived = cell.derive(weights)
        assert (derived["node_2/first_input"], derived["node_2/second_input"]) == (0, 1)
