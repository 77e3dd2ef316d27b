"""From an architecture to the network that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import nn

from nbnas.errors import SpaceError
from nbnas.networks.cell_network import cell_network
from nbnas.networks.chain import chain
from nbnas.networks.layers import Form, check_form
from nbnas.networks.seeding import Seeded
from nbnas.spaces.architecture import Architecture
from nbnas.spaces.decision import Option
from nbnas.spaces.space import SearchSpace

__all__ = ["BUILDERS", "Shapes", "build", "check_relaxable", "network"]

BUILDERS: dict[str, Callable[..., nn.Module]] = {"cell_network": cell_network, "chain": chain}
"""What makes the network of a component, by its kind, from (component, options, input shape, classes, form).

Without options a builder makes the relaxed network; it is asked only for components that are `relaxable`.
"""


class Shapes(Protocol):
    """What a network must know of a task; a bound task is one. Its `device`, if it has one, is where networks go."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input: (channels, length) or (channels, height, width)."""

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
) -> nn.Module:
    """Builds the network of one architecture, on the device of the task.

    Args:
        space: the space of the architecture.
        architecture: what to build.
        task: gives the shape of the input and the number of classes.
        form: `evaluation` as published networks are trained, `search` as they are parts of a supernet.
        seed: the weights are a function of it alone, at least 0; `None` takes a fresh one. torch's global generator is
            neither read nor changed.

    Returns:
        A module from (batch, *input_shape) to logits (batch, classes).

    Raises:
        SpaceError: the architecture is not of this space, or the space does not fit the task.
        TrialError: an own operation failed.
    """
    space.validate(architecture)
    return network(space, space.options(architecture), task, form, seed)


def network(
    space: SearchSpace, chosen: Mapping[str, Option] | None, task: Shapes, form: Form, seed: int | None
) -> nn.Module:
    """Builds the network of the options `chosen`, or the relaxed one; otherwise as `build`."""
    check_form(form)
    _check_fits(space, task)
    kind = space.component.kind
    if kind not in BUILDERS:
        raise SpaceError(
            f"component of space {space.name!r} must be one that networks are built for ({', '.join(BUILDERS)}), "
            f"got {kind!r}. Add its builder to nbnas.networks.build.BUILDERS"
        )
    with Seeded(seed):
        made = BUILDERS[kind](space.component, chosen, tuple(task.input_shape), task.classes, form)
    return made.to(getattr(task, "device", None))


def check_relaxable(space: SearchSpace) -> None:
    """Raises `SpaceError` with the reason when the space has no relaxed view."""
    if reason := space.component.relaxable():
        raise SpaceError(f"space {space.name!r} must have a relaxed view: {reason}")


def _check_fits(space: SearchSpace, task: Shapes) -> None:
    shape = tuple(task.input_shape)
    dims = len(shape) - 1
    if dims == space.dims:
        return
    wanted = {1: "(channels, length)", 2: "(channels, height, width)"}
    remedy = (
        f"Make the space with dims={dims}"
        if dims in wanted
        else "Reshape the data: this space needs positions to convolve over"
    )
    raise SpaceError(
        f"space {space.name!r} must have the dims of its task, got dims={space.dims}, which takes inputs of shape "
        f"{wanted[space.dims]}, and a task with inputs of shape {shape}. {remedy}"
    )
