"""ENAS (Pham et al. 2018): REINFORCE on shared weights, in turns, on its three spaces."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from nbnas import spaces, tasks
from nbnas.evaluators import SharedWeights
from nbnas.events import EpochFinished, PolicyUpdated, TrialFinished
from nbnas.processes import Budget
from nbnas.session import start
from nbnas.spec import RunSpec
from nbnas.strategies import Reinforce
from tests.fixtures.runs import NB201, images

MACRO = spaces.enas_macro(layers=4, channels=4)
MICRO = spaces.enas_micro(channels=2, cells=3, nodes=2)
RECURRENT = spaces.enas_recurrent(nodes=3, width=8, embedding=4)
PUBLISHED = {"baseline_decay": 0.99, "entropy_weight": 1e-4, "hidden": 64}


def characters():
    return tasks.characters(items=100, length=8)


CASES = {
    "macro": (MACRO, images, {"learning_rate": 1e-3, "tanh_constant": 1.5, "skip_weight": 0.8}),
    "micro": (MICRO, images, {"learning_rate": 3.5e-3, "tanh_constant": 1.1}),
    "recurrent": (
        RECURRENT,
        characters,
        {"learning_rate": 1e-3, "tanh_constant": 2.5, "temperature": 5.0, "entropy_weight": 1e-3, "hidden": 100},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_runs_on_the_spaces_of_the_paper(case):
    """2 epochs, 4 trials after each, 2 rewards a step; the score is that of a minibatch of valid."""
    space, items, own = CASES[case]
    strategy = Reinforce(aggregate=2, **{**PUBLISHED, **own})
    shared = SharedWeights(controller_steps=4, batch=12, score_items=6)
    run = start(RunSpec(space, items(), strategy, shared, Budget(epochs=2), seed=1, device="cpu")).wait(60)
    assert run.state.status == "finished"
    kinds = [type(event) for event in run.events if isinstance(event, EpochFinished | TrialFinished | PolicyUpdated)]
    assert kinds == ([EpochFinished] + [TrialFinished, PolicyUpdated] * 4) * 2
    trials = [event for event in run.events if isinstance(event, TrialFinished)]
    classes = 3 if items is images else None
    for event in trials:
        space.validate(space.architecture(event.architecture))
        share = event.metrics["valid_accuracy"] * 6 * (1 if classes else 8)  # 6 items, or 6 times 8 positions
        assert share == pytest.approx(round(share), abs=1e-6)


def test_weights_and_controller_are_trained_in_turns():
    """While one is trained the other stands still."""
    spec = RunSpec(
        MACRO, images(), Reinforce(hidden=4, aggregate=2), SharedWeights(controller_steps=4, batch=12),
        Budget(epochs=2), device="cpu",
    )  # fmt: skip
    process = spec.bind().search.process
    policy, supernet = process.strategy.policy, process.evaluator.supernet

    def flat(module):
        return torch.cat([parameter.detach().flatten() for parameter in module.parameters()]).clone()

    start_policy, start_weights, at_epoch = flat(policy), flat(supernet), None
    for item in process.step():
        if isinstance(item, EpochFinished):
            at_epoch = flat(policy), flat(supernet)
    assert torch.equal(at_epoch[0], start_policy)
    assert not torch.equal(at_epoch[1], start_weights)
    assert torch.equal(flat(supernet), at_epoch[1])
    assert not torch.equal(flat(policy), start_policy)


def test_paths_to_train_are_drawn_from_the_controller():
    """A controller that is sure of one architecture has no other trained."""
    spec = RunSpec(
        NB201, images(), Reinforce(controller="softmax"), SharedWeights(controller_steps=1, batch=12), Budget(epochs=1),
        device="cpu",
    )  # fmt: skip
    process = spec.bind().search.process
    sure = NB201.architecture("2-3-1-4-2-3")
    with torch.no_grad():
        for row, choice in zip(process.strategy.policy.theta, sure.choices, strict=True):
            row[choice] = 50.0
    seen = set()
    forward = process.evaluator.supernet.forward
    process.evaluator.supernet.forward = lambda x, path: (seen.add(path), forward(x, path))[1]
    list(process.evaluator.epoch(process.strategy))
    assert seen == {sure}
    assert {process.strategy.draw(np.random.default_rng(seed)) for seed in range(20)} == {sure}


def test_rewards_that_wait_for_a_step_survive_a_pause():
    """3 trials an epoch, 2 rewards a step: one waits over the next epoch."""
    spec = RunSpec(
        MACRO, images(), Reinforce(hidden=4, aggregate=2, learning_rate=0.1, skip_weight=0.8),
        SharedWeights(controller_steps=3, batch=12), Budget(epochs=2), device="cpu",
    )  # fmt: skip
    one, two = (spec.bind().search.process for _ in range(2))
    list(one.step())
    assert len(one.strategy.waiting) == 1
    two.load_state_dict(copy.deepcopy(one.state_dict()))
    later = [
        [event.semantic_json() for event in process.step() if isinstance(event, PolicyUpdated)]
        for process in (one, two)
    ]
    assert later[0] == later[1]
    for mine, other in zip(one.strategy.policy.parameters(), two.strategy.policy.parameters(), strict=True):
        assert torch.equal(mine, other)
    assert one.strategy.waiting == two.strategy.waiting == []
