"""The search space of MetaQNN against the rules of its paper: Baker et al., ICLR 2017, arXiv:1611.02167."""

import itertools
import math
from functools import cache

import numpy as np
import pytest

from nbnas.errors import SpaceError
from nbnas.spaces import LayerChain, SearchSpace, metaqnn_chain

PAPER = {
    "widths": (64, 128, 256, 512),
    "kernels": (1, 3, 5),
    "pools": ((5, 3), (3, 2), (2, 2)),
    "dense_units": (512, 256, 128),
    "max_dense": 2,
}
TINY = {"widths": (4, 8), "kernels": (1, 3), "pools": ((3, 2), (2, 2)), "dense_units": (8, 4), "max_dense": 2}


def following(layers, size, limit, table):
    """What may follow a row of layers (text, size after it), by the rules of Sec. 4 and appendix B."""
    last = layers[-1].split()[0] if layers else "start"
    dense = sum(layer.startswith("dense") for layer in layers)
    found = []
    if len(layers) < limit:
        if last != "dense":
            found += [
                (f"conv {kernel} {width}", size)
                for kernel in table["kernels"]
                for width in table["widths"]
                if kernel <= size
            ]
        if last == "conv":
            found += [
                (f"pool {kernel} {stride}", math.ceil((size - kernel + 1) / stride))
                for kernel, stride in table["pools"]
                if kernel <= size
            ]
        if dense < table["max_dense"] and (last == "dense" or size < 8):
            most = int(layers[-1].split()[1]) if last == "dense" else math.inf
            found += [(f"dense {units}", size) for units in table["dense_units"] if units <= most]
    return found


def every_chain(size, limit, table, layers=()):
    """All chains, by brute force."""
    if layers:
        yield (*layers, "softmax")
        if not layers[-1].startswith("dense"):
            yield (*layers, "average")
    for layer, after in following(layers, size, limit, table):
        yield from every_chain(after, limit, table, (*layers, layer))


@pytest.mark.parametrize(("size", "limit"), [(8, 1), (8, 3), (5, 3), (3, 4), (1, 3)])
def test_the_space_is_all_chains_of_the_rules_once_each(size, limit):
    space = metaqnn_chain(size, limit, **TINY)
    expected = sorted(every_chain(size, limit, TINY))
    found = [
        tuple(layer.text.replace("_", " ") for layer in space.component.layers(space.options(architecture)))
        for architecture in space.enumerate()
    ]
    assert sorted(found) == expected
    assert space.size == len(expected) == len(set(expected)) > 1


def test_size_of_the_paper_space():
    """Counted by the rules, chain by chain of equal continuations: 18 layers, images of 32 pixels."""

    @cache
    def count(last, size, dense, length):
        layers = ("conv",) * (length - 1) if length else ()
        layers = (*layers[: length - dense], *("dense 0",) * (dense - 1), last) if length else ()
        ends = 0 if not length else 1 if dense else 2
        return ends + sum(
            count(layer, after, dense + layer.startswith("dense"), length + 1)
            for layer, after in following(layers, size, 18, PAPER)
        )

    assert metaqnn_chain().size == count("start", 32, 0, 0)


def test_no_pooling_is_first_or_follows_another():
    space = metaqnn_chain(8, 4, **TINY)
    for architecture in space.enumerate():
        kinds = [layer.kind for layer in space.component.layers(space.options(architecture))]
        assert kinds[0] != "pool"
        assert ("pool", "pool") not in itertools.pairwise(kinds)
        assert kinds.count("dense") <= 2


def test_mutants_and_children_are_chains_of_the_rules():
    space = metaqnn_chain(8, 3, **TINY)
    known = set(every_chain(8, 3, TINY))
    rng = np.random.default_rng(0)
    for _ in range(100):
        a, b = space.sample(rng), space.sample(rng)
        for child in (space.mutate(a, rng), space.crossover(a, b, rng)):
            space.validate(child)
            layers = space.component.layers(space.options(child))
            assert tuple(layer.text.replace("_", " ") for layer in layers) in known
        assert space.mutate(a, rng) != a


def test_the_mean_over_one_position_is_that_position():
    """Chains that differ in nothing else are the same function; there are no others of these."""
    space = metaqnn_chain(3, 3, **TINY)
    texts = [space.canonical(architecture) for architecture in space.enumerate()]
    merged = 0
    for chain in every_chain(3, 3, TINY):
        size = 3
        for layer in chain:
            if layer.startswith("pool"):
                size = math.ceil((size - int(layer.split()[1]) + 1) / int(layer.split()[2]))
        merged += size == 1 and chain[-1] == "average"
    assert len(texts) - len(set(texts)) == merged > 0


def test_an_agent_sees_the_layer_before():
    """The state of the paper: depth and representation size stand in the decision's name, the layer in its state."""
    space = metaqnn_chain(8, 3, **TINY)
    first = space.decisions[0]
    assert first.name == "layer_1/at_8_no_pool"
    assert space.component.state(first.name, {}) == ""
    assert space.component.state("layer_2/at_8", {first.name: "conv_3_8"}) == "conv_3_8"


def test_files():
    space = metaqnn_chain()
    assert SearchSpace.from_json(space.to_json()) == space


def test_it_says_why_it_has_no_relaxed_view():
    assert "nb.strategies.QLearning" in (metaqnn_chain().component.relaxable() or "")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kernels": (2,)}, "odd"),
        ({"kernels": (5,), "size": 4}, r"at most size \(4\)"),
        ({"pool_strides": (2,)}, "as many numbers as pool_kernels"),
        ({"pool_kernels": (2, 2), "pool_strides": (2, 2)}, "poolings that occur once"),
        ({"widths": (8, 8)}, "occur once each"),
        ({"widths": tuple(range(1, 40))}, "at most 32"),
    ],
)
def test_chains_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(SpaceError, match=said):
        LayerChain(**wrong)
