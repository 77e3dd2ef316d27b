"""A chain of layers with an operation and skip connections to choose for each: the macro search space of ENAS.

Pham et al., Efficient Neural Architecture Search via Parameter Sharing, ICML 2018, arXiv:1802.03268, Sec. 2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from nbnas.settings import setting
from nbnas.spaces.bound import Bound, Extent, bound_of_operations
from nbnas.spaces.component import Component, Flow
from nbnas.spaces.decision import Decision, Option
from nbnas.spaces.operations import check_known

if TYPE_CHECKING:
    import networkx

__all__ = ["SkipChain"]


@dataclass(frozen=True)
class SkipChain(Component):
    """Layers that read the one before; each adds the outputs of any of those before that, of which 0 is the input."""

    kind: ClassVar[str] = "skip_chain"
    takes: ClassVar[Flow] = "map"
    gives: ClassVar[Flow] = "map"

    layers: int = setting(12, "Layers.", minimum=1, maximum=64)
    operations: tuple[str, ...] = setting(
        ("conv_3x3", "conv_5x5", "sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3"),
        "Options for the operation of a layer.",
    )
    growth: int = setting(
        2,
        "In form evaluation: by how much the channels grow where the resolution is halved; in form search they stay.",
        minimum=1,
        maximum=4,
    )

    @override
    def check(self) -> None:
        if not self.operations or len(set(self.operations)) < len(self.operations):
            self.fail("operations", "operations that occur once each")
        for place, name in enumerate(self.operations):
            check_known(name, f"operations/{place}")

    @override
    def bound(self, given: Extent) -> Bound:
        halvings = len(self.halvings())
        width = given.channels * self.growth**halvings
        inner, parts = bound_of_operations(self.operations, width, width)
        options = len(self.operations)
        weights = self.layers * (inner + options * (width + 6) * width + 2 * width)
        weights += halvings * (self.layers + 1) * (2 * width + 4) * width
        modules = self.layers * (parts + 8 * options + 4) + halvings * (10 * self.layers + 12) + 8
        return Bound(weights, modules, width)

    def halvings(self) -> tuple[int, ...]:
        """The layers after which the resolution is halved: at one and at two thirds."""
        return tuple(sorted({self.layers // 3, 2 * self.layers // 3} - {0, self.layers}))

    def sources(self, layer: int) -> range:
        """The layers that the layer `layer` (from 1) may have skip connections from; 0 is the input."""
        return range(layer - 1)

    def skips(self, layer: int, chosen: Mapping[str, Option]) -> list[int]:
        """The layers that an architecture has skip connections from."""
        return [source for source in self.sources(layer) if chosen[f"layer_{layer}/skip_{source}"] == "skip"]

    @override
    def decisions(self) -> tuple[Decision, ...]:
        found: list[Decision] = []
        for layer in range(1, self.layers + 1):
            name = f"layer_{layer}"
            found.append(Decision(f"{name}/operation", self.operations, group=name))
            found += [
                Decision(f"{name}/skip_{source}", ("none", "skip"), f"skip from {source}", name, wiring=True)
                for source in self.sources(layer)
            ]
        return tuple(found)

    @override
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        import networkx

        graph = networkx.DiGraph()
        graph.add_node(0, label="in")
        for layer in range(1, self.layers + 1):
            name = f"layer_{layer}"
            operation = f"{len(self.operations)} operations" if chosen is None else str(chosen[f"{name}/operation"])
            graph.add_node(layer, label=str(layer))
            graph.add_edge(layer - 1, layer, operation=operation, decision=f"{name}/operation")
            for source in self.sources(layer) if chosen is None else self.skips(layer, chosen):
                graph.add_edge(source, layer, operation="skip", decision=f"{name}/skip_{source}")
        graph.nodes[self.layers]["label"] = "out"
        return graph

    @override
    def relaxable(self) -> str | None:
        return None

    @override
    def derive(self, weights: Mapping[str, Mapping[Option, float]]) -> dict[str, Option]:
        """The strongest option of each row; here `none` is one as any other: no skip connection."""
        return {
            row.name: max(row.options, key=lambda option, name=row.name: weights[name][option])  # type: ignore[misc]
            for row in self.rows()
        }
