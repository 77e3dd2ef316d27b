"""Open values: choices, whole numbers and grids of real numbers, with conditions, in Python and in files."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas import jsonio
from nbnas.errors import SpaceError
from nbnas.spaces import Choice, Head, Integer, Real, Stem
from nbnas.spaces.open import open_from_json
from tests.fixtures.trees import any_open


@settings(deadline=None)
@given(any_open, st.dictionaries(st.text("ab/_", min_size=1, max_size=5), st.just([1, "x"]), max_size=2))
def test_json_round_trip(value, when):
    value = type(value)(*value.options, when=when) if isinstance(value, Choice) else value
    again = open_from_json(jsonio.loads(jsonio.dumps(value.to_json()), "test"), "")
    assert again == value
    assert hash(again) == hash(value)
    assert (again.options, again.when, again.ordered) == (value.options, value.when, value.ordered)


@settings(deadline=None)
@given(any_open)
def test_repr_is_the_python_that_makes_it(value):
    assert eval(repr(value), {"Choice": Choice, "Integer": Integer, "Real": Real}) == value


def test_values_that_differ_only_in_type_are_different():
    assert Choice(True) != Choice(1) != Choice(1.0)
    assert Choice(1, True).options == (1, True)
    assert Integer(1, 3) != Choice(1, 2, 3)


@given(st.integers(-50, 50), st.integers(0, 60), st.integers(1, 9))
def test_a_range_has_both_ends_and_its_step(low, more, step):
    options = Integer(low, low + more, step).options
    assert options[0] == low
    assert low + more - step < options[-1] <= low + more
    assert all(after - before == step for before, after in pairwise(options))


@given(st.floats(1e-9, 1e3), st.floats(1.5, 1e9), st.integers(3, 60))
def test_a_logarithmic_grid_has_equal_ratios(low, ratio, steps):
    """(high / low)^(1 / (steps - 1)), but for the six digits of each value."""
    grid = Real(low, low * ratio, log=True, steps=steps)
    assert len(grid.options) == steps
    assert (grid.options[0], grid.options[-1]) == (low, low * ratio)
    wanted = math.log(ratio) / (steps - 1)
    assert all(math.log(after / before) == pytest.approx(wanted, abs=3e-5) for before, after in pairwise(grid.options))


def test_a_linear_grid():
    assert Real(0, 1, steps=5).options == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert Real(1e-4, 1e-1, log=True, steps=4).options == (1e-4, 1e-3, 1e-2, 1e-1)
    assert len(Real(0, 1).options) == 16


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Choice(), "options must be 1..1,000 values, got 0; in choice"),
        (lambda: Choice(*range(1001)), "options must be 1..1,000 values, got 1,001"),
        (lambda: Choice(1, None), "option 1 must be a text, a boolean or a finite number, got None"),
        (lambda: Choice([3]), r"option 0 must be .* got \[3\]"),
        (lambda: Choice(math.nan), "option 0 must be .* finite number, got nan"),
        (lambda: Choice(1, 1.0), "options must occur once each"),
        (lambda: Integer(True, 3), "low must be a whole number, got True"),
        (lambda: Integer(1, 3.0), "high must be a whole number, got 3.0"),
        (lambda: Integer(3, 1), r"low..high must be a range and step >= 1, got 3..1 by 1"),
        (lambda: Integer(1, 3, 0), "step >= 1, got 1..3 by 0"),
        (lambda: Integer(0, 10**30), "at most 1,000 steps, got 1,0.*Use a larger step"),
        (lambda: Real(0, 1, log=True), "0 < low < high with log, got 0 and 1"),
        (lambda: Real(1, 1), "low < high, got 1 and 1"),
        (lambda: Real(0, math.inf), "high must be a finite number, got inf"),
        (lambda: Real(0, 10**400), "high must be a finite number"),
        (lambda: Real(0, 1, log=1), "log must be true or false, got 1"),
        (lambda: Real(0, 1, steps=1), "steps must be a whole number in 2..1,000, got 1"),
        (lambda: Real(1.0, 1.0000001), "so far apart that 16 steps differ in six digits"),
        (lambda: Real(1e-200, 1e299, log=True), "high must be at most 1e300 times low"),
        (lambda: Choice(1, when={"": [1]}), "when must name a decision, got ''"),
        (lambda: Choice(1, when={"a": "yes"}), "when must give a list of options, got 'yes'; for decision 'a'"),
        (lambda: Choice(1, when={"a": []}), r"when must give a list of options, got \[\]"),
        (lambda: Choice(1, when={"a": [None]}), r"when must give options, got \[None\]"),
    ],
)  # fmt: skip
def test_open_values_that_cannot_be(make, said):
    with pytest.raises(SpaceError, match=said):
        make()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "/x: an open value must have one key of choice, integer, real"),
        ({"when": {}}, "/x: an open value must have one key"),
        ({"choice": [1], "integer": {}}, "/x: an open value must have one key"),
        ({"pick": [1]}, "/x: an open value must have one key"),
        ({"choice": 3}, "/x/choice: choice must be a list of options, got 3"),
        ({"choice": [{}]}, "/x/choice: option 0 must be a text"),
        ({"choice": []}, "/x/choice: options must be 1..1,000 values, got 0"),
        ({"integer": [1, 3]}, r"/x/integer: integer must have low and high, and may have step, got \[1, 3\]"),
        ({"integer": {"low": 1}}, r"/x/integer: integer must have low and high.*got \['low'\]"),
        ({"integer": {"low": 1, "high": 2, "by": 1}}, "/x/integer: integer must have low and high"),
        ({"real": {"low": 0, "high": "1"}}, "/x/real: high must be a finite number, got '1'"),
        ({"choice": [1], "when": []}, r"/x/when must be an object of lists of options by decision name, got \[\]"),
        ({"choice": [1], "when": {"a": 1}}, "/x/when must be an object of lists"),
    ],
    ids=str,
)
def test_json_that_is_no_open_value(value, said):
    with pytest.raises(SpaceError, match=said):
        open_from_json(value, "/x")


def test_options_take_the_type_of_their_field():
    assert repr(Head(dropout=Choice(0, 0.5)).dropout) == "Choice(0.0, 0.5)"
    assert repr(Head(dropout=Choice(np.float64(0.5))).dropout) == "Choice(0.5)"
    stem = Stem(kernel=Choice(3, 5, when={"channels": [8]}), channels=Choice(8, 16))
    assert stem.kernel.when[0].options == (8,)


@pytest.mark.parametrize(
    ("make", "field", "said"),
    [
        (lambda: Stem(kernel=Choice(3, 40)), "kernel/choice/1", "kernel must be >= 1 and <= 31, got 40"),
        (lambda: Stem(kernel=Choice("3")), "kernel/choice/0", "kernel must be a whole number, got '3'"),
        (lambda: Stem(kernel=Choice(True)), "kernel/choice/0", "kernel must be a whole number, got True"),
        (lambda: Stem(kernel=Integer(1, 33, 2)), "kernel", "got 33"),
        (lambda: Stem(kernel=Integer(1, 4)), "kernel", "kernel must be odd"),
        (lambda: Stem(kernel=Real(1, 3)), "kernel", "kernel must be a whole number, got 1.0"),
        (lambda: Stem(activation=Choice("relu", "magic")), "activation/choice/1", "one of none, relu"),
        (lambda: Head(dropout=Real(0, 1)), "dropout", "dropout must be >= 0 and < 1, got 1.0"),
        (lambda: Stem(name=Choice("a")), "name", "name must be 1..40 small letters"),
    ],
)  # fmt: skip
def test_options_must_be_values_of_their_field(make, field, said):
    with pytest.raises(SpaceError, match=said) as caught:
        make()
    assert caught.value.field == field
