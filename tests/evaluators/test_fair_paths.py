"""Strict fairness (Chu, Zhang & Xu, FairNAS, ICCV 2021, Algorithm 1)."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nbnas import spaces
from nbnas.errors import SettingsError
from nbnas.evaluators import SharedWeights
from nbnas.evaluators.fair_paths import FairPaths
from nbnas.spaces import CellNetwork, Limit, SearchSpace
from tests.fixtures.runs import NB201, images

UNEQUAL = spaces.enas_macro(layers=4, channels=2, operations=("conv_3x3", "avg_pool_3x3", "max_pool_3x3"))
"""Rows of 3 operations and of 2: a skip connection or none."""
FALSE_ALARM = 1e-6


def counts(space, paths):
    """How often each option of each decision is taken."""
    return [
        [Counter(path.choices[place] for path in paths)[choice] for choice in range(len(decision.options))]
        for place, decision in enumerate(space.decisions)
    ]


@given(seed=st.integers(0, 2**32), batches=st.integers(1, 6))
def test_after_each_batch_every_option_was_trained_equally_often(seed, batches):
    fair = FairPaths(NB201, np.random.default_rng(seed))
    paths = []
    for done in range(1, batches + 1):
        paths += fair.batch()
        assert counts(NB201, paths) == [[done] * 5] * 6


def test_uniform_paths_are_not_fair():
    """The control: 5 uniform paths train each option of 6 rows once with probability (5! / 5^5)^6, about 3e-9."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        assert counts(NB201, [NB201.sample(rng) for _ in range(5)]) != [[1] * 5] * 6


@given(seed=st.integers(0, 2**32))
def test_rows_of_other_lengths_differ_by_at_most_one_at_any_time(seed):
    """And after as many paths as the least common multiple of the lengths they do not differ."""
    fair = FairPaths(UNEQUAL, np.random.default_rng(seed))
    paths = [path for _ in range(4) for path in fair.batch()]
    assert len(paths) == 12  # 3 a batch
    for done in range(1, 13):
        for row in counts(UNEQUAL, paths[:done]):
            assert max(row) - min(row) <= 1
    assert {tuple(row) for row in counts(UNEQUAL, paths[:6])} == {(2, 2, 2), (3, 3)}


def test_every_path_alone_is_uniform():
    """Rows are permuted independently: of 9 pairs of options each is as likely as the others, in every place."""
    space = SearchSpace("three edges", CellNetwork(3, ("none", "skip", "conv_1x1")))
    fair = FairPaths(space, np.random.default_rng(3))
    seen = [Counter() for _ in range(3)]
    for _ in range(900):
        for place, path in enumerate(fair.batch()):
            seen[place][path.choices[:2]] += 1
    for counted in seen:
        assert len(counted) == 9
        assert stats.chisquare([*counted.values()]).pvalue > FALSE_ALARM


def test_it_goes_on_within_a_permutation():
    fair = FairPaths(UNEQUAL, np.random.default_rng(1))
    fair.batch()
    state, generator = fair.state_dict(), fair.rng.bit_generator.state
    assert any(state["left"])
    expected = [fair.batch() for _ in range(3)]
    other = FairPaths(UNEQUAL, np.random.default_rng(9))
    other.load_state_dict(state)
    other.rng.bit_generator.state = generator
    assert [other.batch() for _ in range(3)] == expected


LIMITED = SearchSpace("limited", NB201.component, limits=(Limit(maximum=100_000),))


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        (spaces.darts(), "an architecture does not take one option in each row of the supernet"),
        (spaces.recurrent(), "an architecture does not take one option in each row of the supernet"),
        (LIMITED, "its limits forbid some combinations of options"),
    ],
    ids=["darts", "recurrent", "limited"],
)
def test_spaces_where_it_cannot_be_fair_are_refused(space, reason):
    with pytest.raises(
        SettingsError, match=rf"draws must be strategy or uniform for space '{space.name}', since {reason}"
    ):
        FairPaths(space, np.random.default_rng(0))


# -- training on them --------------------------------------------------------------------------------------------------


def bound(**settings):
    return SharedWeights(batch=12, draws="fair", **settings).bind(NB201, images().bind("cpu"), 0)


class Silent:
    """A strategy that must not be asked."""

    def draw(self, rng):
        raise AssertionError


def test_the_gradients_of_all_paths_add_up_before_one_step(monkeypatch):
    """FairNAS, Algorithm 1: 2 batches of 12 items, 5 paths each, 2 steps."""
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: None)
    evaluator = bound()
    batches, steps = [], []
    draw, step, forward = evaluator.fair.batch, evaluator.optimizer.step, evaluator.supernet.forward

    def drawn():
        batches.append(draw())
        return batches[-1]

    def stepped():
        paths = batches[-1]
        loss = sum(evaluator.task.loss(forward(inputs[-1], path), labels(inputs[-1])) for path in paths)
        names, parameters = zip(*evaluator.supernet.named_parameters(), strict=True)
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        for name, parameter, gradient in zip(names, parameters, gradients, strict=True):
            assert (parameter.grad is None) == (gradient is None), name
            if gradient is not None:
                assert torch.allclose(parameter.grad, gradient, rtol=1e-4, atol=1e-5), name
        steps.append(sum(gradient is not None for gradient in gradients))
        step()

    inputs = []

    def seen(x, path):
        inputs.append(x.detach().clone())
        return forward(x, path)

    train = evaluator.task.train

    def labels(x):
        return torch.stack([train.y[(train.x == one).flatten(1).all(dim=1)][0] for one in x])

    evaluator.fair.batch, evaluator.optimizer.step, evaluator.supernet.forward = drawn, stepped, seen
    progress = list(evaluator.epoch(Silent()))
    assert [(one.done, one.total) for one in progress] == [(1, 2), (2, 2)]
    assert len(steps) == 2
    assert len(inputs) == 10
    assert min(steps) > 40  # of 49: an option may lead to `none`; a single path has at most 31


def test_the_loss_of_an_epoch_is_the_mean_over_paths_and_batches():
    evaluator = bound()
    losses = []
    loss = evaluator.task.loss

    def seen(logits, y):
        found = loss(logits, y)
        losses.append(float(found.detach()))
        return found

    evaluator.task.loss = seen
    generator = evaluator.epoch(Silent())
    while True:
        try:
            next(generator)
        except StopIteration as end:
            assert end.value["train_loss"] == pytest.approx(math.fsum(losses) / 10, rel=1e-9)
            break
    assert len(losses) == 10


def test_an_evaluator_takes_the_same_paths_after_a_pause():
    first, second = bound(), bound()
    list(first.epoch(Silent()))
    second.load_state_dict(first.state_dict())
    assert first.fair.batch() == second.fair.batch()
    assert first.rng is first.fair.rng  # whose state is stored once
