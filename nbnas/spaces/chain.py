"""A plain chain of layers: convolutions and poolings, then dense layers, in the manner of MetaQNN's chains.

Baker et al., Designing Neural Network Architectures using Reinforcement Learning, ICLR 2017, arXiv:1611.02167.
Differs from the paper: a layer has an activation; pooling halves the resolution; dense layers come last by construction
instead of by a rule on transitions, so that every choice is a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from nbnas.settings import setting
from nbnas.spaces.bound import Bound, Extent, bound_of_chain
from nbnas.spaces.component import Component
from nbnas.spaces.decision import Condition, Decision, Option
from nbnas.spaces.ends import ACTIVATIONS

if TYPE_CHECKING:
    import networkx

__all__ = ["Chain"]


@dataclass(frozen=True)
class Chain(Component):
    """`depth` layers of kind conv or pool, then `dense_depth` dense layers, then a linear classifier."""

    kind: ClassVar[str] = "chain"

    max_depth: int = setting(4, "Most convolution and pooling layers.", minimum=1, maximum=32)
    max_dense: int = setting(1, "Most dense layers.", minimum=0, maximum=8)
    widths: tuple[int, ...] = setting((8, 16, 32), "Channels of a convolution.", minimum=1, maximum=65536)
    kernels: tuple[int, ...] = setting((3, 5), "Kernel sizes of convolution and pooling, odd.", minimum=1, maximum=31)
    dense_widths: tuple[int, ...] = setting((32, 64), "Units of a dense layer.", minimum=1, maximum=65536)
    activations: tuple[str, ...] = setting(("relu", "tanh"), "Activations.", options=ACTIVATIONS)

    def check(self) -> None:
        for name in ("widths", "kernels", "dense_widths", "activations"):
            values = getattr(self, name)
            if not values:
                self.fail(name, "at least one value")
            if len(set(values)) < len(values):
                self.fail(name, "values that occur once each")
        if any(kernel % 2 == 0 for kernel in self.kernels):
            self.fail("kernels", "odd numbers")

    @override
    def bound(self, given: Extent) -> Bound:
        return bound_of_chain(
            given, self.max_depth, max(self.widths), max(self.kernels), self.max_dense, max(self.dense_widths)
        )

    def decisions(self) -> tuple[Decision, ...]:
        depths = tuple(range(1, self.max_depth + 1))
        found = [Decision("depth", depths, group="depth")]
        for layer in depths:
            name = f"layer_{layer}"
            there = Condition("depth", tuple(depth for depth in depths if depth >= layer))
            conv = (there, Condition(f"{name}/kind", ("conv",)))
            found += [
                Decision(f"{name}/kind", ("conv", "pool"), group=name, when=(there,)),
                Decision(f"{name}/kernel", self.kernels, group=name, when=(there,)),
                Decision(f"{name}/width", self.widths, group=name, when=conv),
                Decision(f"{name}/activation", self.activations, group=name, when=conv),
            ]
        dense_depths = tuple(range(self.max_dense + 1))
        found.append(Decision("dense_depth", dense_depths, group="dense"))
        for layer in dense_depths[1:]:
            name = f"dense_{layer}"
            there = Condition("dense_depth", tuple(depth for depth in dense_depths if depth >= layer))
            found += [
                Decision(f"{name}/width", self.dense_widths, group=name, when=(there,)),
                Decision(f"{name}/activation", self.activations, group=name, when=(there,)),
            ]
        return tuple(found)

    def layers(self, chosen: Mapping[str, Option]) -> list[dict[str, Option]]:
        """The layers of one architecture in order, each with `kind` and what that kind needs."""
        found: list[dict[str, Option]] = []
        for layer in range(1, int(chosen["depth"]) + 1):
            name = f"layer_{layer}"
            fields = ("kind", "kernel", "width", "activation")
            found.append({field: chosen[f"{name}/{field}"] for field in fields if f"{name}/{field}" in chosen})
        for layer in range(1, int(chosen["dense_depth"]) + 1):
            name = f"dense_{layer}"
            found.append(
                {"kind": "dense", "width": chosen[f"{name}/width"], "activation": chosen[f"{name}/activation"]}
            )
        return found

    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        import networkx

        graph = networkx.DiGraph()
        graph.add_node(0, label="in")
        if chosen is None:
            labels = ["conv | pool (optional)" if layer else "conv | pool" for layer in range(self.max_depth)]
            labels += ["dense (optional)"] * self.max_dense
        else:
            labels = [_label(layer) for layer in self.layers(chosen)]
        for place, label in enumerate(labels, start=1):
            graph.add_node(place, label=str(place))
            graph.add_edge(place - 1, place, operation=label)
        graph.nodes[len(labels)]["label"] = "out"
        return graph


def _label(layer: Mapping[str, Option]) -> str:
    if layer["kind"] == "dense":
        return f"dense {layer['width']} {layer['activation']}"
    size = f"{layer['kernel']}×{layer['kernel']}"
    return f"pool {size}" if layer["kind"] == "pool" else f"conv {size} ×{layer['width']} {layer['activation']}"
