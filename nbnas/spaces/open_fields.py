"""Opening and closing the fields of a component, as JSON: a value, a choice, a range of whole or real numbers."""

from __future__ import annotations

from typing import Any, Literal

from nbnas.errors import SpaceError
from nbnas.settings import FieldInfo
from nbnas.spaces.open import open_from_json

__all__ = ["Mode", "in_mode", "mode_of", "modes"]

Mode = Literal["fixed", "choice", "integer", "real"]

_MOST = 16  # options of a range that a choice takes over


def modes(info: FieldInfo) -> tuple[Mode, ...]:
    """What a field may hold."""
    if not info.open:
        return ("fixed",)
    ranges: dict[type, tuple[Mode, ...]] = {int: ("integer",), float: ("real",)}
    return ("fixed", "choice", *(ranges.get(info.type, ()) if info.options is None else ()))


def mode_of(info: FieldInfo, value: Any) -> Mode:
    """What a field holds now."""
    if info.open and isinstance(value, dict):
        return next((mode for mode in ("choice", "integer", "real") if mode in value), "fixed")
    return "fixed"


def in_mode(info: FieldInfo, value: Any, mode: Mode) -> Any:
    """The value of a field turned into another mode, as near to what it was as can be; conditions are kept."""
    if mode == "fixed" and value is None and info.optional:
        return None
    options = _options(info, value)
    if mode == "fixed":
        return info.default if info.default in options else options[0]
    made: dict[str, Any]
    if mode == "choice":
        made = {"choice": options if len(options) > 1 else _alternatives(info, options[0])}
    elif mode == "integer":
        made = {"integer": _whole(info, options)}
    else:
        made = {"real": _real(info, options)}
    return made | ({"when": value["when"]} if isinstance(value, dict) and "when" in value else {})


def _options(info: FieldInfo, value: Any) -> list[Any]:
    """The options of an open value, or the value itself; the default where that is none."""
    if not isinstance(value, dict):
        return [value if _proper(info, value) else _start(info)]
    try:
        options = [option for option in open_from_json(value, "").options if _proper(info, option)]
    except SpaceError:
        options = []
    return options[:: -(-len(options) // _MOST) or 1] or [_start(info)]


def _start(info: FieldInfo) -> Any:
    """The default, or a plain value where that is none."""
    if info.default is not None:
        return info.default
    if info.options is not None:
        return info.options[0]
    limits = info.limits
    most = limits.get("maximum", limits.get("below", 1.0))
    return info.type(max(limits.get("minimum", 0), min(0.1 if info.type is float else 1, most / 2)))


def _proper(info: FieldInfo, value: Any) -> bool:
    if info.type in (int, float):
        return isinstance(value, int if info.type is int else (int, float)) and not isinstance(value, bool)
    return isinstance(value, info.type)


def _alternatives(info: FieldInfo, value: Any) -> list[Any]:
    if info.options is not None:
        return list(info.options)
    if info.type is bool:
        return [False, True]
    if info.type is int:
        ends = _whole(info, [value])
        return [*range(ends["low"], ends["high"] + 1, ends["step"])]
    if info.type is float:
        ends = _real(info, [value])
        return sorted({ends["low"], float(value), ends["high"]})
    return [value]


def _whole(info: FieldInfo, options: list[int]) -> dict[str, Any]:
    """Around one value: odd ones two up and down, even ones half to double."""
    low, high, step = min(options), max(options), 1
    steps = {after - before for before, after in zip(sorted(options), sorted(options)[1:], strict=False)}
    if len(steps) == 1:
        step = steps.pop()
    elif low == high:
        step = 2 if low % 2 else max(1, abs(low) // 2)
        low, high = (low - 2, high + 2) if low % 2 else (low - step, high + 2 * step)
    least, most = int(info.limits.get("minimum", low)), int(info.limits.get("maximum", high))
    low += step * -(-max(0, least - low) // step)
    high -= step * -(-max(0, high - most) // step)
    return {"low": low, "high": max(low, high), "step": step}


def _real(info: FieldInfo, options: list[float]) -> dict[str, Any]:
    """Around one value: a tenth to tenfold by ratio, or within the limits of a share."""
    low, high = float(min(options)), float(max(options))
    limits = info.limits
    top = limits.get("maximum", limits.get("below"))
    if low < high:
        return {"low": low, "high": high}
    if top is None or top > 1:
        if low > 0:
            return {"low": low / 10, "high": min(high * 10, high * 10 if top is None else top), "log": True}
        return {"low": low, "high": low + 1.0}
    return {"low": min(low, float(limits.get("minimum", low))), "high": max(high, top / 2)}
