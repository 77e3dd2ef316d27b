"""What stands in a field of a component where a value is left open: a decision between values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from nbnas.errors import SpaceError
from nbnas.jsonio import pointer
from nbnas.spaces.decision import Condition, Option

__all__ = ["MAX_OPTIONS", "Choice", "Integer", "Open", "Real", "open_from_json"]

MAX_OPTIONS = 1000

When = Mapping[str, Sequence[Option]]


class Open(ABC):
    """A value that is decided by the search; equal iff the JSON is equal.

    Attributes:
        options: the values in question, 1..1,000.
        when: conditions under which it is decided at all; otherwise the field takes its default.
        ordered: whether the options are steps of one quantity.
    """

    options: tuple[Any, ...]
    when: tuple[Condition, ...]
    ordered = False

    def __init__(self, options: tuple[Any, ...], when: When | None) -> None:
        if not 1 <= len(options) <= MAX_OPTIONS:
            raise SpaceError(f"options must be 1..{MAX_OPTIONS:,} values, got {len(options):,}; in {self._kind()}.")
        for place, option in enumerate(options):
            if not isinstance(option, Option) or (isinstance(option, float) and not math.isfinite(option)):
                raise SpaceError(
                    f"option {place} must be a text, a boolean or a finite number, got {option!r:.80}; "
                    f"in {self._kind()}."
                )
        if len(set(map(_key, options))) < len(options):
            raise SpaceError(f"options must occur once each, got {options!r:.200}; in {self._kind()}.")
        self.options = options
        rules = [_condition(name, rule) for name, rule in (when or {}).items()]
        self.when = tuple(sorted(rules, key=lambda rule: rule.decision))  # as in files

    @classmethod
    def _kind(cls) -> str:
        return cls.__name__.lower()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Open) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        """The Python that makes it."""
        rules = {rule.decision: rule.options for rule in self.when}
        parts = [*self._arguments(), *([f"when={rules!r}"] if rules else [])]
        return f"{type(self).__name__}({', '.join(parts)})"

    @abstractmethod
    def _arguments(self) -> list[str]:
        """The arguments of the Python that makes it, without `when`."""

    @abstractmethod
    def _body(self) -> Any:
        """The JSON under the key of its kind."""

    def to_json(self) -> dict[str, Any]:
        """An object of one key, the kind, and `when` if there are conditions."""
        value: dict[str, Any] = {self._kind(): self._body()}
        if self.when:
            value["when"] = {rule.decision: list(rule.options) for rule in self.when}
        return value


class Choice(Open):
    """One of some values: `Choice(3, 5, 7)`."""

    def __init__(self, *options: Option, when: When | None = None) -> None:
        super().__init__(options, when)

    def _arguments(self) -> list[str]:
        return [repr(option) for option in self.options]

    def _body(self) -> Any:
        return list(self.options)


class Integer(Open):
    """A whole number from `low` to `high`, both included, in steps of `step`."""

    ordered = True

    def __init__(self, low: int, high: int, step: int = 1, *, when: When | None = None) -> None:
        for name, value in (("low", low), ("high", high), ("step", step)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise SpaceError(f"{name} must be a whole number, got {value!r:.80}; in integer.")
        if high < low or step < 1:
            raise SpaceError(f"low..high must be a range and step >= 1, got {low}..{high} by {step}; in integer.")
        if (high - low) // step >= MAX_OPTIONS:
            raise SpaceError(
                f"low..high must have at most {MAX_OPTIONS:,} steps, got {(high - low) // step + 1:,}; in integer. "
                "Use a larger step"
            )
        self.low, self.high, self.step = low, high, step
        super().__init__(tuple(range(low, high + 1, step)), when)

    def _arguments(self) -> list[str]:
        return [str(self.low), str(self.high), *([str(self.step)] if self.step != 1 else [])]

    def _body(self) -> Any:
        return {"low": self.low, "high": self.high, **({"step": self.step} if self.step != 1 else {})}


class Real(Open):
    """A real number from `low` to `high`, both included, on a grid of `steps` values; `log` spaces them by ratio.

    A grid, so that every strategy can search it: a policy has a probability for each value, a space has a size, and an
    architecture a text.
    """

    ordered = True

    def __init__(
        self, low: float, high: float, *, log: bool = False, steps: int = 16, when: When | None = None
    ) -> None:
        for name, value in (("low", low), ("high", high)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
                raise SpaceError(f"{name} must be a finite number, got {value!r:.80}; in real.")
        if not isinstance(log, bool):
            raise SpaceError(f"log must be true or false, got {log!r:.80}; in real.")
        if isinstance(steps, bool) or not isinstance(steps, int) or not 2 <= steps <= MAX_OPTIONS:
            raise SpaceError(f"steps must be a whole number in 2..{MAX_OPTIONS:,}, got {steps!r:.80}; in real.")
        if high <= low or (log and low <= 0):
            wanted = "0 < low < high with log" if log else "low < high"
            raise SpaceError(f"low and high must be {wanted}, got {low} and {high}; in real.")
        self.low, self.high, self.log, self.steps = float(low), float(high), log, steps
        ratio = self.high / self.low if log else 0.0
        if not math.isfinite(ratio):
            raise SpaceError(f"high must be at most 1e300 times low, got {low} and {high}; in real.")
        shares = [step / (steps - 1) for step in range(1, steps - 1)]
        inner = [self.low * ratio**share if log else self.low + (self.high - self.low) * share for share in shares]
        # Six digits tell them apart for people, and are the same on every machine.
        options = (self.low, *(float(f"{value:.6g}") for value in inner), self.high)
        if any(after <= before for before, after in pairwise(options)):
            raise SpaceError(
                f"low and high must be so far apart that {steps} steps differ in six digits, got {low} and {high}; "
                "in real. Take fewer steps"
            )
        super().__init__(options, when)

    def _arguments(self) -> list[str]:
        extra = [*(["log=True"] if self.log else []), *([f"steps={self.steps}"] if self.steps != 16 else [])]
        return [repr(self.low), repr(self.high), *extra]

    def _body(self) -> Any:
        extra = {**({"log": True} if self.log else {}), **({"steps": self.steps} if self.steps != 16 else {})}
        return {"low": self.low, "high": self.high, **extra}


_FIELDS = {"integer": ({"low", "high"}, {"step"}), "real": ({"low", "high"}, {"log", "steps"})}


def open_from_json(value: Mapping[str, Any], where: str) -> Open:
    """Reads what `Open.to_json` wrote.

    Args:
        value: an object with one of the keys choice, integer, real, and perhaps when.
        where: its JSON pointer.

    Raises:
        SpaceError: with the pointer of the place.
    """
    kinds = [key for key in value if key != "when"]
    if len(kinds) != 1 or kinds[0] not in ("choice", "integer", "real"):
        raise SpaceError(
            f"{where}: an open value must have one key of choice, integer, real, and may have when, got "
            f"{list(value)!r:.120}"
        )
    kind, body, when = kinds[0], value[kinds[0]], value.get("when", {})
    if not isinstance(when, dict) or not all(isinstance(rule, list) for rule in when.values()):
        raise SpaceError(f"{where}/when must be an object of lists of options by decision name, got {when!r:.120}")
    try:
        if kind == "choice":
            if not isinstance(body, list):
                raise SpaceError(f"choice must be a list of options, got {body!r:.80}")
            return Choice(*body, when=when)
        needed, extra = _FIELDS[kind]
        if not isinstance(body, dict) or not needed <= set(body) <= needed | extra:
            keys = list(body) if isinstance(body, dict) else body
            raise SpaceError(
                f"{kind} must have low and high, and may have {', '.join(sorted(extra))}, got {keys!r:.120}"
            )
        return Integer(**body, when=when) if kind == "integer" else Real(**body, when=when)
    except SpaceError as cause:
        raise SpaceError(f"{pointer(where, kind)}: {cause}") from None


def _key(option: Option) -> tuple[bool, Option]:
    """Tells `True` from 1, which are equal to Python."""
    return isinstance(option, bool), option


def _condition(name: Any, options: Any) -> Condition:
    if not isinstance(name, str) or not 0 < len(name) <= 400:
        raise SpaceError(f"when must name a decision, got {name!r:.80}")
    if isinstance(options, str) or not isinstance(options, Sequence) or not 1 <= len(options) <= MAX_OPTIONS:
        raise SpaceError(f"when must give a list of options, got {options!r:.80}; for decision {name!r:.80}")
    if not all(isinstance(option, Option) for option in options):
        raise SpaceError(f"when must give options, got {list(options)!r:.80}; for decision {name!r:.80}")
    return Condition(name, tuple(options))
