"""Which architectures are the same: two published partitions of NAS-Bench-201, and what networks compute."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import torch

from nbnas import spaces
from nbnas.errors import SpaceError
from nbnas.networks import build
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.spaces.catalogue.nas_bench_201 import OFFICIAL_NAMES, from_official, nb201_string, to_official


@pytest.fixture(scope="module")
def canonical(nb201, all_nb201):
    """The canonical form of each architecture."""
    return [nb201.canonical(architecture) for architecture in all_nb201]


@pytest.fixture(scope="module")
def strings(nb201, all_nb201):
    """The benchmark's own simplification of each architecture."""
    return [nb201_string(nb201, architecture) for architecture in all_nb201]


def same_partition(one, other):
    """Whether two labellings put the same things together."""
    return len(set(one)) == len(set(other)) == len(set(zip(one, other, strict=True)))


def test_there_are_4_930_canonical_forms(canonical):
    assert len(set(canonical)) == 4_930


def test_there_are_6_466_strings_of_the_benchmark(strings):
    assert len(set(strings)) == 6_466


def test_the_strings_of_the_benchmark_are_a_finer_partition(canonical, strings):
    assert len(set(zip(canonical, strings, strict=True))) == 6_466


def test_the_strings_of_the_benchmark_are_its_classes(data, nb201, all_nb201, strings):
    with np.load(data / "nasbench201" / "nb201.npz") as table:
        texts, classes = [text.decode() for text in table["arch"].tolist()], table["iso_class"].tolist()
    of = dict(zip(all_nb201, strings, strict=True))
    found = [of[from_official(nb201, text)] for text in texts]
    assert same_partition(found, classes)


def test_official_texts_of_the_table_are_read_and_written(data, nb201):
    names = tuple(OFFICIAL_NAMES.values())
    with np.load(data / "nasbench201" / "nb201.npz") as table:
        texts = [text.decode() for text in table["arch"].tolist()]
        columns = np.stack([table[f"op{edge}"] for edge in range(6)], axis=1)
    order = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    assert names == order  # so that ids of the table are choices
    seen = set()
    for text, row in zip(texts, columns.tolist(), strict=True):
        architecture = from_official(nb201, text)
        assert architecture.choices == tuple(row)
        assert to_official(nb201, architecture) == text
        seen.add(architecture)
    assert len(seen) == 15_625


@pytest.mark.parametrize(
    "text",
    [
        "",
        "|none~0|",
        "|none~1|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|nor_conv_9x9~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|+|none~0|none~1|none~2|none~3|",
    ],
    ids=["empty", "short", "wrong source", "unknown operation", "long"],
)
def test_texts_that_are_not_of_the_benchmark_are_refused(nb201, text):
    with pytest.raises(SpaceError, match=r"must be|not a decision|must have"):
        from_official(nb201, text)


def test_canonical_forms_are_equal_iff_the_functions_are(all_nb201, canonical):
    """Every operation is a polynomial without constant term over the field of 2^61 - 1 elements; sums are exact there.

    Edges with the same operation are the same polynomial, as canonical forms mean it. A false equality of two
    functions at random points has a probability below 10^-9 for all pairs together.
    """
    prime = 2**61 - 1
    rng = np.random.default_rng(0)
    shapes = [[int(number) for number in rng.integers(1, prime, 3)] for _ in range(3)]
    points = [int(number) for number in rng.integers(1, prime, 2)]

    def apply(operation, value):
        if operation < 2:
            return value * operation  # none, skip
        a, b, c = shapes[operation - 2]
        return (a * value + b * value**2 + c * value**3) % prime

    def function(choices):
        values = []
        for point in points:
            nodes, edge = [point], iter(choices)
            for target in range(1, 4):
                nodes.append(sum(apply(next(edge), nodes[source]) for source in range(target)) % prime)
            values.append(nodes[-1])
        return tuple(values)

    functions = [function(architecture.choices) for architecture in all_nb201]
    assert same_partition(functions, canonical)


def test_networks_of_one_canonical_form_compute_the_same():
    """With none, skip and pooling alone, networks of one seed share all weights: outputs tell functions apart.

    Pooling A is linear, so a cell is a polynomial in A: as many different outputs as polynomials.
    """
    component = CellNetwork(4, ("none", "skip", "avg_pool_3x3"), channels=2, cells=1, stages=1)
    space = SearchSpace("plain", component)
    task = type("Shape", (), {"input_shape": (1, 6, 6), "classes": 3})()
    x = torch.randn(2, 1, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rng = np.random.default_rng(1)
    by_form, by_polynomial = defaultdict(list), defaultdict(list)
    with torch.no_grad():
        for architecture in {space.sample(rng) for _ in range(200)}:
            network = build(space, architecture, task, form="evaluation", seed=7).double().eval()
            output = network(x).flatten()
            by_form[space.canonical(architecture)].append(output)
            by_polynomial[polynomial(architecture.choices)].append(output)
    assert sum(map(len, by_form.values())) > len(by_form) > len(by_polynomial) > 20
    for outputs in (*by_form.values(), *by_polynomial.values()):
        assert all(torch.allclose(output, outputs[0], rtol=0, atol=1e-9) for output in outputs)
    firsts = torch.stack([outputs[0] for outputs in by_polynomial.values()])
    distances = torch.cdist(firsts, firsts) + torch.eye(len(firsts))
    assert distances.min() > 1e-6


def polynomial(choices):
    """The coefficients of a cell's output in powers of its pooling."""
    nodes, edge = [np.array([1, 0, 0, 0])], iter(choices)
    for target in range(1, 4):
        node = np.zeros(4, dtype=int)
        for source in range(target):
            choice = next(edge)
            node += {0: 0 * nodes[source], 1: nodes[source], 2: np.roll(nodes[source], 1)}[choice]
        nodes.append(node)
    return tuple(nodes[-1].tolist())


def test_canonical_forms_of_chains_are_one_each():
    space = spaces.chain(max_depth=2, max_dense=1, widths=(4,), kernels=(3,), activations=("relu", "tanh"))
    every = list(space.enumerate())
    assert len({space.canonical(architecture) for architecture in every}) == len(every) == space.size


def test_a_hand_made_pair(nb201):
    """Paths 0→1→3 and 0→2→3 with skips are the same sum."""
    first = nb201.architecture((3, 0, 0, 0, 1, 0))
    second = nb201.architecture((0, 3, 0, 0, 0, 1))
    third = nb201.architecture((0, 0, 0, 3, 4, 4))
    assert {nb201.canonical(cell) for cell in (first, second, third)} == {"conv_3x3(x)"}
    assert nb201.canonical(nb201.architecture((4, 4, 4, 0, 0, 0))) == "0"
