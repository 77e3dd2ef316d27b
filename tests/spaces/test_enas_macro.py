"""The macro search space of ENAS: Pham et al., ICML 2018, arXiv:1802.03268."""

import pytest

from nbnas.errors import SpaceError
from nbnas.spaces import SearchSpace, SkipChain, enas_macro


def test_size():
    """Sec. 2.3: 6^L · 2^(L(L-1)/2), about 1.6e29 for 12 layers."""
    assert enas_macro().size == 6**12 * 2**66
    assert f"{enas_macro().size:.1e}" == "1.6e+29"
    assert enas_macro(3).size == 6**3 * 2**3
    assert SearchSpace.from_json(enas_macro().to_json()) == enas_macro()


def test_each_earlier_layer_but_the_last_is_one_decision():
    """The layer before is read in any case; 0 is the stem."""
    names = [decision.name for decision in SkipChain(3).decisions()]
    assert names == [
        *("layer_1/operation", "layer_2/operation", "layer_2/skip_0"),
        *("layer_3/operation", "layer_3/skip_0", "layer_3/skip_1"),
    ]


@pytest.mark.parametrize(("layers", "halvings"), [(12, (4, 8)), (6, (2, 4)), (3, (1, 2)), (2, (1,)), (1, ())])
def test_the_resolution_is_halved_at_thirds(layers, halvings):
    assert SkipChain(layers).halvings() == halvings


def test_no_skip_can_be_derived():
    """For skip connections `none` is an option as any other, unlike the absent edge of DARTS."""
    chain = SkipChain(2)
    weights = {row.name: dict.fromkeys(row.options, 0.0) for row in chain.rows()}
    weights["layer_2/skip_0"] = {"none": 0.6, "skip": 0.4}
    assert chain.derive(weights)["layer_2/skip_0"] == "none"
    weights["layer_2/skip_0"] = {"none": 0.4, "skip": 0.6}
    assert chain.derive(weights)["layer_2/skip_0"] == "skip"


def test_the_drawing_has_the_skip_connections():
    chain = SkipChain(3)
    chosen = {decision.name: decision.options[0] for decision in chain.decisions()} | {"layer_3/skip_0": "skip"}
    assert set(chain.graph(chosen).edges) == {(0, 1), (1, 2), (2, 3), (0, 3)}
    assert set(chain.graph(None).edges) == {(0, 1), (1, 2), (2, 3), (0, 2), (0, 3), (1, 3)}


def test_operations_must_be_known():
    with pytest.raises(SpaceError, match="conv_9x9"):
        SkipChain(operations=("conv_9x9",))
