"""What a search space is made of: a tree of components with decisions in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from typing_extensions import override

from nbnas.errors import SpaceError
from nbnas.jsonio import pointer
from nbnas.settings import FieldInfo, Settings, checked, field_infos
from nbnas.spaces.bound import Bound, Extent, bound_of_fields
from nbnas.spaces.decision import Decision, Option, within
from nbnas.spaces.graphs import single_edge
from nbnas.spaces.open import Choice, Open, open_from_json

if TYPE_CHECKING:
    import networkx

__all__ = ["COMPONENTS", "MAX_DECISIONS", "Component", "Flow", "component_from_json", "of_part"]

COMPONENTS: dict[str, type[Component]] = {}
"""All components by kind."""

MAX_DECISIONS = 10_000

Flow = Literal["map", "vector", "tokens", "sequence", "nodes", "logits", "none"]
"""What goes from one component to the next: a feature map (channels, *sizes), a vector (features,), token ids
(length,), a sequence of vectors (length, width), the vectors of a graph's nodes, the logits of classes; `none`: it is
no part of the network."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True)
class Component(Settings):
    """A part of a network in which something may be left open. Plain data.

    A subclass sets `kind` (its name in files), `takes` and `gives` (what flows in and out). Its fields are values,
    which may be left open where they are declared with `setting(open=True)`, components, or tuples of components. It
    must override `graph` if it has other decisions than these, and then `decisions`; it may override `canonical`,
    `bound`, and `relaxable` with `rows`, `paths` and `derive`.
    """

    kind: ClassVar[str]
    takes: ClassVar[Flow] = "map"
    gives: ClassVar[Flow] = "logits"
    error: ClassVar[type[SpaceError]] = SpaceError

    name: str = field(default="", kw_only=True, metadata={"help": "Its name in the tree; the kind when empty."})
    label: str = field(default="", kw_only=True, metadata={"help": "What a person reads."})

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "kind" not in vars(cls):  # files that name the kind of its base mean the base
            return
        known = COMPONENTS.get(cls.kind)
        if known is not None and known.__module__.startswith("nbnas.") and cls.__module__ != known.__module__:
            raise SpaceError(f"kind must be new, got {cls.kind!r}, which is built in; in component {cls.__name__}.")
        COMPONENTS[cls.kind] = cls

    def __post_init__(self) -> None:
        if self.name != "" and not (isinstance(self.name, str) and _NAME.fullmatch(self.name)):
            raise SpaceError(
                f"name must be 1..40 small letters, digits and _, a letter first, got {self.name!r:.80}; "
                f"in {type(self).__name__}.",
                field="name",
            )
        if not isinstance(self.label, str) or len(self.label) > 80 or not (self.label.isprintable()):
            raise SpaceError(
                f"label must be 0..80 printable characters, got {self.label!r:.120}; in {type(self).__name__}.",
                field="label",
            )
        super().__post_init__()
        if type(self).children is Component.children and len(self._held()) > len(self.children()):
            seen: set[str] = set()
            where, part = next(
                (where, part)
                for where, name, part in self._held()
                if name in seen or seen.add(name)  # type: ignore[func-returns-value]
            )
            raise SpaceError(
                f"{where}/name must be new among the parts, got {part.name or part.kind!r}; in {type(self).__name__}. "
                "Give each part its own name",
                field=f"{where}/name",
            )

    # -- the tree ----------------------------------------------------------------------------------------------------

    def children(self) -> dict[str, Component]:
        """The components in its fields: by the name of the field, in a tuple by their own names."""
        return {name: part for _, name, part in self._held()}

    def _held(self) -> list[tuple[str, str, Component]]:
        """For each component in its fields: the place in its JSON, the name, and itself."""
        found: list[tuple[str, str, Component]] = []
        for info in field_infos(type(self)):
            value = getattr(self, info.name)
            if isinstance(value, Component):
                found.append((info.name, info.name, value))
            elif isinstance(value, tuple):
                items = [(place, item) for place, item in enumerate(value) if isinstance(item, Component)]
                found += [(f"{info.name}/{place}", item.name or item.kind, item) for place, item in items]
        return found

    def places(self) -> list[tuple[str, Component]]:
        """The components in its fields, each with its JSON pointer from here."""
        return [(f"/{where}", part) for where, _, part in self._held()]

    def place(self, decision: str) -> str:
        """The JSON pointer, from here, of what leaves a decision open: a field, or the component that decides it."""
        head, _, rest = decision.partition("/")
        if not rest:
            return f"/{head}" if head in self.opened() else ""
        children, held = self.children(), self._held()
        for number, (name, child) in enumerate(children.items()):
            if name == head:
                # Each stands in one place, in their order; or one is repeated.
                where = held[number if len(held) == len(children) else 0][0]
                return f"/{where}{child.place(rest)}"
        return ""

    def bound(self, given: Extent) -> Bound:
        """At most how large its networks are; files that hold more than any machine are refused by it.

        Here: from the names of its fields (`bound_of_fields`). To be overridden where these do not tell.
        """
        return bound_of_fields(self, given)

    def opened(self) -> dict[str, Open]:
        """Its own fields that are left open."""
        values = {info.name: getattr(self, info.name) for info in field_infos(type(self)) if info.open}
        return {name: value for name, value in values.items() if isinstance(value, Open)}

    def values(self, name: str) -> tuple[Any, ...]:
        """All values that the field `name` can take."""
        value = getattr(self, name)
        return value.options if isinstance(value, Open) else (value,)

    def check_odd(self, name: str) -> None:
        """Raises `SpaceError` unless all values of the field `name` are odd."""
        if any(value % 2 == 0 for value in self.values(name)):
            self.fail(name, "odd")

    def fixed(self, chosen: Mapping[str, Option]) -> Self:
        """Itself with the chosen value in each open field, or the field's default where it was not decided."""
        defaults = {info.name: info.default for info in field_infos(type(self))}
        values = {name: chosen.get(name, defaults[name]) for name in self.opened()}
        return replace(self, **values) if values else self

    def flow_in(self) -> Flow:
        """What goes in."""
        return self.takes

    def flow_out(self) -> Flow:
        """What comes out."""
        return self.gives

    # -- what is open ------------------------------------------------------------------------------------------------

    def own_decisions(self) -> tuple[Decision, ...]:
        """The decisions of its own fields that are open."""
        return tuple(
            Decision(name, value.options, name.replace("_", " "), "", value.when, value.ordered)
            for name, value in self.opened().items()
        )

    def decisions(self) -> tuple[Decision, ...]:
        """The open choices, conditions only on earlier ones: its own open fields, then those of its children."""
        found = list(self.own_decisions())
        for name, child in self.children().items():
            found += within(name, child.decisions())
            if len(found) > MAX_DECISIONS:
                raise SpaceError(
                    f"decisions must be at most {MAX_DECISIONS:,}, got {len(found):,}; in {type(self).__name__}."
                )
        return tuple(found)

    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        """The drawing of one architecture, or of the whole component when `chosen` is `None`.

        Nodes (feature maps) carry `label`, and `panel` when the drawing has several; edges carry `operation`, and
        `decision` where a row of the relaxed view, or else a decision, names it.
        """
        return single_edge(self.text(chosen))

    def text(self, chosen: Mapping[str, Option] | None) -> str:
        """One line for a person: its label or kind, and what was chosen, or what is open when `chosen` is `None`."""
        title = self.label or (self.name or self.kind).replace("_", " ")
        if chosen is None:
            parts = [f"{name} {len(value.options)} options" for name, value in self.opened().items()]
        else:
            parts = [f"{name} {chosen[name]}" for name in self.opened() if name in chosen]
        return ", ".join([title, *(part.replace("_", " ") for part in parts)])

    def canonical(self, chosen: Mapping[str, Option]) -> str:
        """One text for all choices that compute the same function; here: that of its parts, and its own choices."""
        children = self.children()
        inner = [f"{name}({child.canonical(of_part(chosen, name))})" for name, child in children.items()]
        own = [f"{name}={option}" for name, option in chosen.items() if not _of_a_child(name, children)]
        return ";".join(own + inner)

    def state(self, decision: str, chosen: Mapping[str, Option]) -> str:
        """What an agent that chooses decision after decision sees before `decision`; here: the choice before it.

        Args:
            decision: which is open.
            chosen: the options chosen so far, in order.
        """
        return "".join(f"{name}={option}" for name, option in [*chosen.items()][-1:])

    def recipe(self, chosen: Mapping[str, Option]) -> dict[str, Any]:
        """What the architecture says about its training, by the name of the setting."""
        found: dict[str, Any] = {}
        for name, child in self.children().items():
            found |= child.recipe(of_part(chosen, name))
        return found

    # -- the relaxed view --------------------------------------------------------------------------------------------

    def relaxable(self) -> str | None:
        """`None` when a supernet of it can be built, else the reason why not and what to use instead."""
        if not self.decisions():
            return None
        return f"{self.kind} has no relaxed view. Score its architectures with nb.evaluators.Training"

    def rows(self) -> tuple[Decision, ...]:
        """The relaxed view: what alpha has a row for, one entry an option. Here: its decisions."""
        return self.decisions()

    def paths(self, chosen: Mapping[str, Option]) -> dict[str, tuple[Option, ...]]:
        """The options of each row that an architecture computes; twice the same for weight 2. Here: the chosen ones."""
        return {row.name: (chosen[row.name],) if row.name in chosen else () for row in self.rows()}

    def derive(self, weights: Mapping[str, Mapping[Option, float]]) -> dict[str, Option]:
        """The architecture, as options by decision, that the weights of the rows stand for.

        Here: the strongest option of each row, `none` excluded where there is another (DARTS, Sec. 2.4).
        """
        chosen: dict[str, Option] = {}
        for row in self.rows():
            real = [option for option in row.options if option != "none"] or list(row.options)
            chosen[row.name] = max(real, key=lambda option: weights[row.name][option])
        return chosen

    # -- files -------------------------------------------------------------------------------------------------------

    @override
    def to_json(self) -> dict[str, Any]:
        value = super().to_json()
        for key in ("name", "label"):  # as components were written before they had names
            if not value[key]:
                del value[key]
        return value

    @override
    def _plain(self, value: Any) -> Any:
        if isinstance(value, Component):
            return {"kind": value.kind, **value.to_json()}
        if isinstance(value, Open):
            return value.to_json()
        if isinstance(value, tuple):
            return [self._plain(item) for item in value]
        return value

    @classmethod
    @override
    def _read(cls, info: FieldInfo, value: Any, where: str) -> Any:
        if isinstance(value, dict) and info.open:
            return open_from_json(value, where)
        if isinstance(info.type, type) and issubclass(info.type, Component):
            return None if value is None and info.optional else component_from_json(value, where)
        if info.item is not None and issubclass(info.item, Component) and isinstance(value, list):
            return tuple(component_from_json(item, pointer(where, place)) for place, item in enumerate(value))
        if isinstance(value, dict):
            raise SpaceError(
                f"{where} must be a value, it cannot be left open, got {list(value)!r:.80}; in {cls.__name__}."
            )
        return super()._read(info, value, where)

    @override
    def _accept(self, info: FieldInfo, value: Any) -> Any:
        if isinstance(value, Open):
            if not info.open:
                self._refuse(info, "a value, it cannot be left open", value)
            values = tuple(self._option(info, value, place) for place in range(len(value.options)))
            if isinstance(value, Choice) and list(map(repr, values)) != list(map(repr, value.options)):
                return Choice(*values, when={rule.decision: rule.options for rule in value.when})
            return value
        wanted = info.item if info.type is tuple else info.type
        if not (isinstance(wanted, type) and issubclass(wanted, Component)):
            return super()._accept(info, value)
        if value is None and info.optional:
            return None
        items = value if info.type is tuple else (value,)
        if not isinstance(items, tuple | list) or not all(isinstance(item, wanted) for item in items):
            self._refuse(info, f"{'components' if info.type is tuple else 'a component'} ({wanted.__name__})", value)
        return tuple(items) if info.type is tuple else value

    def _option(self, info: FieldInfo, value: Open, place: int) -> Any:
        """One option in the type of the field."""
        try:
            return checked(info, value.options[place], type(self).__name__, self.error)
        except SpaceError as cause:
            where = f"{info.name}/choice/{place}" if isinstance(value, Choice) else info.name
            raise SpaceError(str(cause), field=where) from None

    def _refuse(self, info: FieldInfo, expected: str, value: Any) -> None:
        raise SpaceError(
            f"{info.name} must be {expected}, got {value!r:.120}; in {type(self).__name__}.", field=info.name
        )


def _of_a_child(decision: str, children: Mapping[str, Component]) -> bool:
    head, _, rest = decision.partition("/")
    return bool(rest) and head in children


def component_from_json(value: Any, where: str) -> Component:
    """Reads a component: an object with its kind and its fields.

    Args:
        value: parsed JSON.
        where: its JSON pointer, perhaps after the name of a file.

    Raises:
        SpaceError: with the pointer of the place.
    """
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise SpaceError(f"{where} must be an object with a kind, got {value!r:.80}")
    kind = value["kind"]
    if kind not in COMPONENTS:
        raise SpaceError(
            f"{pointer(where, 'kind')}: {kind!r:.80} is not a known component; known: {', '.join(COMPONENTS)}"
        )
    return COMPONENTS[kind].from_json({key: item for key, item in value.items() if key != "kind"}, where)


def of_part(chosen: Mapping[str, Option], part: str) -> dict[str, Option]:
    """What was chosen for the decisions of one part, by their names within it."""
    start = f"{part}/"
    return {name[len(start) :]: option for name, option in chosen.items() if name.startswith(start)}
