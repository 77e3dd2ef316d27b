"""Limits on what an architecture may cost: they cut the space, for every way to move in it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nbnas as nb
from nbnas.errors import SpaceError
from nbnas.networks.measure import Inputs, cost
from nbnas.spaces import Choice, Head, Limit, Network, SearchSpace, Stem

WIDTHS = (2, 4, 8, 16)


def parameters_of(first, second):
    """Two 3×3 convolutions without bias, each with a normalisation of 2 numbers a channel; a classifier."""
    return 27 * first + 2 * first + 9 * first * second + 2 * second + (second + 1) * 10


def space_of(*limits):
    stems = [Stem(Choice(*WIDTHS), name="one"), Stem(Choice(*WIDTHS), name="two")]
    return SearchSpace("limited", Network((*stems, Head())), limits=limits)


FREE = space_of()
LIMITED = space_of(Limit(maximum=800))
KEPT = {(a, b) for a in WIDTHS for b in WIDTHS if parameters_of(a, b) <= 800}


def widths(space, architecture):
    return tuple(space.options(architecture).values())


def test_the_formula_of_this_file_is_what_is_measured():
    inputs = Inputs((3, 32, 32), 10)
    for architecture in FREE.enumerate():
        assert cost(FREE, architecture, inputs)[0] == parameters_of(*widths(FREE, architecture))


def test_enumeration_keeps_limits():
    assert [widths(LIMITED, one) for one in LIMITED.enumerate()] == sorted(KEPT)
    assert 0 < len(KEPT) < 16 == LIMITED.size  # the size does not consider limits, and says so
    assert repr(LIMITED) == "<SearchSpace limited: 2 decisions, at most 16 architectures>"


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_moves_keep_limits(seed):
    rng = np.random.default_rng(seed)
    one, other = LIMITED.sample(rng), LIMITED.sample(rng)
    for moved in (one, LIMITED.mutate(one, rng), LIMITED.crossover(one, other, rng)):
        assert widths(LIMITED, moved) in KEPT
        LIMITED.validate(moved)
    expected = {pair for pair in KEPT if sum(a != b for a, b in zip(pair, widths(LIMITED, one), strict=True)) == 1}
    assert {widths(LIMITED, near) for near in LIMITED.neighbours(one)} == expected


def test_every_architecture_within_the_limits_is_drawn():
    rng = np.random.default_rng(0)
    assert {widths(LIMITED, LIMITED.sample(rng)) for _ in range(300)} == KEPT


def test_what_breaks_a_limit_is_not_of_the_space():
    large = LIMITED.architecture(FREE.architecture("0-0").choices).choices
    assert large == (0, 0)
    with pytest.raises(SpaceError, match=r"parameters must be at most 800, got 2,970; architecture 3-3 of space"):
        LIMITED.architecture("3-3")
    assert parameters_of(16, 16) == 2970


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (Limit(maximum=1), "parameters must be at most 1, got"),
        (Limit(minimum=1e9), "parameters must be at least 1,000,000,000, got"),
        (Limit("flops", maximum=10), "flops must be at most 10, got"),
    ],
    ids=["too small", "too large", "flops"],
)
def test_limits_that_nothing_keeps(limit, said):
    space = space_of(limit)
    with pytest.raises(SpaceError, match=rf"within its limits, got none in 1,000 draws; the last one: {said}.*Loosen"):
        space.sample(np.random.default_rng(0))
    assert list(space.enumerate()) == []


def test_mutation_with_no_neighbour_within_the_limits_says_so():
    """Only the largest one is allowed."""
    low = parameters_of(16, 16)
    alone = space_of(Limit(minimum=low))
    only = alone.architecture("3-3")
    assert list(alone.neighbours(only)) == []
    with pytest.raises(SpaceError, match="a neighbour of 3-3 within its limits, got none in 1,000 draws"):
        alone.mutate(only, np.random.default_rng(0))
    assert alone.crossover(only, only, np.random.default_rng(0)) == only


def test_flops_are_two_a_multiply_add():
    macs, flops = space_of(Limit("macs", maximum=500_000)), space_of(Limit("flops", maximum=1_000_000))
    assert [one.choices for one in macs.enumerate()] == [one.choices for one in flops.enumerate()]
    assert 0 < len(list(macs.enumerate())) < 16


def test_costs_are_told_without_weights(monkeypatch):
    """On the device meta: no tensor with numbers is made, and the global generator is left alone."""
    made = []
    empty = torch.empty

    def watched(*shape, **keywords):
        made.append(empty(*shape, **keywords).device.type)
        return empty(*shape, **keywords)

    monkeypatch.setattr(torch, "empty", watched)
    state = torch.get_rng_state()
    space = SearchSpace("wide", Network((Stem(4096, name="a"), Stem(4096, 15, name="b"), Head())))
    parameters, macs = cost(space, space.architecture(""), Inputs((3, 32, 32), 10))
    assert parameters == 29 * 4096 + 4096**2 * 15**2 + 2 * 4096 + 4097 * 10  # 15 GB
    assert macs == (27 * 4096 + 4096**2 * 15**2) * 32**2 + 4097 * 10
    assert set(made) == {"meta"}
    assert torch.equal(torch.get_rng_state(), state)


def test_limits_are_written_read_and_part_of_the_identity(tmp_path):
    limits = Limit(maximum=800), Limit("macs", maximum=1e9, minimum=10, input_shape=(1, 8, 8), classes=3)
    space = space_of(*limits)
    space.save(tmp_path / "space.json")
    again = SearchSpace.load(tmp_path / "space.json")
    assert (again, again.limits) == (space, limits)
    assert len({FREE.digest, LIMITED.digest, space.digest}) == 3
    assert "limits" not in FREE.to_json()


@pytest.mark.parametrize(
    ("limit", "pointer", "said"),
    [
        ({}, "/limits/0/maximum", "maximum must be given, or minimum, got None"),
        ({"maximum": 1, "minimum": 2}, "/limits/0/minimum", r"minimum must be at most maximum \(1\), got 2.0"),
        ({"maximum": True}, "/limits/0/maximum", "maximum must be a number, got True"),
        ({"maximum": 10**400}, "/limits/0/maximum", "maximum must be a finite number"),
        ({"maximum": -1}, "/limits/0/maximum", "maximum must be >= 0, got -1"),
        ({"maximum": 1, "metric": "price"}, "/limits/0/metric", "one of parameters, flops, macs, got 'price'"),
        ({"maximum": 1, "input_shape": [3]}, "/limits/0/input_shape", r"3 numbers, since dims is 2, got \(3,\)"),
        ({"maximum": 1, "input_shape": [3, 0, 8]}, "/limits/0/input_shape", "input_shape must be >= 1"),
        ({"maximum": 1, "vocabulary": 9}, "/limits/0/vocabulary", "absent, since the space takes no tokens, got 9"),
        ({"maximum": 1, "cost": 9}, "/limits/0/cost", "'cost' is not a field of Limit"),
        (3, "/limits/0", "must be an object, got 3"),
    ],
    ids=str,
)
def test_limits_that_cannot_be(limit, pointer, said):
    value = json.loads(json.dumps(FREE.to_json())) | {"limits": [limit]}
    with pytest.raises(SpaceError, match=rf"^space.json: {pointer}.*{said}"):
        SearchSpace.from_json(value, "space.json")


@pytest.mark.parametrize("limits", [{}, "no", [{"maximum": 1}] * 17, None], ids=repr)
def test_a_list_of_limits(limits):
    with pytest.raises(SpaceError, match=r"^space\.json: /limits must be a list of at most 16 limits"):
        SearchSpace.from_json(FREE.to_json() | {"limits": limits}, "space.json")
    with pytest.raises(SpaceError, match=r"limits must be limits, got 'parameters < 8'"):
        space_of("parameters < 8")


def test_building_keeps_limits():
    task = Inputs((3, 8, 8), 4)
    with pytest.raises(SpaceError, match="parameters must be at most 800"):
        nb.build(LIMITED, nb.spaces.Architecture(LIMITED.digest, (3, 3)), task)
