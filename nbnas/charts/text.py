"""Text of users is data: plotly reads markup, entities, templates and TeX in every text, so all of it is escaped."""

from __future__ import annotations

import re

__all__ = ["plain"]

# What plotly interprets: tags and entities (`<b>`, `&lt;`), templates (`%{x}`), TeX (`$x$`). It decodes entities last,
# after it has looked for tags, templates and TeX.
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "{": "&#123;", "$": "&#36;"})

# Control characters, and the marks that turn the direction of the text after them; joiners within words stay.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")


def plain(text: str, limit: int = 80) -> str:
    """The text so that plotly shows it literally, on one line, cut to `limit` characters.

    To be used once, on names, titles, tick labels and hover texts. The result is markup: what needs the text itself,
    such as an accessible name, takes the original.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    shown = _INVISIBLE.sub(" ", text).strip()
    if len(shown) > limit:
        shown = shown[: limit - 1].rstrip() + "…"
    return shown.translate(_ESCAPES)
