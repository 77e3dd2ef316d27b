"""The Python that makes a space: its function in the catalogue where that can, else its components one by one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from nbnas.errors import NbnasError
from nbnas.settings import Settings, field_infos
from nbnas.spaces.component import Component
from nbnas.spaces.limit import Limit
from nbnas.spaces.open import Open
from nbnas.spaces.space import SearchSpace

__all__ = ["catalogue_arguments", "space_code"]

WIDTH = 100
_INDENT = "    "
_IMPOSSIBLE = 1_000_000
_MOST_CANDIDATES = 4


@dataclass(frozen=True)
class _Group:
    """Items between brackets, written on one line where they fit."""

    opening: str
    items: tuple[_Code, ...]
    closing: str

    def flat(self) -> str:
        comma = "," if self.opening == "(" and len(self.items) == 1 else ""  # a tuple of one
        return self.opening + ", ".join(map(_flat, self.items)) + comma + self.closing


@dataclass(frozen=True)
class _Named:
    """A keyword argument."""

    name: str
    value: _Code


_Code = str | _Group | _Named


def space_code(space: SearchSpace, *, start: int = 0, width: int = WIDTH) -> str:
    """An expression that makes an equal space of the same name, where `nb` is `nbnas`.

    An own component is written by the name of its class alone, so the cell that defines it must have run before.

    Args:
        space: what is written.
        start: the column in which the expression begins.
        width: columns after which a line is broken where it can be.
    """
    import nbnas.spaces

    makers: Mapping[str, Any] = nbnas.spaces.CATALOGUE
    arguments = catalogue_arguments(space)
    if arguments is not None:
        defaults = inspect.signature(makers[space.name]).parameters
        given = [
            _Named(name, _value(value)) for name, value in arguments.items() if not _same(value, defaults[name].default)
        ]
        return _lines(_Group(f"nb.spaces.{space.name}(", tuple(given), ")"), start, width)
    if not all(_reachable(type(part)) for part in _parts(space.component)):
        return f"nb.spaces.SearchSpace.from_json({space.to_json()!r})"
    items: list[_Code] = [repr(space.name), _settings(space.component)]
    if space.dims != 2:
        items.append(f"dims={space.dims}")
    if space.limits:
        items.append(_Named("limits", _Group("[", tuple(map(_settings, space.limits)), "]")))
    return _lines(_Group("nb.spaces.SearchSpace(", tuple(items), ")"), start, width)


def catalogue_arguments(space: SearchSpace) -> dict[str, Any] | None:
    """The arguments with which the function in the catalogue that has the space's name makes it; `None`: it cannot."""
    import nbnas.spaces

    makers: Mapping[str, Any] = nbnas.spaces.CATALOGUE
    function = makers.get(space.name)
    if function is None or space.limits:
        return None
    # An argument is taken from the first field or part of its name. Whether that is right the comparison shows.
    seen = _seen(space.component)
    parameters = inspect.signature(function).parameters
    defaults = {name: entry.default for name, entry in parameters.items()}
    if "dims" in parameters:
        defaults["dims"] = space.dims
    guessed = {name: seen[name][0] if name in seen else value for name, value in defaults.items()}
    for arguments in (defaults, guessed):
        if _differences(function, arguments, space) == 0:
            return arguments
    # Some arguments are not what the field of their name holds: one after the other, as long as that comes nearer.
    nearest = dict(defaults)
    least = _differences(function, nearest, space)
    for name in filter(seen.__contains__, parameters):
        values = seen[name]
        for candidate in (*values, *(value + 1 for value in values if type(value) is int)):
            far = _differences(function, {**nearest, name: candidate}, space)
            if far < least:
                nearest, least = {**nearest, name: candidate}, far
    return nearest if least == 0 else None


def _differences(function: Callable[..., SearchSpace], arguments: Mapping[str, Any], space: SearchSpace) -> int:
    """How many values of the JSON differ between the space and what a function makes of the arguments; 0: equal."""
    try:
        made = function(**arguments)
    except (NbnasError, TypeError, ValueError):
        return _IMPOSSIBLE
    return _unlike(made.to_json(), space.to_json())


def _unlike(one: Any, other: Any) -> int:
    if isinstance(one, dict) and isinstance(other, dict):
        return sum(_unlike(one.get(key), other.get(key)) for key in {*one, *other})
    if isinstance(one, list) and isinstance(other, list):
        return abs(len(one) - len(other)) + sum(_unlike(a, b) for a, b in zip(one, other, strict=False))
    return int(one != other or type(one) is not type(other))


def _seen(component: Component) -> dict[str, list[Any]]:
    """The values of all fields by name, and the first field of each part by the part's name, a few each."""
    found: dict[str, list[Any]] = {}
    for part in _parts(component):
        own = [info.name for info in field_infos(type(part)) if info.name not in ("name", "label")]
        values = {name: getattr(part, name) for name in own}
        named = [(part.name or part.kind, values[own[0]])] if own else []
        for name, value in [*values.items(), *named]:
            known = found.setdefault(name, [])
            if len(known) < _MOST_CANDIDATES and not any(_same(value, other) for other in known):
                known.append(value)
    return found


def _parts(component: Component) -> list[Component]:
    """The component and all below it, each once, from the top."""
    found = [component]
    for info in field_infos(type(component)):
        value = getattr(component, info.name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Component):
                found += _parts(item)
    return found


def _reachable(cls: type) -> bool:
    """Whether the code can name the class: as one of `nbnas.spaces`, or as the user's own."""
    import nbnas.spaces

    return not cls.__module__.startswith("nbnas.") or getattr(nbnas.spaces, cls.__name__, None) is cls


def _settings(settings: Component | Limit) -> _Code:
    cls = type(settings)
    defaults = {entry.name: entry.default for entry in fields(cls)}
    items: list[_Code] = []
    infos = field_infos(cls)
    first = next((info.name for info in infos if info.name not in ("name", "label")), None)
    # Names go last, as they are given by keyword.
    for info in sorted(infos, key=lambda info: info.name in ("name", "label")):
        value = getattr(settings, info.name)
        if _same(value, defaults[info.name]):
            continue
        code = _value(value)
        items.append(code if info.name == first and isinstance(code, _Group) else _Named(info.name, code))
    head = f"nb.spaces.{cls.__name__}" if cls.__module__.startswith("nbnas.") else cls.__name__
    return _Group(f"{head}(", tuple(items), ")")


def _value(value: Any) -> _Code:
    if isinstance(value, Component):
        return _settings(value)
    if isinstance(value, Open):
        return f"nb.spaces.{value!r}"
    if isinstance(value, tuple) and value:
        return _Group("(", tuple(map(_value, value)), ")")
    return repr(value)


def _same(value: Any, default: Any) -> bool:
    """Whether they are written the same, so that True is not taken for 1, nor 1 for 1.0."""
    if isinstance(value, Settings) and isinstance(default, Settings):
        return type(value) is type(default) and value == default
    return repr(value) == repr(default)


def _flat(code: _Code) -> str:
    if isinstance(code, str):
        return code
    return f"{code.name}={_flat(code.value)}" if isinstance(code, _Named) else code.flat()


def _lines(code: _Code, start: int, width: int, depth: int = 0) -> str:
    """On one line if it fits behind column `start`, else one item a line."""
    flat = _flat(code)
    if isinstance(code, str) or start + len(flat) <= width:
        return flat
    if isinstance(code, _Named):
        return f"{code.name}={_lines(code.value, start + len(code.name) + 1, width, depth)}"
    inner = _INDENT * (depth + 1)
    items: Sequence[str] = [f"{inner}{_lines(item, len(inner), width, depth + 1)},\n" for item in code.items]
    return f"{code.opening}\n{''.join(items)}{_INDENT * depth}{code.closing}"
