"""Proximal policy optimisation: the controller of NASNet and MnasNet.

Schulman et al., Proximal Policy Optimization Algorithms, 2017, arXiv:1707.06347, Eq. 7 (clipped surrogate), as used by
Zoph et al., Learning Transferable Architectures for Scalable Image Recognition (NASNet), CVPR 2018, arXiv:1707.07012,
and Tan et al., MnasNet, CVPR 2019, arXiv:1807.11626, whose reward stands in `nbnas.objectives.CostReward`.
Differs from the papers: an architecture is one action, so that the ratio is that of all its choices together and is
clipped as a whole; its advantage is its reward minus a moving average of earlier rewards, without a value network. A
trial that fails teaches nothing. What breaks a limit of the space is drawn anew, which the gradient does not consider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from nbnas.events import Evaluation, Event, PolicyUpdated
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import (
    BlackBoxSettings,
    BlackBoxStrategy,
    Failure,
    Proposal,
    distribution_event,
    score_of,
)

__all__ = ["Ppo"]


@dataclass(frozen=True)
class Ppo(BlackBoxSettings):
    """A controller that learns several times from each batch of rewards, in steps that stay near the old policy."""

    title: ClassVar[str] = "PPO (NASNet, MnasNet)"

    controller: str = setting(
        "lstm", "lstm: each choice sees those before it; softmax: independent rows.", options=("lstm", "softmax")
    )
    hidden: int = setting(100, "Units of the LSTM.", minimum=1, maximum=4096)
    batch: int = setting(20, "Rewards that an update waits for.", minimum=1, maximum=10_000)
    epochs: int = setting(4, "Passes over the batch an update.", minimum=1, maximum=1000)
    minibatch: int = setting(10, "Architectures a step.", minimum=1, maximum=10_000)
    clip: float = setting(0.2, "How far the ratio of new to old probability counts.", above=0, below=1)
    learning_rate: float = setting(3.5e-4, "Step size of Adam.", above=0, maximum=10)
    baseline_decay: float = setting(0.95, "Decay of the moving average of rewards.", minimum=0, below=1)
    entropy_weight: float = setting(1e-5, "Bonus for the policy's entropy (nats).", minimum=0)
    temperature: float = setting(1.0, "Divides the logits; above 1 the policy is flatter.", above=0, maximum=1000)
    tanh_constant: float = setting(0.0, "Bounds the logits; 0: not.", minimum=0)

    @override
    def check(self) -> None:
        if self.minibatch > self.batch:
            self.fail("minibatch", f"in 1..batch ({self.batch})", remedy="Lower it or raise batch")

    @override
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        return _Ppo(self, space, rng)


class _Ppo:
    def __init__(self, settings: Ppo, space: SearchSpace, rng: np.random.Generator) -> None:
        import torch

        from nbnas.strategies.policies import make_policy

        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        self.settings, self.space, self.rng = settings, space, rng
        self.policy = make_policy(
            settings.controller, space, generator, settings.hidden, settings.temperature, settings.tanh_constant
        )
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=settings.learning_rate)
        self.baseline: float | None = None
        # Log-probabilities of what was proposed, when it was proposed; of one architecture the earliest first.
        self.asked: dict[str, list[float]] = {}
        self.batch: list[tuple[str, float, float]] = []  # architecture, old log-probability, advantage
        self.told = 0

    def ask(self) -> Proposal:
        from nbnas.strategies.policies import proposed

        architecture, log_probability = proposed(self.policy, self.rng)
        self.asked.setdefault(str(architecture), []).append(log_probability)
        return Proposal(architecture, operator="policy")

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        self.told += 1
        text = str(proposal.architecture)
        waiting = self.asked.get(text, [])
        old = waiting.pop(0) if waiting else None
        if not waiting:
            self.asked.pop(text, None)
        if isinstance(answer, Failure):
            return ()
        reward = score_of(answer)
        # The advantage is taken against the rewards before this one.
        before = reward if self.baseline is None else self.baseline
        decay = self.settings.baseline_decay
        self.baseline = reward if self.baseline is None else decay * self.baseline + (1 - decay) * reward
        walk = self.policy.follow(proposal.architecture.choices)
        known = float(walk.log_probability.detach()) if old is None else old
        self.batch.append((text, known, reward - before))
        events: list[Event] = [PolicyUpdated(trial, reward, before, reward - before, float(walk.entropy.detach()))]
        if len(self.batch) >= self.settings.batch:
            self._update()
            self.batch = []
            from nbnas.strategies.policies import most_probable

            events += distribution_event("policy", self.told, {"policy": most_probable(self.policy)})
        return events

    def _update(self) -> None:
        """Ascends the clipped surrogate over minibatches of the batch, `epochs` times."""
        import torch

        settings = self.settings
        for _ in range(settings.epochs):
            order = self.rng.permutation(len(self.batch))
            for start in range(0, len(order), settings.minibatch):
                losses = []
                for place in order[start : start + settings.minibatch]:
                    text, old, advantage = self.batch[place]
                    walk = self.policy.follow(self.space.architecture(text).choices)
                    ratio = (walk.log_probability - old).exp()
                    # Eq. 7: the smaller of the two, so that leaving the neighbourhood of the old policy gains nothing.
                    clipped = ratio.clamp(1 - settings.clip, 1 + settings.clip)
                    surrogate = torch.minimum(ratio * advantage, clipped * advantage)
                    losses.append(-surrogate - settings.entropy_weight * walk.entropy)
                self.optimizer.zero_grad()
                torch.stack(losses).mean().backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()

    def draw(self, rng: np.random.Generator) -> Architecture:
        from nbnas.strategies.policies import proposed

        return proposed(self.policy, rng)[0]

    def state_dict(self) -> dict[str, Any]:
        return {
            "rng": self.rng.bit_generator.state,
            "policy": self.policy.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "baseline": self.baseline,
            "asked": {text: list(old) for text, old in self.asked.items()},
            "batch": [list(item) for item in self.batch],
            "told": self.told,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.policy.load_state_dict(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.baseline = state["baseline"]
        self.asked = {text: list(old) for text, old in state["asked"].items()}
        self.batch = [(text, old, advantage) for text, old, advantage in state["batch"]]
        self.told = state["told"]
