"""Policies of a controller: distributions over the architectures of a space, as torch modules.

`LstmPolicy` follows Zoph & Le, Neural Architecture Search with Reinforcement Learning, ICLR 2017, arXiv:1611.01578: one
decision after the other, the choice made before embedded as the next input, weights from U(-0.08, 0.08).
Differs from the papers: each decision has an embedding and a head of its own, connections too; ENAS points at earlier
layers by attention there, and draws weights from U(-0.1, 0.1), as NASNet does.
`SoftmaxPolicy` has one independent softmax a decision, as in the REINFORCE of NAS-Bench-201 (arXiv:2001.00326).
Both can flatten their logits by a temperature and bound them by a tanh constant, as ENAS does (arXiv:1802.03268, App.).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from nbnas.spaces import Architecture, SearchSpace

__all__ = ["LstmPolicy", "Policy", "SoftmaxPolicy", "Walk", "drawn", "make_policy", "most_probable", "proposed"]

_MOST_DRAWS = 100

Pick = Callable[[int, Tensor], int]
"""From the place of a decision and the log-probabilities of its options, shape (options,), to a choice."""

Memory = tuple[Tensor, ...]
"""What a policy carries from decision to decision."""


class Walk(NamedTuple):
    """One pass over the decisions of a space.

    Attributes:
        choices: one a decision, `None` where it is not active.
        log_probability: of all choices together, a scalar.
        entropy: the sum of the entropies of the rows that were met, in nats, a scalar.
        rows: for each active decision the probabilities of its options, shape (options,).
        logs: their logarithms, with gradients.
    """

    choices: tuple[int | None, ...]
    log_probability: Tensor
    entropy: Tensor
    rows: dict[int, Tensor]
    logs: dict[int, Tensor]


class Policy(nn.Module):
    """Base: walks over the active decisions; a subclass gives logits and what it remembers.

    Attributes:
        temperature: divides the logits.
        tanh_constant: logits are c · tanh(logits); 0 leaves them as they are.
    """

    temperature = 1.0
    tanh_constant = 0.0

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.space = space

    @abstractmethod
    def begin(self) -> Memory:
        """What is remembered at the start of a walk."""

    @abstractmethod
    def logits(self, place: int, memory: Memory) -> tuple[Tensor, Memory]:
        """Unnormalised log-probabilities of the options of one decision, shape (options,)."""

    @abstractmethod
    def chose(self, place: int, choice: int, memory: Memory) -> Memory:
        """What is remembered after a choice."""

    def walk(self, pick: Pick) -> Walk:
        """Makes all active choices with `pick`, in the order of the space."""
        choices: list[int | None] = [None] * len(self.space.decisions)
        log_probability, entropy = torch.zeros(()), torch.zeros(())
        rows, logs = {}, {}
        memory = self.begin()
        for place in range(len(choices)):
            if not self.space.active(place, choices):
                continue
            logits, memory = self.logits(place, memory)
            if self.temperature != 1:
                logits = logits / self.temperature
            if self.tanh_constant:
                logits = self.tanh_constant * logits.tanh()
            row = logits.log_softmax(dim=0)
            choice = pick(place, row)
            choices[place] = choice
            log_probability = log_probability + row[choice]
            entropy = entropy - (row.exp() * row).sum()
            rows[place], logs[place] = row.detach().exp(), row
            memory = self.chose(place, choice, memory)
        return Walk(tuple(choices), log_probability, entropy, rows, logs)

    def follow(self, choices: Sequence[int | None]) -> Walk:
        """The walk that makes the given choices, with gradients."""

        def given(place: int, row: Tensor) -> int:
            choice = choices[place]
            assert choice is not None
            return choice

        return self.walk(given)


class SoftmaxPolicy(Policy):
    """One independent softmax a decision, from 0.001 times normal numbers."""

    def __init__(self, space: SearchSpace, generator: torch.Generator) -> None:
        super().__init__(space)
        self.theta = nn.ParameterList(
            1e-3 * torch.randn(len(decision.options), generator=generator) for decision in space.decisions
        )

    @override
    def begin(self) -> Memory:
        return ()

    @override
    def logits(self, place: int, memory: Memory) -> tuple[Tensor, Memory]:
        return self.theta[place], memory

    @override
    def chose(self, place: int, choice: int, memory: Memory) -> Memory:
        return memory


class LstmPolicy(Policy):
    """LSTM layers over the decisions; each has an embedding of its options and a linear head."""

    def __init__(self, space: SearchSpace, generator: torch.Generator, hidden: int, layers: int = 1) -> None:
        super().__init__(space)
        counts = [len(decision.options) for decision in space.decisions]
        self.cell = nn.LSTMCell(hidden, hidden)
        self.start = nn.Parameter(torch.empty(hidden))
        self.embeddings = nn.ParameterList(torch.empty(count, hidden) for count in counts)
        self.heads = nn.ModuleList(nn.Linear(hidden, count) for count in counts)
        self.upper = nn.ModuleList(nn.LSTMCell(hidden, hidden) for _ in range(layers - 1))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-0.08, 0.08, generator=generator)

    @override
    def begin(self) -> Memory:
        zeros = torch.zeros(1, self.cell.hidden_size)
        return self.start, *[zeros] * (2 * (1 + len(self.upper)))

    @override
    def logits(self, place: int, memory: Memory) -> tuple[Tensor, Memory]:
        seen, states = memory[0], memory[1:]
        below, kept = seen.unsqueeze(0), []
        for layer, cell in enumerate((self.cell, *self.upper)):
            below, inner = cell(below, (states[2 * layer], states[2 * layer + 1]))
            kept += [below, inner]
        return self.heads[place](below).squeeze(0), (seen, *kept)

    @override
    def chose(self, place: int, choice: int, memory: Memory) -> Memory:
        return self.embeddings[place][choice], *memory[1:]


def make_policy(
    controller: str,
    space: SearchSpace,
    generator: torch.Generator,
    hidden: int,
    temperature: float,
    tanh_constant: float,
    layers: int = 1,
) -> Policy:
    """The policy that settings ask for: `lstm` or `softmax`."""
    lstm = controller == "lstm"
    made: Policy = LstmPolicy(space, generator, hidden, layers) if lstm else SoftmaxPolicy(space, generator)
    made.temperature, made.tanh_constant = temperature, tanh_constant
    return made


@torch.no_grad()
def drawn(policy: Policy, rng: np.random.Generator) -> Walk:
    """A walk whose choices are drawn from the policy."""

    def pick(place: int, row: Tensor) -> int:
        cumulative = np.cumsum(row.exp().double().numpy())
        return int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right").clip(max=len(row) - 1))

    return policy.walk(pick)


@torch.no_grad()
def proposed(policy: Policy, rng: np.random.Generator) -> tuple[Architecture, float]:
    """An architecture drawn from the policy that keeps the limits of its space, and its log-probability.

    What breaks a limit is drawn anew; after 100 draws in a row that do, one is drawn uniformly instead.
    """
    space = policy.space
    for _ in range(_MOST_DRAWS):
        walk = drawn(policy, rng)
        architecture = Architecture(space.digest, walk.choices)
        if not space.broken(architecture):
            return architecture, float(walk.log_probability)
    architecture = space.sample(rng)
    return architecture, float(policy.follow(architecture.choices).log_probability)


@torch.no_grad()
def most_probable(policy: Policy) -> dict[str, dict[str, float]]:
    """The rows that the policy shows when each choice is the most probable one, by decision and option."""
    rows = policy.walk(lambda place, row: int(row.argmax())).rows
    return {
        policy.space.decisions[place].name: dict(
            zip(map(str, policy.space.decisions[place].options), row.tolist(), strict=True)
        )
        for place, row in rows.items()
    }
