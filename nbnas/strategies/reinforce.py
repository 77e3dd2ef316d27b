"""REINFORCE: a controller proposes architectures and learns from their reward.

Zoph & Le, Neural Architecture Search with Reinforcement Learning, ICLR 2017, arXiv:1611.01578 (an LSTM controller,
REINFORCE with a moving-average baseline); Williams, Machine Learning 8, 1992. `controller="softmax"` is the REINFORCE
of NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv:2001.00326): one softmax a decision, Adam, baseline 0.9. With the
evaluator `SharedWeights` it is the search of ENAS (Pham, Guan, Zoph, Le & Dean, Efficient Neural Architecture Search
via Parameter Sharing, ICML 2018, arXiv:1802.03268), with its minibatches of rewards and its penalty on skips.
Differs from the papers: the baseline has no bias towards its start; ENAS' published code adds the entropy to the reward
and we its gradient to the step, and in its micro space divides the tanh constant of operations by 2.5. A trial that
fails teaches nothing. An answer that comes late is taken at the policy of then. What breaks a limit of the space is
drawn anew, which the gradient does not consider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from typing_extensions import override

from nbnas.events import Evaluation, Event, PolicyUpdated
from nbnas.settings import setting
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import (
    SHOW_EVERY,
    BlackBoxSettings,
    BlackBoxStrategy,
    Failure,
    Proposal,
    distribution_event,
    score_of,
)

if TYPE_CHECKING:
    from torch import Tensor

    from nbnas.strategies.policies import Walk

__all__ = ["Reinforce"]


@dataclass(frozen=True)
class Reinforce(BlackBoxSettings):
    """A controller samples architectures and is pulled towards those with a reward above the baseline."""

    title: ClassVar[str] = "REINFORCE"

    controller: str = setting(
        "lstm", "lstm: each choice sees those before it; softmax: independent rows.", options=("lstm", "softmax")
    )
    learning_rate: float = setting(0.01, "Step size of Adam.", above=0, maximum=10)
    baseline_decay: float = setting(0.9, "Decay of the moving average of rewards.", minimum=0, below=1)
    entropy_weight: float = setting(1e-4, "Bonus for the policy's entropy (nats).", minimum=0)
    aggregate: int = setting(1, "Rewards that a step waits for and averages (ENAS: 10, 20).", minimum=1, maximum=10_000)
    hidden: int = setting(64, "Units of an LSTM layer.", minimum=1, maximum=4096)
    layers: int = setting(1, "LSTM layers (Zoph & Le: 2 of 35 units).", minimum=1, maximum=16)
    temperature: float = setting(1.0, "Divides the logits; above 1 the policy is flatter.", above=0, maximum=1000)
    tanh_constant: float = setting(0.0, "Bounds the logits (ENAS: 1.5 macro, 1.1 micro, 2.5 text); 0: not.", minimum=0)
    skip_weight: float = setting(
        0.0, "Weight of the divergence of skip connections from `skip_rate` (ENAS macro: 0.8).", minimum=0
    )
    skip_rate: float = setting(0.4, "Share of skip connections that is believed in beforehand.", above=0, below=1)

    @override
    def bind(self, space: SearchSpace, rng: np.random.Generator) -> BlackBoxStrategy:
        return _Reinforce(self, space, rng)


class _Reinforce:
    def __init__(self, settings: Reinforce, space: SearchSpace, rng: np.random.Generator) -> None:
        # Here, because settings are read without torch.
        import torch

        from nbnas.strategies.policies import make_policy

        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        self.settings = settings
        self.space = space
        self.rng = rng
        self.policy = make_policy(
            settings.controller,
            space,
            generator,
            settings.hidden,
            settings.temperature,
            settings.tanh_constant,
            settings.layers,
        )
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=settings.learning_rate)
        self.baseline = _Baseline(settings.baseline_decay)
        self.skips = _skips(space) if settings.skip_weight else []
        if settings.skip_weight and not self.skips:
            settings.fail(
                "skip_weight",
                f"0 for space {space.name!r}, which has no decisions between none and skip",
                remedy="Leave it out, or search a space such as nb.spaces.enas_macro()",
            )
        self.waiting: list[tuple[str, float]] = []  # architectures and advantages of the next step
        self.losses: list[Tensor] = []  # of the same, at the policy of now
        self.told = 0

    def ask(self) -> Proposal:
        return Proposal(self.draw(self.rng), operator="policy")

    def tell(self, trial: int, proposal: Proposal, answer: Evaluation | Failure) -> Sequence[Event]:
        self.told += 1
        if isinstance(answer, Failure):
            return ()
        reward = score_of(answer)
        # As in the code of NAS-Bench-201, the baseline takes in this reward first: the first advantage is 0.
        baseline = self.baseline.update(reward)
        walk = self.policy.follow(proposal.architecture.choices)
        self.waiting.append((str(proposal.architecture), reward - baseline))
        self.losses.append(self._loss(walk, reward, baseline))
        if len(self.losses) >= self.settings.aggregate:
            self._step()
        events: list[Event] = [PolicyUpdated(trial, reward, baseline, reward - baseline, float(walk.entropy.detach()))]
        if self.told % SHOW_EVERY == 0:
            from nbnas.strategies.policies import most_probable

            events += distribution_event("policy", self.told, {"policy": most_probable(self.policy)})
        return events

    def _loss(self, walk: Walk, reward: float, baseline: float) -> Tensor:
        # Williams 1992: ascend (R - b) grad log pi(a); Mnih et al. 2016 add the entropy.
        loss = -(reward - baseline) * walk.log_probability - self.settings.entropy_weight * walk.entropy
        if self.skips:
            loss = loss + self.settings.skip_weight * self._skip_divergence(walk)
        return loss

    def _skip_divergence(self, walk: Walk) -> Tensor:
        """The mean over layers of KL(policy of its skip connections ‖ prior) in nats, as in ENAS' macro space."""
        import torch

        prior = torch.tensor([1 - self.settings.skip_rate, self.settings.skip_rate]).log()
        rows = [walk.logs[place] for place in self.skips if place in walk.logs]
        total = sum(((row.exp() * (row - prior)).sum() for row in rows), start=torch.zeros(()))
        return total / len({self.space.decisions[place].group for place in self.skips})

    def _step(self) -> None:
        """One step on the mean over the rewards that wait."""
        import torch

        self.optimizer.zero_grad()
        torch.stack(self.losses).mean().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.waiting, self.losses = [], []

    def draw(self, rng: np.random.Generator) -> Architecture:
        from nbnas.strategies.policies import proposed

        return proposed(self.policy, rng)[0]

    def state_dict(self) -> dict[str, Any]:
        return {
            "rng": self.rng.bit_generator.state,
            "policy": self.policy.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "baseline": [self.baseline.total, self.baseline.weight],
            "waiting": [list(item) for item in self.waiting],
            "told": self.told,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.policy.load_state_dict(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.baseline.total, self.baseline.weight = state["baseline"]
        self.waiting = [(text, advantage) for text, advantage in state["waiting"]]
        # No step was taken since these rewards came, so that the policy is still the one they were taken at.
        walks = [self.policy.follow(self.space.architecture(text).choices) for text, _ in self.waiting]
        self.losses = [self._loss(walk, one[1], 0.0) for walk, one in zip(walks, self.waiting, strict=True)]
        self.told = state["told"]


def _skips(space: SearchSpace) -> list[int]:
    """The places of the decisions whether there is a skip connection."""
    pairs = enumerate(space.decisions)
    return [place for place, decision in pairs if decision.wiring and decision.options == ("none", "skip")]


class _Baseline:
    """The exponential moving average of rewards, without bias towards its start."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.total = 0.0
        self.weight = 0.0

    def update(self, reward: float) -> float:
        self.total = self.decay * self.total + (1 - self.decay) * reward
        self.weight = self.decay * self.weight + (1 - self.decay)
        return self.total / self.weight
