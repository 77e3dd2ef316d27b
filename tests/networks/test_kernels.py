"""The fast forms of layers equal the plain ones, in values, gradients and second gradients, in double precision."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nbnas.networks import kernels

BATCH, CHANNELS = 3, 4


def images(height=6, width=8, channels=CHANNELS, seed=0):
    draws = torch.Generator().manual_seed(seed)
    x = torch.randn(BATCH, channels, height, width, dtype=torch.float64, generator=draws)
    return x.contiguous(memory_format=torch.channels_last).requires_grad_()


def conv_of(kernel, stride, dilation):
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(CHANNELS, CHANNELS, kernel, stride, padding, dilation, CHANNELS, bias=False).double()
    with torch.no_grad():
        conv.weight.copy_(torch.randn(conv.weight.shape, generator=torch.Generator().manual_seed(7)))
    return conv


def same(one, other):
    assert (one - other).abs().max() <= 1e-12 * other.abs().max()


def compared(fast, plain, inputs):
    """Values and gradients, of a sum with weights that tell all places apart."""
    values = [fast(), plain()]
    same(*values)
    place = torch.randn(values[0].shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    found = [torch.autograd.grad((value * place).sum(), inputs) for value in values]
    for one, other in zip(*found, strict=True):
        assert other.abs().max() > 0
        same(one, other)


SIZES = [(6, 8), (7, 8), (5, 5), (1, 3), (2, 2)]
CONVS = [(3, 1, 1), (5, 1, 1), (7, 1, 1), (3, 1, 2), (5, 1, 2), (3, 2, 1), (5, 2, 1), (7, 2, 1), (3, 2, 2), (5, 2, 2)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("how", CONVS, ids=lambda how: "kernel {} stride {} dilation {}".format(*how))
def test_depthwise_convolutions(how, size):
    conv, x = conv_of(*how), images(*size)
    compared(lambda: kernels.depthwise(x, conv, {}), lambda: conv(x), [x, conv.weight])


@pytest.mark.parametrize("how", CONVS, ids=lambda how: "kernel {} stride {} dilation {}".format(*how))
def test_depthwise_convolutions_can_be_differentiated_twice(how):
    conv, x = conv_of(*how), images(4, 4)
    assert torch.autograd.gradgradcheck(lambda x, w: _with(conv, x, w), (x, conv.weight), atol=1e-6)


def _with(conv, x, weight):
    other = conv_of(conv.kernel_size[0], conv.stride[0], conv.dilation[0])
    del other.weight
    other.weight = weight
    return kernels.depthwise(x, other, {})


def test_what_several_convolutions_of_one_image_share_is_made_once():
    x, shared = images(), {}
    for how in ((3, 2, 1), (5, 2, 1)):
        kernels.depthwise(x, conv_of(*how), shared)
    phases = shared["phases"]
    kernels.depthwise(x, conv_of(5, 2, 1), shared)
    assert shared["phases"] is phases


def test_pointwise_convolutions():
    conv, x = nn.Conv2d(CHANNELS, 6, 1, bias=False).double(), images()
    compared(lambda: kernels.pointwise(x, conv.weight), lambda: conv(x), [x, conv.weight])


def normed(x):
    return F.batch_norm(x, None, None, training=True)


@pytest.mark.parametrize("started", [False, True], ids=["from zero", "to a total"])
def test_a_normalised_term_of_a_sum(started):
    x, weight = images(), torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    before = images(seed=1)
    compared(
        lambda: kernels.add_normalized(before * 1.0 if started else None, x, weight),
        lambda: (before if started else 0.0) + weight * normed(x),
        [x, weight, *([before] if started else [])],
    )


def test_slices_of_one_normalisation_go_to_their_totals():
    x, scale = images(channels=2 * CHANNELS), torch.rand(2 * CHANNELS, dtype=torch.float64).requires_grad_()
    totals = [images(seed=1), images(seed=2)]
    compared(
        lambda: torch.cat(kernels.add_normalized_slices([total * 1.0 for total in totals], x, scale), dim=1),
        lambda: torch.cat(totals, dim=1) + scale.view(1, -1, 1, 1) * normed(x),
        [x, scale, *totals],
    )


def test_one_value_goes_to_several_totals_by_weight():
    x, weights, total = images(), torch.rand(2, dtype=torch.float64).requires_grad_(), images(seed=1)
    compared(
        lambda: torch.cat(kernels.add_scaled([None, total * 1.0], x, weights), dim=1),
        lambda: torch.cat([weights[0] * x, total + weights[1] * x], dim=1),
        [x, weights, total],
    )


def test_normalisation_and_positive_part():
    x = images()
    compared(lambda: kernels.norm_relu(x), lambda: normed(x).relu(), [x])


def test_sums_can_be_differentiated_twice():
    x, weight = images(3, 2), torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    total = images(3, 2, seed=1)
    assert torch.autograd.gradgradcheck(lambda t, x, w: kernels.add_normalized(t * 1.0, x, w), (total, x, weight))
    assert torch.autograd.gradgradcheck(kernels.norm_relu, (x,))
    weights = torch.rand(2, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x, w: torch.cat(kernels.add_scaled([None, None], x, w)), (x, weights))
    wide, scale = images(3, 2, 2 * CHANNELS), torch.rand(2 * CHANNELS, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradgradcheck(
        lambda x, s, t: torch.cat(kernels.add_normalized_slices([t * 1.0, t * 2.0], x, s)), (wide, scale, total)
    )


def test_a_single_value_a_channel_cannot_be_normalised():
    """As torch says it too."""
    x = torch.zeros(1, CHANNELS, 1, 1)
    for function in (
        lambda: kernels.add_normalized(None, x, torch.ones(())),
        lambda: kernels.norm_relu(x),
        lambda: kernels.add_normalized_slices([x], x, torch.ones(CHANNELS)),
    ):
        with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
            function()


def test_they_are_for_images_on_the_cpu():
    assert kernels.fits(images())
    assert not kernels.fits(torch.zeros(2, 3, 4))
    assert not kernels.fits(torch.zeros(2, 3, 4, 4, device="meta"))
