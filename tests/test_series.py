"""A series stays small, keeps its peaks, and says when it was thinned."""

from __future__ import annotations

import math
import random

import pytest

from nbnas.series import MAX_POINTS, Series


def filled(values):
    series = Series()
    for place, value in enumerate(values):
        series.append(place, value)
    return series


def test_up_to_1_999_points_nothing_is_lost():
    values = [math.sin(place) for place in range(MAX_POINTS - 1)]
    series = filled(values)
    assert series.y == values
    assert series.x == list(range(MAX_POINTS - 1))
    assert (series.generation, series.stride) == (0, 1)


@pytest.mark.parametrize("count", [2_000, 2_001, 4_003, 50_000, 123_457])
def test_it_stays_within_2_000_points_and_keeps_extremes(count):
    """A peak of one point anywhere survives; so do the first and the last point."""
    peaks = {count // 7: 1000.0, count // 2: -1000.0, count - 3: 500.0}
    series = filled(peaks.get(place, math.sin(place / 50)) for place in range(count))
    x, y = series.points()
    assert len(series.x) <= MAX_POINTS
    assert len(x) <= MAX_POINTS + series.stride
    assert x == sorted(set(x))
    found = dict(zip(x, y, strict=True))
    for place, value in peaks.items():
        assert found[place] == value
    assert all(value == peaks.get(place, math.sin(place / 50)) for place, value in found.items())  # none is invented
    assert series.last == (count - 1, peaks.get(count - 1, math.sin((count - 1) / 50)))
    assert len(series.x) >= MAX_POINTS // 4  # thinned, not emptied


@pytest.mark.parametrize("seed", range(3))
def test_within_a_generation_points_are_only_appended(seed):
    """What a live chart relies on: it sends the new points alone while the generation stays."""
    series, shown, generation, rng = Series(), ([], []), 0, random.Random(seed)
    for place in range(9_000):
        series.append(place, rng.random())
        if series.generation == generation:
            assert series.x[: len(shown[0])] == shown[0]
            assert series.y[: len(shown[1])] == shown[1]
        if place % 97 == 0 or series.generation != generation:
            shown, generation = ([*series.x], [*series.y]), series.generation
    assert generation == 3


def test_generations_count_the_thinnings():
    series, seen = Series(), []
    for place in range(40_000):
        before = series.generation
        series.append(place, float(place))
        if series.generation != before:
            seen.append((series.generation, series.stride, len(series)))
    assert [generation for generation, _, _ in seen] == list(range(1, len(seen) + 1))
    assert [stride for _, stride, _ in seen] == [4, 8, 16, 32, 64]
    assert all(length == MAX_POINTS // 2 for _, _, length in seen)


def test_a_constant_series_is_thin_and_right():
    series = filled([1.0] * 30_000)
    assert set(series.y) == {1.0}
    assert len(series) <= MAX_POINTS
    assert series.last == (29_999, 1.0)


def test_the_newest_point_is_known_at_every_moment():
    """Also where its bucket was merged just now and it was neither the smallest nor the largest."""
    series = Series()
    for place in range(9_000):
        value = (0.5, 0.0, 1.0, 0.25)[place % 4]
        series.append(place, value)
        assert series.last == (place, value)


def test_an_empty_series():
    assert (len(Series()), Series().last, Series().points()) == (0, None, ([], []))
