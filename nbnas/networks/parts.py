"""What builders of components have in common: what flows between parts, and what they must know of the task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from torch import Tensor, nn
from typing_extensions import override

from nbnas.errors import SpaceError
from nbnas.networks.layers import Form
from nbnas.spaces.component import Component, Flow
from nbnas.spaces.decision import Option

__all__ = ["BUILDERS", "LOGITS", "Builder", "Chained", "Context", "Shape", "build_part", "component"]


class Shape(NamedTuple):
    """What flows into or out of a part.

    Attributes:
        kind: see `Flow`.
        channels: of a feature map; features of a vector; width of a sequence or of nodes; 0 for tokens and logits.
        sizes: of a feature map: (height, width) or (length,); of tokens and sequences: (length,); else empty.
    """

    kind: Flow
    channels: int
    sizes: tuple[int, ...] = ()


LOGITS = Shape("logits", 0)
"""What a whole network gives."""


@dataclass(frozen=True)
class Context:
    """What a builder must know besides its component.

    Attributes:
        classes: the number of classes.
        form: see `Form`; a relaxed network is always in form `search`.
        targets: `item`: logits (batch, classes); `position`: logits (batch, length, classes).
        vocabulary: the number of different tokens, where tokens flow.
        graph: `features` (nodes, features) and `edges` (2, edges), where nodes flow.
        path: goes before the names of rows: that of the component and a `/`; empty at the root.
        channel_share: in a relaxed network, operations of cells work on one of so many channels (PC-DARTS); 1 for all.
    """

    classes: int
    form: Form
    targets: str = "item"
    vocabulary: int | None = None
    graph: Any = None
    path: str = ""
    channel_share: int = 1

    def of_part(self, name: str) -> Context:
        """The context of the part `name`."""
        return replace(self, path=f"{self.path}{name}/")


Chosen = Mapping[str, Option] | None
Builder = Callable[[Any, Chosen, Shape, Context], tuple[nn.Module, Shape]]
AnyBuilder = TypeVar("AnyBuilder", bound=Builder)

BUILDERS: dict[str, Builder] = {}
"""What makes the network of a component, by its kind, from (component, options, shape of the input, context).

Options are named within the component; without them a builder makes the relaxed network, whose `forward` takes the
input and a mixture (it is asked only for components that are `relaxable`). A builder returns the module and the shape
of what it gives.
"""


def component(kind: type[Component]) -> Callable[[AnyBuilder], AnyBuilder]:
    """Declares what makes the network of an own component: decorates a `Builder`, a function.

    It is called with the component, the chosen options by their names within it (`component.fixed(chosen or {})` fills
    the open fields), the shape that comes in and the context; it returns a module and the shape of what that gives.
    Declaring it again replaces it, so that a notebook cell can be run again.

    Args:
        kind: the class of the component.

    Raises:
        SpaceError: it is no component, or one that is built in.
    """
    if not (isinstance(kind, type) and issubclass(kind, Component)):
        raise SpaceError(f"component must be a class of components, got {kind!r:.80}. Write @nb.component(MyComponent)")
    if kind.__module__.startswith("nbnas."):
        raise SpaceError(f"component must be one of your own, got {kind.__name__}, which is built in")

    def decorate(builder: AnyBuilder) -> AnyBuilder:
        BUILDERS[kind.kind] = builder
        return builder

    return decorate


def build_part(component: Component, chosen: Chosen, shape: Shape, context: Context) -> tuple[nn.Module, Shape]:
    """The network of one component, by its builder.

    Raises:
        SpaceError: the component has no builder, or its input does not fit.
    """
    if component.kind not in BUILDERS:
        raise SpaceError(
            f"component {context.path.rstrip('/') or 'at the root'} must be one that networks are built for "
            f"({', '.join(BUILDERS)}), got {component.kind!r}. Declare its builder with @nb.component(…)"
        )
    return BUILDERS[component.kind](component, chosen, shape, context)


class Chained(nn.Module):
    """Parts one after the other; those that are relaxed are given the mixture too.

    Args:
        parts: modules by name, and whether each is relaxed.
    """

    def __init__(self, parts: Mapping[str, tuple[nn.Module, bool]]) -> None:
        super().__init__()
        keys = {name: f"{name}-" if hasattr(nn.ModuleDict(), name) else name for name in parts}  # pop, train, …
        self.parts = nn.ModuleDict({keys[name]: module for name, (module, _) in parts.items()})
        self.relaxed = {keys[name] for name, (_, relaxed) in parts.items() if relaxed}

    @override
    def forward(self, x: Tensor, mixture: Any = None) -> Tensor:
        for name, part in self.parts.items():
            x = part(x, mixture) if name in self.relaxed else part(x)
        return x
