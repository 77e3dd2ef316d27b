"""The tree of a space on a page: names, kinds, what is open, what is wrong; one part is selected."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from nbnas.errors import NbnasError
from nbnas.settings import field_infos
from nbnas.spaces.component import component_from_json
from nbnas.spaces.editing import Draft
from nbnas.spaces.parts import at, is_component
from nbnas.widgets.page import answering

__all__ = ["SpaceTree", "tree_items"]

_MOST_WORDS = 60


class SpaceTree(anywidget.AnyWidget):
    """A tree that the keyboard reaches.

    Attributes:
        items: one object a part; see `tree_items`.
        selected: the JSON pointer of the selected part.
    """

    _esm = (files(__package__) / "static" / "space_tree.js").read_text(encoding="utf-8")
    items: Any = traitlets.List().tag(sync=True)
    selected = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        answering(self)


def tree_items(draft: Draft) -> list[dict[str, Any]]:
    """What the tree shows of each part; all texts are plain."""
    value = dict(draft.value)
    items = []
    for part in draft.parts():
        held = at(value, part.pointer)
        problems = draft.problems_of(part.pointer)
        count = _open_count(held)
        items.append(
            {
                "pointer": part.pointer,
                "depth": part.depth,
                "name": part.name.replace("_", " "),
                "kind": "" if part.kind in (part.name, "limit") else part.kind.replace("_", " "),
                "summary": _summary(held, part.cls),
                "open": f"{count} open" if count else "",
                "wrong": next(iter(problems.values()), ""),
            }
        )
    return items


def _open_count(held: dict[str, Any]) -> int:
    """How many decisions there are in a part and below; 0 where that is not known."""
    try:
        return len(component_from_json(held, "").decisions()) if "kind" in held else 0
    except NbnasError:
        return 0


def _summary(held: dict[str, Any], cls: Any) -> str:
    """The fields that differ from their defaults, as one short line."""
    words = []
    for info in field_infos(cls) if cls is not None else ():
        value = held.get(info.name)
        default = list(info.default) if isinstance(info.default, tuple) else info.default
        if is_component(info) or info.name == "name" or value == default or value is None:
            continue
        words.append(f"{info.name} {_short(value)}".replace("_", " "))
    line = ", ".join(words)
    return line if len(line) <= _MOST_WORDS else f"{line[: _MOST_WORDS - 1]}…"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        if isinstance(value.get("choice"), list):
            return " | ".join(map(str, value["choice"]))
        held = (value.get(kind) for kind in ("integer", "real"))
        ends: dict[str, Any] = next((ends for ends in held if isinstance(ends, dict)), {})
        return f"{ends.get('low')}…{ends.get('high')}"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
