"""Recurrent cells, discrete and relaxed, run over the positions of a sequence.

Liu, Simonyan & Yang, DARTS, ICLR 2019, arXiv:1806.09055, Sec. 3.1.2 and App. A.2; Pham et al., ENAS, ICML 2018,
arXiv:1802.03268, Sec. 2.1. Highway gates: Zilly et al., Recurrent Highway Networks, ICML 2017, arXiv:1607.03474. One
dropout mask for all times: Gal & Ghahramani, NeurIPS 2016, arXiv:1512.05287.

Differs from the papers: matrices are drawn uniformly from ±1/sqrt(inputs), near the published ±0.04 at the published
widths; every sequence starts from a state of zeros; the classifier has weights of its own instead of the embedding's; a
batch of one sequence is normalised to zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from nbnas.networks.activations import ACTIVATIONS
from nbnas.networks.mixed_modules import MixedModules, PlainWeight
from nbnas.networks.parts import Chosen, Context, Shape
from nbnas.spaces.recurrent_cell import RecurrentCell, Step

__all__ = ["Recurrent", "recurrent_cell"]

Mixture = Mapping[str, PlainWeight]


class _Edges(MixedModules):
    """The matrices of one node, one for each node that it can take."""

    takes_drawn = False

    def __init__(self, row: str, sources: int, width: int) -> None:
        super().__init__(row, (nn.Linear(width, 2 * width, bias=False) for _ in range(sources)))


class _Plan(NamedTuple):
    """What is computed at each time.

    Attributes:
        first: the activation of node 0, or weights of shape (options,).
        nodes: how each node is made: a step, or weights of shape (earlier nodes, activations).
        ends: weights of the nodes in the new state, node 1 first; their sum is 1.
    """

    first: str | Tensor
    nodes: Sequence[Step | Tensor]
    ends: Sequence[float | Tensor]


class Recurrent(nn.Module):
    """From a sequence (batch, length, in_width) to the states (batch, length, width).

    Args:
        component: the cell, where nothing is open but perhaps the activation of node 0.
        steps: how the nodes are made; `None` for the relaxed cell, whose `forward` takes a mixture.
        in_width: length of the vectors that come in.
        normalised: whether nodes are normalised over the batch.
        path: goes before the names of rows.
    """

    def __init__(
        self, component: RecurrentCell, steps: tuple[Step, ...] | None, in_width: int, *, normalised: bool, path: str
    ) -> None:
        super().__init__()
        width = component.width
        self.component, self.steps, self.normalised, self.path = component, steps, normalised, path
        self.names = component.activations
        self.functions = nn.ModuleDict({name: _activation(name) for name in (*self.names, *component.values("first"))})
        self.first = nn.Linear(in_width + width, 2 * width, bias=False)
        by_edge = component.sharing == "edge" and steps is None
        self.nodes = nn.ModuleList(
            _Edges(f"{path}node_{node}/input", node, width) if by_edge else nn.Linear(width, 2 * width, bias=False)
            for node in component.inner()
        )

    @override
    def forward(self, x: Tensor, mixture: Mixture | None = None) -> Tensor:
        plan = self._plan(mixture)
        state = x.new_zeros(x.shape[0], self.component.width)
        dropout = self.component.dropout if self.training else 0.0
        # One mask for all times, and one for the state and all nodes (as in DARTS).
        in_mask, mask = (_mask(like, dropout) for like in (x[:, 0], state))
        if in_mask is not None:
            x = x * in_mask.unsqueeze(1)
        states = []
        for position in x.unbind(dim=1):
            state = self._step(plan, position, state, mask)
            states.append(state)
        return torch.stack(states, dim=1)

    def _step(self, plan: _Plan, x: Tensor, last: Tensor, mask: Tensor | None) -> Tensor:
        masked = last if mask is None else last * mask
        gate, inner = self.first(torch.cat([x, masked], dim=-1)).chunk(2, dim=-1)
        gate = gate.sigmoid()
        if isinstance(plan.first, str):
            values = [self._normal(last + gate * (self.functions[plan.first](inner) - last))]
        else:
            values = [self._normal(self._mixed(plan.first, self.component.values("first"), last, gate, inner))]
        for place, how in enumerate(plan.nodes):
            values.append(self._normal(self._node(place, how, values, mask)))
        new: Tensor | None = None
        for weight, value in zip(plan.ends, values[1:], strict=True):
            if isinstance(weight, Tensor) or weight:
                new = weight * value if new is None else new + weight * value
        assert new is not None
        return new

    def _node(self, place: int, how: Step | Tensor, values: list[Tensor], mask: Tensor | None) -> Tensor:
        module = self.nodes[place]
        if isinstance(how, Step):
            source = values[how.source]
            matrix = module.options[how.source] if isinstance(module, _Edges) else module
            gate, inner = matrix(source if mask is None else source * mask).chunk(2, dim=-1)
            moved: Tensor = source + gate.sigmoid() * (self.functions[how.activation](inner) - source)
            return moved
        sources = torch.stack(values)  # (earlier nodes, batch, width)
        masked = sources if mask is None else sources * mask
        if isinstance(module, _Edges):
            both = torch.stack([matrix(one) for matrix, one in zip(module.options, masked, strict=True)])
        else:
            both = module(masked)
        gate, inner = both.chunk(2, dim=-1)
        # Columns of weights (activations, earlier nodes, 1, 1).
        mixed = self._mixed(how.t()[:, :, None, None], self.names, sources, gate.sigmoid(), inner)
        return mixed.sum(dim=0)

    def _mixed(self, weights: Tensor, names: Sequence[str], source: Tensor, gate: Tensor, inner: Tensor) -> Tensor:
        """The sum over activations f of weight (source + gate (f(inner) - source))."""
        moved = sum(weight * self.functions[name](inner) for weight, name in zip(weights, names, strict=True))
        total: Tensor = weights.sum(dim=0) * (1 - gate) * source + gate * moved
        return total

    def _normal(self, value: Tensor) -> Tensor:
        if not self.normalised:
            return value
        if value.shape[0] == 1:
            return value - value
        return functional.batch_norm(value, None, None, training=True)

    # -- what is computed --------------------------------------------------------------------------------------------

    def _plan(self, mixture: Mixture | None) -> _Plan:
        """The steps of the discrete cell, those that a single path takes, or weights."""
        if mixture is None:
            assert self.steps is not None
            return self._alone(self.component.first, self.steps)
        nodes = list(self.component.inner())
        first = self._first(mixture)
        if isinstance(mixture[self._row(f"edge_0_{nodes[0]}", f"node_{nodes[0]}/input")], tuple):
            assert isinstance(first, str)
            return self._alone(first, tuple(self._taken(mixture, node) for node in nodes))
        weights = [self._weights(mixture, node) for node in nodes]
        return _Plan(first, weights, self._end_weights(weights))

    def _row(self, by_node: str, by_edge: str) -> str:
        return self.path + (by_node if self.component.sharing == "node" else by_edge)

    def _alone(self, first: str, steps: tuple[Step, ...]) -> _Plan:
        ends = self.component.ends(steps)
        return _Plan(first, steps, [1 / len(ends) if node in ends else 0.0 for node in self.component.inner()])

    def _first(self, mixture: Mixture) -> str | Tensor:
        weight = mixture.get(f"{self.path}first")
        options: tuple[str, ...] = self.component.values("first")
        if weight is None:
            return options[0]
        return options[weight[0]] if isinstance(weight, tuple) else weight

    def _taken(self, mixture: Mixture, node: int) -> Step:
        """The step of a node on a single path."""
        if self.component.sharing == "edge":
            source, activation = (mixture[f"{self.path}node_{node}/{which}"] for which in ("input", "activation"))
            assert isinstance(source, tuple)
            assert isinstance(activation, tuple)
            return Step(self.names[activation[0]], source[0])
        for before in range(node):
            places = mixture[f"{self.path}edge_{before}_{node}"]
            if isinstance(places, tuple) and places:
                return Step(self.names[places[0] - 1], before)  # before the activations stands `none`
        raise AssertionError(node)  # a path goes to every node

    def _weights(self, mixture: Mixture, node: int) -> Tensor:
        """The weights of a node, shape (earlier nodes, activations)."""
        if self.component.sharing == "edge":
            source, activation = (mixture[f"{self.path}node_{node}/{which}"] for which in ("input", "activation"))
            assert isinstance(source, Tensor)
            assert isinstance(activation, Tensor)
            return torch.outer(source, activation)
        rows = [mixture[f"{self.path}edge_{source}_{node}"] for source in range(node)]
        return torch.stack([row[1:] for row in rows if isinstance(row, Tensor)])

    def _end_weights(self, weights: Sequence[Tensor]) -> list[float | Tensor]:
        """The share of each node in the state: equal, or in proportion to how likely it is that none takes it."""
        if self.component.output == "mean":
            return [1 / len(weights)] * len(weights)
        likely = []
        for node in self.component.inner():
            unused = weights[0].new_ones(())
            for later in weights[node:]:
                unused = unused * (1 - later[node].sum())
            likely.append(unused)
        total = torch.stack(likely).sum()
        return [one / total for one in likely]


def _activation(name: str) -> nn.Module:
    make: Callable[[], nn.Module] = nn.Identity if name == "identity" else ACTIVATIONS[name]
    return make()


def _mask(like: Tensor, share: float) -> Tensor | None:
    """Zeros with probability `share`, else 1 / (1 - share), in the shape of `like`; `None` without dropout."""
    return torch.empty_like(like).bernoulli_(1 - share) / (1 - share) if share else None


def recurrent_cell(component: RecurrentCell, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """The cell of the options `chosen`, or the relaxed one, over all positions."""
    normalised = component.normalise and context.form == "search"
    own = component if chosen is None else component.fixed(chosen)
    steps = None if chosen is None else component.steps(chosen)
    made = Recurrent(own, steps, shape.channels, normalised=normalised, path=context.path)
    return made, Shape("sequence", int(own.width), shape.sizes)
