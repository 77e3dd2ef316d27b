"""Policies of a controller: distributions over the architectures of a space, as torch modules.

`LstmPolicy` follows Zoph & Le, Neural Architecture Search with Reinforcement Learning, ICLR 2017, arXiv:1611.01578: one
decision after the other, the choice made before embedded as the next input, weights from U(-0.08, 0.08).
`SoftmaxPolicy` has one independent softmax a decision, as in the REINFORCE of NAS-Bench-201 (arXiv:2001.00326).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from nbnas.spaces import SearchSpace

__all__ = ["LstmPolicy", "Policy", "SoftmaxPolicy", "Walk"]

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
    """

    choices: tuple[int | None, ...]
    log_probability: Tensor
    entropy: Tensor
    rows: dict[int, Tensor]


class Policy(nn.Module):
    """Base: walks over the active decisions; a subclass gives logits and what it remembers."""

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
        rows = {}
        memory = self.begin()
        for place in range(len(choices)):
            if not self.space.active(place, choices):
                continue
            logits, memory = self.logits(place, memory)
            row = logits.log_softmax(dim=0)
            choice = pick(place, row)
            choices[place] = choice
            log_probability = log_probability + row[choice]
            entropy = entropy - (row.exp() * row).sum()
            rows[place] = row.detach().exp()
            memory = self.chose(place, choice, memory)
        return Walk(tuple(choices), log_probability, entropy, rows)

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
    """An LSTM cell over the decisions; each has an embedding of its options and a linear head."""

    def __init__(self, space: SearchSpace, generator: torch.Generator, hidden: int) -> None:
        super().__init__(space)
        counts = [len(decision.options) for decision in space.decisions]
        self.cell = nn.LSTMCell(hidden, hidden)
        self.start = nn.Parameter(torch.empty(hidden))
        self.embeddings = nn.ParameterList(torch.empty(count, hidden) for count in counts)
        self.heads = nn.ModuleList(nn.Linear(hidden, count) for count in counts)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-0.08, 0.08, generator=generator)

    @override
    def begin(self) -> Memory:
        zeros = torch.zeros(1, self.cell.hidden_size)
        return self.start, zeros, zeros

    @override
    def logits(self, place: int, memory: Memory) -> tuple[Tensor, Memory]:
        seen, hidden, cell = memory
        hidden, cell = self.cell(seen.unsqueeze(0), (hidden, cell))
        return self.heads[place](hidden).squeeze(0), (seen, hidden, cell)

    @override
    def chose(self, place: int, choice: int, memory: Memory) -> Memory:
        return self.embeddings[place][choice], *memory[1:]
