"""How networks are trained, as a part of a search space: hyper-parameters that are searched with the architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import override

from nbnas.settings import field_infos, setting
from nbnas.spaces.bound import Bound, Extent
from nbnas.spaces.component import Component, Flow
from nbnas.spaces.decision import Option

__all__ = ["AUGMENTATIONS", "NORMALISATIONS", "OPTIMIZERS", "Recipe"]

OPTIMIZERS = ("sgd", "adam", "adamw")
AUGMENTATIONS = ("none", "shift", "flip", "cutout", "noise")
"""What they do stands in `nbnas.evaluators.augment`."""
NORMALISATIONS = ("none", "per_item")


@dataclass(frozen=True)
class Recipe(Component):
    """What trainings of a network do, beside its parts: `Network(parts=(…, Recipe(learning_rate=Real(…))))`.

    What is not given (`None`), or not decided, is as the settings of the evaluator say. It holds for trainings of
    single networks (`Training`, `nb.retrain`); supernets are trained as `SharedWeights` or the strategy say.
    """

    kind: ClassVar[str] = "recipe"
    takes: ClassVar[Flow] = "none"
    gives: ClassVar[Flow] = "none"

    optimizer: str | None = setting(
        None, "Optimizer; adam and adamw want a learning rate of about 0.001.", options=OPTIMIZERS, open=True
    )
    learning_rate: float | None = setting(
        None, "First step size; falls to 0 by a cosine.", above=0, maximum=100, open=True
    )
    momentum: float | None = setting(
        None, "Momentum of sgd; the first decay rate of adam and adamw.", minimum=0, below=1, open=True
    )
    weight_decay: float | None = setting(
        None, "L2 penalty on the weights; with adamw decoupled from the gradient.", minimum=0, maximum=10, open=True
    )
    label_smoothing: float | None = setting(
        None, "Share of each target that is spread evenly over all classes.", minimum=0, below=1, open=True
    )
    augmentation: str | None = setting(
        None, "Random change of training inputs with positions; noise: of any values.", options=AUGMENTATIONS, open=True
    )
    normalisation: str | None = setting(
        None, "per_item: each input is brought to mean 0 and standard deviation 1.", options=NORMALISATIONS, open=True
    )

    @override
    def recipe(self, chosen: Mapping[str, Option]) -> dict[str, Any]:
        own = self.fixed(chosen)
        values = {info.name: getattr(own, info.name) for info in field_infos(type(self))}
        return {name: value for name, value in values.items() if name not in ("name", "label") and value is not None}

    @override
    def relaxable(self) -> str | None:
        if opened := list(self.opened()):
            return (
                f"what a recipe leaves open ({', '.join(opened)}) cannot be mixed, since it is no part of the network. "
                f"Close it, or score with nb.evaluators.Training"
            )
        return None

    @override
    def bound(self, given: Extent) -> Bound:
        return Bound(0, 0, given.channels)
