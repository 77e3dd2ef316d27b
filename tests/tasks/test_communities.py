"""Communities: the graph of a stochastic block model, where features and edges are needed together."""

import networkx as nx
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from nbnas.tasks import Communities, TaskSettingsError

PARTS = ("train", "valid", "test")


def whole(data):
    """The class of every node."""
    y = np.full(len(data.graph.features), -1)
    for part in PARTS:
        y[getattr(data, part).x] = getattr(data, part).y
    return y


def neighbours(data):
    """Row i: 1 where there is an edge from node j to node i."""
    adjacency = np.zeros((len(data.graph.features),) * 2)
    adjacency[data.graph.edges[1], data.graph.edges[0]] = 1
    return adjacency


def test_splits_are_disjoint_stratified_and_of_all_nodes():
    data = Communities().load()
    assert sorted(np.concatenate([getattr(data, part).x for part in PARTS]).tolist()) == list(range(1000))
    assert [np.bincount(getattr(data, part).y).tolist() for part in PARTS] == [[50] * 4, [75] * 4, [125] * 4]


def test_edges_go_both_ways_and_have_the_probabilities_of_the_model():
    task = Communities(nodes=2_000, degree=20, within=0.7, communities=5)
    data = task.load()
    adjacency, y = neighbours(data), whole(data)
    assert np.array_equal(adjacency, adjacency.T)
    assert data.graph.edges.shape[1] == adjacency.sum()
    degree = adjacency.sum() / 2_000
    # Five deviations of the number of edges, about a Poisson one.
    assert degree == pytest.approx(20, abs=5 * 2 * np.sqrt(20_000) / 2_000)
    inside = adjacency[y[:, None] == y].sum() / adjacency.sum()
    assert inside == pytest.approx(0.7, abs=5 * np.sqrt(0.7 * 0.3 / 20_000))
    # Mixing is even between any two communities, as networkx measures it.
    graph = nx.from_numpy_array(adjacency)
    nx.set_node_attributes(graph, dict(enumerate(y.tolist())), "y")
    mixing = nx.attribute_mixing_matrix(graph, "y")
    assert mixing == pytest.approx(np.where(np.eye(5), 0.7 / 5, 0.3 / 20), abs=0.01)


def test_features_are_one_hot_and_noise():
    data = Communities(nodes=3_000, noise=0.5).load()
    rest = data.graph.features - np.eye(4)[whole(data)]
    assert rest.mean() == pytest.approx(0, abs=5 * 0.5 / np.sqrt(12_000))
    assert rest.std() == pytest.approx(0.5, rel=0.03)
    assert np.array_equal(Communities(noise=0).load().graph.features, np.eye(4)[whole(Communities(noise=0).load())])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_neither_features_nor_edges_alone_suffice(seed):
    data = Communities(graph_seed=seed).load()
    features, adjacency, y = data.graph.features, neighbours(data), whole(data)
    closed = adjacency + np.eye(1000)
    mean = closed / closed.sum(axis=1, keepdims=True)

    def linear(x):
        model = LogisticRegression(C=10, max_iter=300).fit(x[data.train.x], data.train.y)
        return model.score(x[data.test.x], data.test.y)

    # Edges alone: the classes of train spread along them.
    known = np.zeros((1000, 4))
    known[data.train.x, data.train.y] = 1
    spread = known
    for _ in range(30):
        spread = 0.9 * (adjacency / np.maximum(adjacency.sum(axis=1, keepdims=True), 1)) @ spread + 0.1 * known
    edges_alone = (spread.argmax(axis=1) == y)[data.test.x].mean()

    features_alone, averaged = linear(features), linear(mean @ features)
    twice = linear(np.hstack([features, mean @ features, mean @ mean @ features]))
    assert 0.5 < features_alone < 0.7
    assert 0.5 < edges_alone < 0.72
    assert averaged > features_alone + 0.06
    assert twice > max(features_alone, edges_alone) + 0.12


def test_seeds_decide_the_graph_and_the_split_apart():
    one, other, split = (Communities(**seeds).load() for seeds in ({}, {"graph_seed": 1}, {"split_seed": 1}))
    assert not np.array_equal(one.graph.features, other.graph.features)
    assert np.array_equal(one.graph.features, split.graph.features)
    assert np.array_equal(one.graph.edges, split.graph.edges)
    assert not np.array_equal(one.train.x, split.train.x)
    assert one.digest == "9da20daa29364b401c9bb9b06bc062eb33c73f47bbd3d6e75d9988effbd29c45"


def test_a_degree_beyond_the_community_is_refused():
    with pytest.raises(
        TaskSettingsError, match=r"degree must be below the number of nodes .* about 10 within"
    ) as caught:
        Communities(nodes=100, communities=10, within=1, degree=40)
    assert caught.value.field == "degree"
