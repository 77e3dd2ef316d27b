"""Alpha and the mixtures made of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nbnas.errors import SettingsError, SpaceError
from nbnas.networks import gumbel, new_alpha, one_hot, softmax
from nbnas.spaces import chain, nas_bench_201

SPACE = nas_bench_201()


def noise(seed):
    return torch.Generator().manual_seed(seed)


def test_alpha_has_a_row_for_each_decision_and_is_a_function_of_the_seed():
    before = torch.get_rng_state()
    alpha = new_alpha(SPACE, 3)
    assert torch.equal(torch.get_rng_state(), before)
    assert {name: tuple(row.shape) for name, row in alpha.items()} == {d.name: (5,) for d in SPACE.decisions}
    assert list(alpha.keys()) == [decision.name for decision in SPACE.decisions]
    values = torch.cat(list(alpha.values()))
    assert torch.equal(values, torch.cat(list(new_alpha(SPACE, 3).values())))
    assert not torch.equal(values, torch.cat(list(new_alpha(SPACE, 4).values())))
    assert 0 < values.abs().max() < 5e-3
    torch.testing.assert_close(torch.cat(list(new_alpha(SPACE, 3, 1.0).values())), values * 1e3)
    assert len(list(alpha.parameters())) == 6


def test_alpha_of_a_space_without_relaxed_view():
    with pytest.raises(SpaceError, match="'chain' must have a relaxed view: chain has no"):
        new_alpha(chain(), 0)


def test_softmax_rows_sum_to_one():
    mixture = softmax({"a": torch.tensor([0.0, math.log(3.0)], dtype=torch.float64)})
    torch.testing.assert_close(mixture["a"], torch.tensor([0.25, 0.75], dtype=torch.float64))


def test_one_hot_is_the_encoding():
    architecture = SPACE.architecture([0, 4, 2, 1, 3, 0])
    mixture = one_hot(SPACE, architecture, dtype=torch.float64)
    assert np.array_equal(torch.cat(list(mixture.values())).numpy(), SPACE.encode(architecture))


def test_one_hot_of_an_inactive_decision_is_zero():
    space = chain(2, 0)
    choices = {"depth": 1, "layer_1/kind": "pool", "layer_1/kernel": 3, "dense_depth": 0}
    mixture = one_hot(space, space.architecture(choices))
    assert mixture["layer_1/kernel"].tolist() == [1.0, 0.0]
    assert not mixture["layer_1/width"].any()
    assert not mixture["layer_2/kind"].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_hard_gumbel_is_exactly_one_hot_with_the_gradient_of_the_soft_one(dtype):
    """Jang et al. 2017, §2.2, straight-through: forward the argmax, backward the softmax."""
    alpha = {name: row.detach().to(dtype).requires_grad_() for name, row in new_alpha(SPACE, 0, 1.0).items()}
    direction = torch.randn(5, dtype=dtype, generator=noise(9))
    gradients = {}
    for hard in (False, True):
        mixture = gumbel(alpha, 0.7, noise(5), hard)
        gradients[hard] = torch.autograd.grad(sum(direction @ row for row in mixture.values()), list(alpha.values()))
        for row in mixture.values():
            assert sorted(row.tolist()) == [0, 0, 0, 0, 1] if hard else 0 < row.min() < row.max() < 1
    for soft, straight in zip(gradients[False], gradients[True], strict=True):
        assert torch.equal(soft, straight)
        assert soft.abs().max() > 0


def test_hard_gumbel_is_one_hot_to_the_bit_for_every_draw():
    alpha, generator = new_alpha(SPACE, 0, 1.0), noise(0)
    for _ in range(50):
        for row in gumbel(alpha, 0.7, generator, hard=True).values():
            assert sorted(row.tolist()) == [0, 0, 0, 0, 1]


def test_gumbel_is_a_function_of_the_generator():
    alpha = new_alpha(SPACE, 0)
    before = torch.get_rng_state()
    one, other, third = (torch.cat(list(gumbel(alpha, 1.0, noise(seed)).values())) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, other)
    assert not torch.equal(one, third)
    running = noise(1)
    first, second = (gumbel(alpha, 1.0, running)["edge_0_1"] for _ in range(2))
    assert not torch.equal(first, second)


def test_gumbel_draws_from_softmax_of_alpha():
    """The Gumbel-max trick: frequencies of the argmax are the softmax, at any temperature (5 sigma)."""
    row = torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64)
    generator, count = noise(0), 4000
    draws = sum(gumbel({"a": row}, 0.1, generator, hard=True)["a"] for _ in range(count)) / count
    expected = row.softmax(0)
    assert ((draws - expected).abs() < 5 * (expected * (1 - expected) / count).sqrt()).all()


def test_temperature_goes_to_one_hot_and_to_uniform():
    alpha = new_alpha(SPACE, 0)
    cold = torch.stack(list(gumbel(alpha, 1e-4, noise(0)).values()))
    warm = torch.stack(list(gumbel(alpha, 1e4, noise(0)).values()))
    hard = torch.stack(list(gumbel(alpha, 1.0, noise(0), hard=True).values()))
    torch.testing.assert_close(cold, hard, atol=1e-3, rtol=0)
    torch.testing.assert_close(warm, torch.full_like(warm, 0.2), atol=1e-3, rtol=0)


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_a_temperature_that_is_not_positive(temperature):
    with pytest.raises(SettingsError, match="temperature must be > 0"):
        gumbel(new_alpha(SPACE, 0), temperature, noise(0))
