import math
import random
from collections import OrderedDict
from enum import IntEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbnas import jsonio
from nbnas.errors import StoreError
from nbnas.store.codec import array_names, decode, encode

SCALARS = st.none() | st.booleans() | st.integers(-(2**199), 2**199) | st.floats() | st.text(st.characters())
KEYS = st.text(max_size=4) | st.integers(-3, 300) | st.booleans() | st.none() | st.sampled_from(["$tensor", "$map", ""])
STATES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS | st.tuples(KEYS, KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


def same(a, b) -> bool:
    """Equal in value, type and order, nan included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return a == b


def again(state):
    text, arrays = encode(state)
    assert text.isascii()
    return decode(text, arrays, "test")


@given(STATES)
def test_every_plain_state_comes_back(state) -> None:
    assert same(again({"state": state}), {"state": state})


@pytest.mark.parametrize(
    "state",
    [
        {0: {"step": 1}, 10: {}, 2: []},
        {"0": 1, 0: 2, False + 3: 3},
        {"b": 1, "a": 2},
        {"$tensor": "x"},
        {"$map": [[1, 2]]},
        {(1, "a", (None,)): (0.9, 0.999)},
        [math.inf, -math.inf, math.nan, -0.0, 1e-323, True, 1, 1.0],
        random.Random(3).getstate(),
        np.random.default_rng(5).bit_generator.state,
        np.random.RandomState(5).get_state(legacy=False),
        {"lone": "\ud800 \0 \u2028 é"},
    ],
)
def test_what_json_lacks_comes_back(state) -> None:
    assert same(again(state), state)
    assert not same(again(state), [state])  # the comparison can fail


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i8", "u8", "f2", "f4", "f8", "c8"])
def test_arrays_come_back_bit_by_bit(dtype: str) -> None:
    raw = np.random.default_rng(0).integers(0, 2, 240, dtype="u1")
    array = (raw if dtype == "?" else raw * 255).view(dtype)[: 8 * (30 // np.dtype(dtype).itemsize)]
    state = {
        "a": array,
        "0": array[3],
        "none": array[:0],
        "t": array[:4].reshape(2, 2).T,
        "0-dim": array[0].reshape(()),
    }
    back = again(state)
    assert same(back, {**state, "t": np.ascontiguousarray(state["t"])})


def test_names_of_arrays_are_paths_and_never_collide() -> None:
    state = {"a": {"b": np.arange(2), 1: np.ones(1), "1": np.zeros(1)}, "a.b": np.arange(3), "__metadata__": np.ones(2)}
    text, arrays = encode(state)
    assert "a.b" in arrays
    assert "__metadata__" not in arrays
    assert len(arrays) == 5
    assert array_names(text, "test") == (set(arrays), False)
    assert same(decode(text, arrays, "test"), state)


def test_one_array_at_two_places_is_one_again() -> None:
    shared = np.arange(3)
    text, arrays = encode({"a": shared, "b": [shared]})
    assert len(arrays) == 1
    back = decode(text, arrays, "test")
    assert back["a"] is back["b"][0]


def test_a_mapping_comes_back_as_a_dict_in_its_order() -> None:
    assert same(again(OrderedDict(b=1, a=2)), {"b": 1, "a": 2})


class Colour(IntEnum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "builtins.object; /a/0"),
        ({1, 2}, "builtins.set"),
        (b"x", "builtins.bytes"),
        (Colour.RED, "Colour"),
        (lambda: 0, "function"),
        ({frozenset(): 1}, "keys must be"),
        (10**80, "at most 200 bits"),
        (np.array(["a"]), "numbers or bools, got <U1"),
        (np.array([None]), "numbers or bools, got object"),
        (np.ma.masked_array([1], [True]), "MaskedArray"),
        ("x" * 4_000_001, "at most 4,000,000 characters"),
    ],
    ids=["object", "set", "bytes", "enum", "function", "key", "huge", "texts", "objects", "masked", "long"],
)
def test_anything_else_is_refused_with_its_place(value, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        encode({"a": [value]})


@pytest.mark.parametrize(
    "wrap",
    [lambda x: [x], lambda x: (x,), lambda x: {"a": x}, lambda x: {1: x}],
    ids=["list", "tuple", "object", "map"],
)
@pytest.mark.parametrize("leaf", [1, math.inf, [], (), {}, {0: 0}, np.ones(1)], ids=repr)
def test_what_is_written_can_be_read(wrap, leaf) -> None:
    """The limit on depth holds for writing exactly where it holds for reading."""
    state = leaf
    for depth in range(40):
        try:
            text, arrays = encode(state)
        except StoreError as refused:
            assert "deep" in str(refused)
            assert depth > jsonio.MAX_DEPTH // 3 - 2
            return
        assert same(decode(text, arrays, "test"), state)
        state = wrap(state)
    pytest.fail("never refused")


def test_a_cycle_is_refused() -> None:
    cycle: list = []
    cycle.append(cycle)
    with pytest.raises(StoreError, match="deep"):
        encode(cycle)


@pytest.mark.parametrize(
    "text",
    [
        '{"$pickle":"x"}', '{"$tensor":"absent"}', '{"$tensor":[1]}', '{"$map":[[1]]}', '{"$map":[[[1],2]]}',
        '{"$map":3}',
        '{"$float":"1e999"}', '{"$tuple":null}', '{"$tuple":[],"x":1}', "{", "[1e999]", "[" * 40 + "]" * 40,
    ],
)  # fmt: skip
def test_a_text_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(StoreError):
        decode(text, {}, "test")
