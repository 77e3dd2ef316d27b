"""The supernets of DARTS and of NAS-Bench-201 as their published code builds them: plain, each edge its own sum.

Liu, Simonyan & Yang, DARTS: Differentiable Architecture Search, ICLR 2019, arXiv:1806.09055, App. A, and Dong & Yang,
NAS-Bench-201, ICLR 2020, arXiv:2001.00326, written anew from their description. Modules have the names of those in
`nbnas.networks`, so that weights can be exchanged by `load_state_dict`; nothing else is shared with the package.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["DARTS", "NAS_BENCH_201", "PlainCells", "PlainNasBench201", "plain_operation", "step"]

DARTS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
NAS_BENCH_201 = ("none", "skip", "conv_1x1", "conv_3x3", "avg_pool_3x3")


def norm(channels, affine=False):
    """Normalisation by batch statistics, in training and evaluation."""
    return nn.BatchNorm2d(channels, affine=affine, track_running_stats=False)


def relu_conv(in_channels, out_channels, kernel, stride=1):
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
    return [nn.ReLU(), conv, norm(out_channels)]


def depthwise(channels, kernel, stride, dilation):
    padding = dilation * (kernel // 2)
    spread = nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False)
    return [nn.ReLU(), spread, nn.Conv2d(channels, channels, 1, bias=False), norm(channels)]


class Zero(nn.Module):
    def __init__(self, stride):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        return x[:, :, :: self.stride, :: self.stride].mul(0.0)


class FactorizedReduce(nn.Module):
    """Two convolutions of stride 2, the second shifted by one position, side by side."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        sizes = (out_channels // 2, out_channels - out_channels // 2)
        self.halves = nn.ModuleList(nn.Conv2d(in_channels, size, 1, 2, bias=False) for size in sizes)
        self.norm = norm(out_channels)

    def forward(self, x):
        x = F.relu(x)
        shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]  # the padding is for odd sizes
        return self.norm(torch.cat([self.halves[0](x), self.halves[1](shifted)], dim=1))


def plain_operation(name, channels, stride):
    if name == "none":
        return Zero(stride)
    if name == "skip":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    if name == "max_pool_3x3":
        return nn.Sequential(nn.MaxPool2d(3, stride, 1), norm(channels))
    if name == "avg_pool_3x3":
        return nn.Sequential(nn.AvgPool2d(3, stride, 1, count_include_pad=False), norm(channels))
    kind, kernel = name.partition("_")[0], int(name[-1])
    if kind == "conv":
        return nn.Sequential(*relu_conv(channels, channels, kernel, stride))
    if kind == "dil":
        return nn.Sequential(*depthwise(channels, kernel, stride, 2))
    return nn.Sequential(*depthwise(channels, kernel, stride, 1), *depthwise(channels, kernel, 1, 1))


class PlainMixture(nn.Module):
    """The sum of all operations, each times its weight (DARTS, Eq. 2)."""

    def __init__(self, operations, channels, stride):
        super().__init__()
        self.options = nn.ModuleList(plain_operation(name, channels, stride) for name in operations)

    def forward(self, x, weights):
        return sum(weight * option(x) for weight, option in zip(weights, self.options))  # noqa: B905


class PlainCell(nn.Module):
    def __init__(self, operations, nodes, before_last, last, channels, reduction, after_reduction):
        super().__init__()
        self.nodes, self.kind = nodes, "reduction" if reduction else "normal"
        self.first = (
            FactorizedReduce(before_last, channels)
            if after_reduction
            else nn.Sequential(*relu_conv(before_last, channels, 1))
        )
        self.second = nn.Sequential(*relu_conv(last, channels, 1))
        self.edges = nn.ModuleDict()
        for target in range(2, 2 + nodes):
            for source in range(target):
                stride = 2 if reduction and source < 2 else 1
                self.edges[f"edge_{source}_{target}"] = PlainMixture(operations, channels, stride)

    def forward(self, before_last, last, mixture):
        states = [self.first(before_last), self.second(last)]
        for target in range(2, 2 + self.nodes):
            names = [f"edge_{source}_{target}" for source in range(target)]
            states.append(
                sum(self.edges[name](h, mixture[f"{self.kind}/{name}"]) for name, h in zip(names, states, strict=True))
            )
        return torch.cat(states[2:], dim=1)


class PlainCells(nn.Module):
    """The search network of DARTS."""

    def __init__(
        self, operations=DARTS, *, nodes=4, channels=16, cells=8, classes=10, in_channels=3, stem_multiplier=3
    ):
        super().__init__()
        width = stem_multiplier * channels
        self.stem = nn.Sequential(nn.Conv2d(in_channels, width, 3, padding=1, bias=False), norm(width, affine=True))
        before_last = last = width
        self.cells = nn.ModuleList()
        after_reduction = False
        for place in range(cells):
            reduction = place in (cells // 3, 2 * cells // 3)
            if reduction:
                channels *= 2
            cell = PlainCell(operations, nodes, before_last, last, channels, reduction, after_reduction)
            self.cells.append(cell)
            before_last, last, after_reduction = last, nodes * channels, reduction
        self.classifier = nn.Linear(last, classes)

    def forward(self, x, mixture):
        before_last = last = self.stem(x)
        for cell in self.cells:
            before_last, last = last, cell(before_last, last, mixture)
        return self.classifier(F.adaptive_avg_pool2d(last, 1).flatten(1))


class PlainDenseCell(nn.Module):
    def __init__(self, operations, nodes, channels):
        super().__init__()
        self.nodes = nodes
        names = [f"edge_{source}_{target}" for target in range(1, nodes) for source in range(target)]
        self.edges = nn.ModuleDict({name: PlainMixture(operations, channels, 1) for name in names})

    def forward(self, x, mixture):
        states = [x]
        for target in range(1, self.nodes):
            names = [f"edge_{source}_{target}" for source in range(target)]
            states.append(sum(self.edges[name](h, mixture[name]) for name, h in zip(names, states, strict=True)))
        return states[-1]


class PlainResidual(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.first = nn.Sequential(*relu_conv(in_channels, out_channels, 3, 2))
        self.second = nn.Sequential(*relu_conv(out_channels, out_channels, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(in_channels, out_channels, 1, bias=False))

    def forward(self, x, mixture):
        return self.shortcut(x) + self.second(self.first(x))


class PlainNasBench201(nn.Module):
    """The supernet of NAS-Bench-201: three stages of `cells` cells."""

    def __init__(self, operations=NAS_BENCH_201, *, nodes=4, channels=16, cells=5, classes=10, in_channels=3):
        super().__init__()
        stem = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.stem = nn.Sequential(stem, norm(channels, affine=True))
        self.blocks = nn.ModuleList()
        for stage in range(3):
            if stage:
                self.blocks.append(PlainResidual(channels, 2 * channels))
                channels *= 2
            self.blocks += [PlainDenseCell(operations, nodes, channels) for _ in range(cells)]
        self.head = nn.Sequential(norm(channels, affine=True), nn.ReLU())
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x, mixture):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x, mixture)
        return self.classifier(F.adaptive_avg_pool2d(self.head(x), 1).flatten(1))


def step(network, alpha, alpha_batch, w_batch, alpha_optimizer, w_optimizer):
    """One step on alpha, then one on w (DARTS, first order); each computes the gradients of both, as published."""
    losses = []
    for optimizer, (x, y) in ((alpha_optimizer, alpha_batch), (w_optimizer, w_batch)):
        alpha_optimizer.zero_grad()
        w_optimizer.zero_grad()
        mixture = {name: row.softmax(dim=0) for name, row in alpha.items()}
        loss = F.cross_entropy(network(x, mixture), y)
        loss.backward()
        if optimizer is w_optimizer:
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses
