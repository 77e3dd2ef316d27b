"""Mixtures of modules of any kind."""

import pytest
import torch
from torch import nn

from nbnas.networks import Supernet, new_alpha, softmax
from nbnas.networks.mixed_modules import MixedModules
from nbnas.spaces import enas_macro, mobile


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor, self.calls = factor, 0

    def forward(self, x):
        self.calls += 1
        return self.factor * x


def test_weights_sum_and_places_compute_nothing_else():
    """DARTS, Eq. 2; one place alone computes one option, a place twice has weight 2."""
    mixed = MixedModules("row", [Times(1.0), Times(10.0), Times(100.0)])
    x = torch.ones(2)
    assert mixed(x, {"row": torch.tensor([0.5, 0.25, 2.0])}).tolist() == [203.0, 203.0]
    assert mixed(x, {"row": (1,)}).tolist() == [10.0, 10.0]
    assert mixed(x, {"row": (2, 2)}).tolist() == [200.0, 200.0]
    assert [option.calls for option in mixed.options] == [1, 2, 3]


@pytest.mark.parametrize(
    "space",
    [mobile(widths=(4, 6), depths=(1, 2), strides=(1, 2), stem=4), enas_macro(4, 4)],
    ids=lambda space: space.name,
)
def test_the_loss_depends_on_every_row(space, shape):
    """Each row of alpha has a gradient, that of skip connections too, equal to a difference quotient."""
    supernet = Supernet(space, shape((3, 8, 8), 3), seed=0).double()
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    alpha = new_alpha(space, 0).double()

    def loss():
        return supernet(x, softmax(alpha)).square().mean()

    loss().backward()
    for name, row in alpha.items():
        assert row.grad.abs().sum() > 0, name
    name, row = list(alpha.items())[-1]
    step = 1e-6
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            row[0] += sign * step
            values.append(loss().item())
            row[0] -= sign * step
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(row.grad[0].item(), rel=1e-5)
