"""How many architectures there are: counted, enumerated, and by a formula of our own."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas import spaces
from nbnas.spaces import CellNetwork, Chain, SearchSpace
from nbnas.spaces.chain import ACTIVATIONS


def chain_size(chain: Chain) -> int:
    """A pooling has a kernel; a convolution a kernel, a width and an activation; a dense layer a width and one too."""
    layer = len(chain.kernels) * (1 + len(chain.widths) * len(chain.activations))
    dense = len(chain.dense_widths) * len(chain.activations)
    body = sum(layer**depth for depth in range(1, chain.max_depth + 1))
    return body * sum(dense**depth for depth in range(chain.max_dense + 1))


def test_nas_bench_201_has_15_625_architectures(nb201, all_nb201):
    """Dong & Yang 2020: 5 operations on 6 edges."""
    assert nb201.size == len(all_nb201) == len(set(all_nb201)) == 15_625 == 5**6


def test_enumeration_is_lexicographic_and_lazy(nb201, all_nb201):
    every = itertools.product(range(5), repeat=6)
    assert [architecture.choices for architecture in all_nb201] == list(every)
    large = SearchSpace("large", CellNetwork(nodes=16))
    assert large.size == 5**120
    assert [str(first)[-3:] for first in itertools.islice(large.enumerate(), 3)] == ["0-0", "0-1", "0-2"]


@pytest.mark.parametrize("nodes", [2, 3, 4])
@pytest.mark.parametrize("options", [1, 2, 3])
def test_cells(nodes, options):
    space = SearchSpace("cell", CellNetwork(nodes, ("none", "skip", "conv_1x1")[:options]))
    assert space.size == options ** (nodes * (nodes - 1) // 2) == sum(1 for _ in space.enumerate())


def few(values, most):
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True).map(tuple)


@settings(deadline=None, max_examples=40)
@given(
    st.builds(
        Chain,
        max_depth=st.integers(1, 2),
        max_dense=st.integers(0, 2),
        widths=few([4, 8], 2),
        kernels=few([1, 3], 2),
        dense_widths=few([4, 8], 2),
        activations=few(ACTIVATIONS, 2),
    )
)
def test_chains_are_counted_as_enumerated_and_by_formula(chain):
    space = SearchSpace("chain", chain)
    found = list(space.enumerate())
    assert space.size == len(found) == len(set(found)) == chain_size(chain)
    for architecture in found[:50]:
        space.validate(architecture)


def test_the_largest_chain_is_counted_without_enumerating():
    chain = Chain(max_depth=32, max_dense=8)
    assert SearchSpace("deep", chain).size == chain_size(chain) > 10**30


def test_the_default_chain():
    """14 layers (2 poolings, 12 convolutions), 1 + 4 ways of dense layers."""
    assert spaces.chain().size == (14 + 14**2 + 14**3 + 14**4) * 5 == 206_850
