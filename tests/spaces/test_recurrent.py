"""The recurrent cells of DARTS and ENAS: published sizes and cells, forms, and the rule of derivation."""

from __future__ import annotations

import itertools
import math

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbnas.errors import SpaceError
from nbnas.spaces import Choice, RecurrentCell, enas_recurrent, recurrent
from nbnas.spaces.catalogue.recurrent import DARTS_RNN_V1, DARTS_RNN_V2, ENAS_RNN, from_steps, steps
from nbnas.spaces.recurrent_cell import Step
from nbnas.spaces.rooted_tree import canonical_tree


def test_darts_cell_has_the_published_encodings():
    space = recurrent()
    assert space.size == math.factorial(8) * 4**8 == 2_642_411_520
    assert len(space.rows) == 36
    assert {row.options for row in space.rows} == {("none", "tanh", "relu", "sigmoid", "identity")}
    assert [row.name for row in space.rows[:3]] == ["cell/edge_0_1", "cell/edge_0_2", "cell/edge_1_2"]


def test_enas_cell_has_the_published_encoding():
    """Node 0 chooses an activation; of the 11 others node j has j inputs to choose from."""
    space = enas_recurrent()
    assert space.size == math.factorial(11) * 4**12
    assert space.rows == space.decisions


@pytest.mark.parametrize("published", [DARTS_RNN_V1, DARTS_RNN_V2])
def test_published_cells_are_in_the_space(published):
    space = recurrent()
    architecture = from_steps(space, published)
    assert steps(space, architecture) == published
    assert space.component.children()["cell"].ends(published) == tuple(range(1, 9))


def test_the_cell_of_enas_has_the_published_loose_ends():
    """The published code of DARTS lists the nodes that it averages for ENAS' cell: 2, 5, 6, 9, 10, 11."""
    space = enas_recurrent()
    assert steps(space, from_steps(space, ENAS_RNN)) == ENAS_RNN
    assert space.component.children()["cell"].ends(ENAS_RNN) == (2, 5, 6, 9, 10, 11)


def test_from_steps_names_what_does_not_fit():
    with pytest.raises(SpaceError, match="steps must be 8, one a node, got 1"):
        from_steps(recurrent(), [("tanh", 0)])
    with pytest.raises(SpaceError, match="node_1/input must be one of 0, got 4"):
        from_steps(recurrent(nodes=1), [("tanh", 4)])
    with pytest.raises(SpaceError, match="nodes must be >= 2"):
        enas_recurrent(nodes=1)


def test_canonical_is_equal_iff_the_trees_are_isomorphic():
    space = recurrent(nodes=3, activations=("tanh", "relu"))
    trees = []
    for architecture in space.enumerate():
        tree = networkx.DiGraph()
        tree.add_node(0, label="input")
        for node, step in enumerate(steps(space, architecture), start=1):
            tree.add_node(node, label=step.activation)
            tree.add_edge(step.source, node)
        trees.append((space.canonical(architecture), tree))
    assert len(trees) == 48
    for (one, first), (other, second) in itertools.combinations(trees, 2):
        same = networkx.is_isomorphic(first, second, node_match=lambda a, b: a["label"] == b["label"])
        assert (one == other) == same


def test_two_nodes_with_four_activations_have_26_different_trees():
    """16 chains, and the 10 multisets of two."""
    space = recurrent(nodes=2)
    assert len({space.canonical(architecture) for architecture in space.enumerate()}) == 16 + 10


def test_canonical_tells_what_node_0_does_and_how_wide_the_state_is():
    cell = RecurrentCell(1, first=Choice("tanh", "relu"), width=Choice(4, 8))
    chosen = {"node_1/input": 0, "node_1/activation": "tanh"}
    texts = {
        cell.canonical({"first": first, "width": width, **chosen}) for first in ("tanh", "relu") for width in (4, 8)
    }
    assert len(texts) == 4


@given(st.integers(0, 2**32 - 1))
def test_derivation_takes_the_edge_with_the_strongest_activation(seed):
    """As in the published code: of each node the edge with the largest weight but that of `none`."""
    space = recurrent(nodes=4)
    rng = np.random.default_rng(seed)
    weights = {row.name: rng.dirichlet(np.ones(5)).tolist() for row in space.rows}
    derived = steps(space, space.derive(weights))
    for node, step in enumerate(derived, start=1):
        real = np.array([weights[f"cell/edge_{source}_{node}"][1:] for source in range(node)])
        source, activation = np.unravel_index(real.argmax(), real.shape)
        assert step == Step(("tanh", "relu", "sigmoid", "identity")[activation], source)


def test_open_widths_are_not_mixed():
    cell = RecurrentCell(width=Choice(4, 8))
    assert "field 'width' is open" in cell.relaxable()
    assert RecurrentCell(first=Choice("tanh", "relu")).relaxable() is None


def test_a_tree_is_a_text():
    assert canonical_tree([0, 0, 2, 2], ["in", "b", "a", "d", "c"]) == "in(a(c,d),b)"
