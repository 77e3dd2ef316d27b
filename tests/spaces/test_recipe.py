"""The training recipe as a part of a space: what it hands over, and that it cannot be mixed."""

from __future__ import annotations

import numpy as np
import pytest

from nbnas import jsonio
from nbnas.errors import SpaceError
from nbnas.evaluators import Training
from nbnas.evaluators.augment import AUGMENTATIONS as MADE
from nbnas.spaces import CellNetwork, Choice, Head, Network, Real, Repeat, SearchSpace, Stem
from nbnas.spaces.recipe import AUGMENTATIONS, Recipe


def space_of(*recipes):
    return SearchSpace("s", Network((Stem(4), Head(), *recipes)))


def test_it_hands_over_what_is_given_and_what_was_chosen():
    recipe = Recipe("adam", Real(1e-3, 1e-1, log=True, steps=3), weight_decay=0, augmentation=Choice("flip", "none"))
    space = space_of(recipe)
    assert [decision.name for decision in space.decisions] == ["recipe/learning_rate", "recipe/augmentation"]
    chosen = space.options(space.architecture("1-0"))
    assert space.component.recipe(chosen) == {
        "optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.0, "augmentation": "flip",
    }  # fmt: skip
    assert space_of().component.recipe({}) == {}


def test_what_is_not_decided_is_as_the_evaluator_says():
    recipe = Recipe(Choice("sgd", "adam"), momentum=Choice(0.5, 0.9, when={"optimizer": ["sgd"]}))
    space = space_of(recipe)
    assert space.size == 3
    found = [space.component.recipe(space.options(one)) for one in space.enumerate()]
    assert found == [
        {"optimizer": "sgd", "momentum": 0.5},
        {"optimizer": "sgd", "momentum": 0.9},
        {"optimizer": "adam"},
    ]


def test_a_part_of_the_network_can_depend_on_it_and_the_other_way_round():
    earlier = Recipe(Choice("sgd", "adam"))
    stem = Stem(4, kernel=Choice(1, 3, when={"/recipe/optimizer": ["adam"]}))
    assert SearchSpace("s", Network((earlier, stem, Head()))).size == 1 + 2


def test_it_stands_aside():
    network = Network((Stem(4), Head(), Recipe(Choice("sgd", "adam"))))
    assert (network.flow_in(), network.flow_out(), list(network.flowing())) == ("map", "logits", ["stem", "head"])
    space = SearchSpace("s", network)
    drawn = [text for *_, text in space.graph(space.architecture("1")).edges(data="operation")]
    assert drawn == ["stem", "head"]
    with pytest.raises(SpaceError, match="part must be a part of the network, got 'recipe'"):
        Repeat(Recipe())
    with pytest.raises(SpaceError, match="one part of a network at least, got only parts that stand aside"):
        Network((Recipe(),))


def test_architectures_with_other_recipes_have_other_canonical_forms():
    space = space_of(Recipe(Choice("sgd", "adam"), Real(0.1, 1, steps=3)))
    assert len({space.canonical(one) for one in space.enumerate()}) == 6


def test_an_open_recipe_cannot_be_mixed():
    cells = CellNetwork(3, ("none", "skip"))
    open_recipe = Network((cells, Recipe(Choice("sgd", "adam"), Real(0.1, 1))))
    said = open_recipe.relaxable()
    assert said.startswith("part 'recipe': what a recipe leaves open (optimizer, learning_rate) cannot be mixed")
    assert said.endswith("Close it, or score with nb.evaluators.Training")
    closed = Network((cells, Recipe("adam")))
    assert closed.relaxable() is None
    space = SearchSpace("s", closed)
    assert [row.name for row in space.rows] == [f"cell_network/edge_{edge}" for edge in ("0_1", "0_2", "1_2")]


def test_round_trip_and_digest():
    space = space_of(Recipe(Choice("sgd", "adam"), momentum=0.5))
    assert SearchSpace.from_json(jsonio.loads(jsonio.dumps(space.to_json()), "test")) == space
    assert space.digest != space_of(Recipe(Choice("sgd", "adam"))).digest != space_of().digest


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"optimizer": "lion"}, "optimizer must be one of sgd, adam, adamw, got 'lion'"),
        ({"learning_rate": 0}, "learning_rate must be > 0 and <= 100, got 0"),
        ({"learning_rate": Choice(0.1, True)}, "learning_rate must be a number, got True"),
        ({"momentum": 1}, "momentum must be >= 0 and < 1, got 1"),
        ({"label_smoothing": Real(0, 1)}, "label_smoothing must be >= 0 and < 1, got 1.0"),
        ({"augmentation": Choice("none", "mixup")}, "augmentation must be one of none, shift, .* got 'mixup'"),
        ({"normalisation": "batch"}, "normalisation must be one of none, per_item, got 'batch'"),
    ],
    ids=str,
)
def test_recipes_that_cannot_be(fields, said):
    with pytest.raises(SpaceError, match=said):
        Recipe(**fields)


def test_every_augmentation_of_the_space_is_made():
    assert set(AUGMENTATIONS) == {"none", *MADE}


def test_the_settings_of_an_evaluator_stand_in_the_recipe_too():
    """By the same names, so that `None` can mean what the evaluator says."""
    shared = {"learning_rate", "momentum", "weight_decay"}
    assert shared <= set(Training().to_json())
    assert shared <= set(Recipe().to_json())
    rng = np.random.default_rng(0)
    assert space_of(Recipe()).sample(rng).choices == ()
