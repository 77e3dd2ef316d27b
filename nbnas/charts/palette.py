"""Colours that everyone can tell apart, on a white and on a dark page alike.

The hues are those of Okabe and Ito (Color Universal Design, 2008). Three of them are darkened: as published, orange,
sky blue and yellow have a contrast below 3 : 1 on white. Every colour here has at least 3 : 1 on white and on #111111,
so one drawing serves both themes. Colour is never the only sign: whoever uses it writes the name too.
"""

from __future__ import annotations

from types import MappingProxyType
from zlib import crc32

__all__ = ["CATEGORICAL", "NEUTRAL", "OPERATIONS", "operation_colour", "sequential"]

BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#c772a4"
ORANGE, SKY, YELLOW = "#b88000", "#3597cc", "#8f8600"
NEUTRAL = "#808080"

CATEGORICAL = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, YELLOW)

OPERATIONS = MappingProxyType(
    {
        "none": NEUTRAL,
        "skip": NEUTRAL,
        "skip_connect": NEUTRAL,
        "identity": NEUTRAL,
        "max_pool_3x3": ORANGE,
        "avg_pool_3x3": YELLOW,
        "conv_1x1": PURPLE,
        "conv_3x3": VERMILLION,
        "sep_conv_3x3": BLUE,
        "sep_conv_5x5": SKY,
        "dil_conv_3x3": GREEN,
        "dil_conv_5x5": PURPLE,
        "sep_conv_7x7": PURPLE,
        "conv_3x1_1x3": VERMILLION,
        "conv_7x1_1x7": VERMILLION,
        "max_pool_5x5": ORANGE,
        "max_pool_7x7": ORANGE,
    }
)


def operation_colour(operation: str) -> str:
    """The colour of an operation: the same in every drawing, also for operations that users register.

    What follows a space (`conv_3x3 64`) says how, not what, and does not count.
    """
    name = operation.partition(" ")[0]
    # crc32, because `hash` of a text differs from process to process.
    return OPERATIONS.get(name) or CATEGORICAL[crc32(name.encode(errors="replace")) % len(CATEGORICAL)]


def sequential(fraction: float) -> str:
    """A colour for a value in [0, 1], from grey (0) to vermillion (1): the chroma grows, the lightness stays."""
    low, high = (tuple(bytes.fromhex(colour[1:])) for colour in (NEUTRAL, VERMILLION))
    share = min(max(fraction, 0.0), 1.0)
    mixed = (round(a + share * (b - a)) for a, b in zip(low, high, strict=True))
    return "#" + bytes(mixed).hex()
