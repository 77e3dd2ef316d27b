"""Bayesian optimisation (Snoek et al. 2012): what it proposes, given what it knows."""

from __future__ import annotations

import numpy as np
import pytest

from nbnas import spaces
from nbnas.errors import SettingsError
from nbnas.events import Evaluation
from nbnas.seeds import generator
from nbnas.strategies import BayesianOptimization, Done, RandomSearch

SPACE = spaces.nas_bench_201(channels=2, cells=1)
WORTH = (0.0, 0.4, 0.7, 1.0, 0.2)


def score(architecture):
    """Edges matter unequally; the last two not at all."""
    return sum(weight * WORTH[choice] for weight, choice in zip((5, 3, 2, 1, 0, 0), architecture.choices, strict=True))


def run(settings, trials, seed=0, space=SPACE, worth=score):
    strategy = settings.bind(space, generator(seed, "strategy"))
    found = []
    for trial in range(1, trials + 1):
        proposal = strategy.ask()
        if isinstance(proposal, Done):
            break
        value = worth(proposal.architecture)
        strategy.tell(trial, proposal, Evaluation({"valid_accuracy": value}, (value,)))
        found.append((proposal.architecture, value))
    return strategy, found


def test_it_finds_better_architectures_than_random_search_with_as_many_trials():
    """In 40 trials of 15,625; five seeds, every one of them."""
    for seed in range(5):
        best = max(value for _, value in run(BayesianOptimization(), 40, seed)[1])
        random = max(value for _, value in run(RandomSearch(), 40, seed)[1])
        assert best == pytest.approx(11.0)  # the largest there is
        assert best > random


def test_no_architecture_is_proposed_twice_and_a_space_that_is_used_up_is_done():
    space = spaces.chain(max_depth=2, max_dense=0, widths=(8,), kernels=(3,))
    size = space.size
    strategy, found = run(BayesianOptimization(initial=2), 10 * size, space=space, worth=lambda one: len(str(one)))
    assert len(found) == len({str(one) for one, _ in found}) == size
    assert isinstance(strategy.ask(), Done)


def test_failures_and_pending_trials_are_not_proposed_again():
    strategy = BayesianOptimization(initial=3).bind(SPACE, generator(0, "strategy"))
    asked = [strategy.ask() for _ in range(8)]
    assert len({str(proposal.architecture) for proposal in asked}) == 8


def test_the_same_seed_proposes_the_same():
    one, other = (run(BayesianOptimization(), 25, seed=3)[1] for _ in range(2))
    assert [str(a) for a, _ in one] == [str(a) for a, _ in other]
    assert np.isfinite([value for _, value in one]).all()


@pytest.mark.parametrize(("field", "value"), [("initial", 1), ("candidates", 0), ("kernel", "cubic"), ("refit", -0.1)])
def test_bad_settings(field, value):
    with pytest.raises(SettingsError, match=field):
        BayesianOptimization(**{field: value})
