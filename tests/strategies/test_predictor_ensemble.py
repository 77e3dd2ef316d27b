"""The ensemble against numerical gradients, torch, and itself member by member."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nbnas.strategies.predictor_ensemble import PredictorEnsemble


def data(rng, items=12, features=5):
    return (
        rng.integers(2, size=(items, features)).astype(float),
        rng.normal(size=items),
        rng.uniform(0.5, 2, size=items),
    )


def loss(ensemble, codes, targets, weights):
    return float((weights * np.abs(ensemble.predict(codes) - targets)).mean(axis=1).sum())


def test_slope_is_the_numerical_gradient():
    rng = np.random.default_rng(0)
    ensemble = PredictorEnsemble(5, 3, 2, 4, rng)
    codes, targets, weights = data(rng)
    slope = ensemble.slope(codes, targets, weights).copy()
    for place in range(len(slope)):
        before, ends = ensemble._values[place], []
        for change in (1e-6, -1e-6):
            ensemble._values[place] = before + change
            ends.append(loss(ensemble, codes, targets, weights))
        ensemble._values[place] = before
        assert slope[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-6)


def test_a_fit_is_adam_of_torch():
    """One member, the same first weights, the same cosine: the same parameters after 20 steps."""
    rng = np.random.default_rng(1)
    codes, targets, weights = data(rng)
    ensemble = PredictorEnsemble(5, 1, 1, 4, rng)
    parts = [torch.tensor(part[0], requires_grad=True) for part in ensemble._parts]
    optimizer = torch.optim.Adam(parts, lr=0.01, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + np.cos(np.pi * step / 20)) / 2)
    for _ in range(20):
        hidden = torch.relu(torch.tensor(codes) @ parts[0] + parts[1])
        error = (hidden @ parts[2] + parts[3])[:, 0] - torch.tensor(targets)
        optimizer.zero_grad()
        (torch.tensor(weights) * error.abs()).mean().backward()
        optimizer.step()
        schedule.step()
    ensemble.fit(codes, targets, weights, 20, 0.01)
    for part, other in zip(ensemble._parts, parts, strict=True):
        assert part[0] == pytest.approx(other.detach().numpy(), abs=1e-12)


def test_first_weights_are_those_of_glorot():
    ensemble = PredictorEnsemble(50, 20, 1, 30, np.random.default_rng(0))
    weights, biases = ensemble._parts[:2]
    bound = np.sqrt(6 / 80)
    assert np.abs(weights).max() < bound
    assert weights.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)
    assert not biases.any()


def test_members_do_not_touch_each_other():
    rng = np.random.default_rng(2)
    codes, targets, weights = data(rng)
    three, alone = PredictorEnsemble(5, 3, 2, 4, rng), PredictorEnsemble(5, 1, 2, 4, rng)
    for one, part in zip(alone._parts, three._parts, strict=True):
        one[0] = part[1]
    three.fit(codes, targets, weights, 10, 0.01)
    alone.fit(codes, targets, weights, 10, 0.01)
    assert three.predict(codes)[1] == pytest.approx(alone.predict(codes)[0], abs=1e-12)


def test_it_fits_a_linear_table():
    rng = np.random.default_rng(3)
    codes, _, _ = data(rng, 60, 10)
    targets = codes @ rng.normal(size=10)
    ensemble = PredictorEnsemble(10, 5, 2, 20, rng)
    before = np.abs(ensemble.predict(codes) - targets).mean()
    ensemble.fit(codes, targets, np.ones(60), 200, 0.01)
    assert np.abs(ensemble.predict(codes) - targets).mean() < 0.1 * before
