"""A space under construction: each change makes a new draft, and every one can be undone.

A draft may be wrong for a while (a part without its neighbour, half a number): it then says what is wrong and where,
and keeps the last space that was right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbnas import jsonio
from nbnas.errors import SpaceError
from nbnas.spaces.code import catalogue_arguments
from nbnas.spaces.component import COMPONENTS
from nbnas.spaces.limit import Limit
from nbnas.spaces.parts import ROOT, Part, at, blank, inserted, moved, owner, parts, put, removed
from nbnas.spaces.space import SearchSpace

__all__ = ["Draft", "Editing"]

_PROBLEM = re.compile(r"space: (/[^\s:]*):? (.*)", re.DOTALL)
_MOST_STEPS = 200
_MOST_PROBLEMS = 20
OWN_NAME = "mine"
"""What a space of the catalogue is called once it was changed into another one."""


@dataclass(frozen=True)
class Draft:
    """One state of a space under construction.

    Attributes:
        value: JSON of what is under construction; of `space` when there are no problems.
        space: the last one that was right.
        problems: what is wrong, by JSON pointer; the pointer is empty where no place is known.
    """

    value: Mapping[str, Any]
    space: SearchSpace
    problems: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, space: SearchSpace) -> Draft:
        """That of a space that is right."""
        return cls(space.to_json(), space)

    def then(self, value: dict[str, Any]) -> Draft:
        """What follows when `value` takes its place."""
        problems = _problems(value, self.space.to_json())
        if problems:
            return Draft(value, self.space, problems)
        space = SearchSpace.from_json(value)
        if _is_catalogue(space.name) and catalogue_arguments(space) is None:
            space = SearchSpace(OWN_NAME, space.component, dims=space.dims, limits=space.limits)
        return Draft.of(space)

    def parts(self) -> list[Part]:
        """The tree."""
        return parts(dict(self.value))

    def problems_of(self, part: str) -> dict[str, str]:
        """What is wrong with one part, by its fields; the field is empty for what concerns no one of them."""
        found: dict[str, str] = {}
        for where, words in self.problems.items():
            pointer, name = owner(dict(self.value), where)
            if pointer == part:
                found.setdefault(name, words)
        return found

    def loose_problems(self) -> list[str]:
        """What is wrong with no part: with the name, the inputs, or all parts together."""
        return [words for where, words in self.problems.items() if not owner(dict(self.value), where)[0]]


class Editing:
    """A draft with its past and its future.

    Args:
        space: the first one.
        changed: called after every change.
    """

    def __init__(self, space: SearchSpace, changed: Callable[[], None] = lambda: None) -> None:
        self.draft = Draft.of(space)
        self.changed = changed
        self._past: list[Draft] = []
        self._future: list[Draft] = []
        self._merging = ""

    @property
    def space(self) -> SearchSpace:
        """The last space that was right."""
        return self.draft.space

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether a change was taken back."""
        return bool(self._future)

    def undo(self) -> None:
        """Takes the last change back."""
        self._step(self._past, self._future)

    def redo(self) -> None:
        """Makes the change again that was taken back last."""
        self._step(self._future, self._past)

    def load(self, space: SearchSpace) -> None:
        """Goes on with another space."""
        if space != self.space or space.name != self.space.name or self.draft.problems:
            self._follow(Draft.of(space))

    def read(self, text: str) -> None:
        """Goes on with the space that a text in JSON describes.

        Raises:
            SpaceError: it describes none; nothing has changed then.
        """
        self.load(SearchSpace.from_json(jsonio.loads(text, "space", error=SpaceError), "space"))

    def put(self, where: str, value: Any, *, typed: bool = False) -> None:
        """Sets the value at a JSON pointer; what is typed at one place in a row is undone together."""
        try:
            unchanged = jsonio.dumps(at(self.draft.value, where)) == jsonio.dumps(value)
        except KeyError:
            unchanged = False
        if not unchanged:
            self._follow(self.draft.then(put(self.draft.value, where, value)), merge=where if typed else "")

    def add(self, kind: str, after: str = ROOT, **fields: Any) -> str:
        """Puts a new component behind the part `after`, or into it, and returns its JSON pointer.

        Kind `limit` adds a limit on what an architecture may cost.

        Args:
            kind: of the component.
            after: JSON pointer of a part.
            fields: JSON values that differ from those of a blank one.

        Raises:
            SpaceError: there is no list of parts that takes this kind.
        """
        where = self.target(after, kind)
        if where is None:
            raise SpaceError(f"kind must be one that {after} takes, got {kind!r:.80}. Replace it by a network first")
        value = dict(self.draft.value)
        if kind == "limit":
            value.setdefault("limits", [])
            new = blank(Limit)
        else:
            new = blank(COMPONENTS[kind])
            assert new is not None
            new = self._renamed(new, at(value, where.rpartition("/")[0]))
        self._follow(self.draft.then(inserted(value, where, {**(new or {}), **fields})))
        return where

    def target(self, after: str, kind: str) -> str | None:
        """Where `add` would put a component of this kind; `None` where there is no list that takes it."""
        if kind == "limit":
            return f"/limits/{len(self.draft.value.get('limits', []))}"
        cls = COMPONENTS.get(kind)
        tree = self.draft.parts()
        here = next((part for part in tree if part.pointer == after), None)
        if cls is None or here is None:
            return None
        inner = [part for part in tree if part.within and part.within.rpartition("/")[0] == after]
        if inner and issubclass(cls, inner[-1].slot):
            last = inner[-1]
            head = last.cls is not None and getattr(last.cls, "gives", "") == "logits" and cls.gives != "logits"
            return f"{last.within}/{last.place + (not head)}"
        while here is not None:
            if here.within and issubclass(cls, here.slot):
                return f"{here.within}/{here.place + 1}"
            above = [part for part in tree if here.pointer.startswith(f"{part.pointer}/")]
            here = max(above, key=lambda part: part.depth, default=None)
        return None

    def replace(self, where: str, kind: str) -> None:
        """Puts a new component in the place of another one; fields that both have keep their values."""
        new = blank(COMPONENTS[kind])
        old = at(self.draft.value, where)
        assert new is not None
        kept = {key: value for key, value in old.items() if key in new and key != "kind"}
        follows = self.draft.then(put(self.draft.value, where, {**new, **kept, **_called(old)}))
        self._follow(follows if not follows.problems else self.draft.then(put(self.draft.value, where, new)))

    def remove(self, where: str) -> None:
        """Takes a part out of its list."""
        self._follow(self.draft.then(_without_empty(removed(self.draft.value, where))))

    def copy(self, where: str) -> str:
        """Puts an equal part, with a name of its own, behind a part, and returns its JSON pointer."""
        before, _, place = where.rpartition("/")
        value, behind = self.draft.value, f"{before}/{int(place) + 1}"
        new = at(value, where)
        if before != "/limits":
            new = self._renamed(new, at(value, before))
        self._follow(self.draft.then(inserted(value, behind, new)))
        return behind

    def move(self, where: str, by: int) -> str:
        """Moves a part in its list and returns its new JSON pointer."""
        before, _, place = where.rpartition("/")
        to = min(max(int(place) + by, 0), len(at(self.draft.value, before)) - 1)
        if to != int(place):
            self._follow(self.draft.then(moved(self.draft.value, where, to - int(place))))
        return f"{before}/{to}"

    @staticmethod
    def _renamed(new: dict[str, Any], others: list[Any]) -> dict[str, Any]:
        """The part with a name that no other one of the list has."""
        taken = {other.get("name") or other.get("kind") for other in others if isinstance(other, dict)}
        name = new.get("name") or new["kind"]
        if name not in taken:
            return new
        base = re.sub(r"_\d+$", "", str(name))[:30]
        number = next(number for number in range(2, len(taken) + 3) if f"{base}_{number}" not in taken)
        return {**new, "name": f"{base}_{number}"}

    def _follow(self, draft: Draft, merge: str = "") -> None:
        if not (merge and merge == self._merging):
            self._past = [*self._past, self.draft][-_MOST_STEPS:]
        self.draft, self._future, self._merging = draft, [], merge
        self.changed()

    def _step(self, source: list[Draft], target: list[Draft]) -> None:
        if source:
            target.append(self.draft)
            self.draft, self._merging = source.pop(), ""
            self.changed()


def _called(old: Mapping[str, Any]) -> dict[str, Any]:
    return {key: old[key] for key in ("name", "label") if old.get(key)}


def _without_empty(value: dict[str, Any]) -> dict[str, Any]:
    return value if value.get("limits", True) else {key: item for key, item in value.items() if key != "limits"}


def _is_catalogue(name: str) -> bool:
    import nbnas.spaces

    return name in nbnas.spaces.CATALOGUE


def _problems(value: dict[str, Any], before: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong, by JSON pointer. For a field that is refused stands in what it held before, to see the others."""
    found: dict[str, str] = {}
    tried = value
    for _ in range(_MOST_PROBLEMS):
        try:
            SearchSpace.from_json(tried, "space")
        except SpaceError as error:
            said = _PROBLEM.fullmatch(str(error))
            where, words = (said[1], said[2]) if said else ("", str(error).removeprefix("space: "))
            if where in found:
                break
            found[where] = words
            part, name = owner(value, where)
            repaired = _with_field_of(before, tried, part, name) if name else None
            if repaired is None:
                break
            tried = repaired
        else:
            break
    return found


def _with_field_of(before: Mapping[str, Any], value: dict[str, Any], part: str, name: str) -> dict[str, Any] | None:
    try:
        old = at(before, part)
        if old.get("kind") != at(value, part).get("kind") or _holds_parts(old[name]):
            return None
        repaired: dict[str, Any] = put(value, f"{part}/{name}", old[name])
    except KeyError:
        return None
    return repaired


def _holds_parts(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)
