"""Components of one's own, and the registry that files name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import networkx
import pytest

from nbnas import spaces
from nbnas.errors import SpaceError
from nbnas.settings import setting
from nbnas.spaces import CellNetwork, Component, Condition, Decision, SearchSpace
from nbnas.spaces.component import COMPONENTS


@pytest.fixture(autouse=True)
def registry():
    """Own components are forgotten afterwards."""
    known = dict(COMPONENTS)
    yield
    COMPONENTS.clear()
    COMPONENTS.update(known)


def coffee():
    @dataclass(frozen=True)
    class Coffee(Component):
        """A machine with an optional milk frother."""

        kind: ClassVar[str] = "coffee"
        beans: tuple[str, ...] = setting(("arabica", "robusta"), "Sorts.")

        def decisions(self):
            milk = Condition("milk", ("yes",))
            return (
                Decision("beans", self.beans),
                Decision("milk", ("no", "yes")),
                Decision("foam", (1, 2), when=(milk,)),
            )

        def graph(self, chosen):
            return networkx.DiGraph([(0, 1)])

    return Coffee


def test_an_own_component_is_searched_and_stored(tmp_path):
    kind = coffee()
    space = SearchSpace("morning", kind())
    assert space.size == 2 * (1 + 2)
    space.save(tmp_path / "space.json")
    again = SearchSpace.load(tmp_path / "space.json")
    assert again == space
    assert isinstance(again.component, kind)
    with pytest.raises(SpaceError, match=r"coffee has no relaxed view. Score its architectures with"):
        raise SpaceError(space.component.relaxable())


def test_canonical_forms_of_an_own_component_are_one_each():
    space = SearchSpace("morning", coffee()())
    assert len({space.canonical(one) for one in space.enumerate()}) == space.size
    assert space.canonical(space.architecture("1-1-0")) == "beans=robusta;milk=yes;foam=1"


def test_a_notebook_cell_may_be_run_again():
    first, second = coffee(), coffee()
    assert first is not second
    assert COMPONENTS["coffee"] is second


def test_a_component_made_from_a_built_in_one_does_not_take_its_place():
    """Files that name `cell_network` must go on giving that."""

    @dataclass(frozen=True)
    class Wider(CellNetwork):
        def check(self):
            super().check()

    assert COMPONENTS["cell_network"] is CellNetwork
    text = spaces.nas_bench_201().to_json()
    assert type(SearchSpace.from_json(text).component) is CellNetwork


def test_a_built_in_kind_cannot_be_taken():
    with pytest.raises(SpaceError, match="kind must be new, got 'chain', which is built in"):
        type("Mine", (Component,), {"kind": "chain", "__module__": "__main__"})
    assert COMPONENTS["chain"] is spaces.Chain
