"""A chain of layers with one block to choose for each: the layer-wise spaces of mobile networks.

Wu et al., FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural Architecture Search, CVPR 2019,
arXiv:1812.03443, Sec. 3.1. Su et al., Prioritized Architecture Sampling with Monto-Carlo Tree Search, CVPR 2021,
arXiv:2103.11922. Widths and strides are given, so that all options of a layer give the same shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from typing_extensions import override

from nbnas.errors import SpaceError
from nbnas.settings import setting
from nbnas.spaces.bound import Bound, Extent, bound_of_residual
from nbnas.spaces.component import Component, Flow
from nbnas.spaces.decision import Decision, Option
from nbnas.spaces.ends import ACTIVATIONS

if TYPE_CHECKING:
    import networkx

__all__ = ["Block", "BlockChain", "LayerShape"]

_BLOCK = re.compile(r"mb([1-9]|1[0-6])_k([1-9]|[12][0-9]|31)(_g[248])?(_se)?")


class Block(NamedTuple):
    """An inverted residual block.

    Attributes:
        expansion: channels of the inner convolution per channel of the input.
        kernel: its kernel size.
        groups: of the two pointwise convolutions.
        squeeze: width of squeeze-and-excitation per channel of the input; 0 for none.
    """

    expansion: int
    kernel: int
    groups: int = 1
    squeeze: float = 0.0

    @classmethod
    def named(cls, name: str) -> Block:
        """Reads `mb<expansion>_k<kernel>`, then perhaps `_g<groups>` and `_se` (squeeze 0.25).

        Raises:
            SpaceError: that is no block.
        """
        found = _BLOCK.fullmatch(name)
        if found is None or int(found[2]) % 2 == 0:
            raise SpaceError(
                f"block must be skip or mb<1..16>_k<odd>, then perhaps _g<2, 4, 8> and _se, got {name!r:.80}; "
                f"in BlockChain. An example: mb6_k5_se",
                field="blocks",
            )
        return cls(int(found[1]), int(found[2]), int((found[3] or "_g1")[2:]), 0.25 if found[4] else 0.0)


class LayerShape(NamedTuple):
    """One layer of a chain: its name, channels that go in (0: not known) and out, its stride."""

    name: str
    in_channels: int
    out_channels: int
    stride: int

    @property
    def changes(self) -> bool:
        """Whether it changes the shape, or may do so."""
        return self.stride > 1 or self.in_channels != self.out_channels


@dataclass(frozen=True)
class BlockChain(Component):
    """Layers, each one of `blocks`, in stages: the first layer of a stage has the stride and changes the width."""

    kind: ClassVar[str] = "block_chain"
    takes: ClassVar[Flow] = "map"
    gives: ClassVar[Flow] = "map"

    blocks: tuple[str, ...] = setting(
        ("skip", "mb3_k3", "mb6_k3", "mb3_k5", "mb6_k5"),
        "Options of each layer: skip, or inverted residual blocks mb<expansion>_k<kernel>, then _g<groups>, _se.",
    )
    widths: tuple[int, ...] = setting((16, 24), "Channels of each stage.", minimum=1, maximum=8192)
    depths: tuple[int, ...] = setting((2, 2), "Layers of each stage.", minimum=1, maximum=64)
    strides: tuple[int, ...] = setting((1, 2), "Stride of each stage: that of its first layer.", options=(1, 2))
    skip: str = setting(
        "where_it_fits",
        "Layers that change the shape: have no skip (where_it_fits), or a 1x1 convolution for it (projected).",
        options=("where_it_fits", "projected"),
    )
    in_channels: int = setting(
        0,
        "Channels that come in, which say whether the first layer may be skipped; 0: not known.",
        minimum=0,
        maximum=8192,
    )
    activation: str = setting("relu", "Activation.", options=ACTIVATIONS)

    @override
    def check(self) -> None:
        if not self.blocks or len(set(self.blocks)) < len(self.blocks):
            self.fail("blocks", "blocks that occur once each")
        for name in self.blocks:
            if name != "skip":
                Block.named(name)
        if not 1 <= len(self.widths) <= 64:
            self.fail("widths", "1..64 numbers, one a stage")
        if len(self.blocks) > 64:
            self.fail("blocks", "at most 64 blocks")
        for name in ("depths", "strides"):
            if len(getattr(self, name)) != len(self.widths):
                self.fail(name, f"as many numbers as widths ({len(self.widths)})")
        if self.skip == "where_it_fits" and self.blocks == ("skip",) and any(layer.changes for layer in self.layers()):
            self.fail("blocks", "more than skip, since some layers change the shape", remedy="Use skip='projected'")

    def layers(self) -> Iterator[LayerShape]:
        """The layers, `layer_1` and so on, in order."""
        place, channels = 0, self.in_channels
        for width, depth, stride in zip(self.widths, self.depths, self.strides, strict=True):
            for layer in range(depth):
                place += 1
                yield LayerShape(f"layer_{place}", channels, width, stride if layer == 0 else 1)
                channels = width

    @override
    def bound(self, given: Extent) -> Bound:
        weights, modules, into = 0, 4, max(given.channels, self.in_channels)
        for layer in self.layers():
            out = layer.out_channels
            for name in self.blocks:
                block = Block(0, 0) if name == "skip" else Block.named(name)
                weights += bound_of_residual(into, out, block.kernel, block.expansion, block.squeeze)
                modules += 28
            into = out
        return Bound(weights, modules, max(self.widths))

    @override
    def decisions(self) -> tuple[Decision, ...]:
        return tuple(Decision(layer.name, self._options(layer), group="layers") for layer in self.layers())

    def _options(self, layer: LayerShape) -> tuple[str, ...]:
        if self.skip == "projected" or not layer.changes:
            return self.blocks
        return tuple(name for name in self.blocks if name != "skip")

    @override
    def canonical(self, chosen: Mapping[str, Option]) -> str:
        """Skips that change nothing vanish; the others of a stage are alike, wherever they stand in it."""
        stages: list[list[str]] = []
        place = 0
        for depth in self.depths:
            stages.append([])
            for _ in range(depth):
                place += 1
                stages[-1].append(str(chosen[f"layer_{place}"]))
        shapes = iter(self.layers())
        return "|".join(",".join(name for name in stage if next(shapes).changes or name != "skip") for stage in stages)

    @override
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        import networkx

        graph = networkx.DiGraph()
        graph.add_node(0, label="in")
        for place, decision in enumerate(self.decisions(), start=1):
            options = len(decision.options)
            text = f"{options} blocks" if chosen is None else str(chosen[decision.name])
            graph.add_node(place, label=str(place))
            graph.add_edge(place - 1, place, operation=text, decision=decision.name)
        graph.nodes[len(graph) - 1]["label"] = "out"
        return graph

    @override
    def relaxable(self) -> str | None:
        return None
