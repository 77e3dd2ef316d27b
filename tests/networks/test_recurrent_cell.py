"""Recurrent cells against the papers' formulas, and the supernet against single cells."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from nbnas import tasks
from nbnas.networks import Supernet, build, one_hot
from nbnas.networks.measure import Inputs, cost
from nbnas.spaces import Embedding, Head, Network, RecurrentCell, SearchSpace, enas_recurrent, recurrent
from nbnas.spaces.catalogue.recurrent import DARTS_RNN_V2, ENAS_RNN, from_steps

TOKENS = SimpleNamespace(input_shape=(6,), classes=5, inputs="tokens", vocabulary=7, targets="position", graph=None)
ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": lambda x: x}


def batch(items=4):
    draws = torch.Generator().manual_seed(1)
    return torch.randint(7, (items, 6), generator=draws)


def moved(source, matrix, activation):
    """ENAS, Sec. 2.1, DARTS, App. A.2: a highway step from `source`; the first half of the matrix makes the gate."""
    gate, inner = (source @ matrix.T).split(source.shape[1], dim=1)
    return source + torch.sigmoid(gate) * (ACTIVATIONS[activation](inner) - source)


def start(x, state, matrix, activation):
    """Node 0."""
    gate, inner = (torch.cat([x, state], dim=1) @ matrix.T).split(state.shape[1], dim=1)
    return state + torch.sigmoid(gate) * (ACTIVATIONS[activation](inner) - state)


def parts_of(network):
    return network.network.parts if isinstance(network, Supernet) else network.parts


@pytest.mark.parametrize(("make", "published"), [(recurrent, DARTS_RNN_V2), (enas_recurrent, ENAS_RNN)])
def test_a_published_cell_computes_the_formulas_of_its_paper(make, published):
    space = make(width=5, embedding=3)
    network = build(space, from_steps(space, published), TOKENS, seed=0).double()
    cell, x = parts_of(network)["cell"], batch()
    vectors = parts_of(network)["embedding"].tokens.weight[x]
    state, states = torch.zeros(4, 5, dtype=torch.float64), []
    ends = range(1, 9) if make is recurrent else (2, 5, 6, 9, 10, 11)
    for time in range(6):
        values = [start(vectors[:, time], state, cell.first.weight, "tanh")]
        for node, (activation, source) in enumerate(published):
            values.append(moved(values[source], cell.nodes[node].weight, activation))
        state = torch.stack([values[end] for end in ends]).mean(dim=0)
        states.append(state)
    wanted = parts_of(network)["head"].classifier(torch.stack(states, dim=1))
    assert network(x).shape == (4, 6, 5)
    torch.testing.assert_close(network(x), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("normalise", [True, False])
def test_the_relaxed_cell_is_the_sum_over_edges_and_activations(normalise):
    """DARTS, Eq. 2 and the published search: nodes normalised without parameters, `none` adds nothing."""
    space = SearchSpace(
        "rnn", Network((Embedding(3), RecurrentCell(3, width=4, normalise=normalise, name="cell"), Head())), dims=1
    )
    supernet = Supernet(space, TOKENS, seed=0).double()
    draws = torch.Generator().manual_seed(0)
    mixture = {row.name: torch.rand(5, generator=draws, dtype=torch.float64) for row in space.rows}
    cell, x = parts_of(supernet)["cell"], batch()
    vectors = parts_of(supernet)["embedding"].tokens.weight[x]

    def normal(value):
        if not normalise:
            return value
        return (value - value.mean(0)) / torch.sqrt(value.var(0, unbiased=False) + 1e-5)

    state, states = torch.zeros(4, 4, dtype=torch.float64), []
    for time in range(6):
        values = [normal(start(vectors[:, time], state, cell.first.weight, "tanh"))]
        for node in (1, 2, 3):
            total = 0
            for source in range(node):
                weights = mixture[f"cell/edge_{source}_{node}"]
                for weight, name in zip(weights[1:], ("tanh", "relu", "sigmoid", "identity"), strict=True):
                    total = total + weight * moved(values[source], cell.nodes[node - 1].weight, name)
            values.append(normal(total))
        state = torch.stack(values[1:]).mean(dim=0)
        states.append(state)
    wanted = parts_of(supernet)["head"].classifier(torch.stack(states, dim=1))
    torch.testing.assert_close(supernet(x, mixture), wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("make", [recurrent, enas_recurrent])
def test_one_hot_is_single_path_is_the_cell_alone(make):
    space = make(nodes=5, width=6, embedding=4)
    supernet = Supernet(space, TOKENS, seed=0).double()
    rng = np.random.default_rng(0)
    x = batch()
    for architecture in [space.sample(rng) for _ in range(6)]:
        mixed = supernet(x, one_hot(space, architecture, dtype=torch.float64))
        torch.testing.assert_close(supernet(x, architecture), mixed, rtol=0, atol=1e-12)
        alone = supernet.extract(architecture)
        torch.testing.assert_close(alone(x), mixed, rtol=0, atol=1e-12)
        inputs = Inputs((6,), 5, 7)
        assert sum(weight.numel() for weight in alone.parameters()) == cost(space, architecture, inputs)[0]


def test_an_enas_supernet_has_a_matrix_for_each_edge_and_a_cell_one_for_each_node():
    space = enas_recurrent(nodes=4, width=6, embedding=4)
    supernet = Supernet(space, TOKENS, seed=0)
    first, matrix, ends = (4 + 6) * 12, 6 * 12, 7 * 4 + 6 * 5 + 5
    assert sum(weight.numel() for weight in supernet.parameters()) == ends + first + (1 + 2 + 3) * matrix
    assert cost(space, space.sample(np.random.default_rng(0)), Inputs((6,), 5, 7))[0] == ends + first + 3 * matrix


def test_the_published_network_has_23_million_parameters():
    """DARTS, Table 3: 23M on the Penn Treebank, where classifier and embedding are one matrix."""
    space = recurrent(width=850, embedding=850)
    parameters, _ = cost(space, from_steps(space, DARTS_RNN_V2), Inputs((1,), 10_000, 10_000))
    untied = 850 * 10_000
    assert parameters - untied == 1700 * 1700 + 8 * 850 * 1700 + 850 * 10_000 + 10_000 == 22_960_000


def test_multiply_adds_count_every_time():
    space = recurrent(nodes=2, width=6, embedding=4)
    _, macs = cost(space, space.architecture([0, 0, 0, 0]), Inputs((9,), 5, 7))
    assert macs == 9 * (10 * 12 + 2 * 6 * 12) + 6 * 5 + 5


def test_a_state_depends_on_what_came_before_only():
    space = recurrent(nodes=3, width=6, embedding=4)
    network = build(space, space.sample(np.random.default_rng(0)), TOKENS, seed=0)
    x = batch()
    changed = x.clone()
    changed[:, 4] = (x[:, 4] + 1) % 7
    with torch.no_grad():
        before, after = network(x), network(changed)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.equal(before[:, 4], after[:, 4])


def test_dropout_drops_the_same_features_at_all_times():
    space = recurrent(nodes=1, width=40, embedding=40, dropout=0.5)
    network = build(space, from_steps(space, [("identity", 0)]), TOKENS, seed=0)
    cell = parts_of(network)["cell"]
    cell.component = RecurrentCell(1, first="identity", width=40, dropout=0.5)
    cell.functions["identity"] = torch.nn.Identity()
    with torch.no_grad():  # node 0 is the input: its gate is open, the state is not read; node 1 halves it
        cell.nodes[0].weight.zero_()
        cell.first.weight.copy_(torch.cat([torch.zeros(40, 80), torch.cat([torch.eye(40), torch.zeros(40, 40)], 1)]))
        cell.first.weight[:40, :40] = 1000.0
    states = cell(torch.ones(2, 6, 40))
    assert torch.equal(states, states[:, :1].expand_as(states))
    assert set(states.unique().tolist()) == {0.0, 1.0}  # 1 / (1 - 0.5) / 2
    assert not torch.equal(states[0], states[1])
    assert torch.equal(cell.eval()(torch.ones(2, 6, 40)), torch.full((2, 6, 40), 0.5))


def test_a_batch_of_one_is_finite_in_form_search():
    space = recurrent(nodes=2, width=6, embedding=4)
    network = build(space, space.sample(np.random.default_rng(0)), TOKENS, form="search", seed=0)
    assert network(batch(1)).isfinite().all()


def test_a_language_model_learns_what_comes_next():
    """Tokens that count modulo 5; the task of characters has the same form."""
    space = recurrent(nodes=2, width=16, embedding=8)
    network = build(space, from_steps(space, [("tanh", 0), ("relu", 1)]), TOKENS, seed=0)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    x = (torch.arange(6) + torch.arange(5).unsqueeze(1)) % 5
    for _ in range(60):
        optimizer.zero_grad()
        functional.cross_entropy(network(x).flatten(0, 1), ((x + 1) % 5).flatten()).backward()
        optimizer.step()
    assert (network(x).argmax(dim=2) == (x + 1) % 5).all()


def test_it_fits_the_task_of_characters():
    task = tasks.characters(items=100, length=8).bind("cpu")
    space = recurrent(nodes=2, width=8, embedding=4)
    logits = build(space, space.sample(np.random.default_rng(0)), task, seed=0)(task.train.x[:3])
    assert logits.shape == (3, 8, task.classes)
    assert task.loss(logits, task.train.y[:3]).isfinite()
