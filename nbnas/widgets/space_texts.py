"""What the space editor says in words and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from statistics import median

from nbnas.spaces import Architecture, SearchSpace
from nbnas.widgets.page import escape

__all__ = ["MOST_NEIGHBOURS", "change", "compact", "counted", "neighbours", "spread", "tile"]

MOST_NEIGHBOURS = 200
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def counted(size: int) -> str:
    """A number of architectures: 15,625, or 1.1 × 10¹⁸."""
    if size < 10**9:
        return f"{size:,}"
    power = len(str(size)) - 1
    lead = f"{size // 10 ** (power - 2) / 100:.2g}"
    return f"{lead} × 10{str(power).translate(_SUPERSCRIPTS)}"


def compact(value: float) -> str:
    """A cost in three digits: 950, 73.3 k, 1.21 M."""
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            scaled = value / size
            return f"{scaled:.{max(0, 3 - len(str(int(scaled))))}f} {unit}"
    return f"{value:,.0f}"


def spread(values: Sequence[float]) -> str:
    """Least, median and most."""
    low, high = min(values), max(values)
    return compact(low) if low == high else f"{compact(low)} – {compact(median(values))} – {compact(high)}"


def tile(value: str, words: str, note: str = "") -> str:
    """A number with its meaning below; texts are escaped here."""
    title = f' title="{escape(note)}"' if note else ""
    return f'<div class="nbnas-tile"{title}><b>{escape(value)}</b><span>{escape(words)}</span></div>'


def change(space: SearchSpace, before: Architecture, after: Architecture) -> str:
    """How one architecture differs from another one: `0→1: conv_3x3 → skip`."""
    words = []
    for decision, old, new in zip(space.decisions, before.choices, after.choices, strict=True):
        if old == new:
            continue
        path = decision.name.rpartition("/")[0].replace("/", " ")
        said = [f"{decision.options[place]}" if place is not None else "–" for place in (old, new)]
        words.append(f"{f'{path} {decision.label or decision.name}'.strip()}: {said[0]} → {said[1]}")
    more = f"  (+{len(words) - 1} that follow)" if len(words) > 1 else ""
    return f"{words[0]}{more}" if words else "no change"


def neighbours(space: SearchSpace, architecture: Architecture) -> list[tuple[str, Architecture]]:
    """What a mutation can make of an architecture, with what changes; at most 200."""
    return [
        (change(space, architecture, other), other) for other in islice(space.neighbours(architecture), MOST_NEIGHBOURS)
    ]
