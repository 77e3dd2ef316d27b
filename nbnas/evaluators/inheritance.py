"""Weights that children inherit: a tensor that parent and child share by name and shape goes on from the parent's.

Real et al., Large-Scale Evolution of Image Classifiers, ICML 2017, arXiv:1703.01041 (weight inheritance: a child keeps
the weights of its parent where their shapes match). Gao et al., AutoBERT-Zero: Evolving BERT Backbone from Scratch,
AAAI 2022, arXiv:2107.07445 (candidates of an evolution share weights with what was trained before).

Differs from the papers: weights are matched by name and shape, so a mutation that changes a width makes the tensors of
that width fresh, and tensors of two operations that agree in both count as the same. AutoBERT-Zero shares through one
store for all candidates, from which also a smaller kernel takes the centre of a larger one (from memory); here weights
go from parent to child only. With two parents, what the first does not give comes from the second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nbnas.events import PopulationUpdated

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Inheritance"]

_MOST_STRANGERS = 100
"""Trials, the latest ones, whose weights are kept though they are in no population."""


class Inheritance:
    """The trained weights of those who may become parents, on the CPU.

    Those are the members of the population as `PopulationUpdated` shows it, and the last 100 trials that no such event
    has decided on: strategies without a population never show one.

    Attributes:
        weights: trial -> name -> tensor, in the order of the trials.
        living: trials in the population.
    """

    def __init__(self) -> None:
        self.weights: dict[int, dict[str, Tensor]] = {}
        self.living: set[int] = set()

    def keep(self, trial: int, network: nn.Module) -> None:
        """Keeps a copy of the weights, and batch statistics, as they are now."""
        self.weights[trial] = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
        self._drop([one for one in self.weights if one not in self.living][:-_MOST_STRANGERS])

    def hand_down(self, parents: Sequence[int], network: nn.Module) -> float:
        """Copies what the parents have with the same name, shape and type into a network, the first parent first.

        Returns:
            The share of the network's parameters that is inherited, in [0, 1].
        """
        import torch

        given: set[str] = set()
        for parent in parents:
            weights = self.weights.get(parent, {})
            with torch.no_grad():
                for name, tensor in network.state_dict().items():
                    kept = weights.get(name)
                    if name not in given and kept is not None and _alike(kept, tensor):
                        tensor.copy_(kept)
                        given.add(name)
        sizes = {name: parameter.numel() for name, parameter in network.named_parameters()}
        return sum(size for name, size in sizes.items() if name in given) / max(1, sum(sizes.values()))

    def follow(self, event: PopulationUpdated) -> None:
        """Lets go of all who are not in the population now; what was tried before is then decided on."""
        self.living = (self.living | {trial for trial, _ in event.born}) - set(event.died)
        self._drop([trial for trial in self.weights if trial not in self.living])

    def _drop(self, trials: Iterable[int]) -> None:
        for trial in trials:
            del self.weights[trial]

    def state_dict(self) -> dict[str, Any]:
        """Trials and their tensors."""
        return {"weights": {trial: dict(named) for trial, named in self.weights.items()}, "living": sorted(self.living)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes the state over."""
        self.weights = {trial: dict(named) for trial, named in state["weights"].items()}
        self.living = set(state["living"])


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype
