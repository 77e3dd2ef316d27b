"""Values of settings as texts of a form, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbnas.errors import NbnasError
from nbnas.settings import FieldInfo, Settings, field_infos

__all__ = ["parse", "shown", "validated"]


def shown(info: FieldInfo, value: Any) -> str:
    """The value as the text of an input."""
    if value is None:
        return ""
    return ", ".join(map(str, value)) if info.type is tuple else str(value)


def parse(info: FieldInfo, text: str) -> Any:
    """What a text means; one that means nothing is returned as it is, for the settings to refuse."""
    if info.optional and not text.strip():
        return None
    if info.type is tuple:
        parts = [part.strip() for part in text.split(",")]
        assert info.item is not None
        return tuple(_scalar(info.item, part) for part in parts if part)
    return _scalar(info.type, text)


def validated(cls: type[Settings], values: Mapping[str, Any]) -> tuple[Settings | None, dict[str, str]]:
    """The instance for these values, or `None` with the reason by field; the reason of no field is under `""`.

    Every wrong field is named: once a field is refused, its default stands in for it and the others are looked at.
    """
    names = [info.name for info in field_infos(cls)]
    defaults = {info.name: info.default for info in field_infos(cls)}
    reasons: dict[str, str] = {}
    tried = dict(values)
    for _ in range(len(names) + 1):
        try:
            instance = cls(**tried)
        except NbnasError as error:
            name = getattr(error, "field", None) or str(error).split(" ", 1)[0]
            if name not in names or name in reasons:
                reasons.setdefault(name if name in names else "", str(error))
                break
            reasons[name] = str(error)
            tried[name] = defaults[name]
        else:
            return (None if reasons else instance), reasons
    return None, reasons


def _scalar(kind: type, text: str) -> Any:
    try:
        return kind(text.strip()) if kind in (int, float) else text
    except ValueError:
        return text
