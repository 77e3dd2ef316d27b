"""Networks of cells with two inputs: published parameters and operations, structure, auxiliary head, drop path."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nbnas.networks import Supernet, build, flops, new_alpha, one_hot, parameters, softmax
from nbnas.networks.auxiliary_head import AuxiliaryHead
from nbnas.networks.layers import FactorizedReduce
from nbnas.networks.measure import Inputs
from nbnas.spaces import Cell, Choice, DartsNetwork, SearchSpace
from nbnas.spaces.catalogue.darts import DARTS_V1, DARTS_V2, darts
from nbnas.spaces.catalogue.genotypes import from_genotype
from nbnas.spaces.catalogue.nasnet import AMOEBANET_A, NASNET_A, amoebanet, enas_micro, nasnet
from nbnas.spaces.cell import Term

CIFAR = Inputs((3, 32, 32), 10)


class Task:
    """A task, on the CPU."""

    classes = 5

    def __init__(self, input_shape):
        self.input_shape = input_shape


def published(make, record, inputs=CIFAR, **arguments):
    space = make(**arguments)
    return build(space, from_genotype(space, record), inputs, seed=0)


def of_pairs(*pairs, output="concat_unused"):
    """A network of cells in which the nodes are these pairs of (operation, source)."""
    cell = Cell(len(pairs), ("skip", "avg_pool_3x3", "conv_1x1"), "any", output)
    space = SearchSpace("own", DartsNetwork(cell, cell, channels=4, cells=3))
    chosen = cell.chosen({node: (Term(*one), Term(*other)) for node, (one, other) in enumerate(pairs, start=2)})
    both = {f"{name}/{decision}": option for name in ("normal", "reduction") for decision, option in chosen.items()}
    return space, space.architecture(both)


# -- published numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "record", "plain", "with_auxiliary"),
    [(darts, DARTS_V2, 3_349_342, 3_825_768), (nasnet, NASNET_A, 3_830_950, 4_288_944)],
    ids=["DARTS_V2", "NASNet-A"],
)
def test_parameters_are_the_published_ones(make, record, plain, with_auxiliary):
    """36 channels, 20 cells, 10 classes."""
    assert parameters(published(make, record, channels=36, cells=20)) == plain
    assert parameters(published(make, record, channels=36, cells=20, auxiliary=True)) == with_auxiliary


def test_amoebanet_a_has_the_parameters_that_the_paper_of_darts_prints():
    """3.1 million, in its Table 1."""
    millions = parameters(published(amoebanet, AMOEBANET_A, channels=36, cells=20)) / 1e6
    assert round(millions, 1) == 3.1


def test_operations_are_the_published_ones():
    """DARTS_V2, 16 channels, 8 cells, one image: 86,889,472; each of the classifier's 10 biases counts 2 more here."""
    assert flops(published(darts, DARTS_V2), (3, 32, 32)) == 86_889_472 + 2 * 10


# -- structure ---------------------------------------------------------------------------------------------------------


def test_reduction_cells_halve_and_double():
    network = published(darts, DARTS_V1, Inputs((3, 33, 32), 10), channels=4, cells=8)
    shapes = []
    for cell in network.cells:
        cell.register_forward_hook(lambda cell, inputs, output: shapes.append(tuple(output.shape[1:])))
    network(torch.zeros(2, 3, 33, 32, device="meta"))
    assert shapes == [(16, 33, 32)] * 2 + [(32, 17, 16)] * 3 + [(64, 9, 8)] * 3
    assert [isinstance(cell.first, FactorizedReduce) for cell in network.cells] == [c in (3, 6) for c in range(8)]


@pytest.mark.parametrize("dims", [1, 2])
def test_a_cell_computes_what_its_genotype_says(dims):
    """By hand: node 2 = pool(first) + skip(second), node 3 = pool(2) + pool(2), of which 3 alone comes out."""
    space, architecture = of_pairs((("avg_pool_3x3", 0), ("skip", 1)), (("avg_pool_3x3", 2), ("avg_pool_3x3", 2)))
    space = SearchSpace("own", space.component, dims=dims)
    architecture = space.architecture(architecture.choices)
    network = build(space, architecture, Task((3, *[8] * dims)), seed=0).eval()
    cell = network.cells[0]
    before, last = (torch.randn(2, 12, *[8] * dims) for _ in range(2))
    pool = (nn.AvgPool1d if dims == 1 else nn.AvgPool2d)(3, 1, 1, count_include_pad=False)
    node = pool(cell.first(before)) + cell.second(last)
    torch.testing.assert_close(cell(before, last), 2 * pool(node))


def test_evaluation_concatenates_what_is_unused_and_search_all():
    space, architecture = of_pairs((("skip", 0), ("skip", 1)), (("conv_1x1", 2), ("skip", 0)))
    for form, nodes in (("evaluation", (3,)), ("search", (2, 3))):
        network = build(space, architecture, Task((3, 8, 8)), form=form, seed=0)
        assert {cell.ends for cell in network.cells} == {nodes}
        assert network.classifier.in_features == 16 * len(nodes)


def test_an_operation_chosen_twice_has_two_sets_of_weights_when_it_is_trained_alone():
    """In the supernet the edge is one, with weight 2."""
    space, architecture = of_pairs((("conv_1x1", 1), ("conv_1x1", 1)))
    counts = {}
    for form in ("evaluation", "search"):
        network = build(space, architecture, Task((3, 8, 8)), form=form, seed=0)
        cell = network.cells[0]
        counts[form] = sum(isinstance(part, nn.Conv2d) for part in cell.edges.modules())
        before, last = (torch.randn(2, 12, 8, 8) for _ in range(2))
        (edge,) = cell.edges.values()
        parts = [*edge.options.values()] if form == "evaluation" else [edge, edge]
        torch.testing.assert_close(cell(before, last), sum(part(cell.second(last)) for part in parts))
    assert counts == {"evaluation": 2, "search": 1}


def test_form_search_has_no_affine_parameters_but_in_the_stem():
    network = build(darts(4, 3), darts(4, 3).sample(np.random.default_rng(0)), Task((3, 8, 8)), form="search", seed=0)
    affine = [
        name
        for name, part in network.named_modules()
        if isinstance(part, nn.BatchNorm2d) and (part.affine or part.track_running_stats)
    ]
    assert affine == ["stem.1"]
    assert network.stem[1].running_mean is None


def test_open_channels_and_cells_are_built():
    cell = Cell(1, ("skip",))
    space = SearchSpace("open", DartsNetwork(cell, cell, channels=Choice(4, 6), cells=Choice(3, 5)))
    chosen = {**space.options(space.architecture("0-0-0-0-0-0-0-0")), "channels": 6, "cells": 5}
    network = build(space, space.architecture(chosen), Task((3, 8, 8)), seed=0)
    assert (len(network.cells), network.classifier.in_features) == (5, 24)


# -- auxiliary head ----------------------------------------------------------------------------------------------------


def test_the_auxiliary_head_is_for_training_alone():
    space = darts(4, 3, 1, auxiliary=True)
    architecture = space.sample(np.random.default_rng(0))
    network = build(space, architecture, Task((3, 32, 32)), seed=0).eval()
    x = torch.randn(2, 3, 32, 32)
    logits, extra = network.heads(x)
    assert torch.equal(logits, network(x))
    assert extra.shape == logits.shape == (2, 5)
    middle = []
    network.cells[2].register_forward_hook(lambda cell, inputs, output: middle.append(output))
    network(x)
    torch.testing.assert_close(network.auxiliary(middle[0]), extra)  # after the cell at 2/3
    plain = darts(4, 3, 1)
    (alone,) = build(plain, plain.architecture(architecture.choices), Task((3, 32, 32)), seed=0).heads(x)
    assert alone.shape == (2, 5)
    assert build(space, architecture, Task((3, 32, 32)), form="search", seed=0).auxiliary is None


@pytest.mark.parametrize("sizes", [(1,), (2,), (8,), (1, 1), (2, 3), (4, 4), (7, 8), (16, 5)])
def test_the_auxiliary_head_fits_maps_of_any_size(sizes):
    head = AuxiliaryHead(6, 3, sizes)
    assert head(torch.randn(4, 6, *sizes)).shape == (4, 3)
    if sizes == (8,):
        assert (head.features[1].kernel_size, head.features[1].stride) == ((5,), (3,))


# -- drop path ---------------------------------------------------------------------------------------------------------


def test_drop_path_leaves_out_operations_of_single_inputs_and_keeps_the_mean():
    """A skip is never left out; the rest is 0 or 1 / (1 - share) of what it was."""
    space, architecture = of_pairs((("avg_pool_3x3", 0), ("skip", 1)))
    network = build(space, architecture, Task((3, 8, 8)), seed=0)
    cell = network.cells[0]
    before, last = (torch.randn(400, 12, 2, 2, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    torch.manual_seed(0)
    pooled = cell(before, last) - cell.second(last)
    dropped = cell(before, last, 0.25) - cell.second(last)
    zero = (dropped.abs() < 1e-6).flatten(1).all(dim=1)
    torch.testing.assert_close(dropped[~zero], pooled[~zero] / 0.75, atol=1e-5, rtol=1e-4)
    assert 0.15 < zero.double().mean() < 0.35
    cell.eval()
    assert torch.equal(cell(before, last, 0.25), cell(before, last))


def test_drop_path_is_a_setting_of_networks_in_form_evaluation():
    cell = Cell(1, ("avg_pool_3x3",))
    space = SearchSpace("drop", DartsNetwork(cell, cell, channels=4, cells=3, drop_path=0.5))
    architecture = space.sample(np.random.default_rng(0))
    x = torch.randn(8, 3, 8, 8)
    for form, differ in (("evaluation", True), ("search", False)):
        network = build(space, architecture, Task((3, 8, 8)), form=form, seed=0)
        assert torch.equal(network(x), network(x)) != differ
        assert torch.equal(network.eval()(x), network(x))
        network.drop_path = 0.0
        assert torch.equal(network.train()(x), network(x))


# -- the relaxed network -----------------------------------------------------------------------------------------------

RELAXED = {
    "darts": (darts(channels=2, cells=3, nodes=3), (3, 8, 8)),
    "darts in a sequence": (darts(channels=2, cells=4, nodes=2, dims=1), (2, 13)),
    "free inputs": (enas_micro(channels=2, cells=3, nodes=2), (1, 7, 5)),
    "different cells": (
        SearchSpace("own", DartsNetwork(Cell(1, ("skip", "conv_1x1"), "any"), Cell(2), channels=2, cells=3)),
        (3, 8, 8),
    ),
}


def test_the_supernet_has_the_parameters_of_the_published_one():
    """16 channels, 8 cells: the published search prints 1.930618 million, alpha not counted."""
    assert parameters(Supernet(darts(), CIFAR)) == 1_930_618


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", RELAXED)
def test_one_hot_mixture_is_single_path_is_the_network_alone(name, training):
    space, input_shape = RELAXED[name]
    supernet = Supernet(space, Task(input_shape), seed=0).double().train(training)
    x = torch.randn(4, *input_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rng = np.random.default_rng(0)
    outputs = set()
    drawn = [space.sample(rng) for _ in range(12)]
    with torch.no_grad():
        for architecture in drawn:
            mixed = supernet(x, one_hot(space, architecture, dtype=torch.float64))
            size = mixed.abs().max()
            assert (supernet(x, architecture) - mixed).abs().max() <= 1e-12 * size
            assert (supernet.extract(architecture)(x) - mixed).abs().max() <= 1e-12 * size
            outputs.add(round(mixed.square().sum().item(), 9))  # their mean is that of normalised nodes: 0
    assert len(outputs) > 8  # they do differ
    if name == "free inputs":  # an edge that is taken twice, by one operation and by two
        paths = [path for architecture in drawn for path in space.paths(architecture).values() if len(path) == 2]
        assert {len(set(path)) for path in paths} == {1, 2}


def test_gradients_of_a_mixture_reach_all_rows():
    space, input_shape = RELAXED["darts"]
    supernet = Supernet(space, Task(input_shape), seed=0)
    alpha = new_alpha(space, 0, scale=0.1)
    supernet(torch.randn(4, *input_shape), softmax(alpha)).square().sum().backward()
    assert all(row.grad is not None and row.grad.abs().max() > 0 for row in alpha.values())
    assert len(alpha) == 2 * (2 + 3 + 4)
