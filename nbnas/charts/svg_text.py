"""Texts and frames of static charts."""

from __future__ import annotations

import re
from html import escape, unescape
from typing import NamedTuple

__all__ = ["CHARACTER", "Frame", "markup", "text"]

CHARACTER = 6.1  # mean width at 11 px, in px

# What XML 1.0 cannot hold.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Frame(NamedTuple):
    """The inside of the axes, in pixels."""

    left: float
    top: float
    right: float
    bottom: float


def text(value: str, limit: int = 200) -> str:
    """Text of people as XML text."""
    value = _FORBIDDEN.sub("\ufffd", value)
    return escape(value if len(value) <= limit else value[: limit - 1] + "…")


def markup(value: str, limit: int = 200) -> str:
    """Text in plotly's markup as XML text: its entities are decoded first."""
    return text(unescape(value), limit)
