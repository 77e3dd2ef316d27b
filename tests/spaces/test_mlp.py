"""The space of multilayer perceptrons."""

from __future__ import annotations

import numpy as np
import pytest

from nbnas.errors import SpaceError
from nbnas.spaces import Head, Mlp, Network, SearchSpace, mlp


def test_size_is_a_geometric_sum():
    each = 4 * 3 * 3 * 3
    assert mlp().size == sum(each**depth for depth in (1, 2, 3, 4))
    few = mlp(2, widths=(8, 16), activations=("relu",), normalisations=("none",), dropouts=(0.0,))
    assert few.size == 2 + 4 == len(list(few.enumerate()))


def test_layers_that_are_not_there_have_no_choices():
    space = mlp(3)
    rng = np.random.default_rng(0)
    for architecture in [space.sample(rng) for _ in range(20)]:
        options = space.options(architecture)
        fields = ("width", "activation", "normalisation", "dropout")
        there = {f"layers/{layer}/{name}" for layer in range(1, options["layers/times"] + 1) for name in fields}
        assert set(options) == {"layers/times", *there}


def test_it_has_no_relaxed_view_and_says_what_to_do():
    assert "'times' is open. Close it" in mlp().component.relaxable()
    open_width = SearchSpace("one", Network((Mlp(), Head())), dims=0)
    assert open_width.component.relaxable() is None
    reason = mlp().component.children()["layers"].part.relaxable()
    assert reason.startswith("field 'width' is open")
    assert "nb.evaluators.Training" in reason


def test_a_layer_as_text():
    assert Mlp(2, 8, "tanh", "batch", 0.5).text({}) == "2× dense 8, batch norm, tanh, dropout 0.5"
    assert Mlp(activation="none").text(None) == "dense 64"


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(SpaceError, match="normalisation must be one of none, batch, layer, got 'group'"):
        mlp(normalisations=("group",))
