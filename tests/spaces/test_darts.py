"""The spaces of DARTS, NASNet, AmoebaNet and ENAS: published sizes and genotypes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas import spaces
from nbnas.errors import SpaceError
from nbnas.spaces import Cell, Choice, DartsNetwork, SearchSpace
from nbnas.spaces.catalogue.darts import DARTS_V1, DARTS_V2, darts
from nbnas.spaces.catalogue.genotypes import Genotype, from_genotype, genotype
from nbnas.spaces.catalogue.nasnet import AMOEBANET_A, NASNET_A, amoebanet, enas_micro, nasnet

SPACES = {"darts": darts(), "nasnet": nasnet(), "amoebanet": amoebanet(), "enas_micro": enas_micro()}
PUBLISHED = [
    ("darts", DARTS_V1),
    ("darts", DARTS_V2),
    ("nasnet", NASNET_A),
    ("amoebanet", AMOEBANET_A),
]
each_space = pytest.mark.parametrize("name", SPACES)
each_published = pytest.mark.parametrize(("name", "record"), PUBLISHED)


def sets(record):
    """The genotype with the edges of a node in no order."""
    cells = [
        [tuple(sorted(map(tuple, edges[place : place + 2]))) for place in range(0, len(edges), 2)]
        for edges in (record.normal, record.reduce)
    ]
    return Genotype(cells[0], list(record.normal_concat), cells[1], list(record.reduce_concat))


# -- sizes -------------------------------------------------------------------------------------------------------------


def test_darts_has_the_published_size():
    """1,037,664,180 = (1·3·6·10)·7^8 discrete cells; the relaxed view has 28 rows of 8 operations."""
    space = SPACES["darts"]
    assert space.size == 1_037_664_180**2
    assert SearchSpace("few", DartsNetwork(Cell(), Cell(1, ("skip",)))).size == 1_037_664_180
    assert math.prod(len(row.options) for row in space.rows) == 8**28
    assert [row.name for row in space.rows][:2] == ["normal/edge_0_2", "normal/edge_1_2"]
    assert space.rows[14].name == "reduction/edge_0_2"
    assert space.rows[0].options == (
        "none", "max_pool_3x3", "avg_pool_3x3", "skip", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5",
    )  # fmt: skip


@pytest.mark.parametrize(("name", "operations"), [("nasnet", 13), ("amoebanet", 8), ("enas_micro", 5)])
def test_free_inputs_have_the_size_of_the_formula(name, operations):
    """Node j chooses two of j inputs and two operations, 5 nodes, two cells."""
    assert SPACES[name].size == (math.factorial(6) ** 2 * operations**10) ** 2


def test_small_arguments():
    space = darts(channels=4, cells=3, nodes=2, dims=1)
    assert (space.dims, space.size) == (1, (1 * 3 * 7**4) ** 2)
    for cells in (2, 0, 101):
        with pytest.raises(SpaceError, match="cells must be"):
            darts(cells=cells)
    assert [DartsNetwork().reductions(cells) for cells in (3, 8, 20)] == [(1, 2), (2, 5), (6, 13)]


# -- genotypes ---------------------------------------------------------------------------------------------------------


@each_published
def test_published_genotypes_are_architectures_of_their_space(name, record):
    space = SPACES[name]
    architecture = from_genotype(space, record)
    space.validate(architecture)
    assert sets(genotype(space, architecture)) == sets(record)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32))
def test_an_architecture_is_its_genotype(name, seed):
    space = SPACES[name]
    architecture = space.sample(np.random.default_rng(seed))
    record = genotype(space, architecture)
    assert from_genotype(space, record) == architecture
    assert genotype(space, from_genotype(space, record)) == record
    assert "skip" not in {operation for operation, _ in (*record.normal, *record.reduce)}


@each_space
def test_one_hot_weights_derive_the_architecture(name):
    space, rng = SPACES[name], np.random.default_rng(0)
    seen = 0
    for _ in range(200):
        architecture = space.sample(rng)
        paths = space.paths(architecture)
        if any(len(path) > 1 for path in paths.values()):
            assert name != "darts"
            continue
        weights = {row.name: [float(k in paths[row.name]) for k in range(len(row.options))] for row in space.rows}
        derived = space.derive(weights)
        assert space.canonical(derived) == space.canonical(architecture)
        assert derived == architecture or name != "darts"
        seen += 1
    assert seen >= (200 if name == "darts" else 5)


def test_exchanged_edges_of_a_node_are_the_same_architecture():
    space = SPACES["nasnet"]
    for cell in ("normal", "reduce"):
        edges = list(getattr(NASNET_A, cell))
        for place in range(0, 10, 2):
            turned = [*edges[:place], edges[place + 1], edges[place], *edges[place + 2 :]]
            other = from_genotype(space, NASNET_A._replace(**{cell: turned}))
            assert space.canonical(other) == space.canonical(from_genotype(space, NASNET_A))


def test_exchanged_nodes_are_the_same_architecture():
    """Nodes 2 and 3 of the normal cell of DARTS_V2 are alike; node 5 may take either, as none else does."""
    space = SPACES["darts"]
    other = DARTS_V2._replace(normal=(*DARTS_V2.normal[:7], ("dil_conv_3x3", 3)))
    third = DARTS_V2._replace(normal=(*DARTS_V2.normal[:7], ("dil_conv_3x3", 4)))
    forms = [space.canonical(from_genotype(space, record)) for record in (DARTS_V2, other, third)]
    assert forms[0] == forms[1] != forms[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normal": DARTS_V2.normal[:-1]}, "must have 2 edges for each of 4 nodes, got 7; in normal"),
        (
            {"normal": (("skip_connect", 2), *DARTS_V2.normal[1:])},
            "node 2 must take a node in 0..1, got 2; in the norm",
        ),
        ({"reduce": (("skip_connect", True), *DARTS_V2.reduce[1:])}, "node 2 must take a node in 0..1, got True"),
        ({"reduce": (("none", 0), *DARTS_V2.reduce[1:])}, "'none'"),
        ({"normal": (("sep_conv_3x3", 1), *DARTS_V2.normal[1:])}, "'any', since node 2 takes node 1 twice"),
        ({"reduce_concat": (4, 5)}, r"concatenated nodes must be 2, 3, 4, 5, got \[4, 5\]; in the reduction cell"),
    ],
)
def test_genotypes_that_do_not_fit_are_refused(change, message):
    with pytest.raises(SpaceError, match=message):
        from_genotype(SPACES["darts"], DARTS_V2._replace(**change))


def test_a_genotype_needs_a_space_of_cells():
    with pytest.raises(SpaceError, match="space must be one of normal and reduction cells"):
        from_genotype(spaces.nas_bench_201(), DARTS_V2)


# -- the component -----------------------------------------------------------------------------------------------------


def test_open_channels_leave_no_relaxed_view():
    network = DartsNetwork(channels=Choice(8, 16))
    space = SearchSpace("wide", network)
    assert "'channels' is open" in str(network.relaxable())
    assert space.size == 2 * 1_037_664_180**2
    assert SearchSpace.from_json(space.to_json()) == space


@each_published
def test_the_graph_has_two_panels_with_the_edges_of_the_genotype(name, record):
    space = SPACES[name]
    graph = space.graph(from_genotype(space, record))
    for panel, edges, ends in (
        ("normal", record.normal, record.normal_concat),
        ("reduction", record.reduce, record.reduce_concat),
    ):
        part = graph.subgraph([node for node, of in graph.nodes(data="panel") if of == panel])
        labels = dict(part.nodes(data="label"))
        assert [labels[f"{panel}/{node}"] for node in (0, 1, len(edges) // 2 + 2)] == ["c_{k-2}", "c_{k-1}", "c_{k}"]
        drawn = [(data["operation"], u, v) for u, v, data in part.edges(data=True) if "operation" in data]
        wanted = [
            (operation.replace("skip_connect", "skip"), f"{panel}/{source}", f"{panel}/{2 + place // 2}")
            for place, (operation, source) in enumerate(edges)
        ]
        assert sorted(drawn) == sorted(wanted)
        assert part.number_of_edges() == len(edges) + len(ends)
    assert len(graph) == 2 * (3 + len(record.normal) // 2)


def test_the_graph_of_the_space_shows_weights_by_row():
    space = SPACES["darts"]
    weights = {row.name: dict.fromkeys(row.options, 0.1) | {"skip": 0.3} for row in space.rows}
    graph = space.graph(None, weights)
    named = {data["decision"]: data for *_, data in graph.edges(data=True) if "decision" in data}
    assert named.keys() == weights.keys()
    assert {(data["operation"], data["weight"]) for data in named.values()} == {("skip", 0.3)}
