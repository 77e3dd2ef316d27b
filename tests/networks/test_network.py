"""Composed networks: parts in order, repetitions, the two ends; in plain and relaxed form."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import nbnas as nb
from nbnas.errors import SpaceError
from nbnas.networks import build, parameters, parts
from nbnas.spaces import CellNetwork, Choice, Head, Integer, Network, Repeat, SearchSpace, Stem
from nbnas.spaces.component import COMPONENTS, Component
from nbnas.spaces.recipe import Recipe
from tests.fixtures.relaxed import check_one_hot_is_single_path_is_discrete
from tests.fixtures.trees import spaces

TASK = SimpleNamespace(input_shape=(3, 8, 6), classes=5)


def space_of(*parts):
    return SearchSpace("net", Network((*parts, Head())))


def built(space, chosen="", task=TASK, **keywords):
    return nb.build(space, space.architecture(chosen), task, seed=0, **keywords)


def numbers(channels, more, kernel=3):
    """Of a stem: a convolution without bias and a normalisation."""
    return channels * more * kernel**2 + 2 * more


@settings(deadline=None, max_examples=30)
@given(spaces(), st.integers(0, 2**32 - 1))
def test_every_architecture_of_every_tree_is_built_and_trained(space, seed):
    rng = np.random.default_rng(seed)
    task = SimpleNamespace(input_shape=(2, *[8] * space.dims), classes=3)
    network = nb.build(space, space.sample(rng), task, seed=0)
    logits = network(torch.ones(2, *task.input_shape))
    assert logits.shape == (2, 3)
    logits.sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


def test_parts_are_computed_in_order():
    space = space_of(Stem(4, 3, 2, "tanh", name="one"), Stem(6, 1, activation="none", name="two"))
    network = built(space)
    x = torch.randn(3, 3, 8, 6, generator=torch.Generator().manual_seed(0))
    one, two, head = network.parts["one"], network.parts["two"], network.parts["head"]
    assert isinstance(one[-1], nn.Tanh)
    assert torch.equal(network(x), head.classifier(two(one(x)).mean((2, 3))))
    assert one(x).shape == (3, 4, 4, 3)
    assert parameters(network) == numbers(3, 4) + numbers(4, 6, 1) + 7 * 5


@pytest.mark.parametrize("shared", [False, True])
def test_repetitions_have_weights_of_their_own(shared):
    """With shared choices too: what they share is the choice."""
    space = space_of(Repeat(Stem(4, Choice(1, 3)), Integer(1, 3), shared))
    chosen = {"repeat/times": 3, **({"repeat/each/kernel": 3} if shared else
              {"repeat/1/kernel": 3, "repeat/2/kernel": 1, "repeat/3/kernel": 3})}  # fmt: skip
    network = built(space, chosen)
    kernels = [1 if not shared and place == 2 else 3 for place in (1, 2, 3)]
    assert list(network.parts["repeat"].parts) == ["1", "2", "3"]
    assert (
        parameters(network)
        == sum(numbers(3 if place == 0 else 4, 4, kernel) for place, kernel in enumerate(kernels)) + 25
    )
    first = {"repeat/times": 1, f"repeat/{'each' if shared else 1}/kernel": 3}
    assert parameters(built(space, first)) == numbers(3, 4) + 25


def test_a_recipe_is_no_part_of_the_network():
    with_recipe = SearchSpace("s", Network((Stem(4), Head(), Recipe(Choice("sgd", "adam")))))
    state = built(with_recipe, "1").state_dict()
    assert {name: value.tolist() for name, value in state.items()} == {
        name: value.tolist() for name, value in built(space_of(Stem(4))).state_dict().items()
    }


@pytest.mark.parametrize("name", ["pop", "train", "training", "type", "keys", "forward", "parts", "head_2"])
def test_any_name_will_do(name):
    space = space_of(Stem(4, name=name))
    assert built(space)(torch.ones(2, 3, 8, 6)).shape == (2, 5)


def test_pooling_of_the_head():
    x = torch.randn(2, 3, 8, 6, generator=torch.Generator().manual_seed(0))
    for pool, reduced in (("average", lambda x: x.mean((2, 3))), ("max", lambda x: x.amax((2, 3)))):
        network = built(SearchSpace("s", Network((Head(pool),))))
        assert torch.allclose(network(x), network.parts["head"].classifier(reduced(x)), atol=1e-6)


def test_dropout_of_the_head_is_for_training():
    space = SearchSpace("s", Network((Head(dropout=Choice(0.0, 0.5)),)))
    task = SimpleNamespace(input_shape=(64, 8, 6), classes=5)
    network = built(space, "1", task)
    x = torch.ones(2, 64, 8, 6)
    assert torch.equal(network.eval()(x), network(x))
    network.train()
    assert not torch.equal(network(x), network(x))  # 128 coins: equal with probability 2^-128
    assert not any(isinstance(part, nn.Dropout) for part in built(space, "0", task).modules())


def test_a_space_that_does_not_fit_the_task():
    with pytest.raises(SpaceError, match=r"must have the dims of its task, got dims=2.*inputs of shape \(3, 9\)"):
        built(space_of(Stem()), task=SimpleNamespace(input_shape=(3, 9), classes=2))
    with pytest.raises(SpaceError, match=r"a space for images, .* and a task of tokens"):
        built(space_of(Stem()), task=SimpleNamespace(input_shape=(9,), classes=2, inputs="tokens"))


RELAXED = SearchSpace(
    "relaxed", Network((CellNetwork(3, ("none", "skip", "conv_1x1"), channels=4, cells=1, stages=2), Recipe("adam")))
)


def test_a_relaxed_part_takes_its_rows_by_their_full_names():
    assert [row.name for row in RELAXED.rows] == [f"cell_network/edge_{edge}" for edge in ("0_1", "0_2", "1_2")]
    check_one_hot_is_single_path_is_discrete(RELAXED, TASK)


def test_an_own_component_declares_its_builder(monkeypatch):
    monkeypatch.setattr(parts, "BUILDERS", dict(parts.BUILDERS))

    @dataclass(frozen=True)
    class Thrice(Component):
        kind: ClassVar[str] = "thrice"
        gives: ClassVar[str] = "map"

    try:
        space = SearchSpace("mine", Network((Stem(4), Thrice(), Head())))
        with pytest.raises(SpaceError, match=r"got 'thrice'. Declare its builder with @nb.component"):
            parts.build_part(Thrice(), {}, parts.Shape("map", 4, (4, 4)), parts.Context(3, "evaluation"))

        @parts.component(Thrice)
        def thrice(component, chosen, shape, context):
            return nn.Identity(), shape

        task = SimpleNamespace(input_shape=(1, 4, 4), classes=3)
        assert build(space, space.architecture(""), task, seed=0)(torch.zeros(2, 1, 4, 4)).shape == (2, 3)
        for wrong in (Stem, int, "stem"):
            with pytest.raises(SpaceError, match="component must be"):
                parts.component(wrong)
    finally:
        COMPONENTS.pop("thrice", None)
