"""The auxiliary classifier of NASNet and DARTS on CIFAR, which helps training and is not part of the network after it.

Szegedy et al., Going Deeper with Convolutions, CVPR 2015, arXiv:1409.4842, in the form of the code of Liu, Simonyan &
Yang, DARTS, ICLR 2019, arXiv:1806.09055.
Differs from the papers: its window fits maps of any size, not only the published 8 × 8.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from typing_extensions import override

from nbnas.networks.layers import batch_norm

__all__ = ["AuxiliaryHead"]


class AuxiliaryHead(nn.Module):
    """Average pooling to two places a dimension, two convolutions (128 and 768 channels), linear classifier.

    Args:
        channels: of the input.
        classes: the number of classes.
        sizes: of the input: (length,) or (height, width).
    """

    def __init__(self, channels: int, classes: int, sizes: tuple[int, ...]) -> None:
        super().__init__()
        dims = len(sizes)
        pool: Callable[..., nn.Module] = nn.AvgPool1d if dims == 1 else nn.AvgPool2d
        conv: Callable[..., nn.Module] = nn.Conv1d if dims == 1 else nn.Conv2d
        # Two overlapping windows a dimension: at size 8 those of width 5 and stride 3. A single place stays one.
        strides = tuple(max(1, 3 * size // 8) for size in sizes)
        windows = tuple(max(1, size - stride) for size, stride in zip(sizes, strides, strict=True))
        places = tuple(min(2, size) for size in sizes)
        self.features = nn.Sequential(
            nn.ReLU(),
            pool(windows, strides, count_include_pad=False),
            conv(channels, 128, 1, bias=False),
            batch_norm(128, dims=dims, form="evaluation"),
            nn.ReLU(),
            conv(128, 768, places, bias=False),
            batch_norm(768, dims=dims, form="evaluation"),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, classes)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """From (batch, channels, *sizes) to logits (batch, classes)."""
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits
