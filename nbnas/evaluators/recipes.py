"""What a training does: as the settings of an evaluator say, or as the architecture itself says by its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from typing_extensions import override

from nbnas.errors import SpaceError
from nbnas.evaluators.augment import AUGMENTATIONS
from nbnas.evaluators.fit import sgd
from nbnas.spaces.component import Component
from nbnas.spaces.recipe import Recipe

if TYPE_CHECKING:
    from nbnas.spaces import SearchSpace
    from nbnas.tasks.bound import BoundTask

__all__ = ["PerItem", "Practice", "check_recipes"]


@dataclass(frozen=True)
class Practice:
    """One training; the fields are those of `Recipe`, all given."""

    learning_rate: float
    momentum: float
    weight_decay: float
    optimizer: str = "sgd"
    label_smoothing: float = 0.0
    augmentation: str = "none"
    normalisation: str = "none"

    @classmethod
    def of(cls, recipe: Mapping[str, Any], *, learning_rate: float, momentum: float, weight_decay: float) -> Self:
        """What `Component.recipe` gives, and for what it does not say the values of the settings."""
        given: dict[str, Any] = {"learning_rate": learning_rate, "momentum": momentum, "weight_decay": weight_decay}
        return cls(**{**given, **recipe})

    def make_optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """The optimizer over all parameters of a network."""
        if self.optimizer == "sgd":
            return sgd(network, self.learning_rate, self.momentum, self.weight_decay)
        kind = torch.optim.Adam if self.optimizer == "adam" else torch.optim.AdamW
        betas = (self.momentum, 0.999)
        return kind(network.parameters(), self.learning_rate, betas=betas, weight_decay=self.weight_decay)

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network behind the normalisation of its inputs."""
        return PerItem(network) if self.normalisation == "per_item" else network

    def augmented(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A batch of inputs as it is trained on."""
        return x if self.augmentation == "none" else AUGMENTATIONS[self.augmentation](x, generator)


class PerItem(nn.Module):
    """A network whose inputs are brought to mean 0 and standard deviation 1, each by itself."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @override
    def forward(self, x: Tensor) -> Tensor:
        own = tuple(range(1, x.dim()))
        centred = x - x.mean(own, keepdim=True)
        scale = centred.square().mean(own, keepdim=True).sqrt()
        logits: Tensor = self.network(centred / (scale + 1e-6))
        return logits


def check_recipes(space: SearchSpace, task: BoundTask) -> None:
    """Raises `SpaceError` when a recipe of the space says what cannot be done with the inputs of the task."""
    values, positions = task.inputs == "values", task.inputs == "values" and task.dims > 0
    for where, recipe in _recipes(space.component, ""):
        for name, allowed in (
            ("augmentation", {"noise"} if values and not positions else None if positions else set()),
            ("normalisation", None if values else set()),
        ):
            used = [value for value in recipe.values(name) if value not in (None, "none")]
            if allowed is not None and (wrong := [value for value in used if value not in allowed]):
                kinds = {"tokens": "tokens", "nodes": "nodes of a graph"}.get(task.inputs, "vectors")
                raise SpaceError(
                    f"{name} must be none{''.join(f' or {one}' for one in sorted(allowed))} for a task of {kinds}, got "
                    f"{wrong[0]!r}; in space {space.name!r}, /component{where}/{name}.",
                    field=f"{where}/{name}".removeprefix("/"),
                )


def _recipes(component: Component, where: str) -> list[tuple[str, Recipe]]:
    own = [(where, component)] if isinstance(component, Recipe) else []
    return own + [found for place, part in component.places() for found in _recipes(part, where + place)]
