"""From architectures to networks: seeds, shapes, chains."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nbnas.errors import SettingsError, SpaceError
from nbnas.networks import Supernet, build, operation
from nbnas.networks.chain import ACTIVATIONS
from nbnas.networks.seeding import generator
from nbnas.spaces import CellNetwork, Component, Decision, SearchSpace, chain, nas_bench_201
from nbnas.spaces.chain import ACTIVATIONS as NAMES
from nbnas.spaces.component import COMPONENTS

SMALL = nas_bench_201(channels=4, cells=1)


def bits(module):
    return {key: value.clone() for key, value in module.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[key]) for key, value in one.items())


def makers(shape):
    task = shape((1, 8, 8))
    deep = chain(3, 2)
    return [
        lambda seed: build(SMALL, SMALL.architecture([3, 2, 1, 4, 3, 2]), task, seed=seed),
        lambda seed: build(deep, deep.sample(np.random.default_rng(5)), task, seed=seed),
        lambda seed: Supernet(SMALL, task, seed=seed),
    ]


@pytest.mark.parametrize("which", range(3))
def test_weights_are_a_function_of_the_seed_alone(shape, which):
    make = makers(shape)[which]
    torch.manual_seed(1)
    first = bits(make(7))
    torch.manual_seed(2)
    torch.rand(3)
    assert same(first, bits(make(7)))
    assert not same(first, bits(make(8)))
    assert not same(first, bits(make(7 + 2**32)))
    assert not same(bits(make(None)), bits(make(None)))


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("seed", [0, None])
def test_the_global_generator_is_untouched(shape, which, seed):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    makers(shape)[which](seed)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_own_factory_draws_from_the_seed_too(shape):
    """Whatever of torch's ways to draw it uses: initialisers, functions, methods."""

    @operation("drawn")
    def drawn(in_channels, out_channels, stride):
        layer = nn.Conv2d(in_channels, out_channels, 1)
        for fill in (nn.init.orthogonal_, nn.init.trunc_normal_, nn.init.xavier_normal_, nn.init.kaiming_uniform_):
            layer.register_parameter(fill.__name__, nn.Parameter(fill(torch.empty(4, 4))))
        layer.register_buffer("more", torch.stack([torch.rand(4), torch.randn(4), torch.rand_like(torch.empty(4))]))
        layer.register_buffer("order", torch.randperm(50))
        layer.register_buffer("kept", torch.bernoulli(torch.full((50,), 0.5)))
        return layer

    space = SearchSpace("own", CellNetwork(2, ("drawn",), channels=4, cells=1, stages=1))
    before = torch.get_rng_state()
    one, other = (bits(build(space, space.architecture([0]), shape((1, 8, 8)), seed=4)) for _ in range(2))
    assert same(one, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert not same(one, bits(build(space, space.architecture([0]), shape((1, 8, 8)), seed=5)))


def test_other_threads_neither_disturb_a_build_nor_are_disturbed(shape):
    """A search builds on a worker thread while cells draw on the main one: here in the middle of a build."""
    noise, drawn = [], []

    @operation("meanwhile")
    def meanwhile(in_channels, out_channels, stride):
        if noise:
            thread = threading.Thread(target=lambda: drawn.append(torch.rand(3)))
            thread.start()
            thread.join()
        return nn.Conv2d(in_channels, out_channels, 1)

    space = SearchSpace("own", CellNetwork(2, ("meanwhile",), channels=4, cells=1, stages=1))
    states = []
    for wanted in ([], ["noise"]):
        noise += wanted
        torch.manual_seed(0)
        states.append(bits(build(space, space.architecture([0]), shape((1, 8, 8)), seed=4)))
    assert same(*states)
    torch.manual_seed(0)
    assert torch.equal(drawn[0], torch.rand(3))


def test_initial_weights_have_torch_s_own_distribution(shape):
    """The seeded draws are those that torch would make of an equal generator."""
    space = chain(1, 0)
    network = build(space, space.sample(np.random.default_rng(0)), shape((1, 8, 8)), seed=3)
    layer = next(part for part in network if isinstance(part, nn.Conv2d | nn.Linear))
    expected = torch.empty_like(layer.weight)
    nn.init.kaiming_uniform_(expected, a=5**0.5, generator=generator(3))
    assert torch.equal(layer.weight, expected)


def test_seeds_use_all_their_bits():
    assert len({torch.rand(1, generator=generator(seed)).item() for seed in (0, 1, 2**32, 2**64, 2**80)}) == 5


# -- fitting a task ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "input_shape", "said"),
    [
        (SMALL, (1, 40), r"dims=2, which takes inputs of shape \(channels, height, width\).*\(1, 40\).*with dims=1"),
        (chain(dims=1), (3, 8, 8), r"dims=1, which takes inputs of shape \(channels, length\).*\(3, 8, 8\).*dims=2"),
        (SMALL, (12,), r"inputs of shape \(12,\)\. Reshape the data"),
        (SMALL, (1, 4, 8, 8), r"Reshape the data"),
    ],
)
def test_a_space_and_a_task_of_other_dims(shape, space, input_shape, said):
    with pytest.raises(SpaceError, match=said):
        build(space, space.sample(np.random.default_rng(0)), shape(input_shape))
    if space is SMALL:
        with pytest.raises(SpaceError, match=said):
            Supernet(space, shape(input_shape))


def test_an_architecture_of_another_space(shape):
    with pytest.raises(SpaceError, match="architecture must be of space"):
        build(SMALL, nas_bench_201(channels=8).architecture([0] * 6), shape((1, 8, 8)))


def test_a_form_that_is_none(shape):
    with pytest.raises(SettingsError, match="form must be search or evaluation, got 'eval'"):
        build(SMALL, SMALL.architecture([0] * 6), shape((1, 8, 8)), form="eval")


def test_a_component_without_builder_is_named_with_the_remedy(shape, monkeypatch):
    monkeypatch.setattr("nbnas.spaces.component.COMPONENTS", dict(COMPONENTS))

    @dataclass(frozen=True)
    class Odd(Component):
        kind = "odd"

        def decisions(self):
            return (Decision("a", (1, 2)),)

        def graph(self, chosen):
            raise AssertionError

    space = SearchSpace("odd one", Odd())
    COMPONENTS.pop("odd", None)
    expected = r"at the root must be one that networks are built for \(.*got 'odd'. Declare its"
    with pytest.raises(SpaceError, match=expected):
        build(space, space.architecture([0]), shape((1, 8, 8)))
    with pytest.raises(SpaceError, match="odd has no relaxed view"):
        Supernet(space, shape((1, 8, 8)))


def test_networks_go_where_the_task_is():
    @dataclass(frozen=True)
    class OnMeta:
        input_shape: tuple[int, ...] = (1, 8, 8)
        classes: int = 10
        device: torch.device = field(default_factory=lambda: torch.device("meta"))

    network = build(SMALL, SMALL.architecture([3] * 6), OnMeta())
    assert {value.device.type for value in network.state_dict().values()} == {"meta"}


# -- cell networks -----------------------------------------------------------------------------------------------------


def test_a_cell_computes_its_graph_by_hand(shape):
    """Node 1 = skip(0); node 2 = pool(0) + skip(1); node 3 = none(0) + skip(1) + pool(2)."""
    cell = build(SMALL, SMALL.architecture([1, 4, 1, 0, 1, 4]), shape((1, 8, 8))).blocks[0]
    x = torch.randn(2, 4, 8, 8)
    pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    torch.testing.assert_close(cell(x), x + pool(pool(x) + x))


@pytest.mark.parametrize("input_shape", [(3, 32, 32), (1, 5, 5), (2, 1, 1), (1, 7, 4)])
def test_resolution_halves_and_channels_double_between_stages(shape, input_shape):
    seen = []
    network = build(SMALL, SMALL.architecture([3] * 6), shape(input_shape, 4))
    for block in network.blocks:
        block.register_forward_hook(lambda _, __, out: seen.append(tuple(out.shape[1:])))
    assert network(torch.randn(3, *input_shape)).shape == (3, 4)
    _, height, width = input_shape
    sizes = [(height, width)]
    for _ in range(2):
        sizes += [tuple(-(-size // 2) for size in sizes[-1])]
    assert seen == [(4, *sizes[0]), (8, *sizes[1]), (8, *sizes[1]), (16, *sizes[2]), (16, *sizes[2])]


# -- chains ------------------------------------------------------------------------------------------------------------


def test_every_activation_of_a_space_can_be_built():
    assert tuple(ACTIVATIONS) == NAMES


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.sampled_from([(5, 5), (8, 8), (7, 3), (1, 1), (40,), (1,), (13,)]),
    channels=st.integers(1, 3),
    form=st.sampled_from(["search", "evaluation"]),
)
def test_every_sampled_chain_is_the_network_that_its_layers_say(seed, sizes, channels, form):
    """Layers, widths, kernels and sizes as in `Chain.layers`; sizes halve rounded up, so never below 1."""

    @dataclass(frozen=True)
    class Task:
        input_shape: tuple[int, ...] = (channels, *sizes)
        classes: int = 3

    space = chain(5, 2, widths=(2, 3), kernels=(1, 3, 7), dense_widths=(4, 5), activations=NAMES, dims=len(sizes))
    architecture = space.sample(np.random.default_rng(seed))
    network = build(space, architecture, Task(), form=form, seed=0)
    x = torch.randn(2, channels, *sizes)
    shapes, kinds = [], []
    for part in network:
        x = part(x)
        if isinstance(part, nn.Conv1d | nn.Conv2d):
            assert part.bias is None
            kinds.append(("conv", part.kernel_size[0], part.out_channels))
        elif isinstance(part, nn.MaxPool1d | nn.MaxPool2d):
            kinds.append(("pool", part.kernel_size, None))
            shapes.append(tuple(x.shape[2:]))
        elif isinstance(part, nn.Linear):
            kinds.append(("dense", None, part.out_features))
    layers = space.component.layers(space.options(architecture))
    expected = [(layer["kind"], layer.get("kernel"), layer.get("width")) for layer in layers]
    assert kinds == [*expected, ("dense", None, 3)]
    halved = sizes
    for got in shapes:
        halved = tuple(-(-size // 2) for size in halved)
        assert got == halved
        assert min(got) >= 1
    assert x.shape == (2, 3)
    assert torch.isfinite(x).all()
    used = [type(part) for part in network if type(part) in ACTIVATIONS.values()]
    assert used == [ACTIVATIONS[layer["activation"]] for layer in layers if "activation" in layer]
    norms = [part for part in network if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert all((norm.running_mean is None) == (form == "search") for norm in norms)


def test_a_chain_keeps_the_order_of_a_sequence(shape):
    """Dense layers read positions: a reversed sequence gives other logits."""
    space = chain(1, 0, widths=(2,), kernels=(1,), dims=1)
    chosen = {"depth": 1, "layer_1/kind": "conv", "layer_1/kernel": 1, "layer_1/width": 2}
    architecture = space.architecture({**chosen, "layer_1/activation": "relu", "dense_depth": 0})
    network = build(space, architecture, shape((1, 6), 2), seed=0).eval()
    x = torch.arange(6.0).reshape(1, 1, 6)
    assert not torch.allclose(network(x), network(x.flip(2)))
