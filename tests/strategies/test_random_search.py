"""Li & Talwalkar 2019: every architecture is drawn anew."""

from __future__ import annotations

import numpy as np

from nbnas import spaces
from nbnas.events import Evaluation
from nbnas.strategies import Failure, RandomSearch


def test_it_draws_from_the_space_whatever_it_was_told():
    space = spaces.nas_bench_201()
    strategy = RandomSearch().bind(space, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    for trial in range(1, 51):
        proposal = strategy.ask()
        assert proposal.architecture == space.sample(rng)
        assert (proposal.parents, proposal.operator) == ((), "sample")
        answer = Failure("nan", "") if trial % 3 == 0 else Evaluation({}, (float(trial),))
        assert list(strategy.tell(trial, proposal, answer)) == []


def test_draws_for_shared_weights_do_not_disturb_its_own():
    space = spaces.nas_bench_201()
    one, other = (RandomSearch().bind(space, np.random.default_rng(3)) for _ in range(2))
    for _ in range(5):
        one.draw(np.random.default_rng(0))
        assert one.ask() == other.ask()
