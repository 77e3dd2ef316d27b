"""Settings: frozen dataclasses of plain values, with ranges and help, that forms show and files store."""

from __future__ import annotations

import math
import types
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Self, TypeAlias, Union, get_args, get_origin, get_type_hints

from nbnas.errors import NbnasError, SettingsError, SpaceError
from nbnas.jsonio import pointer

__all__ = ["FieldInfo", "Settings", "checked", "field_infos", "setting"]

_Type: TypeAlias = type
"""`type` inside a class that has a field of that name."""


def setting(
    default: Any = MISSING,
    help: str = "",
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    options: Sequence[Any] | None = None,
    open: bool = False,
) -> Any:
    """Declares one field of a `Settings` class.

    Args:
        default: the value that holds when none is given.
        help: one sentence for the form, with the unit.
        minimum, maximum: inclusive bounds.
        above, below: exclusive bounds.
        options: the allowed values.
        open: whether a component of a search space may leave the field open: a decision instead of a value.
    """
    limits = {"minimum": minimum, "maximum": maximum, "above": above, "below": below}
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    allowed = tuple(options) if options is not None else None
    metadata = {"help": help, "limits": limits, "options": allowed, "open": open}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """What a form needs to know of one field."""

    name: str
    type: _Type
    optional: bool
    item: _Type | None
    """The type of the items when `type` is `tuple`."""
    default: Any
    help: str
    limits: Mapping[str, float]
    options: tuple[Any, ...] | None
    open: bool = False

    @property
    def range_text(self) -> str:
        """The allowed range in words, such as `>= 1`; empty when there is none."""
        signs = {"minimum": ">=", "above": ">", "maximum": "<=", "below": "<"}
        parts = [f"{sign} {_number(self.limits[name])}" for name, sign in signs.items() if name in self.limits]
        if self.options is not None:
            parts.append("one of " + ", ".join(map(str, self.options)))
        return " and ".join(parts)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


_INFOS: weakref.WeakKeyDictionary[type, tuple[FieldInfo, ...]] = weakref.WeakKeyDictionary()


def field_infos(cls: type) -> tuple[FieldInfo, ...]:
    """The fields of a `Settings` class in the order of its definition."""
    if cls not in _INFOS:
        _INFOS[cls] = tuple(_infos(cls))
    return _INFOS[cls]


def _infos(cls: type) -> list[FieldInfo]:
    hints = get_type_hints(cls)
    infos = []
    for entry in fields(cls):
        hint, optional, item = hints[entry.name], False, None
        if get_origin(hint) in (Union, types.UnionType):
            rest = [part for part in get_args(hint) if part is not type(None)]
            optional, hint = len(rest) < len(get_args(hint)), rest[0]
        if get_origin(hint) is tuple:
            item, hint = get_args(hint)[0], tuple
        meta = entry.metadata
        default = entry.default if entry.default is not MISSING else None
        infos.append(
            FieldInfo(
                entry.name,
                hint,
                optional,
                item,
                default,
                meta.get("help", ""),
                meta.get("limits", {}),
                meta.get("options"),
                meta.get("open", False),
            )
        )
    return infos


class Settings:
    """Base of frozen dataclasses of plain values; each instance is checked when it is made.

    A subclass is a `@dataclass(frozen=True)` whose fields are `bool`, `int`, `float`, `str`, tuples of these, or any
    of them or `None`. It may override `check` for rules between fields.
    """

    error: ClassVar[type[NbnasError]] = SettingsError

    def __post_init__(self) -> None:
        for info in field_infos(type(self)):
            object.__setattr__(self, info.name, self._accept(info, getattr(self, info.name)))
        self.check()

    def _accept(self, info: FieldInfo, value: Any) -> Any:
        """The value of one field in its proper type."""
        return checked(info, value, type(self).__name__, self.error)

    def check(self) -> None:
        """Raises through `fail` when fields do not fit together."""

    def fail(self, name: str, expected: str, *, remedy: str = "") -> None:
        """Raises the error of this class for the field `name`."""
        message = f"{name} must be {expected}, got {getattr(self, name)!r:.200}; in {type(self).__name__}."
        raise _error(self.error, f"{message} {remedy}".rstrip(), name)

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON values."""
        return {info.name: self._plain(getattr(self, info.name)) for info in field_infos(type(self))}

    def _plain(self, value: Any) -> Any:
        """The value of one field as JSON."""
        return list(value) if isinstance(value, tuple) else value

    @classmethod
    def from_json(cls, value: Any, where: str = "") -> Self:
        """Makes an instance from a JSON object; fields that are absent take their defaults.

        Raises:
            NbnasError: of class `cls.error`, with the JSON pointer of the place.
        """
        if not isinstance(value, dict):
            raise _error(cls.error, f"{where or '/'} must be an object, got {_kind(value)}", None)
        known = {info.name: info for info in field_infos(cls)}
        for name in value:
            if name not in known:
                raise _error(
                    cls.error,
                    f"{pointer(where, name[:80])}: {name[:80]!r} is not a field of {cls.__name__}; "
                    f"known: {', '.join(known) or 'none'}",
                    None,
                )
        for entry in fields(cls):  # type: ignore[arg-type]
            if entry.name not in value and entry.default is MISSING and entry.default_factory is MISSING:
                raise _error(
                    cls.error, f"{pointer(where, entry.name)}: is missing; {cls.__name__} needs it", entry.name
                )
        given = {name: cls._read(known[name], item, pointer(where, name)) for name, item in value.items()}
        try:
            return cls(**given)
        except NbnasError as cause:
            name = getattr(cause, "field", None)
            # A component names the place within a field as well: operations/2.
            raise _error(cls.error, f"{f'{where}/{name}' if name else where or '/'}: {cause}", name) from None

    @classmethod
    def _read(cls, info: FieldInfo, value: Any, where: str) -> Any:
        """What the JSON value of one field stands for; `__init__` checks it."""
        return tuple(value) if isinstance(value, list) else value


def _error(kind: type[NbnasError], message: str, name: str | None) -> NbnasError:
    return kind(message, field=name) if issubclass(kind, SettingsError | SpaceError) else kind(message)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", tuple: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), f"{value!r:.80}")


def checked(info: FieldInfo, value: Any, owner: str, error: type[NbnasError]) -> Any:
    """`value` in the type of the field, or an error that names it."""

    def refuse(expected: str) -> NbnasError:
        return _error(error, f"{info.name} must be {expected}, got {value!r:.120}; in {owner}.", info.name)

    if value is None and info.optional:
        return None
    if info.type is tuple:
        if not isinstance(value, tuple | list):
            raise refuse("a list")
        assert info.item is not None
        return tuple(_scalar(info, info.item, item, refuse) for item in value)
    return _scalar(info, info.type, value, refuse)


def _scalar(info: FieldInfo, kind: type, value: Any, refuse: Any) -> Any:
    if kind is bool:
        if not isinstance(value, bool):
            raise refuse("true or false")
        return value
    if kind is str:
        if not isinstance(value, str):
            raise refuse("a text")
        value = str(value)
    elif kind is int:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise refuse("a whole number")
        value = value.__index__()
    elif kind is float:
        if isinstance(value, bool) or (not isinstance(value, int | float) and not hasattr(value, "__float__")):
            raise refuse("a number")
        try:
            value = float(value)
        except (OverflowError, TypeError, ValueError):
            raise refuse("a finite number") from None
        if not math.isfinite(value):
            raise refuse("a finite number")
    limits = info.limits
    out = (
        ("minimum" in limits and value < limits["minimum"])
        or ("maximum" in limits and value > limits["maximum"])
        or ("above" in limits and value <= limits["above"])
        or ("below" in limits and value >= limits["below"])
        or (info.options is not None and value not in info.options)
    )
    if out:
        raise refuse(info.range_text)
    return value
