"""Transformer blocks against torch's attention and a computation by hand, and the supernet against single networks."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from nbnas import tasks
from nbnas.networks import Supernet, build, one_hot, softmax
from nbnas.networks.measure import Inputs, cost
from nbnas.networks.transformer_block import Attention, How, SequenceConvolution
from nbnas.spaces import Choice, Embedding, Head, Network, SearchSpace, TransformerBlock, transformer

HOW = How("pre", "gelu")


def task(targets="item"):
    return SimpleNamespace(input_shape=(6,), classes=3, inputs="tokens", vocabulary=7, targets=targets)


def tokens(items=4):
    return torch.randint(7, (items, 6), generator=torch.Generator().manual_seed(1))


def vectors(width=8, length=6):
    draws = torch.Generator().manual_seed(0)
    return torch.randn(4, length, width, generator=draws, dtype=torch.float64)


def space_of(**fields):
    return SearchSpace("one", Network((Embedding(8), TransformerBlock(name="block", **fields), Head())), dims=1)


def network_of(targets="item", **fields):
    space = space_of(**fields)
    return build(space, space.architecture([]), task(targets), seed=0).double()


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_that_of_torch(causal):
    layer, x = Attention(8, 3, 5, causal=causal).double(), vectors()
    parts = functional.linear(x, layer.inward.weight, layer.inward.bias).split(15, dim=2)
    query, key, value = (part.view(4, 6, 3, 5).transpose(1, 2) for part in parts)
    heads = functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
    wanted = layer.outward(heads.transpose(1, 2).reshape(4, 6, 15))
    torch.testing.assert_close(layer(x, HOW), wanted, rtol=0, atol=1e-12)


def test_attention_is_multihead_attention_where_widths_agree():
    layer, x = Attention(8, 2, 4, causal=False).double(), vectors()
    torchs = torch.nn.MultiheadAttention(8, 2, batch_first=True).double()
    torchs.load_state_dict({
        "in_proj_weight": layer.inward.weight, "in_proj_bias": layer.inward.bias,
        "out_proj.weight": layer.outward.weight, "out_proj.bias": layer.outward.bias,
    })  # fmt: skip
    torch.testing.assert_close(layer(x, HOW), torchs(x, x, x, need_weights=False)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_a_convolution_by_hand(causal):
    layer, x = SequenceConvolution(8, 3, causal=causal).double(), vectors()
    wanted = layer.depthwise.bias.expand(4, 6, 8).clone()
    for place in range(6):
        for tap in range(3):
            source = place + tap - (2 if causal else 1)
            if 0 <= source < 6:
                wanted[:, place] += layer.depthwise.weight[:, 0, tap] * x[:, source]
    torch.testing.assert_close(layer(x, HOW), layer.outward(wanted), rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("mixer", ["attention", "conv_5", "skip"])
@pytest.mark.parametrize("feed_forward", ["mlp", "skip"])
def test_a_block_by_hand(norm, mixer, feed_forward):
    network = network_of(mixer=mixer, feed_forward=feed_forward, norm=norm, heads=2, head_width=4, hidden=12)
    block, x = network.parts["block"], vectors()
    wanted = x
    if mixer != "skip":
        part = block.mixer
        wanted = x + part.inner(part.norm(x), HOW) if norm == "pre" else part.norm(x + part.inner(x, HOW))
    if feed_forward == "mlp":
        part, before = block.feed_forward, wanted
        fed = part.norm(before) if norm == "pre" else before
        added = part.inner.outward(functional.gelu(part.inner.inward(fed)))
        wanted = before + added if norm == "pre" else part.norm(before + added)
    torch.testing.assert_close(block(x), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("mixer", "mixing"),
    [
        ("attention", 3 * (8 * 15 + 15) + (15 * 8 + 8) + 2 * 8),
        ("conv_7", (7 * 8 + 8) + (8 * 8 + 8) + 2 * 8),
        ("skip", 0),
    ],
)
def test_parameters_in_closed_form(mixer, mixing):
    fields = {"mixer": mixer, "heads": 3, "head_width": 5, "hidden": 12}
    ends = 7 * 8 + 8 * 3 + 3
    feeding = (8 * 12 + 12) + (12 * 8 + 8) + 2 * 8
    for feed_forward, fed in (("mlp", feeding), ("skip", 0)):
        space = space_of(feed_forward=feed_forward, **fields)
        assert cost(space, space.architecture([]), Inputs((6,), 3, 7))[0] == ends + mixing + fed


def test_the_published_base_encoder_layer_has_its_parameters():
    """Vaswani et al., Table 3, base: width 512, 8 heads of 64, 2,048 hidden units: 3,152,384 a layer with biases."""
    space = SearchSpace(
        "base",
        Network((
            Embedding(512), TransformerBlock("attention", 8, 64, hidden=2048, activation="relu", norm="post"), Head(),
        )),
        dims=1,
    )  # fmt: skip
    torchs = torch.nn.TransformerEncoderLayer(512, 8, 2048, device="meta")
    layer = sum(weight.numel() for weight in torchs.parameters())
    assert layer == 3_152_384
    assert cost(space, space.architecture([]), Inputs((6,), 2, 7))[0] == layer + 7 * 512 + 512 * 2 + 2


@pytest.mark.parametrize("mixer", ["attention", "conv_5"])
@pytest.mark.parametrize(
    ("targets", "causal", "looks_ahead"),
    [
        ("position", "auto", False),
        ("item", "auto", True),
        ("position", "no", True),
        ("item", "yes", False),
    ],
)
def test_who_sees_later_positions(mixer, targets, causal, looks_ahead):
    """A language model that saw the next token would have nothing to tell."""
    block = network_of(targets, mixer=mixer, causal=causal, heads=2, head_width=4, hidden=12).parts["block"]
    x = vectors()
    changed = x.clone()
    changed[:, 4] += 1.0
    before, after = block(x), block(changed)
    assert not torch.allclose(before[:, 4], after[:, 4])
    assert torch.equal(before[:, :4], after[:, :4]) is not looks_ahead


@pytest.mark.parametrize("shared", [False, True])
def test_one_hot_is_single_path_is_the_network_alone(shared):
    space = transformer(
        relaxed=True, shared=shared, depths=(2,), widths=(8,), heads=(2,), head_widths=(4,), hidden=(12,)
    )
    supernet, x = Supernet(space, task(), seed=0).double(), tokens()
    rng = np.random.default_rng(0)
    for architecture in [space.sample(rng) for _ in range(8)]:
        mixed = supernet(x, one_hot(space, architecture, dtype=torch.float64))
        torch.testing.assert_close(supernet(x, architecture), mixed, rtol=0, atol=1e-12)
        alone = supernet.extract(architecture)
        torch.testing.assert_close(alone(x), mixed, rtol=0, atol=1e-12)
        assert sum(weight.numel() for weight in alone.parameters()) == cost(space, architecture, Inputs((6,), 3, 7))[0]


def test_a_mixture_weighs_all_that_is_open():
    space = space_of(
        mixer=Choice("attention", "skip"), feed_forward=Choice("mlp", "skip"), activation=Choice("relu", "tanh"),
        norm=Choice("pre", "post"), heads=2, head_width=4, hidden=12,
    )  # fmt: skip
    supernet = Supernet(space, task(), seed=0).double()
    block, x = supernet.network.parts["block"], vectors()
    mixture = {name: torch.tensor(weights, dtype=torch.float64) for name, weights in {
        "block/mixer": [0.7, 0.3], "block/feed_forward": [0.6, 0.4], "block/activation": [0.1, 0.9],
        "block/norm": [0.8, 0.2],
    }.items()}  # fmt: skip

    def sublayer(part, value, function):
        pre = value + function(part.norm(value))
        post = part.norm(value + function(value))
        return 0.8 * pre + 0.2 * post

    attention, mlp = block.mixer.options[0], block.feed_forward.options[0]

    def feed(value):
        hidden = mlp.inner.inward(value)
        return mlp.inner.outward(0.1 * torch.relu(hidden) + 0.9 * torch.tanh(hidden))

    mixed = 0.7 * sublayer(attention, x, lambda value: attention.inner(value, HOW)) + 0.3 * x
    wanted = 0.6 * sublayer(mlp, mixed, feed) + 0.4 * mixed
    torch.testing.assert_close(block(x, mixture), wanted, rtol=0, atol=1e-12)


def test_alpha_has_second_derivatives():
    """Second-order DARTS differentiates a gradient of the weights once more, by alpha."""
    space = transformer(relaxed=True, depths=(1,), widths=(8,), heads=(2,), head_widths=(4,), hidden=(12,))
    supernet, x = Supernet(space, task(), seed=0), tokens()
    alpha = {row.name: torch.zeros(len(row.options), requires_grad=True) for row in space.rows}
    loss = supernet(x, softmax(alpha)).square().sum()
    gradients = torch.autograd.grad(loss, list(supernet.parameters()), create_graph=True)
    sum(gradient.square().sum() for gradient in gradients).backward()
    assert all(row.grad.abs().max() > 0 for row in alpha.values())


def test_it_fits_the_task_of_topics_and_that_of_characters():
    space = transformer(widths=(8,), hidden=(16,))
    for bound in (tasks.topics(items=400, length=8).bind("cpu"), tasks.characters(items=100, length=8).bind("cpu")):
        logits = build(space, space.sample(np.random.default_rng(0)), bound, seed=0)(bound.train.x[:3])
        assert logits.shape == (*bound.train.y[:3].shape, bound.classes)


def test_attention_learns_which_token_occurs():
    """Whether token 0 is among the six."""
    network = network_of(heads=2, head_width=4, hidden=12).float()
    x = torch.randint(7, (128, 6), generator=torch.Generator().manual_seed(0))
    y = (x == 0).any(dim=1).long()
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(80):
        optimizer.zero_grad()
        functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    assert (network(x).argmax(dim=1) == y).float().mean() > 0.97
