"""The functions of the catalogue as settings, so that forms can ask for their arguments."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, make_dataclass
from functools import cache
from typing import Any, ClassVar, get_type_hints

from nbnas.errors import NbnasError, SpaceError
from nbnas.settings import Settings, setting
from nbnas.spaces import CATALOGUE, SearchSpace

__all__ = ["arguments_class", "made"]

_ARGUMENT = re.compile(r"^ {4,8}(\w+(?:, \w+)*): (.+?)$", re.MULTILINE)
_PLAIN = (bool, int, float, str)


class _Arguments(Settings):
    error: ClassVar[type[NbnasError]] = SpaceError


@cache
def arguments_class(name: str) -> type[Settings]:
    """Settings whose fields are the plain arguments of a function in the catalogue; what it is stands in its doc."""
    function = _makers()[name]
    doc = inspect.getdoc(function) or ""
    told = {key: words for names, words in _ARGUMENT.findall(_arguments_of(doc)) for key in names.split(", ")}
    hints = get_type_hints(function)
    fields: list[tuple[str, Any, Any]] = []
    for key, entry in inspect.signature(function).parameters.items():
        kind = _plain(hints.get(key), entry.default)
        if key != "dims" and kind is not None:
            words = told.get(key, "").strip()
            fields.append((key, kind, setting(entry.default, f"{words[:1].upper()}{words[1:]}")))
    made_class = make_dataclass(name, fields, bases=(_Arguments,), frozen=True)
    if doc.startswith("The space"):  # what space stands above
        doc = inspect.getdoc(inspect.getmodule(function)) or doc
    made_class.__doc__ = doc.split("\n", 1)[0]
    return made_class


def made(name: str, arguments: Settings | Mapping[str, Any], dims: int) -> SearchSpace:
    """The space that a function of the catalogue makes, for inputs of so many dimensions where it lets one choose.

    Raises:
        SpaceError: it refuses the arguments.
    """
    function = _makers()[name]
    given = arguments.to_json() if isinstance(arguments, Settings) else dict(arguments)
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    if "dims" in inspect.signature(function).parameters:
        plain["dims"] = dims
    try:
        return function(**plain)
    except SpaceError as error:
        if error.field != "/dims":
            raise
        del plain["dims"]  # it cannot take these inputs: whoever pairs it with a task says so
        return function(**plain)
    except (TypeError, ValueError) as cause:
        raise SpaceError(f"arguments of {name} must fit together, got {plain!r:.200}: {cause}") from None


def _makers() -> Mapping[str, Callable[..., SearchSpace]]:
    return CATALOGUE


def _arguments_of(doc: str) -> str:
    return doc.partition("Args:\n")[2].partition("\n\n")[0]


def _plain(hint: Any, default: Any) -> Any:
    """The type of a field for an argument; `None` for one that no form can ask for."""
    if default is inspect.Parameter.empty or default is MISSING:
        return None
    if hint in _PLAIN:
        return hint
    if isinstance(default, tuple) and default and type(default[0]) in _PLAIN:
        kind = type(default[0])
        return tuple[kind, ...] if all(type(item) is kind for item in default) else None  # type: ignore[valid-type]
    return None
