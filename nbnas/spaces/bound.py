"""How large the largest network of a component can be, told from its fields alone, before anything is built.

A bound may be generous: it is there to refuse files that would eat the memory, not to measure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from nbnas.errors import SpaceError
from nbnas.settings import FieldInfo, field_infos
from nbnas.spaces.operations import BUILT_IN

if TYPE_CHECKING:
    from nbnas.spaces.component import Component

__all__ = [
    "MAX_MODULES",
    "MAX_PARAMETERS",
    "NOMINAL",
    "Bound",
    "Extent",
    "bound_of_chain",
    "bound_of_fields",
    "bound_of_operation",
    "bound_of_operations",
    "bound_of_residual",
    "check_bound",
]

MAX_PARAMETERS = 10**10
MAX_MODULES = 10**5

_PER_LAYER = 6  # modules: convolution, normalisation, activation, and what holds them
_COUNTS = frozenset(
    {
        "blocks",
        "cells",
        "dense_depth",
        "depth",
        "depths",
        "layers",
        "max_dense",
        "max_depth",
        "nodes",
        "stages",
        "times",
    }
)
_RATIOS = frozenset({"expansion", "growth", "heads", "multiplier", "ratio", "stem_multiplier"})


class Extent(NamedTuple):
    """What comes in, at most.

    Attributes:
        channels: or features, or the width of a sequence.
        positions: of a feature map or sequence.
        classes: of the task.
        vocabulary: different tokens.
    """

    channels: int
    positions: int
    classes: int
    vocabulary: int


NOMINAL = Extent(channels=64, positions=1024, classes=1000, vocabulary=65536)
"""Stands for the task as long as there is none."""


class Bound(NamedTuple):
    """At most so many parameters and modules, and channels that go out."""

    parameters: int
    modules: int
    channels: int


def bound_of_fields(component: Component, given: Extent) -> Bound:
    """The layers that its fields count, each as wide as the widest and with the largest kernel, then its children.

    Whole numbers count layers (`depth`, `cells`, …), are ratios of widths (`expansion`, `heads`, …) or kernel sizes
    (`kernel…`) by their names, and widths otherwise.
    """
    layers, wide, ratio, kernel = 1, given.channels, 1, 1
    for info in field_infos(type(component)):
        values = _whole(component, info)
        if not values:
            continue
        most = max(values)
        if info.name in _COUNTS:
            layers *= max(1, sum(values) if isinstance(getattr(component, info.name), tuple) else most)
        elif info.name in _RATIOS:
            ratio *= max(1, most)
        elif info.name.startswith("kernel"):
            kernel = max(kernel, most)
        else:
            wide = max(wide, most)
    own = Bound(layers * (wide * ratio * kernel) ** 2, layers * _PER_LAYER, wide)
    for child in component.children().values():
        part = child.bound(given._replace(channels=own.channels))
        own = Bound(own.parameters + part.parameters, own.modules + part.modules, max(own.channels, part.channels))
    return own


def bound_of_operation(name: str, into: int, out: int) -> tuple[int, int]:
    """At most so many parameters and modules, for channels in and out; one's own as two 5x5 convolutions."""
    wide = max(into, out)
    if name not in BUILT_IN:
        return 50 * wide**2 + 8 * wide, 64
    kernel = max(map(int, re.findall(r"\d+", name)), default=1)
    if name.startswith(("sep_", "dil_")):
        weights, modules = 2 * (kernel**2 * wide + wide**2), 10
    elif name.startswith("conv_"):
        weights, modules = (2 * kernel if "1x" in name and kernel > 1 else kernel**2) * wide**2, 6
    else:  # a convolution where it changes the shape
        weights, modules = wide**2, 8
    return weights + 6 * wide, modules


def bound_of_operations(names: Iterable[str], into: int, out: int) -> tuple[int, int]:
    """The sum of `bound_of_operation` over names."""
    each = [bound_of_operation(name, into, out) for name in names]
    return sum(one for one, _ in each), sum(other for _, other in each)


def bound_of_residual(into: int, out: int, kernel: int, expansion: int, squeeze: float) -> int:
    """At most so many parameters of a block of mobile networks with a 1x1 convolution for its shortcut."""
    inner = max(into * expansion, into, out)
    squeezed = max(1, round(into * squeeze)) if squeeze else 0
    own = inner * (into + out + kernel**2 + 6) + squeezed * (2 * inner + 1) + inner
    return own + (into + 4) * out


def bound_of_chain(given: Extent, layers: int, width: int, kernel: int, dense: int, units: int) -> Bound:
    """Of convolutions, then dense layers that read all positions."""
    wide = max(width, given.channels)
    read = wide * given.positions
    weights = layers * (kernel**2 * wide + 3) * wide + (max(read, units) + 1) * given.classes
    if dense:
        weights += (read + 1 + (dense - 1) * (units + 1)) * units
    return Bound(weights, 5 * (layers + dense) + 8, given.classes)


def _whole(component: Component, info: FieldInfo) -> tuple[int, ...]:
    """All whole numbers that a field can be, or that are in it."""
    held: Any = getattr(component, info.name)
    values = held if isinstance(held, tuple) else component.values(info.name)
    return tuple(value for value in values if isinstance(value, int) and not isinstance(value, bool))


def check_bound(component: Component, given: Extent = NOMINAL) -> None:
    """Raises `SpaceError` about the part that is too large for any machine, if there is one."""
    place, found = "", component.bound(given)
    if _fits(found):
        return
    # The deepest part that is too large by itself.
    while large := next(
        (one for one in component.places() if not _fits(one[1].bound(given._replace(channels=64)))), None
    ):
        where, component = large
        place, found = place + where, component.bound(given)
    if found.modules > MAX_MODULES:
        got, expected = f"about {_short(found.modules)}", f"at most {MAX_MODULES:,} modules in its largest network"
    else:
        got = f"up to {_short(found.parameters)}"
        expected = f"at most {_short(MAX_PARAMETERS)} parameters in its largest network"
    raise SpaceError(
        f"/component{place}: {component.name or component.kind} must have {expected}, got {got}. "
        "Make it narrower or less deep",
        field=place.removeprefix("/"),
    )


def _fits(found: Bound) -> bool:
    return found.parameters <= MAX_PARAMETERS and found.modules <= MAX_MODULES


def _short(number: int) -> str:
    return f"{number:,}" if number < 10**6 else f"10^{math.log10(number):.3g}"
