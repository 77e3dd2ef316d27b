"""Multilayer perceptrons: parameters, order of layers, flattening, and learning."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from nbnas import tasks
from nbnas.errors import SpaceError
from nbnas.networks import build
from nbnas.networks.measure import Inputs, cost
from nbnas.spaces import Embedding, Head, Mlp, Network, SearchSpace, mlp


def network_of(part, input_shape, classes=3, dims=0, form="evaluation"):
    space = SearchSpace("one", Network((part, Head())), dims=dims)
    task = SimpleNamespace(input_shape=input_shape, classes=classes)
    return build(space, space.architecture([]), task, seed=0, form=form)


@pytest.mark.parametrize(
    ("normalisation", "extra", "bias"), [("none", 0, 8), ("layer", 16, 8), ("batch", 16, 0)], ids=str
)
def test_parameters_and_multiply_adds(normalisation, extra, bias):
    """Batch normalisation takes the place of the bias."""
    space = SearchSpace("one", Network((Mlp(2, 8, normalisation=normalisation), Head())), dims=0)
    parameters, macs = cost(space, space.architecture([]), Inputs((5,), 3))
    assert parameters == (5 * 8 + bias + extra) + (8 * 8 + bias + extra) + (8 * 3 + 3)
    assert macs == (5 * 8 + bias) + (8 * 8 + bias) + (8 * 3 + 3)


def test_the_order_is_linear_normalisation_activation_dropout():
    network = network_of(Mlp(1, 8, "tanh", "layer", 0.5), (5,))
    kinds = [type(layer).__name__ for layer in network.parts["mlp"]]
    assert kinds == ["Linear", "LayerNorm", "Tanh", "Dropout"]


def test_layers_of_their_own_are_built_as_chosen():
    space = mlp(3)
    chosen = {"layers/times": 2}
    for layer, (width, activation, normalisation) in enumerate([(64, "relu", "none"), (16, "gelu", "batch")], start=1):
        fields = {"width": width, "activation": activation, "normalisation": normalisation, "dropout": 0.0}
        chosen |= {f"layers/{layer}/{name}": value for name, value in fields.items()}
    network = build(space, space.architecture(chosen), SimpleNamespace(input_shape=(7,), classes=3), seed=0)
    x = torch.randn(4, 7, generator=torch.Generator().manual_seed(0))
    first, second = network.parts["layers"].parts["1"], network.parts["layers"].parts["2"]
    hidden = second[0](torch.relu(first[0](x)))
    hidden = torch.nn.functional.gelu((hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + 1e-5).sqrt())
    torch.testing.assert_close(network(x), network.parts["head"].classifier(hidden))


@pytest.mark.parametrize(("shape", "dims"), [((2, 6), 1), ((3, 4, 4), 2)])
def test_images_and_sequences_are_flattened(shape, dims):
    network = network_of(Mlp(1, 8), shape, dims=dims)
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))
    linear = network.parts["mlp"][1]
    wanted = network.parts["head"].classifier(torch.relu(linear(x.flatten(1))))
    assert torch.equal(network(x), wanted)


def test_embedded_tokens_are_flattened_unless_each_has_a_target():
    space = SearchSpace("words", Network((Embedding(4), Mlp(1, 8), Head())), dims=1)
    task = SimpleNamespace(input_shape=(6,), classes=3, inputs="tokens", vocabulary=7)
    network = build(space, space.architecture([]), task, seed=0)
    assert network.parts["mlp"][1].in_features == 24
    assert network(torch.zeros(2, 6, dtype=torch.int64)).shape == (2, 3)
    task.targets = "position"
    with pytest.raises(SpaceError, match="a sequence must stay one where each position has a target"):
        build(space, space.architecture([]), task, seed=0)


def test_it_learns_a_table():
    task = tasks.breast_cancer().bind("cpu")
    space = SearchSpace("one", Network((Mlp(1, 16), Head())), dims=0)
    network = build(space, space.architecture([]), task, seed=0)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        task.loss(network(task.train.x), task.train.y).backward()
        optimizer.step()
    with torch.no_grad():
        assert task.metrics(network(task.valid.x), task.valid.y)["accuracy"] > 0.93
