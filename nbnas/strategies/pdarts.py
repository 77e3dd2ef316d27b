"""P-DARTS: the supernet grows deeper in stages, while weak options are dropped.

Chen, Xie, Wu & Tian, Progressive Differentiable Architecture Search: Bridging the Depth Gap Between Search and
Evaluation, ICCV 2019, arXiv:1904.12760: Sec. 3.2 (three stages; weights and alpha start anew in each; after a stage the
weakest options of each row are dropped) and Sec. 3.3 (dropout behind skips, which decays within a stage; at most M
skips in the normal cell).
Differs from the paper: stages have equal shares of the budget; what is kept of a row is a share, so that rows of other
lengths than 8 are searched too. A cell that is repeated in several stages of a network (NAS-Bench-201) gets its share
of the new cells, at least one. Dropout decays from alpha's start on by exp(-0.2) an epoch and linearly before it, as
the authors' published code has it (from memory). Skips of stride 2, which have weights, are not dropped out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from nbnas.errors import SettingsError, SpaceError
from nbnas.events import Event, SpaceChanged
from nbnas.seeds import seed_of
from nbnas.settings import setting
from nbnas.spaces import Architecture, CellNetwork, SearchSpace
from nbnas.spaces.darts_network import DartsNetwork
from nbnas.strategies.relaxed import Relaxed, RelaxedSettings

if TYPE_CHECKING:
    from torch import Tensor

    from nbnas.networks import Supernet
    from nbnas.networks.supernet import Mixture
    from nbnas.tasks.bound import BoundTask

__all__ = ["PDarts"]

_GONE = -3.0
"""Below all weights, of shares and of what options are worth."""
_FADING = 0.2
"""By exp(-0.2) dropout falls each epoch in which alpha learns."""


class _PDarts(Relaxed):
    settings: PDarts

    def __init__(
        self, settings: PDarts, space: SearchSpace, supernet: Supernet, task: BoundTask, seed: int, epochs: int
    ) -> None:
        from nbnas.networks.skip_dropout import drop_skips

        settings.check_space(space, epochs)
        self.stage = 0
        self.kept = {row.name: tuple(range(len(row.options))) for row in space.rows}
        super().__init__(settings, space, supernet, task, seed, epochs)
        self.dropping = drop_skips(supernet, self.chance)

    # -- within a stage ----------------------------------------------------------------------------------------------

    @override
    def mixture(self) -> dict[str, Tensor]:
        shares = {}
        for name, places in self.kept.items():
            kept = self.alpha[name][list(places)].softmax(dim=0)
            shares[name] = self.alpha[name].new_zeros(len(self.alpha[name])).index_put((_index(places),), kept)
        return shares

    @override
    def drawn(self) -> Mixture:
        from nbnas.networks.mixed_modules import Drawn

        # Dropped options are not computed: what is saved pays for the depth.
        return {
            name: Drawn(places, self.alpha[name][list(places)].softmax(dim=0)) for name, places in self.kept.items()
        }

    @override
    def begin_epoch(self) -> dict[str, float]:
        done, alone = self.done - self._start(self.stage), self._alone()
        rate = self.settings.skip_dropout[self.stage]
        if done < alone:
            rate *= 1 - (done + 1) / self._length()
        else:
            rate *= math.exp(-_FADING * (done - alone))
        self.dropping.rate = rate
        return {"skip_dropout": rate}

    @override
    def alpha_learns(self) -> bool:
        return self.done - self._start(self.stage) >= self._alone()

    @override
    def part(self) -> float:
        return min((self.done - self._start(self.stage)) / max(self._length(), 1), 1.0)

    # -- from stage to stage -----------------------------------------------------------------------------------------

    @override
    def advance(self) -> Sequence[Event]:
        last = len(self.settings.more_cells) - 1
        if self.stage == last or self.done < self._start(self.stage + 1):
            return ()
        self.kept = {row.name: self._strongest(row.name) for row in self.space.rows}
        self._enter(self.stage + 1)
        options = {row.name: tuple(str(row.options[place]) for place in self.kept[row.name]) for row in self.space.rows}
        more = self.settings.more_cells[self.stage]
        reason = f"stage {self.stage + 1} of {last + 1}: {more} more cells than at first, weak options dropped"
        return (SpaceChanged(self.done, reason, options),)

    def _strongest(self, name: str) -> tuple[int, ...]:
        shares, kept = self.shares()[name], self.kept[name]
        count = max(1, math.ceil(self.settings.kept[self.stage + 1] * len(shares) - 1e-9))
        strongest = sorted(kept, key=lambda place: -shares[place])[:count]
        real = self._real(name)
        if real and not set(real) & set(strongest):  # `none` alone would leave nothing to derive
            strongest[-1] = max(real, key=lambda place: shares[place])
        return tuple(sorted(strongest))

    def _enter(self, stage: int) -> None:
        """Begins a stage: a deeper supernet, and alpha and the optimizers anew."""
        from nbnas.networks import Supernet
        from nbnas.networks.skip_dropout import drop_skips

        self.stage = stage
        self.supernet = Supernet(
            self.space,
            self.task,
            seed=seed_of(self.seed, "weights of stage", stage),
            built=deeper(self.space, self.settings.more_cells[stage]),
        )
        self.dropping = drop_skips(self.supernet, self.chance)
        self.alpha = self.new_alpha()
        self.alpha_optimizer, self.w_optimizer = self.new_alpha_optimizer(), self.new_w_optimizer()
        self.costs = self._option_costs()

    def _start(self, stage: int) -> int:
        return math.ceil(stage * self.epochs / len(self.settings.more_cells))

    def _length(self) -> int:
        return self._start(self.stage + 1) - self._start(self.stage)

    def _alone(self) -> int:
        return int(self.settings.alpha_after * self._length())

    # -- the end -----------------------------------------------------------------------------------------------------

    @override
    def derive(self) -> Architecture:
        weights = self.weights()
        found = self.space.derive(weights)
        if self.stage < len(self.settings.more_cells) - 1:
            return found
        # Sec. 3.3: while the normal cell has more than M skips, the weakest gives way to what its row has left.
        tried: set[tuple[str, int]] = set()
        while True:
            skips = self._skips(found)
            untried = [skip for skip in skips if skip not in tried]
            if len(skips) <= self.settings.skip_limit or not untried:
                return found
            name, place = min(untried, key=lambda skip: weights[skip[0]][skip[1]])
            tried.add((name, place))
            if any(other != place for other in self._real(name)):
                weights[name][place] = _GONE
                found = self.space.derive(weights)

    def _real(self, name: str) -> list[int]:
        """The options of a row that are still searched, `none` left out."""
        options = next(row.options for row in self.space.rows if row.name == name)
        return [place for place in self.kept[name] if options[place] != "none"]

    def _skips(self, architecture: Architecture) -> list[tuple[str, int]]:
        taken = self.space.paths(architecture)
        rows = {row.name: row.options for row in self.space.rows if not row.name.startswith("reduction/")}
        return [(name, place) for name in rows for place in taken[name] if rows[name][place] == "skip"]

    # -- state -------------------------------------------------------------------------------------------------------

    @override
    def state_dict(self) -> dict[str, Any]:
        kept = {name: list(places) for name, places in self.kept.items()}
        return {**super().state_dict(), "stage": self.stage, "kept": kept}

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state["stage"] != self.stage:
            self._enter(state["stage"])
        self.kept = {name: tuple(places) for name, places in state["kept"].items()}
        super().load_state_dict(state)


@dataclass(frozen=True)
class PDarts(RelaxedSettings):
    """Searches in stages: deeper and deeper supernets with fewer and fewer options."""

    title: ClassVar[str] = "P-DARTS"
    loop: ClassVar[type[Relaxed]] = _PDarts

    alpha_learning_rate: float = setting(6e-4, "Adam's step size for alpha.", above=0, maximum=10)
    w_learning_rate_end: float = setting(0.0, "SGD's last step size for w in a stage.", minimum=0, maximum=10)
    batch: int = setting(96, "Items a batch.", minimum=2, maximum=65536)
    alpha_after: float = setting(0.4, "Share of each stage in which w alone learns at first.", minimum=0, below=1)
    more_cells: tuple[int, ...] = setting((0, 6, 12), "Cells more than the space has, in each stage.", minimum=0)
    kept: tuple[float, ...] = setting(
        (1.0, 0.625, 0.375), "Share of a row's options that is searched in each stage.", above=0, maximum=1
    )
    skip_dropout: tuple[float, ...] = setting(
        (0.1, 0.4, 0.7), "Dropout behind skips at the start of each stage.", minimum=0, below=1
    )
    skip_limit: int = setting(2, "Most skips in the normal cell that is derived at the end.", minimum=0)

    @override
    def check(self) -> None:
        super().check()
        stages = len(self.more_cells)
        for name in ("kept", "skip_dropout"):
            if len(getattr(self, name)) != stages or not stages:
                expected = f"one value for each stage of more_cells ({stages})"
                self.fail(name, expected, remedy="Give as many as more_cells has")
        if list(self.kept) != sorted(self.kept, reverse=True):
            self.fail("kept", "falling from stage to stage", remedy="What is dropped does not come back")

    @override
    def check_space(self, space: SearchSpace, epochs: int | None) -> None:
        deeper(space, 0)
        if epochs is not None and epochs < len(self.more_cells):
            raise SettingsError(
                f"epochs must be at least one for each stage of PDarts ({len(self.more_cells)}), got {epochs}. "
                "Raise the budget, or give fewer stages",
                field="epochs",
            )


def deeper(space: SearchSpace, more: int) -> SearchSpace:
    """The space with so many more cells.

    Raises:
        SpaceError: its networks are not stacks of cells.
    """
    component = space.component
    if isinstance(component, DartsNetwork):
        cells = component.cells
    elif isinstance(component, CellNetwork):
        more = -(-more // component.stages)
        cells = component.cells
    else:
        raise SpaceError(
            f"space must be a stack of cells for PDarts, which adds cells, got {space.name!r} of kind "
            f"{component.kind!r}. Use nb.spaces.darts or nas_bench_201, or the strategy Darts"
        )
    if not isinstance(cells, int):
        raise SpaceError(f"space must have a fixed number of cells for PDarts, got an open one in {space.name!r}")
    return SearchSpace(space.name, replace(component, cells=cells + more), dims=space.dims)


def _index(places: tuple[int, ...]) -> Tensor:
    import torch

    return torch.tensor(places)
