"""Statistics of batch normalisation that belong to one path of a supernet.

Guo et al., Single Path One-Shot Neural Architecture Search with Uniform Sampling, ECCV 2020, arXiv:1904.00420: before
an architecture is evaluated with shared weights, the statistics of its normalisations are computed anew on a random
part of the training data, since those gathered while other paths trained do not fit it.
Differs from the paper: the mean over batches of their means and (unbiased) variances, each batch counting the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from nbnas.errors import SettingsError
from nbnas.networks.recurrent_cell import Recurrent

__all__ = ["check_recalibrates", "recalibrate"]

_Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def check_recalibrates(network: nn.Module, space: str) -> None:
    """Raises `SettingsError` where a network normalises by the batch in a way that keeps no statistics."""
    if any(isinstance(module, Recurrent) and module.normalised for module in network.modules()):
        raise SettingsError(
            f"normalisation must be batch for space {space!r}, whose recurrent cell normalises each node at each time "
            "by its batch, got 'recalibrated'; in SharedWeights. Choose batch, or make the cell with normalise=False",
            field="normalisation",
        )


def recalibrate(network: nn.Module, batches: Iterable[Tensor]) -> Iterator[int]:
    """Gives every batch normalisation the statistics of some batches, and leaves the network in evaluation mode.

    Nothing else of the network changes. Afterwards what it computes for an item does not depend on the other items.

    Args:
        network: in form `search`, one path alone; not a supernet, whose fast forms take the batch's own statistics.
        batches: inputs, shape (batch, *input_shape), two values a channel at least.

    Yields:
        The number of batches seen, after each.
    """
    norms = [module for module in network.modules() if isinstance(module, _Norm)]
    like = next(network.parameters())
    network.eval()
    for norm in norms:
        _track(norm, like)
    for done, x in enumerate(batches, start=1):
        for norm in norms:
            norm.train()
        with torch.no_grad():
            network(x)
        network.eval()
        yield done


def _track(norm: _Norm, like: Tensor) -> None:
    """Lets a normalisation gather statistics from zero, as the plain mean over batches."""
    norm.track_running_stats, norm.momentum = True, None
    norm.register_buffer("running_mean", like.new_zeros(norm.num_features))
    norm.register_buffer("running_var", like.new_ones(norm.num_features))
    norm.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.long, device=like.device))
