"""The tree of a space as JSON: looking at it and changing it, each time into a new value. Nothing is checked here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from typing import Any

from nbnas.errors import NbnasError
from nbnas.jsonio import pointer
from nbnas.settings import FieldInfo, Settings, field_infos
from nbnas.spaces.component import COMPONENTS, Component, component_from_json
from nbnas.spaces.ends import Head, Stem
from nbnas.spaces.limit import Limit

__all__ = [
    "ROOT",
    "Part",
    "at",
    "blank",
    "fits",
    "inserted",
    "is_component",
    "kinds",
    "moved",
    "owner",
    "parts",
    "put",
    "removed",
]

ROOT = "/component"
"""The JSON pointer of the component of a space."""


@dataclass(frozen=True, slots=True)
class Part:
    """A place in the tree of a space.

    Attributes:
        pointer: its JSON pointer.
        depth: 0 for the component of the space, 1 for what is in it.
        kind: of the component, or `limit`.
        name: the name that it is called by in the names of decisions.
        cls: its class; `None` for a kind that is not known.
        slot: the class that may stand in its place.
        within: the JSON pointer of the list that it stands in; empty where it fills a field.
        place: its place in that list.
        count: how many stand in that list.
    """

    pointer: str
    depth: int
    kind: str
    name: str
    cls: type[Settings] | None
    slot: type[Settings]
    within: str = ""
    place: int = 0
    count: int = 1


def is_component(info: FieldInfo) -> bool:
    """Whether the field holds a component, or several."""
    wanted = info.item if info.type is tuple else info.type
    return isinstance(wanted, type) and issubclass(wanted, Component)


def parts(space: dict[str, Any]) -> list[Part]:
    """All components from the top, each before those in it, then the limits."""
    limits = space.get("limits", [])
    found = list(_below(space[ROOT[1:]], Part(ROOT, 0, "", "", None, Component)))
    for place in range(len(limits)):
        where = pointer("/limits", place)
        found.append(Part(where, 0, "limit", f"limit {place + 1}", Limit, Limit, "/limits", place, len(limits)))
    return found


def _below(value: Any, here: Part) -> Iterator[Part]:
    kind = str(value.get("kind", ""))
    cls = COMPONENTS.get(kind)
    field = here.pointer.rpartition("/")[2] if not here.within and here.depth else ""
    name = field or str(value.get("name") or kind)
    yield Part(here.pointer, here.depth, kind, name, cls, here.slot, here.within, here.place, here.count)
    for info in field_infos(cls) if cls is not None else ():
        inner, where = value.get(info.name), pointer(here.pointer, info.name)
        slot = info.item if info.type is tuple else info.type
        if not is_component(info) or slot is None:
            continue
        if isinstance(inner, list):
            for place, item in enumerate(inner):
                below = Part(pointer(where, place), here.depth + 1, "", "", None, slot, where, place, len(inner))
                yield from _below(item, below)
        elif isinstance(inner, dict):
            yield from _below(inner, Part(where, here.depth + 1, "", "", None, slot))


def owner(space: dict[str, Any], where: str) -> tuple[str, str]:
    """The part that a JSON pointer leads into, and the field there; empty texts where there is none."""
    found = [part for part in parts(space) if where == part.pointer or where.startswith(f"{part.pointer}/")]
    if not found:
        return "", ""
    deepest = max(found, key=lambda part: len(part.pointer))
    return deepest.pointer, where[len(deepest.pointer) + 1 :].partition("/")[0]


# -- values ------------------------------------------------------------------------------------------------------------


def at(value: Any, where: str) -> Any:
    """What stands at a JSON pointer.

    Raises:
        KeyError: nothing does.
    """
    for key in _keys(where):
        try:
            value = value[int(key) if isinstance(value, list) else key]
        except (IndexError, TypeError, ValueError):
            raise KeyError(where) from None
    return value


def put(value: Any, where: str, new: Any) -> Any:
    """The value with `new` at a JSON pointer."""
    return _replaced(value, _keys(where), lambda holder, key: holder.__setitem__(key, new))


def removed(value: Any, where: str) -> Any:
    """The value without what stands at a JSON pointer."""
    return _replaced(value, _keys(where), lambda holder, key: holder.__delitem__(key))


def inserted(value: Any, where: str, new: Any) -> Any:
    """The value with `new` in a list, before the item at a JSON pointer; after the last one if there is none."""
    return _replaced(value, _keys(where), lambda holder, key: holder.insert(key, new))


def moved(value: Any, where: str, by: int) -> Any:
    """The value with an item of a list `by` places further on."""
    before, _, place = where.rpartition("/")
    return inserted(removed(value, where), pointer(before, int(place) + by), at(value, where))


def _keys(where: str) -> list[str]:
    return [key.replace("~1", "/").replace("~0", "~") for key in where.split("/")[1:]]


def _replaced(value: Any, keys: list[str], change: Any) -> Any:
    copy: Any = list(value) if isinstance(value, list) else dict(value)
    key: Any = int(keys[0]) if isinstance(value, list) else keys[0]
    if len(keys) == 1:
        change(copy, key)
    else:
        copy[key] = _replaced(value[key], keys[1:], change)
    return copy


# -- kinds -------------------------------------------------------------------------------------------------------------


def kinds(slot: type[Settings]) -> list[str]:
    """The kinds of components that may stand where a `slot` may, as far as they can be made without being asked."""
    return [kind for kind, cls in sorted(COMPONENTS.items()) if issubclass(cls, slot) and blank(cls) is not None]


def blank(cls: type[Settings]) -> dict[str, Any] | None:
    """A new part of a class as JSON: defaults, and the simplest components where it needs some; `None`: impossible."""
    if not issubclass(cls, Component):
        made = Limit(maximum=1_000_000) if issubclass(cls, Limit) else None
        return None if made is None else made.to_json()
    component = _made(cls)
    return None if component is None else {"kind": component.kind, **component.to_json()}


def _made(cls: type[Component]) -> Component | None:
    given: dict[str, Any] = {}
    lists: list[tuple[str, type[Component]]] = []
    defaults = {entry.name: entry.default for entry in fields(cls)}
    for info in field_infos(cls):
        if not is_component(info):
            continue
        if info.type is tuple and not defaults[info.name]:
            assert info.item is not None
            lists.append((info.name, info.item))
        elif defaults[info.name] is MISSING:
            given[info.name] = Stem() if issubclass(Stem, info.type) else _made(info.type)
    tries: list[dict[str, Any]] = [{}]
    if lists:
        tries += [{name: () if item is Component else (_made(item),) for name, item in lists}]
        tries += [{name: (Stem(), Head()) for name, item in lists if item is Component}]
    for more in tries:
        try:
            return cls(**given, **more)
        except (NbnasError, TypeError):
            continue
    return None


def fits(space: dict[str, Any], within: str, place: int, kind: str) -> bool:
    """Whether what flows in and out of a new part of this kind goes with its neighbours in a list of parts."""
    if COMPONENTS[kind].takes == "none":
        return True
    around = [_component(item) for item in at(space, within)]
    part = _component(blank(COMPONENTS[kind]))
    flowing = [other for other in [*around[:place], part, *around[place:]] if other and other.flow_in() != "none"]
    here = next((number for number, other in enumerate(flowing) if other is part), None)
    if part is None or here is None:
        return False
    before, after = flowing[here - 1 : here], flowing[here + 1 : here + 2]
    return all(_joins(one, part) for one in before) and all(_joins(part, one) for one in after)


def _component(value: Any) -> Component | None:
    try:
        return component_from_json(value, "")
    except NbnasError:
        return None


def _joins(one: Component, other: Component) -> bool:
    given, taken = one.flow_out(), other.flow_in()
    return given == taken or (taken == "vector" and given in ("map", "sequence"))
