"""From an architecture to the network that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import nn

from nbnas.errors import SpaceError
from nbnas.networks.block_chain import block_chain
from nbnas.networks.cell_network import cell_network
from nbnas.networks.chain import chain
from nbnas.networks.embedding import embedding
from nbnas.networks.graph_network import graph_network
from nbnas.networks.guard import within_memory
from nbnas.networks.layer_chain import layer_chain
from nbnas.networks.layers import Form, check_form
from nbnas.networks.mlp import mlp
from nbnas.networks.network import head, network, repeat, stem
from nbnas.networks.operation_chain import operation_chain
from nbnas.networks.parts import BUILDERS, LOGITS, Chosen, Context, Shape, build_part
from nbnas.networks.recurrent_cell import recurrent_cell
from nbnas.networks.seeding import Seeded
from nbnas.networks.size_network import size_network
from nbnas.networks.skip_chain import skip_chain
from nbnas.networks.stages import stage, stages
from nbnas.networks.transformer_block import sequence_norm, transformer_block
from nbnas.networks.two_input_cells import darts_network
from nbnas.spaces.architecture import Architecture
from nbnas.spaces.decision import Option
from nbnas.spaces.space import SearchSpace

__all__ = ["Shapes", "build", "check_relaxable", "make_network"]


def _whole(builder: Callable[..., nn.Module]) -> Callable[[Any, Chosen, Shape, Context], tuple[nn.Module, Shape]]:
    """A builder of whole networks from (component, options, input shape, classes, form) in the form of all others."""

    def build_whole(component: Any, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
        relaxed: dict[str, Any] = {}
        if chosen is None:
            relaxed = {"path": context.path, "channel_share": context.channel_share}
        made = builder(component, chosen, (shape.channels, *shape.sizes), context.classes, context.form, **relaxed)
        return made, LOGITS

    return build_whole


BUILDERS |= {
    "block_chain": block_chain,
    "cell_network": _whole(cell_network),
    "chain": _whole(chain),
    "darts_network": darts_network,
    "embedding": embedding,
    "graph_network": graph_network,
    "head": head,
    "layer_chain": layer_chain,
    "mlp": mlp,
    "network": network,
    "operation_chain": operation_chain,
    "recurrent_cell": recurrent_cell,
    "repeat": repeat,
    "sequence_norm": sequence_norm,
    "size_network": size_network,
    "skip_chain": skip_chain,
    "stage": stage,
    "stages": stages,
    "stem": stem,
    "transformer_block": transformer_block,
}


class Shapes(Protocol):
    """What a network must know of a task; a bound task is one.

    It may also have `device`, where networks go; `inputs`: `values` (as without it), `tokens` or `nodes`; `vocabulary`,
    the number of different tokens; `graph`, whose nodes are classified; `targets`: `item` or `position`.
    """

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input: (channels, length), (channels, height, width), (features,), (length,) or ()."""

    @property
    def classes(self) -> int:
        """The number of classes."""


def build(
    space: SearchSpace,
    architecture: Architecture,
    task: Shapes,
    *,
    form: Form = "evaluation",
    seed: int | None = None,
    check: bool = True,
) -> nn.Module:
    """Builds the network of one architecture, on the device of the task.

    Args:
        space: the space of the architecture.
        architecture: what to build.
        task: gives the shape of the input and the number of classes.
        form: `evaluation` as published networks are trained, `search` as they are parts of a supernet.
        seed: the weights are a function of it alone, at least 0; `None` takes a fresh one. torch's global generator is
            neither read nor changed.
        check: whether it is made sure that the architecture is one of the space, its limits included.

    Returns:
        A module from (batch, *input_shape) to logits (batch, classes), or (batch, length, classes) where each position
        has a target.

    Raises:
        SpaceError: the architecture is not of this space, or the space does not fit the task.
        TrialError: an own operation failed, or the network does not fit into the memory.
    """
    if check:
        space.validate(architecture)
    return make_network(space, space.options(architecture), task, form, seed)


def make_network(
    space: SearchSpace,
    chosen: Mapping[str, Option] | None,
    task: Shapes,
    form: Form,
    seed: int | None,
    channel_share: int = 1,
) -> nn.Module:
    """Builds the network of the options `chosen`, or the relaxed one (`channel_share`: see `Context`), as `build`."""
    check_form(form)
    shape = _shape(space, task)
    context = Context(
        classes=task.classes,
        form="search" if chosen is None else form,
        targets=getattr(task, "targets", "item"),
        vocabulary=getattr(task, "vocabulary", None),
        graph=getattr(task, "graph", None),
        channel_share=channel_share,
    )
    device = getattr(task, "device", None)
    if device is not None and torch.device(device).type == "meta":  # no weights, hence nothing to draw
        with torch.device("meta"), within_memory():
            return build_part(space.component, chosen, shape, context)[0]
    with Seeded(seed), within_memory():
        made, _ = build_part(space.component, chosen, shape, context)
    return made.to(device)


def check_relaxable(space: SearchSpace) -> None:
    """Raises `SpaceError` with the reason when the space has no relaxed view."""
    if reason := space.component.relaxable():
        raise SpaceError(f"space {space.name!r} must have a relaxed view: {reason}")


def _shape(space: SearchSpace, task: Shapes) -> Shape:
    """What goes into the network; checks that the space takes it."""
    inputs, given = getattr(task, "inputs", "values"), tuple(task.input_shape)
    takes = space.component.flow_in()
    wanted = {"tokens": "tokens", "nodes": "nodes"}.get(takes, "values")
    if inputs != wanted:
        raise SpaceError(
            f"space {space.name!r} must take the inputs of its task, got a space for {_WORDS[wanted]} and a task of "
            f"{_WORDS[inputs]}. Choose a task or a space that fits"
        )
    if inputs == "tokens":
        return Shape("tokens", 0, given)
    if inputs == "nodes":
        return Shape("nodes", 0)
    dims = len(given) - 1
    if takes == "vector" and dims == 0:
        return Shape("vector", given[0])
    if dims == space.dims and dims > 0:
        return Shape("map", given[0], given[1:])
    shapes = {0: "(features,)", 1: "(channels, length)", 2: "(channels, height, width)"}
    remedy = (
        f"Make the space with dims={dims}"
        if dims in (1, 2) or takes == "vector"
        else "Reshape the data: this space needs positions to convolve over"
    )
    raise SpaceError(
        f"space {space.name!r} must have the dims of its task, got dims={space.dims}, which takes inputs of shape "
        f"{shapes[space.dims]}, and a task with inputs of shape {given}. {remedy}"
    )


_WORDS = {"values": "images, sequences or vectors", "tokens": "tokens", "nodes": "nodes of a graph"}
