"""Graph neural networks of NAS-Bench-Graph, discrete and relaxed.

Qin et al., NAS-Bench-Graph, NeurIPS 2022 Datasets and Benchmarks, arXiv:2206.09166, and the published code. Parameters
equal the published ones but for what is never used: the code normalises the input of each of the four nodes, also where
nothing reads it, and its arma layers have a matrix for a second step.

Differs from the code: skips are exactly the identity, so that networks of one canonical form compute one function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from nbnas.errors import SpaceError
from nbnas.networks.graph_layers import Neighbours, graph_layer
from nbnas.networks.layers import Form, batch_norm
from nbnas.networks.mixed_modules import MixedModules, PlainWeight
from nbnas.networks.partial import Partial
from nbnas.networks.parts import LOGITS, Chosen, Context, Shape
from nbnas.spaces.graph_network import GraphNetwork, GraphStep, ends

__all__ = ["GraphClassifier", "graph_network"]

Mixture = Mapping[str, PlainWeight]


class _Options(MixedModules):
    """All operations of one node, on channels."""

    takes_drawn = False

    def __init__(self, decision: str, component: GraphNetwork, neighbours: Neighbours) -> None:
        width, heads = component.channels, component.heads
        super().__init__(
            decision, (graph_layer(name, neighbours, width, width, heads=heads) for name in component.operations)
        )
        self.names = component.operations

    def mixed(self, x: Tensor, ready: Tensor, weights: Tensor) -> Tensor:
        """The weighted sum; skips take `x`, the others `ready`."""
        total = torch.zeros_like(x)
        for weight, name, option in zip(weights, self.names, self.options, strict=True):
            total = total + weight * (x if name == "skip" else option(ready))
        return total


class _Node(nn.Module):
    """One node: normalisation, ReLU and dropout unless it reads the raw features, and an operation."""

    def __init__(self, operation: nn.Module, width: int, form: Form, dropout: float, raw: bool) -> None:
        super().__init__()
        norm = batch_norm(width, dims=1, form=form)
        self.before = nn.Identity() if raw else nn.Sequential(norm, nn.ReLU(), nn.Dropout(dropout))
        self.operation = operation


class _Plan(NamedTuple):
    """What is computed: for each node its input and operation, as places or weights; the weights of all ends.

    Attributes:
        nodes: by node (input, operation): numbers, or weights of shapes (earlier nodes,) and (operations,).
        ends: by node, the input first, its weight in what is concatenated.
    """

    nodes: Sequence[tuple[int | Tensor, str | Tensor]]
    ends: Sequence[float | Tensor]


class GraphClassifier(nn.Module, Partial):
    """From numbers of nodes (batch,) to logits (batch, classes); the whole graph is read each time.

    Args:
        component: the network, nothing in it open.
        steps: how the nodes are made; `None` for the relaxed network, whose `forward` takes a mixture.
        features: of all nodes of the graph, shape (nodes, features).
        edges: pairs (source, target), shape (2, edges), no loops.
        classes: the number of classes.
        form: see `Form`.
        path: goes before the names of rows.
    """

    features: Tensor

    def __init__(
        self,
        component: GraphNetwork,
        steps: tuple[GraphStep, ...] | None,
        features: Tensor,
        edges: Tensor,
        classes: int,
        *,
        form: Form,
        path: str,
    ) -> None:
        super().__init__()
        width = component.channels
        self.component, self.steps, self.path = component, steps, path
        self.neighbours = Neighbours(edges, len(features))
        self.register_buffer("features", features, persistent=False)
        self.dropout = nn.Dropout(component.dropout)
        raw_width = features.shape[1]
        self.pre = nn.ModuleList(nn.Linear(width if place else raw_width, width) for place in range(component.pre))
        widths = {0: width if component.pre else raw_width}
        self.nodes = nn.ModuleDict()
        for node in component.inner():
            if steps is None:
                operation: nn.Module = _Options(f"{path}node_{node}/operation", component, self.neighbours)
                self.nodes[str(node)] = _Node(operation, width, form, component.dropout, raw=False)
                continue
            name, source = steps[node - 1]
            raw = not component.pre and _copies(steps, source)
            widths[node] = widths[source] if name == "skip" else width
            if name != "skip":
                operation = graph_layer(name, self.neighbours, widths[source], width, heads=component.heads)
                self.nodes[str(node)] = _Node(operation, width, form, component.dropout, raw)
        # The matrix on the concatenated ends, as one for each end.
        out = width if component.post else classes
        last = range(component.nodes + 1) if steps is None else ends(steps)
        self.ends = nn.ModuleDict({str(node): nn.Linear(widths.get(node, width), out, bias=False) for node in last})
        self.bias = nn.Parameter(torch.zeros(out))
        places = range(component.post)
        self.post = nn.ModuleList(nn.Linear(width, classes if place == places[-1] else width) for place in places)

    @override
    def forward(self, x: Tensor, mixture: Mixture | None = None) -> Tensor:
        plan = self._plan(mixture)
        # ELU stands before the last of several layers only (as in the published code).
        values = [_linear(self.pre, self.dropout(self.features))]
        for node, (source, operation) in enumerate(plan.nodes, start=1):
            values.append(self._node(str(node), source, operation, values))
        total: Tensor = self.bias
        for node, weight in enumerate(plan.ends):
            if isinstance(weight, Tensor) or weight:
                total = total + weight * self.ends[str(node)](functional.relu(values[node]))
        return _linear(self.post, total)[x]

    def _node(self, name: str, source: int | Tensor, operation: str | Tensor, values: list[Tensor]) -> Tensor:
        if isinstance(source, Tensor):
            value: Tensor = torch.stack([w * v for w, v in zip(source, values, strict=True)]).sum(dim=0)
        else:
            value = values[source]
        if operation == "skip":
            return value
        node = self.nodes[name]
        assert isinstance(node, _Node)
        ready = node.before(value)
        if isinstance(operation, Tensor):
            assert isinstance(node.operation, _Options)
            return node.operation.mixed(value, ready, operation)
        layer = node.operation
        if isinstance(layer, _Options):
            layer = layer.options[layer.names.index(operation)]
        made: Tensor = layer(ready)
        return made

    # -- what is computed --------------------------------------------------------------------------------------------

    def _plan(self, mixture: Mixture | None) -> _Plan:
        """The discrete network, the one that a single path takes, or weights."""
        if mixture is None:
            assert self.steps is not None
            return self._alone(self.steps)
        if isinstance(mixture[f"{self.path}node_1/operation"], tuple):
            return self._alone(self._taken(mixture))
        nodes = []
        for node in self.component.inner():
            source, operation = (mixture[f"{self.path}node_{node}/{which}"] for which in ("input", "operation"))
            assert isinstance(source, Tensor)
            assert isinstance(operation, Tensor)
            nodes.append((source, operation))
        return _Plan(nodes, self._end_weights(nodes))

    def _alone(self, steps: Sequence[GraphStep]) -> _Plan:
        last = ends(steps)
        weights = [float(node in last) for node in range(len(steps) + 1)]
        return _Plan([(step.source, step.operation) for step in steps], weights)

    def _taken(self, paths: Mapping[str, PlainWeight]) -> tuple[GraphStep, ...]:
        """The steps of a single path."""
        chosen = {}
        for row in self.component.rows():
            (place,) = paths[self.path + row.name]
            chosen[row.name] = row.options[int(place)]
        return self.component.steps(chosen)

    def _end_weights(self, nodes: Sequence[tuple[Tensor, Tensor]]) -> list[float | Tensor]:
        """How likely it is that a node is an end, if inputs and operations were drawn by their weights."""
        one = nodes[0][0].new_ones(())
        copies = [one]  # of the input: what only skips lead to
        names = self.component.operations
        for source, operation in nodes:
            before = torch.stack([w * copy for w, copy in zip(source, copies, strict=True)]).sum()
            copies.append(before * operation[names.index("skip")] if "skip" in names else 0 * one)
        weights: list[float | Tensor] = [torch.stack(copies).prod()]  # the input is the end of nothing but skips
        for node in self.component.inner():
            unused = one
            for later, _ in nodes[node:]:
                unused = unused * (1 - later[node])
            weights.append(unused * (1 - copies[node]))
        return weights

    @override
    def absent(self, paths: Mapping[str, tuple[int, ...]]) -> Iterable[str]:
        last = ends(self._taken(paths))
        return [f"ends.{node}" for node in range(self.component.nodes + 1) if node not in last]


def _copies(steps: Sequence[GraphStep], node: int) -> bool:
    """Whether a node is the input, or a skip of it."""
    while node and steps[node - 1].operation == "skip":
        node = steps[node - 1].source
    return node == 0


def _linear(layers: nn.ModuleList, x: Tensor) -> Tensor:
    for place, layer in enumerate(layers):
        x = layer(x)
        if place == len(layers) - 2:
            x = functional.elu(x)
    return x


def graph_network(component: GraphNetwork, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """The network of the options `chosen`, or the relaxed one."""
    if context.graph is None:
        raise SpaceError(
            "a graph network must have a task of nodes of a graph, got one without a graph. Take "
            "nb.tasks.communities() or nb.tasks.from_graph"
        )
    own = component.fixed(chosen or {})
    made = GraphClassifier(
        own,
        None if chosen is None else component.steps(chosen),
        context.graph.features,
        context.graph.edges,
        context.classes,
        form=context.form,
        path=context.path,
    )
    return made, LOGITS
