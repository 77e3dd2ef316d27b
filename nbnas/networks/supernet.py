"""All networks of a space in one, with shared weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from nbnas.errors import SpaceError
from nbnas.networks import kernels
from nbnas.networks.build import Shapes, build, check_relaxable, make_network
from nbnas.networks.mixed_modules import Drawn, MixedModules, Weight
from nbnas.networks.partial import Partial
from nbnas.spaces.architecture import Architecture
from nbnas.spaces.space import SearchSpace

__all__ = ["Mixture", "Supernet"]

Mixture = Mapping[str, Tensor] | Mapping[str, Tensor | Drawn] | Architecture
"""What is computed: by row name a weight for each option, shape (options,), or for some of them alone (`Drawn`); or one
architecture alone."""


class Supernet(nn.Module):
    """The relaxed view of a space: every row is a mixture of all its options.

    With the one-hot mixture of an architecture it computes what the network `build(..., form="search")` computes with
    the same weights. Batch normalisation uses batch statistics, in evaluation too, so that no path sees running
    averages of the others.

    Args:
        space: one whose component is relaxable.
        task: gives the shape of the input and the number of classes, and the device.
        seed: the weights are a function of it alone, at least 0; `None` takes a fresh one. torch's global generator is
            neither read nor changed.
        built: another space with the same rows whose network it is, such as a deeper one; `extract` does not fit then.
        channel_share: operations of cells work on one of so many channels (PC-DARTS); `extract` is refused above 1.

    Raises:
        SpaceError: the space has no relaxed view, or does not fit the task.
    """

    def __init__(
        self,
        space: SearchSpace,
        task: Shapes,
        *,
        seed: int | None = None,
        built: SearchSpace | None = None,
        channel_share: int = 1,
    ) -> None:
        super().__init__()
        check_relaxable(space)
        self.space = space
        self.built = built or space
        self.input_shape = tuple(task.input_shape)
        self.classes = task.classes
        self.inputs: str = getattr(task, "inputs", "values")
        self.targets: str = getattr(task, "targets", "item")
        self.vocabulary: int | None = getattr(task, "vocabulary", None)
        self.graph: Any = getattr(task, "graph", None)
        self.channel_share = channel_share
        self.network = make_network(built or space, None, task, "search", seed, channel_share)

    def forward(self, x: Tensor, mixture: Mixture) -> Tensor:
        """From (batch, *input_shape) to logits (batch, classes).

        Args:
            x: the inputs.
            mixture: by row name a vector of weights, one an option, through which gradients flow; or an
                architecture, of which only the chosen operations are computed.

        Raises:
            SpaceError: the mixture is not of this space.
        """
        if kernels.fits(x):
            x = x.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.network(x, self._weights(mixture))
        return logits

    def weights_of(self, architecture: Architecture) -> dict[str, Tensor]:
        """A copy of the shared weights that an architecture uses, as a state of `build(..., form="search")`.

        Raises:
            SpaceError: its operations work on a part of the channels: such weights fit no network of all.
        """
        if self.channel_share != 1:
            raise SpaceError(
                f"channel_share must be 1 to take weights out of a supernet, got {self.channel_share}. Train the "
                "architecture anew with build(...)"
            )
        paths = self._paths(architecture)
        decisions = {
            name: module.decision for name, module in self.network.named_modules() if isinstance(module, MixedModules)
        }
        absent = tuple(
            f"{name}.{part}.".removeprefix(".")
            for name, module in self.network.named_modules()
            if isinstance(module, Partial)
            for part in module.absent(paths)
        )
        state = {}
        for key, value in self.network.state_dict().items():
            if key.startswith(absent):
                continue
            # `blocks.0.edges.edge_0_1.options.3.1.weight` here is `blocks.0.edges.edge_0_1.1.weight` in the network.
            name, _, rest = key.partition(".options.")
            if name in decisions:
                option, _, rest = rest.partition(".")
                taken = set(paths[decisions[name]])
                if int(option) not in taken:
                    continue
                if len(taken) == 1:  # of several, each keeps its place in the network too
                    key = f"{name}.{rest}"
            state[key] = value.clone()
        return state

    def extract(self, architecture: Architecture) -> nn.Module:
        """The network of an architecture in form `search`, with a copy of the weights it shares here."""
        like = next(self.parameters())
        made = build(self.space, architecture, self, form="search", seed=0).to(like.device, like.dtype)
        made.load_state_dict(self.weights_of(architecture))
        return made.train(self.training)

    def _paths(self, architecture: Architecture) -> dict[str, tuple[int, ...]]:
        self.space.validate(architecture)
        return self.space.paths(architecture)

    def _weights(self, mixture: Mixture) -> Mapping[str, Weight]:
        if isinstance(mixture, Architecture):
            return self._paths(mixture)
        known: dict[str, Weight] = {}
        for row in self.space.rows:
            weight = mixture.get(row.name)
            wanted = (len(row.options),)
            if isinstance(weight, Drawn):
                # A row that also says what other modules do is told all of its weights.
                known[row.name] = weight if row.name in self._alone else weight.plain(wanted[0])
            elif weight is None or weight.shape != wanted:
                got = "none" if weight is None else f"shape {tuple(weight.shape)}"
                raise SpaceError(
                    f"mixture must have a vector of shape {wanted} for row {row.name!r}, got {got}; "
                    f"in space {self.space.name!r}. Make it with softmax, gumbel or one_hot of nbnas.networks"
                )
            else:
                known[row.name] = weight
        return known

    @cached_property
    def _alone(self) -> set[str]:
        """The rows whose options are modules, of which one can be computed alone."""
        return {module.decision for module in self.modules() if isinstance(module, MixedModules) and module.takes_drawn}
