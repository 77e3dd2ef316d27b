"""The space of transformers: what is open, what matters, and what can be mixed."""

from __future__ import annotations

import numpy as np
import pytest

from nbnas.errors import SpaceError
from nbnas.spaces import Choice, SearchSpace, TransformerBlock, transformer


def test_size_counts_only_what_matters():
    """A block: heads and their width with attention only, hidden units and activation with a feed-forward network."""
    block = ((2 * 2) + 2 + 1) * (2 * 3 + 1) * 2
    assert transformer().size == 2 * (block + block**2 + block**3)
    assert transformer(shared=True).size == 2 * 3 * block


def test_an_argument_with_one_value_closes_its_choice():
    space = transformer(
        depths=(2,), widths=(32,), mixers=("attention",), heads=(4,), head_widths=(8,), feed_forwards=("mlp",),
        hidden=(64,), activations=("gelu",),
    )  # fmt: skip
    assert [decision.name for decision in space.decisions] == ["blocks/1/norm", "blocks/2/norm"]
    without = transformer(mixers=("conv_3", "skip"), feed_forwards=("skip",))
    assert not any("head" in decision.name or "hidden" in decision.name for decision in without.decisions)
    with pytest.raises(SpaceError, match=r"widths must be one value at least, got \(\)"):
        transformer(widths=())


def test_the_relaxed_space_keeps_the_largest_of_what_cannot_be_mixed():
    space = transformer(relaxed=True)
    assert space.component.relaxable() is None
    names = ("mixer", "feed_forward", "activation", "norm")
    assert [row.name for row in space.rows] == [f"blocks/{block}/{name}" for block in (1, 2, 3) for name in names]
    blocks = space.component.children()["blocks"]
    assert (blocks.times, blocks.part.heads, blocks.part.head_width, blocks.part.hidden) == (3, 4, 16, 128)
    assert [row.name for row in transformer(relaxed=True, shared=True).rows] == [
        f"blocks/each/{name}" for name in names
    ]


def test_what_cannot_be_mixed_is_named():
    assert "part 'embedding': field 'width' is open" in transformer().component.relaxable()
    assert "part 'blocks': field 'times' is open" in transformer(widths=(32,)).component.relaxable()
    assert "field 'heads' is open and cannot be mixed" in TransformerBlock(heads=Choice(1, 2)).relaxable()


def test_paths_and_derivation_leave_out_what_does_not_matter():
    space = transformer(relaxed=True, depths=(1,))
    rng = np.random.default_rng(0)
    for architecture in [space.sample(rng) for _ in range(40)]:
        paths = space.paths(architecture)
        assert (paths["blocks/1/activation"] == ()) == (paths["blocks/1/feed_forward"] == (1,))
        weights = {
            row.name: [float(place in paths[row.name]) for place in range(len(row.options))] for row in space.rows
        }
        assert space.derive(weights) == architecture


def test_canonical_forgets_what_a_block_does_not_use():
    block = TransformerBlock(
        mixer=Choice("attention", "conv_3", "skip"), heads=Choice(1, 2), feed_forward=Choice("mlp", "skip"),
        hidden=Choice(8, 16), norm=Choice("pre", "post"),
    )  # fmt: skip
    forms = {
        block.canonical({"mixer": mixer, "heads": heads, "feed_forward": mlp, "hidden": hidden, "norm": norm})
        for mixer in ("attention", "conv_3", "skip") for heads in (1, 2) for mlp in ("mlp", "skip")
        for hidden in (8, 16) for norm in ("pre", "post")
    }  # fmt: skip
    # (2 kinds of attention, convolution, skip) · (2 networks, skip) · 2 norms, and one block that does nothing.
    assert len(forms) == (4 * 3 - 1) * 2 + 1


def test_a_block_is_drawn_as_its_two_sublayers():
    space = transformer(relaxed=True, depths=(1,))
    chosen = {"mixer": "conv_7", "feed_forward": "mlp", "activation": "silu", "norm": "pre"}
    architecture = space.architecture({f"blocks/1/{name}": option for name, option in chosen.items()})
    edges = [(data["operation"], data.get("decision")) for *_, data in space.graph(architecture).edges(data=True)]
    assert ("conv_7", "blocks/1/mixer") in edges
    assert ("mlp 128 silu", "blocks/1/feed_forward") in edges


def test_files():
    space = transformer()
    assert SearchSpace.from_json(space.to_json()) == space
