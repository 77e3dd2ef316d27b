"""A plain chain of layers with one operation to choose for each: the smallest space that has a relaxed view."""

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

__all__ = ["OperationChain"]


@dataclass(frozen=True)
class OperationChain(Component):
    """Layers one after the other, each one of `operations`; channels and sizes stay as they are."""

    kind: ClassVar[str] = "operation_chain"
    takes: ClassVar[Flow] = "map"
    gives: ClassVar[Flow] = "map"

    layers: int = setting(3, "Layers.", minimum=1, maximum=64)
    operations: tuple[str, ...] = setting(("skip", "avg_pool_3x3", "conv_1x1", "conv_3x3"), "What a layer can be.")

    @override
    def check(self) -> None:
        if not self.operations or len(set(self.operations)) < len(self.operations):
            self.fail("operations", "operations that occur once each")
        if len(self.operations) > 64:
            self.fail("operations", "at most 64 names")
        for place, name in enumerate(self.operations):
            check_known(name, f"operations/{place}")

    @override
    def bound(self, given: Extent) -> Bound:
        weights, modules = bound_of_operations(self.operations, given.channels, given.channels)
        return Bound(self.layers * weights, self.layers * (modules + 2) + 4, given.channels)

    @override
    def decisions(self) -> tuple[Decision, ...]:
        return tuple(
            Decision(f"layer_{place}", self.operations, f"layer {place}", "layers")
            for place in range(1, self.layers + 1)
        )

    @override
    def canonical(self, chosen: Mapping[str, Option]) -> str:
        """The operations in order without `skip`, which hands on what it is given."""
        names = [str(chosen[decision.name]) for decision in self.decisions()]
        return ",".join(name for name in names if name != "skip")

    @override
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        import networkx

        graph = networkx.DiGraph()
        graph.add_node(0, label="in")
        for place, decision in enumerate(self.decisions(), start=1):
            text = f"{len(self.operations)} options" if chosen is None else str(chosen[decision.name])
            graph.add_node(place, label=str(place))
            graph.add_edge(place - 1, place, operation=text, decision=decision.name)
        graph.nodes[self.layers]["label"] = "out"
        return graph

    @override
    def relaxable(self) -> None:
        return None
