"""Text of users reaches plotly as text."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbnas.charts.text import plain


@pytest.mark.parametrize(
    "text", ["<img src=x onerror=alert(1)>", "<b>x</b>", "&amp;", "a<br>b", "%{y:.2f}", "$x^2$", '<a href="x">y</a>']
)
def test_hostile_text_is_literal(text: str):
    shown = plain(text)
    assert not re.search(r"[<>{$]", shown)
    assert html.unescape(shown) == text


def test_ordinary_text_stays():
    assert plain("sep_conv_3x3 · Größe 中文 👩‍🔬") == "sep_conv_3x3 · Größe 中文 👩‍🔬"


def test_one_line_without_marks_that_turn_text():
    assert plain("a\nb\tc") == "a b c"
    assert "\u202e" not in plain("safe\u202egnp.exe")


def test_cut_before_it_is_escaped():
    assert plain("<" * 100, 3) == "&lt;&lt;…"
    with pytest.raises(ValueError, match="limit must be at least 1, got 0"):
        plain("x", 0)


@given(st.text(max_size=200), st.integers(1, 90))
def test_never_markup_and_never_longer(text: str, limit: int):
    shown = plain(text, limit)
    assert not re.search(r"[<>{$]|&(?!amp;|lt;|gt;|#123;|#36;)", shown)
    assert len(html.unescape(shown)) <= limit
