"""Augmentations: what each does to an input, exactly, in one and two dimensions."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from nbnas.evaluators.augment import AUGMENTATIONS

SHAPES = {"images": (64, 3, 16, 24), "sequences": (64, 2, 16)}


def drawn(name, x, seed=0):
    return AUGMENTATIONS[name](x, torch.Generator().manual_seed(seed))


def inputs(shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(9)) + 1  # no zero in it


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_it_is_a_function_of_the_generator_alone_and_leaves_its_input(name, kind):
    x = inputs(SHAPES[kind])
    before = x.clone()
    state = torch.get_rng_state()
    one, again, other = drawn(name, x), drawn(name, x), drawn(name, x, seed=1)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.shape == x.shape
    assert one.dtype == x.dtype
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", SHAPES)
def test_flip_mirrors_some_items_and_leaves_the_others(kind):
    x = inputs(SHAPES[kind])
    found = drawn("flip", x)
    mirrored = [torch.equal(one, old.flip(-1)) for one, old in zip(found, x, strict=True)]
    kept = [torch.equal(one, old) for one, old in zip(found, x, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 16 < sum(mirrored) < 48  # of 64; outside with probability 10^-5, were the seed not fixed


@pytest.mark.parametrize("kind", SHAPES)
def test_shift_moves_each_item_by_up_to_an_eighth_and_fills_with_zeros(kind):
    """Each item is one of all shifts, made here by slices; over 64 items, extremes occur."""
    x = inputs(SHAPES[kind])
    sizes = x.shape[2:]
    seen = []
    for one, old in zip(drawn("shift", x), x, strict=True):
        for offsets in product(*(range(-(size // 8), size // 8 + 1) for size in sizes)):
            moved = torch.zeros_like(old)
            to = [slice(max(0, -by), size - max(0, by)) for by, size in zip(offsets, sizes, strict=True)]
            of = [slice(max(0, by), size - max(0, -by)) for by, size in zip(offsets, sizes, strict=True)]
            moved[:, *to] = old[:, *of]
            if torch.equal(moved, one):
                seen.append(offsets)
                break
        else:
            raise AssertionError("no shift")
    assert len(seen) == 64
    for axis, size in enumerate(sizes):
        assert {by[axis] for by in seen} == set(range(-(size // 8), size // 8 + 1))


@pytest.mark.parametrize("kind", SHAPES)
def test_cutout_blanks_a_box_of_half_the_size_in_all_channels(kind):
    x = inputs(SHAPES[kind])
    full = 0
    for one, old in zip(drawn("cutout", x), x, strict=True):
        gone = one == 0
        assert torch.equal(one[~gone], old[~gone])
        assert (gone == gone[:1]).all()
        lengths = [int(gone[0].any(tuple(a for a in range(gone.dim() - 1) if a != axis)).sum() if gone.dim() > 2
                       else gone[0].sum()) for axis in range(gone.dim() - 1)]  # fmt: skip
        assert torch.tensor(lengths).prod() == gone[0].sum() > 0  # a box
        assert all(1 <= length <= size // 2 for length, size in zip(lengths, x.shape[2:], strict=True))
        full += all(length == size // 2 for length, size in zip(lengths, x.shape[2:], strict=True))
    assert 0 < full < 64  # some boxes are partly outside


@pytest.mark.parametrize("shape", [*SHAPES.values(), (64, 30)])
def test_noise_is_normal_with_a_tenth_of_the_spread(shape):
    x = 5 * inputs(shape)
    noise = drawn("noise", x) - x
    assert float(noise.std() / x.std()) == pytest.approx(0.1, rel=0.05)
    assert abs(float(noise.mean())) < 0.02 * float(x.std())


@pytest.mark.parametrize("name", ["shift", "cutout", "flip"])
def test_the_smallest_inputs(name):
    for shape in ((3, 1, 1, 1), (3, 1, 2), (1, 1, 1)):
        assert drawn(name, torch.ones(shape)).shape == shape
