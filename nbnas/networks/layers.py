"""The layers that the built-in operations are made of, for sequences (`dims=1`) and images (`dims=2`).

Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326, and Liu, Simonyan & Yang, DARTS: Differentiable Architecture
Search, ICLR 2019, arXiv:1806.09055, whose cells are searched and evaluated in two forms.

Differs from the papers: in form `search` convolutions before an affine-free batch normalisation have no bias (it would
be cancelled), batch statistics are used everywhere, also for evaluation, and NAS-Bench-201's poolings are normalised as
those of DARTS are; sizes that stride 2 does not divide are rounded up.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from nbnas.errors import SettingsError

__all__ = ["FactorizedReduce", "Form", "Zero", "average", "batch_norm", "check_form", "convolution", "maximum"]

Form = Literal["search", "evaluation"]
"""`search`: batch normalisation without affine parameters and running statistics; `evaluation`: with both."""


def check_form(form: str) -> None:
    """Raises `SettingsError` unless `form` is a `Form`."""
    if form not in get_args(Form):
        raise SettingsError(f"form must be search or evaluation, got {form!r:.80}; in a network.", field="form")


def convolution(
    in_channels: int, out_channels: int, kernel: int, *, dims: int, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Conv1d | nn.Conv2d:
    """A convolution without bias that keeps the size, or divides it by `stride` and rounds up."""
    kind = nn.Conv1d if dims == 1 else nn.Conv2d
    padding = dilation * (kernel // 2)
    return kind(in_channels, out_channels, kernel, stride, padding, dilation, groups, bias=False)


def batch_norm(channels: int, *, dims: int, form: Form, affine: bool = False) -> nn.BatchNorm1d | nn.BatchNorm2d:
    """Batch normalisation in one of the two forms; `affine` keeps the affine parameters in form `search` too."""
    kind = nn.BatchNorm1d if dims == 1 else nn.BatchNorm2d
    evaluation = form == "evaluation"
    return kind(channels, affine=affine or evaluation, track_running_stats=evaluation)


def average(kernel: int, stride: int, *, dims: int) -> nn.AvgPool1d | nn.AvgPool2d:
    """The mean over a window, padding not counted; sizes are rounded up."""
    kind = nn.AvgPool1d if dims == 1 else nn.AvgPool2d
    odd = kernel % 2 == 1
    return kind(kernel, stride, kernel // 2 if odd else 0, ceil_mode=not odd, count_include_pad=False)


def maximum(kernel: int, stride: int, *, dims: int) -> nn.MaxPool1d | nn.MaxPool2d:
    """The maximum over a window of odd size; sizes are rounded up."""
    kind = nn.MaxPool1d if dims == 1 else nn.MaxPool2d
    return kind(kernel, stride, kernel // 2)


class Zero(nn.Module):
    """The absent edge: zeros of the shape that any operation would give."""

    def __init__(self, out_channels: int, stride: int) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.stride = stride

    @override
    def forward(self, x: Tensor) -> Tensor:
        sizes = [-(-size // self.stride) for size in x.shape[2:]]
        return x.new_zeros(x.shape[0], self.out_channels, *sizes)


class FactorizedReduce(nn.Module):
    """A skip of stride 2: two 1×1 convolutions on the even and on the odd positions, concatenated and normalised."""

    def __init__(self, in_channels: int, out_channels: int, *, dims: int, form: Form) -> None:
        super().__init__()
        self.dims = dims
        shares = [share for share in (out_channels // 2, out_channels - out_channels // 2) if share]
        self.halves = nn.ModuleList(convolution(in_channels, share, 1, dims=dims, stride=2) for share in shares)
        self.norm = batch_norm(out_channels, dims=dims, form=form)

    @override
    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        # The first position goes, a zero comes at the end: so odd sizes have as many odd as even positions.
        shifted = F.pad(x, (-1, 1) * self.dims)
        parts = [half(part) for half, part in zip(self.halves, (x, shifted), strict=False)]
        normed: Tensor = self.norm(torch.cat(parts, dim=1))
        return normed
