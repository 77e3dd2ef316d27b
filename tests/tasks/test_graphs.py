"""The user's own graph as a task."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nbnas.errors import TaskError
from nbnas.tasks import from_graph, task_from_json, task_to_json

PARTS = ("train", "valid", "test")
FEATURES = np.random.default_rng(0).normal(size=(30, 4))
EDGES = np.array([[0, 1, 2, 2, 29], [1, 2, 0, 3, 4]])
Y = np.arange(30) % 3
SPLITS = {"train": np.arange(10), "valid": np.arange(10, 15), "test": np.arange(15, 30)}


def pairs(data):
    return list(zip(*data.graph.edges.tolist(), strict=True))


# --- edges ------------------------------------------------------------------------------------------------------------

RANDOM_EDGES = st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), min_size=1, max_size=40)


@given(RANDOM_EDGES, st.booleans())
def test_each_edge_is_there_once_without_loops_and_both_ways_if_undirected(edges, directed):
    data = from_graph(FEATURES, np.array(edges).T, Y, **SPLITS, directed=directed).load()
    expected = {(a, b) for a, b in edges if a != b}
    if not directed:
        expected |= {(b, a) for a, b in expected}
    assert pairs(data) == sorted(expected)


def test_a_graph_may_have_no_edges():
    assert pairs(from_graph(FEATURES, np.zeros((2, 0), int), Y, **SPLITS).load()) == []


# --- splits -----------------------------------------------------------------------------------------------------------


def test_masks_and_numbers_of_nodes_say_the_same():
    masks = {part: np.isin(np.arange(30), nodes) for part, nodes in SPLITS.items()}
    task = from_graph(FEATURES, EDGES, Y, **SPLITS)
    assert from_graph(FEATURES, EDGES, Y, **masks) == task
    assert (
        from_graph(*map(torch.tensor, (FEATURES, EDGES, Y)), **{p: torch.tensor(m) for p, m in masks.items()}) == task
    )
    assert from_graph(FEATURES.tolist(), EDGES.tolist(), Y.tolist(), **SPLITS) == task
    data = task.load()
    for part, nodes in SPLITS.items():
        assert np.array_equal(getattr(data, part).x, nodes)
        assert np.array_equal(getattr(data, part).y, Y[nodes])
    assert np.array_equal(data.graph.features, FEATURES.astype(np.float32))
    assert (data.inputs, data.input_shape, data.dims, data.classes) == ("nodes", (), 0, 3)


def test_without_splits_nodes_are_drawn_stratified():
    data = from_graph(FEATURES, EDGES, Y, seed=3).load()
    assert sorted(np.concatenate([getattr(data, part).x for part in PARTS]).tolist()) == list(range(30))
    assert [np.bincount(getattr(data, part).y).tolist() for part in PARTS] == [[6] * 3, [2] * 3, [2] * 3]
    assert all(np.array_equal(getattr(data, part).y, Y[getattr(data, part).x]) for part in PARTS)
    assert from_graph(FEATURES, EDGES, Y, seed=4).load().digest != data.digest


def test_nodes_in_no_split_need_no_class():
    y = Y.copy()
    y[15] = -1
    data = from_graph(FEATURES, EDGES, y, **{**SPLITS, "test": np.arange(16, 30)}).load()
    assert data.labels == ("0", "1", "2")
    assert len(data.graph.features) == 30


def test_the_graph_is_part_of_which_data_they_are():
    task = from_graph(FEATURES, EDGES, Y, **SPLITS, name="mine")
    assert from_graph(FEATURES, EDGES[:, :4], Y, **SPLITS, name="mine") != task
    assert from_graph(FEATURES + 1, EDGES, Y, **SPLITS, name="mine") != task
    value = task_to_json(task)
    assert (value["kind"], value["settings"]["input_shape"], value["settings"]["items"]) == ("arrays", [], [10, 5, 15])
    with pytest.raises(TaskError, match=r"/task/settings: the data of task 'mine' .*nb\.open\(run_id, task=task\)"):
        task_from_json(value, "/task")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"features": FEATURES[0]},
            r"features must be numbers of shape \(nodes, features\), got float64 of shape \(4,\)",
        ),
        ({"features": [["a"]]}, "features must be numbers of shape .* got <U1"),
        ({"features": FEATURES * np.nan}, r"graph\.features must be finite, got nan or infinity in 30 of 30 nodes"),
        ({"features": FEATURES * 1e300}, r"graph\.features must be finite"),
        ({"edges": EDGES.T}, r"edges must be .* \(2, edges\), got int64 of shape \(5, 2\)\. Transpose them: edges\.T"),
        ({"edges": EDGES / 2}, "edges must be whole numbers of shape"),
        ({"edges": EDGES + 1}, r"edges must be in 0\.\.nodes - 1 \(29\), got 1\.\.30"),
        ({"edges": EDGES - 1}, r"edges must be in 0\.\.nodes - 1 \(29\), got -1\.\.28"),
        ({"y": Y[:9]}, r"y must have one label an item \(30\), got 9"),
        ({"y": Y / 2}, "y must be whole numbers or texts of shape"),
        ({"labels": ("a", "b")}, r"y must be in 0\.\.1 with 2 labels, got 0\.\.2"),
        ({"valid": None}, r"valid must be given where another split is, got None\. Give all three, or none"),
        ({"train": np.ones(29, bool)}, r"train must be true or false a node \(30\) or numbers of nodes, got bool"),
        ({"train": np.ones(30)}, "train must be true or false a node .* got float64"),
        ({"test": [15, 30]}, r"test must be in 0\.\.nodes - 1 \(29\), got 15\.\.30"),
        ({"test": [9, 15]}, "a node must be in one split and there once, got node 9 2 times"),
        ({"valid": np.zeros(30, bool)}, "valid must have at least one item that is not empty"),
        ({"train": None, "valid": None, "test": None, "seed": -1}, "seed must be a whole number"),
        ({"name": 3}, "name must be a text, got 3"),
    ],
)
def test_wrong_arguments_are_refused_with_a_reason(arguments, message):
    with pytest.raises(TaskError, match=message):
        from_graph(**{"features": FEATURES, "edges": EDGES, "y": Y, **SPLITS, **arguments})


# --- published data ---------------------------------------------------------------------------------------------------


def test_cora_has_its_published_numbers(data):
    """Yang, Cohen, Salakhutdinov 2016: 2,708 nodes, 5,429 citations (5,278 pairs), 20 × 7 nodes to train on."""
    with np.load(data / "graphs" / "cora.npz", allow_pickle=False) as cora:
        features = np.zeros(cora["x_shape"], np.float32)
        rows = np.repeat(np.arange(len(features)), np.diff(cora["x_indptr"]))
        features[rows, cora["x_indices"]] = 1
        splits = {part: cora[f"{name}_mask"] for part, name in zip(PARTS, ("train", "val", "test"), strict=True)}
        task = from_graph(features, cora["edges"].T, cora["label"], **splits, name="Cora").bind(with_test=True)
    assert task.graph.features.shape == (2_708, 1_433)
    assert task.graph.edges.shape == (2, 2 * 5_278)
    assert [len(part.y) for part in (task.train, task.valid, task.test)] == [140, 500, 1_000]
    assert task.train.y.bincount().tolist() == [20] * 7
    # Neighbours are mostly of one class: 81 % of edges (Zhu et al. 2020).
    y = torch.full((2_708,), -1)
    for part in (task.train, task.valid, task.test):
        y[part.x] = part.y
    source, target = y[task.graph.edges]
    known = (source >= 0) & (target >= 0)
    assert (source == target)[known].double().mean().item() == pytest.approx(0.81, abs=0.04)
