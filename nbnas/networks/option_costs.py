"""What each option of a supernet costs: the table behind an expected cost.

Wu et al., FBNet, CVPR 2019, arXiv:1812.03443, Sec. 3.2: the cost of a network is the sum of the costs of its blocks,
looked up in a table, and so differentiable in the shares of the options.
Differs from the paper: the table is of the machine and the supernet that search, in form `search`, not of a phone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nbnas.errors import SettingsError
from nbnas.networks.cost import macs, parameters
from nbnas.networks.latency import milliseconds
from nbnas.networks.mixed_modules import MixedModules

if TYPE_CHECKING:
    from nbnas.networks.supernet import Supernet

__all__ = ["option_costs"]


def option_costs(supernet: Supernet, metric: str) -> dict[str, Tensor]:
    """The cost of each option, by row, shape (options,): summed over all places of the supernet that share the row.

    Args:
        supernet: of which space.
        metric: `parameters`, `macs` (multiply-adds for one input) or `latency_ms` (for one input, the least of several
            passes, without those of its neighbours).

    Raises:
        SettingsError: a row has no modules of its own, so that its options have no cost of their own.
    """
    like = next(supernet.parameters())
    costs = {row.name: torch.zeros(len(row.options), dtype=torch.float64) for row in supernet.space.rows}
    seen = set()
    for module, shape in _shapes(supernet):
        seen.add(module.decision)
        for place, option in enumerate(module.options):
            costs[module.decision][place] += _cost(option, shape, metric)
    if missing := [name for name in costs if name not in seen]:
        raise SettingsError(
            f"complexity must be none for space {supernet.space.name!r}, got {metric}: row {missing[0]!r} has no "
            "modules of its own to count. Leave it none, or search with an objective and RegularizedEvolution",
            field="complexity",
        )
    return {name: cost.to(like.device, like.dtype) for name, cost in costs.items()}


def _cost(option: nn.Module, shape: tuple[int, ...], metric: str) -> float:
    if metric == "parameters":
        return float(parameters(option))
    if metric == "macs":
        return float(macs(deepcopy(option).to("meta"), shape, dtype=torch.float32))
    return milliseconds(option, shape)


def _shapes(supernet: Supernet) -> list[tuple[MixedModules, tuple[int, ...]]]:
    """Each mixed module, with the shape of its input for one item."""
    graph = supernet.inputs == "nodes"
    if graph:
        raise SettingsError("complexity must be none where nodes of a graph are classified.", field="complexity")
    like = next(supernet.parameters())
    tokens = supernet.inputs == "tokens"
    x = torch.zeros(2, *supernet.input_shape, dtype=torch.int64 if tokens else like.dtype, device=like.device)
    with _recorded(supernet) as shapes, torch.no_grad():
        supernet(x, {row.name: like.new_full((len(row.options),), 1 / len(row.options)) for row in supernet.space.rows})
    return [(module, shape) for module, shape in shapes.items()]


@contextmanager
def _recorded(supernet: Supernet) -> Iterator[dict[MixedModules, tuple[int, ...]]]:
    found: dict[MixedModules, tuple[int, ...]] = {}
    modules = [module for module in supernet.modules() if isinstance(module, MixedModules)]
    for module in modules:
        module.watch = lambda x, own=module: found.setdefault(own, tuple(x.shape[1:]))
    try:
        yield found
    finally:
        for module in modules:
            module.watch = None
