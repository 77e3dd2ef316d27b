"""Stages of blocks, and chains of layers with one block each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbnas.errors import SpaceError
from nbnas.spaces import BlockChain, Choice, Head, Integer, Network, SearchSpace, Stage, Stages, Stem
from nbnas.spaces.block_chain import Block


def space_of(*stages):
    return SearchSpace("staged", Network((Stem(4), Stages(stages), Head())))


def test_every_field_of_a_stage_can_be_left_open():
    stage = Stage(
        block=Choice("mb", "sep", "conv"),
        depth=Integer(1, 3),
        width=Choice(8, 16),
        kernel=Choice(3, 5),
        stride=Choice(1, 2),
        expansion=Choice(3, 6, when={"block": ("mb",)}),
        squeeze=Choice(0.0, 0.25),
        shortcut=Choice("identity", "pool", "none"),
        activation=Choice("relu", "hardswish"),
    )
    space = space_of(stage)
    # mb has two expansions, sep and conv have none: 4 operations.
    assert space.size == 4 * 3 * 2 * 2 * 2 * 2 * 3 * 2
    assert SearchSpace.from_json(space.to_json()) == space


def test_stages_are_named_by_their_place_or_their_own_name():
    stages = Stages((Stage(width=Choice(4, 8)), Stage(width=Choice(4, 8), name="last")))
    assert [decision.name for decision in stages.decisions()] == ["stage_1/width", "last/width"]
    with pytest.raises(SpaceError, match="own"):
        Stages((Stage(name="stage_2"), Stage()))


def test_the_expansion_is_the_same_function_where_there_is_none():
    stage = Stage(block=Choice("mb", "sep"), expansion=Choice(3, 6))
    texts = {
        (block, expansion): stage.canonical({"block": block, "expansion": expansion})
        for block in ("mb", "sep")
        for expansion in (3, 6)
    }
    assert texts["sep", 3] == texts["sep", 6]
    assert len(set(texts.values())) == 3


def test_stages_have_no_relaxed_view_unless_they_are_closed():
    assert "nb.evaluators.Training" in (space_of(Stage(width=Choice(4, 8))).component.relaxable() or "")
    assert Stages((Stage(),)).relaxable() is None


@given(st.integers(1, 16), st.sampled_from([1, 3, 5, 7, 31]), st.sampled_from([1, 2, 4, 8]), st.booleans())
def test_names_of_blocks_are_read(expansion, kernel, groups, squeeze):
    name = f"mb{expansion}_k{kernel}" + (f"_g{groups}" if groups > 1 else "") + ("_se" if squeeze else "")
    assert Block.named(name) == Block(expansion, kernel, groups, 0.25 if squeeze else 0.0)


@pytest.mark.parametrize("name", ["mb0_k3", "mb6_k4", "mb17_k3", "mb6", "mb6_k3_g3", "mb6_k33", "conv", ""])
def test_other_names_are_refused(name):
    with pytest.raises(SpaceError, match="mb6_k5_se"):
        BlockChain(("skip", name))


def test_a_skip_stands_only_where_the_layer_keeps_the_shape():
    chain = BlockChain(("mb3_k3", "skip"), (8, 16, 16), (2, 2, 1), (1, 1, 2), in_channels=8)
    skippable = [decision.name for decision in chain.decisions() if "skip" in decision.options]
    assert skippable == ["layer_1", "layer_2", "layer_4"]
    unknown = BlockChain(("mb3_k3", "skip"), (8,), (2,), (1,))
    assert [decision.options for decision in unknown.decisions()] == [("mb3_k3",), ("mb3_k3", "skip")]
    projected = BlockChain(("mb3_k3", "skip"), (8, 16), (1, 2), (1, 2), "projected")
    assert all(decision.options == ("mb3_k3", "skip") for decision in projected.decisions())


def test_where_a_skip_stands_within_a_stage_does_not_matter():
    chain = BlockChain(("skip", "mb3_k3"), (8,), (3,), (1,), in_channels=8)
    blocks = [("skip", "mb3_k3", "skip"), ("mb3_k3", "skip", "skip"), ("skip", "skip", "mb3_k3")]
    texts = {chain.canonical(dict(zip(("layer_1", "layer_2", "layer_3"), row, strict=True))) for row in blocks}
    assert texts == {"mb3_k3"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"depths": (1,)}, "as many numbers as widths"),
        ({"blocks": ()}, "occur once each"),
        ({"blocks": ("skip", "skip")}, "occur once each"),
        ({"blocks": ("skip",)}, "projected"),
        ({"widths": (), "depths": (), "strides": ()}, "one a stage"),
    ],
)
def test_chains_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(SpaceError, match=said):
        BlockChain(**wrong)


def test_an_edge_of_the_drawing_says_what_a_stage_is():
    stage = Stage("mb", 3, Choice(40, 48), 5, 2, 3, 0.25)
    assert stage.text({"width": 40}) == "3× mb3 5×5, 40, SE, /2"
    assert stage.text(None) == "stage, 1 open"
    assert Stage("conv", 1, 8).text(None) == "1× conv 3×3, 8"
