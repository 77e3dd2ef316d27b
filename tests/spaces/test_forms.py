"""Texts, vectors, JSON and drawings of architectures and spaces."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas import jsonio, spaces
from nbnas.errors import SpaceError
from nbnas.spaces import Architecture, CellNetwork, Chain, SearchSpace
from nbnas.spaces.chain import ACTIVATIONS
from nbnas.spaces.operations import BUILT_IN

NB201 = spaces.nas_bench_201()
CHAIN = spaces.chain(max_depth=3, max_dense=2)

some_seed = st.integers(0, 2**32 - 1)
some_name = st.text(min_size=1, max_size=80).filter(str.isprintable)


def distinct(values, most):
    return st.lists(values, min_size=1, max_size=most, unique=True).map(tuple)


cells = st.builds(
    CellNetwork,
    nodes=st.integers(2, 6),
    operations=distinct(st.sampled_from(BUILT_IN), 6),
    channels=st.integers(1, 64),
    cells=st.integers(1, 5),
    stages=st.integers(1, 4),
)
chains = st.builds(
    Chain,
    max_depth=st.integers(1, 4),
    max_dense=st.integers(0, 3),
    widths=distinct(st.integers(1, 64), 3),
    kernels=distinct(st.sampled_from([1, 3, 5, 7]), 3),
    dense_widths=distinct(st.integers(1, 64), 3),
    activations=distinct(st.sampled_from(ACTIVATIONS), 3),
)
any_space = st.builds(SearchSpace, some_name, cells | chains, dims=st.sampled_from([1, 2]))


@settings(deadline=None, max_examples=150)
@given(any_space, some_seed)
def test_round_trips(space, seed):
    """JSON of the space; text, JSON, vector and options of an architecture."""
    again = SearchSpace.from_json(jsonio.loads(jsonio.dumps(space.to_json()), "test"))
    assert again == space
    assert (again.name, again.dims, again.component) == (space.name, space.dims, space.component)
    assert again.decisions == space.decisions
    architecture = space.sample(np.random.default_rng(seed))
    assert again.architecture(str(architecture)) == architecture
    text = jsonio.dumps(architecture.to_json())
    assert Architecture.from_json(jsonio.loads(text, "test")) == architecture
    assert space.decode(space.encode(architecture)) == architecture
    assert space.architecture(space.options(architecture)) == architecture
    assert space.architecture(architecture.choices) == architecture


@settings(deadline=None, max_examples=50)
@given(any_space, some_seed)
def test_the_code_has_a_one_for_each_active_decision(space, seed):
    architecture = space.sample(np.random.default_rng(seed))
    rows = np.split(space.encode(architecture), np.cumsum([len(decision.options) for decision in space.decisions])[:-1])
    for row, choice in zip(rows, architecture.choices, strict=True):
        assert row.tolist() == [float(place == choice) for place in range(len(row))]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (np.zeros(29), r"shape \(30,\), got \(29,\)"),
        (np.full(30, 0.2), "one-hot or zero"),
        (np.full(30, np.nan), "one-hot or zero"),
        (np.ones(30), "one-hot or zero"),
        (np.zeros(30), "must have a choice in 0..4, got None"),
    ],
    ids=["short", "soft", "nan", "ones", "zeros"],
)
def test_codes_that_are_of_no_architecture(code, said):
    with pytest.raises(SpaceError, match=said):
        NB201.decode(code)


@settings(deadline=None, max_examples=100)
@given(some_name, some_name)
def test_the_digest_does_not_depend_on_the_name(one, other):
    assert SearchSpace(one, NB201.component).digest == SearchSpace(other, NB201.component).digest
    assert SearchSpace(one, NB201.component) == SearchSpace(other, NB201.component)


def test_the_digest_depends_on_everything_else():
    base = NB201.component
    variants = [
        SearchSpace("nas_bench_201", dataclasses.replace(base, nodes=3)),
        SearchSpace("nas_bench_201", dataclasses.replace(base, operations=base.operations[::-1])),
        SearchSpace("nas_bench_201", dataclasses.replace(base, operations=base.operations[:-1])),
        SearchSpace("nas_bench_201", dataclasses.replace(base, channels=8)),
        SearchSpace("nas_bench_201", dataclasses.replace(base, cells=1)),
        SearchSpace("nas_bench_201", dataclasses.replace(base, stages=2)),
        SearchSpace("nas_bench_201", base, dims=1),
        CHAIN,
        NB201,
    ]
    assert len({space.digest for space in variants}) == len(variants)


def test_digests_never_change():
    """Stored runs and architectures name their space by it."""
    assert spaces.nas_bench_201().digest == "87e6ec78757275c4"
    assert spaces.chain().digest == "b6af3d56fed510af"


def test_architectures_are_values():
    one, other = NB201.architecture("3-0-1-2-4-0"), NB201.architecture([3, 0, 1, 2, 4, 0])
    assert one == other
    assert len({one, other}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.choices = ()
    elsewhere = spaces.nas_bench_201(channels=8).architecture("3-0-1-2-4-0")
    assert elsewhere != one  # the same choices in another space
    with pytest.raises(SpaceError, match=r"must be of space 'nas_bench_201'.*Make it anew"):
        NB201.validate(elsewhere)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ("3-0-1-2-4", "must have 6 choices, got 5"),
        ("", "must have 6 choices, got 0"),
        ("3-0-1-2-4-5", r"edge_2_3 must have a choice in 0..4, got 5"),
        ("3-0-1-2-4--1", "option indices joined by"),
        ("3-0-1-2-4-x", "option indices joined by"),
        ("3-0-1-2-4-²", "option indices joined by"),
        ("3-0-1-2-4-99999999999999999999", "option indices joined by"),
        ("3-0-1-2-4-.", "must have a choice in 0..4, got None"),
        ((3, 0, 1, 2, 4, True), "must have a choice in 0..4, got True"),
        ((3, 0, 1, 2, 4, 0.0), "must have a choice in 0..4, got 0.0"),
        ({"edge_9_9": "skip"}, r"'edge_9_9' is not a decision of space 'nas_bench_201'; known: edge_0_1"),
        ({"edge_0_1": "conv_9x9"}, "edge_0_1 must be one of none, .*, avg_pool_3x3, got 'conv_9x9'"),
        ({}, "edge_0_1 must have a choice"),
    ],
)  # fmt: skip
def test_choices_that_are_of_no_architecture(chosen, said):
    with pytest.raises(SpaceError, match=said):
        NB201.architecture(chosen)


def test_a_choice_for_what_is_not_active_is_refused():
    chosen = {"depth": 1, "layer_1/kind": "pool", "layer_1/kernel": 3, "dense_depth": 0}
    good = CHAIN.architecture(chosen)
    assert str(good).startswith("0-1-0-.-.-.")
    with pytest.raises(SpaceError, match=r"layer_1/width must be without choice \(not active\)"):
        CHAIN.architecture({**chosen, "layer_1/width": 8})


@pytest.mark.parametrize(
    "value",
    [None, [], {}, {"space": "x"}, {"space": "x", "choices": [0]}, {"space": 1, "choices": "0"},
     {"space": "x", "choices": "0", "more": 1}],
    ids=str,
)  # fmt: skip
def test_json_that_is_no_architecture(value):
    with pytest.raises(SpaceError, match=r"^file must be an architecture with space and choices, got"):
        Architecture.from_json(value, "file")


# -- drawings ----------------------------------------------------------------------------------------------------------


def test_the_graph_of_a_cell_has_its_edges_and_labels():
    cell = NB201.architecture("3-0-1-2-4-0")
    graph = NB201.graph(cell)
    assert dict(graph.nodes(data="label")) == {0: "in", 1: "1", 2: "2", 3: "out"}
    assert dict(((a, b), name) for a, b, name in graph.edges(data="operation")) == {
        (0, 1): "conv_3x3",
        (0, 2): "none",
        (1, 2): "skip",
        (0, 3): "conv_1x1",
        (1, 3): "avg_pool_3x3",
        (2, 3): "none",
    }
    assert all(name == f"edge_{a}_{b}" for a, b, name in graph.edges(data="decision"))


def test_the_graph_of_a_space_names_how_many_options_there_are():
    graph = NB201.graph()
    assert graph.number_of_edges() == 6
    assert {label for _, _, label in graph.edges(data="operation")} == {"5 options"}


def test_a_distribution_gives_edges_their_weight():
    row = {"none": 0.1, "skip": 0.2, "conv_1x1": 0.4, "conv_3x3": 0.2, "avg_pool_3x3": 0.1}
    edge = NB201.graph(distribution={"edge_0_1": row}).edges[0, 1]
    assert edge["operation"] == "conv_1x1"  # the most probable one
    assert edge["weight"] == 0.4
    assert edge["options"] == row
    chosen = NB201.graph(NB201.architecture("1-0-0-0-0-0"), {"edge_0_1": row}).edges[0, 1]
    assert (chosen["operation"], chosen["weight"]) == ("skip", 0.2)
    assert "weight" not in NB201.graph(distribution={"edge_0_1": row}).edges[0, 2]


def test_the_graph_of_a_chain_is_its_layers():
    chosen = {
        "depth": 2,
        "layer_1/kind": "conv",
        "layer_1/kernel": 3,
        "layer_1/width": 16,
        "layer_1/activation": "tanh",
        "layer_2/kind": "pool",
        "layer_2/kernel": 5,
        "dense_depth": 1,
        "dense_1/width": 64,
        "dense_1/activation": "relu",
    }
    graph = CHAIN.graph(CHAIN.architecture(chosen))
    labels = [graph.edges[place, place + 1]["operation"] for place in range(3)]
    assert labels == ["conv 3×3 ×16 tanh", "pool 5×5", "dense 64 relu"]
    assert dict(graph.nodes(data="label")) == {0: "in", 1: "1", 2: "2", 3: "out"}
    assert CHAIN.graph().number_of_edges() == 5  # 3 layers and 2 dense ones at most


def test_repr_says_what_it_is():
    assert repr(NB201) == "<SearchSpace nas_bench_201: 6 decisions, 15,625 architectures>"
