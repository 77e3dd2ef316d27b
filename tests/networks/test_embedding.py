"""Tokens to vectors."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from nbnas.errors import SpaceError
from nbnas.networks import build
from nbnas.networks.embedding import sinusoids
from nbnas.networks.measure import Inputs, cost
from nbnas.spaces import Choice, Embedding, Head, Network, SearchSpace

TOKENS = SimpleNamespace(input_shape=(6,), classes=3, inputs="tokens", vocabulary=7)


def space(**fields):
    return SearchSpace("words", Network((Embedding(**fields), Head())), dims=1)


def only(space):
    return space.architecture([])


def test_sinusoids_are_those_of_the_paper():
    """PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i + 1) = cos of the same."""
    table = sinusoids(5, 7)
    for place in range(5):
        for entry in range(7):
            angle = place / 10_000 ** (2 * (entry // 2) / 7)
            wanted = math.sin(angle) if entry % 2 == 0 else math.cos(angle)
            assert table[place, entry].item() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(("positions", "extra"), [("none", 0), ("sinusoidal", 0), ("learned", 6 * 4)])
def test_vectors_and_parameters(positions, extra):
    words = space(width=4, positions=positions)
    network = build(words, only(words), TOKENS, seed=0)
    part = network.parts["embedding"]
    x = torch.tensor([[0, 6, 2, 2, 1, 3]])
    wanted = part.tokens.weight[x]
    if positions == "learned":
        wanted = wanted + part.positions.weight
    elif positions == "sinusoidal":
        wanted = wanted + sinusoids(6, 4)
    assert torch.equal(part(x), wanted)
    assert cost(words, only(words), Inputs((6,), 3, 7)) == (7 * 4 + extra + 4 * 3 + 3, 4 * 3 + 3)


def test_positions_tell_orders_apart():
    x = torch.tensor([[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]])
    for positions, same in (("none", True), ("sinusoidal", False), ("learned", False)):
        words = space(width=4, positions=positions)
        part = build(words, only(words), TOKENS, seed=0).parts["embedding"]
        vectors = part(x).sort(dim=1).values
        assert torch.allclose(vectors[0], vectors[1]) is same


def test_weights_are_a_function_of_the_seed():
    words = space(width=4, positions="learned")
    one, other, third = (build(words, only(words), TOKENS, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert not torch.equal(one["parts.embedding.tokens.weight"], third["parts.embedding.tokens.weight"])


def test_the_table_of_sinusoids_is_no_weight():
    words = space(width=4, positions="sinusoidal")
    assert [key for key in build(words, only(words), TOKENS, seed=0).state_dict() if "embedding" in key] == [
        "parts.embedding.tokens.weight"
    ]


def test_a_task_without_tokens_is_refused():
    words = space(width=4)
    with pytest.raises(SpaceError, match="got a space for tokens and a task of images"):
        build(words, only(words), SimpleNamespace(input_shape=(1, 8, 8), classes=3))


def test_an_open_width_is_searched_but_not_mixed():
    words = space(width=Choice(4, 8))
    assert words.size == 2
    assert "part 'embedding': field 'width' is open" in words.component.relaxable()
    for width, architecture in zip((4, 8), words.enumerate(), strict=True):
        assert build(words, architecture, TOKENS, seed=0).parts["head"].classifier.in_features == width
