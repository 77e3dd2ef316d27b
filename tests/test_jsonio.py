"""JSON from outside: closed, finite, bounded."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas import jsonio
from nbnas.errors import NbnasError, SpaceError, SpecError

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**60), 10**60) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(plain)
def test_round_trip_and_one_text_per_value(value):
    text = jsonio.dumps(value)
    assert jsonio.loads(text, "test") == value
    assert jsonio.loads(text.encode(), "test") == value
    assert jsonio.dumps(jsonio.loads(text, "test")) == text


def test_keys_are_sorted_so_that_digests_hold():
    assert jsonio.dumps({"b": 1, "a": {"d": 2, "c": 3}}) == '{"a":{"c":3,"d":2},"b":1}'


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_written(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        jsonio.dumps({"a": [value]})


@settings(deadline=None, max_examples=300)
@given(plain, st.randoms(use_true_random=False))
def test_any_damage_is_an_error_of_ours_or_another_value(value, rng: random.Random):
    """No parser error of another class, no crash, whatever the bytes."""
    raw = bytearray(jsonio.dumps(value).encode())
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(raw) + 1)
        raw[place : place + rng.randint(0, 2)] = bytes(rng.randrange(256) for _ in range(rng.randint(0, 2)))
    refused = None
    try:
        found = jsonio.loads(bytes(raw), "damaged.json")
    except NbnasError as cause:
        refused = cause
    if refused is not None:
        assert isinstance(refused, SpecError)
        assert str(refused).startswith("damaged.json: ")
    else:
        assert jsonio.loads(jsonio.dumps(found).encode("utf-8", "backslashreplace"), "again") == found


def test_the_limits_are_exact():
    deepest = "[" * jsonio.MAX_DEPTH + "]" * jsonio.MAX_DEPTH
    assert jsonio.loads(deepest, "test") == json.loads(deepest)
    with pytest.raises(SpecError, match="at most 32 deep, got 33"):
        jsonio.loads(f"[{deepest}]", "test")
    longest = json.dumps("x" * (jsonio.MAX_BYTES - 2))
    assert len(jsonio.loads(longest, "test")) == jsonio.MAX_BYTES - 2
    with pytest.raises(SpecError, match="at most 4,000,000 characters"):
        jsonio.loads(longest + " ", "test")
    assert jsonio.loads("9" * 64, "test") == int("9" * 64)
    with pytest.raises(SpecError, match="at most 64 digits, got 65"):
        jsonio.loads("9" * 65, "test")


def test_brackets_within_texts_are_not_deep():
    assert jsonio.loads(json.dumps("[" * 100 + '"\\{'), "test") == "[" * 100 + '"\\{'
    assert jsonio.loads(json.dumps({"[" * 100: '\\"' + "{" * 100}), "test") == {"[" * 100: '\\"' + "{" * 100}


def test_the_class_of_the_error_is_the_callers():
    with pytest.raises(SpaceError, match=r"^here: must be JSON; line 2, column 1"):
        jsonio.loads("\n}", "here", error=SpaceError)


def test_pointers_escape_as_rfc_6901_says():
    assert jsonio.pointer(jsonio.pointer("", "a/b"), "m~n") == "/a~1b/m~0n"
    assert jsonio.pointer("/list", 3) == "/list/3"
