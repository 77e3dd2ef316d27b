"""Chains of layers that end anywhere: the search space of MetaQNN with its rules on what may follow what.

Baker, Gupta, Naik & Raskar, Designing Neural Network Architectures using Reinforcement Learning, ICLR 2017,
arXiv:1611.02167, Sec. 4 and appendix B.

A decision is a state of the paper's agent: the place in the chain, the representation size, and what came before as far
as it matters. Its options are the layers that may follow. So every choice is a network, and no network is there twice.

Differs from the paper: the representation size is the exact one (the agent sees bins: 8 and more, 4 to 7, 1 to 3);
kernels may be as large as it (in the authors' code they are smaller than the least size of its bin); a chain has a
layer at least; units of dense layers do not grow, as in the authors' code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from typing_extensions import override

from nbnas.settings import setting
from nbnas.spaces.bound import Bound, Extent, bound_of_chain
from nbnas.spaces.component import Component
from nbnas.spaces.decision import Condition, Decision, Option

if TYPE_CHECKING:
    import networkx

__all__ = ["Layer", "LayerChain"]


class Layer(NamedTuple):
    """One layer of a chain, or its end.

    Attributes:
        kind: conv, pool, dense; the ends are softmax (all positions are read) and average (their mean is).
        kernel: of convolutions and poolings.
        width: channels of a convolution, units of a dense layer.
        stride: of poolings.
    """

    kind: str
    kernel: int = 0
    width: int = 0
    stride: int = 1

    @property
    def text(self) -> str:
        """The name of the option."""
        numbers = {
            "conv": (self.kernel, self.width),
            "pool": (self.kernel, self.stride),
            "dense": (self.width,),
        }.get(self.kind, ())
        return "_".join(map(str, (self.kind, *numbers)))


class _State(NamedTuple):
    size: int  # of the representation; 0 after a dense layer
    pools: bool = True  # whether a pooling may follow
    units: int = 0  # of the dense layer before
    dense: int = 0  # dense layers in a row before

    @property
    def text(self) -> str:
        if self.dense:
            return f"after_dense_{self.units}" + (f"_{self.dense}" if self.dense > 1 else "")
        return f"at_{self.size}" + ("" if self.pools else "_no_pool")


@dataclass(frozen=True)
class LayerChain(Component):
    """Convolutions and poolings, then dense layers, until the chain ends or is `max_layers` long; a whole network."""

    kind: ClassVar[str] = "layer_chain"

    size: int = setting(32, "Representation size of the input: its smallest dimension.", minimum=1, maximum=1024)
    max_layers: int = setting(18, "Most layers.", minimum=1, maximum=32)
    widths: tuple[int, ...] = setting((64, 128, 256, 512), "Channels of a convolution.", minimum=1, maximum=8192)
    kernels: tuple[int, ...] = setting((1, 3, 5), "Kernel sizes of a convolution, odd.", minimum=1, maximum=31)
    pool_kernels: tuple[int, ...] = setting((5, 3, 2), "Kernel size of each pooling.", minimum=1, maximum=31)
    pool_strides: tuple[int, ...] = setting((3, 2, 2), "Stride of each pooling.", minimum=2, maximum=31)
    dense_units: tuple[int, ...] = setting((512, 256, 128), "Units of a dense layer.", minimum=1, maximum=65536)
    max_dense: int = setting(2, "Most dense layers.", minimum=0, maximum=8)
    dense_size: int = setting(7, "Largest representation size that a dense layer may read.", minimum=0, maximum=1024)
    norm: bool = setting(False, "Batch normalisation after each convolution (the paper has none).")
    dropout: bool = setting(True, "Dropout after every second layer, at rates that rise to one half.")

    @override
    def check(self) -> None:
        for name in ("widths", "kernels", "dense_units"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                self.fail(name, "numbers that occur once each")
        for name in ("widths", "kernels", "dense_units", "pool_kernels"):
            if len(getattr(self, name)) > 32:
                self.fail(name, "at most 32 numbers")
        if not self.widths:
            self.fail("widths", "at least one number")
        if not self.kernels or any(kernel % 2 == 0 for kernel in self.kernels):
            self.fail("kernels", "odd numbers")
        if min(self.kernels) > self.size:
            self.fail("kernels", f"numbers of which one is at most size ({self.size})")
        if len(self.pool_strides) != len(self.pool_kernels):
            self.fail("pool_strides", f"as many numbers as pool_kernels ({len(self.pool_kernels)})")
        if len(set(self._poolings())) < len(self.pool_kernels):
            self.fail("pool_kernels", "poolings that occur once each")

    @override
    def bound(self, given: Extent) -> Bound:
        units = max(self.dense_units, default=0)
        return bound_of_chain(
            given, self.max_layers, max(self.widths), max(self.kernels), self.max_dense * bool(units), units
        )

    def _poolings(self) -> list[tuple[int, int]]:
        return list(zip(self.pool_kernels, self.pool_strides, strict=False))

    def _following(self, state: _State, place: int) -> list[tuple[Layer, _State | None]]:
        """What may come at a place (from 1), and the state after it; `None` where the chain ends."""
        found: list[tuple[Layer, _State | None]] = []
        free = place <= self.max_layers
        if free and not state.dense:
            for kernel in self.kernels:
                if kernel <= state.size:
                    found += [(Layer("conv", kernel, width), _State(state.size)) for width in self.widths]
            for kernel, stride in self._poolings():
                if state.pools and kernel <= state.size:
                    found.append((Layer("pool", kernel, 0, stride), _State((state.size - kernel) // stride + 1, False)))
        if free and state.dense < self.max_dense and state.size <= self.dense_size:
            found += [
                (Layer("dense", width=units), _State(0, False, units, state.dense + 1))
                for units in self.dense_units
                if not state.dense or units <= state.units
            ]
        if place > 1:
            found.append((Layer("softmax"), None))
            if not state.dense:
                found.append((Layer("average"), None))
        return found

    @override
    def decisions(self) -> tuple[Decision, ...]:
        found: list[Decision] = []
        # By state the options of decisions before that lead there.
        reached: dict[_State, dict[str, list[Option]]] = {_State(self.size, pools=False): {}}
        for place in range(1, self.max_layers + 2):
            following: dict[_State, dict[str, list[Option]]] = {}
            for state, ways in reached.items():
                options = self._following(state, place)
                if len(options) == 1 and options[0][1] is None:
                    continue  # there it must end
                name = f"layer_{place}/{state.text}"
                texts = tuple(layer.text for layer, _ in options)
                found.append(Decision(name, texts, f"layer {place}", f"layer {place}", _any_of(ways)))
                for layer, after in options:
                    if after is not None:
                        following.setdefault(after, {}).setdefault(name, []).append(layer.text)
            reached = following
        return tuple(found)

    def layers(self, chosen: Mapping[str, Option]) -> list[Layer]:
        """The layers of one architecture in order; the last one is its end."""
        found: list[Layer] = []
        state: _State | None = _State(self.size, pools=False)
        while state is not None:
            following = {layer.text: (layer, after) for layer, after in self._following(state, len(found) + 1)}
            only = next(iter(following))
            text = str(chosen.get(f"layer_{len(found) + 1}/{state.text}", only))
            layer, state = following[text]
            found.append(layer)
        return found

    @override
    def canonical(self, chosen: Mapping[str, Option]) -> str:
        """The layers; the mean over a single position is that position."""
        layers = self.layers(chosen)
        size = self.size
        for layer in layers:
            if layer.kind == "pool":
                size = (size - layer.kernel) // layer.stride + 1
        texts = [layer.text for layer in layers]
        if size == 1 and texts[-1] == "average":
            texts[-1] = "softmax"
        return ",".join(texts)

    @override
    def state(self, decision: str, chosen: Mapping[str, Option]) -> str:
        return str([*chosen.values()][-1]) if chosen else ""  # the name of the decision says the rest

    @override
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        import networkx

        if chosen is None:
            texts = ["conv", *["conv | pool | dense | end"] * (self.max_layers - 1), "end"]
        else:
            texts = [layer.text.replace("_", " ") for layer in self.layers(chosen)]
        graph = networkx.DiGraph()
        graph.add_node(0, label="in")
        for place, text in enumerate(texts, start=1):
            graph.add_node(place, label=str(place))
            graph.add_edge(place - 1, place, operation=text)
        graph.nodes[len(texts)]["label"] = "out"
        return graph

    @override
    def relaxable(self) -> str | None:
        return (
            "options of a layer give feature maps of different sizes and widths, or end the chain, and cannot be "
            "summed. Score its architectures with nb.evaluators.Training, in nb.strategies.QLearning as in the paper"
        )


def _any_of(ways: Mapping[str, list[Option]]) -> tuple[Condition, ...]:
    """The condition that one of some decisions took one of some options; none without any."""
    rules = [Condition(name, tuple(options)) for name, options in ways.items()]
    return (Condition(rules[0].decision, rules[0].options, tuple(rules[1:])),) if rules else ()
