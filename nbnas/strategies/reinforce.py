"""REINFORCE: a controller proposes architectures and learns from their reward.

Zoph & Le, Neural Architecture Search with Reinforcement Learning, ICLR 2017, arXiv:1611.01578 (an LSTM controller,
REINFORCE with a moving-average baseline); Williams, Machine Learning 8, 1992. `controller="softmax"` is the REINFORCE
of NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv:2001.00326): one softmax a decision, Adam, baseline 0.9. With the
evaluator `SharedWeights` it is the search of ENAS (Pham et al., ICML 2018, arXiv:1802.03268).
Differs from the papers: one update a reward instead of a minibatch of them; one LSTM layer. A trial that fails teaches
nothing. An answer that comes late is taken at the policy of then.
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
    SHOW_EVERY,
    BlackBoxSettings,
    BlackBoxStrategy,
    Failure,
    Proposal,
    distribution_event,
    score_of,
)

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
    hidden: int = setting(64, "Units of the LSTM.", minimum=1, maximum=4096)
    temperature: float = setting(1.0, "Divides the logits; above 1 the policy is flatter.", above=0, maximum=1000)
    tanh_constant: float = setting(0.0, "Bounds the logits (ENAS: 1.5 macro, 1.1 micro, 2.5 text); 0: not.", minimum=0)

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
            settings.controller, space, generator, settings.hidden, settings.temperature, settings.tanh_constant
        )
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=settings.learning_rate)
        self.baseline = _Baseline(settings.baseline_decay)
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
        # Williams 1992: ascend (R - b) grad log pi(a); Mnih et al. 2016 add the entropy.
        loss = -(reward - baseline) * walk.log_probability - self.settings.entropy_weight * walk.entropy
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        events: list[Event] = [PolicyUpdated(trial, reward, baseline, reward - baseline, float(walk.entropy.detach()))]
        if self.told % SHOW_EVERY == 0:
            from nbnas.strategies.policies import most_probable

            events += distribution_event("policy", self.told, {"policy": most_probable(self.policy)})
        return events

    def draw(self, rng: np.random.Generator) -> Architecture:
        from nbnas.strategies.policies import drawn

        return Architecture(self.space.digest, drawn(self.policy, rng).choices)

    def state_dict(self) -> dict[str, Any]:
        return {
            "rng": self.rng.bit_generator.state,
            "policy": self.policy.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "baseline": [self.baseline.total, self.baseline.weight],
            "told": self.told,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.rng.bit_generator.state = state["rng"]
        self.policy.load_state_dict(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.baseline.total, self.baseline.weight = state["baseline"]
        self.told = state["told"]


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
