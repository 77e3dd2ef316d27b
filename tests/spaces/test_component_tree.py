"""Trees of components: names, conditions, counting, moves, files, over random trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas import jsonio
from nbnas.errors import SpaceError
from nbnas.settings import setting
from nbnas.spaces import Choice, Component, Condition, Decision, Head, Integer, Network, Repeat, SearchSpace, Stem
from nbnas.spaces.component import COMPONENTS, of_part
from tests.fixtures.trees import spaces

some_seed = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True)
def registry():
    """Own components are forgotten afterwards."""
    known = dict(COMPONENTS)
    yield
    COMPONENTS.clear()
    COMPONENTS.update(known)


def space_of(*parts, **keywords):
    return SearchSpace("tree", Network((*parts, Head())), **keywords)


# -- properties over random trees --------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(spaces())
def test_size_is_the_number_that_is_enumerated(space):
    found = list(space.enumerate())
    assert space.size == len(found) == len(set(found))
    for architecture in found[:20]:
        space.validate(architecture)


@settings(deadline=None, max_examples=80)
@given(spaces(), some_seed)
def test_round_trips(space, seed):
    again = SearchSpace.from_json(jsonio.loads(jsonio.dumps(space.to_json()), "test"))
    assert (again, again.component, again.decisions) == (space, space.component, space.decisions)
    architecture = space.sample(np.random.default_rng(seed))
    assert again.architecture(str(architecture)) == architecture
    assert again.architecture(space.options(architecture)) == architecture
    assert space.decode(space.encode(architecture)) == architecture
    assert space.encode(architecture).sum() == sum(choice is not None for choice in architecture.choices)
    assert again.canonical(architecture) == space.canonical(architecture)


def holds(space, architecture, decision):
    """Whether a decision is active, by the names in its conditions."""
    chosen = space.options(architecture)
    return all(chosen.get(rule.decision, rule) in rule.options for rule in decision.when)


@settings(deadline=None, max_examples=80)
@given(spaces(), some_seed)
def test_mutation_changes_one_active_decision_and_those_that_it_activates(space, seed):
    rng = np.random.default_rng(seed)
    before = space.sample(rng)
    if all(choice is None or len(one.options) < 2 for one, choice in zip(space.decisions, before.choices, strict=True)):
        with pytest.raises(SpaceError, match="got none active"):
            space.mutate(before, rng)
        return
    after = space.mutate(before, rng)
    pairs = zip(space.decisions, before.choices, after.choices, strict=True)
    both = [one.name for one, old, new in pairs if None not in (old, new) and old != new]
    assert len(both) == 1
    for decision, choice in zip(space.decisions, after.choices, strict=True):
        assert (choice is not None) == holds(space, after, decision)
    assert after in set(space.neighbours(before))


@settings(deadline=None, max_examples=30)
@given(spaces(most=40), some_seed)
def test_neighbours_are_all_that_mutation_can_make(space, seed):
    """By definition: one active decision differs among those active in both, and the choice before it is the cause."""
    architecture = space.sample(np.random.default_rng(seed))
    neighbours = list(space.neighbours(architecture))
    assert len(set(neighbours)) == len(neighbours)
    expected = set()
    for other in space.enumerate():
        pairs = list(zip(architecture.choices, other.choices, strict=True))
        if sum(None not in pair and pair[0] != pair[1] for pair in pairs) == 1:
            first = next(pair for pair in pairs if pair[0] != pair[1])
            if None not in first:  # nothing is activated before the decision that is changed
                expected.add(other)
    assert set(neighbours) == expected


@settings(deadline=None, max_examples=60)
@given(spaces(), some_seed)
def test_crossover_takes_each_decision_from_a_parent_that_has_it(space, seed):
    rng = np.random.default_rng(seed)
    one, other = space.sample(rng), space.sample(rng)
    child = space.crossover(one, other, rng)
    space.validate(child)
    for place, choice in enumerate(child.choices):
        given_ = {one.choices[place], other.choices[place]} - {None}
        assert choice is None or not given_ or choice in given_


@settings(deadline=None, max_examples=60)
@given(spaces(), some_seed)
def test_fixed_fills_open_fields_and_leaves_no_decision(space, seed):
    """What a builder sees: the choices, or the default of a field where it was not decided."""
    chosen = space.options(space.sample(np.random.default_rng(seed)))
    for name, part in space.component.children().items():
        own = of_part(chosen, name)
        fixed = part.fixed(own)
        assert fixed.opened() == {}
        for field in part.opened():
            default = getattr(type(part), field)
            assert getattr(fixed, field) == own.get(field, default)


@settings(deadline=None, max_examples=60)
@given(spaces())
def test_each_decision_has_its_place_in_the_file(space):
    """The JSON pointer of an open field leads to the options of the decision."""
    value = {"kind": "network", **space.component.to_json()}
    for decision in space.decisions:
        where = value
        for key in space.component.place(decision.name).split("/")[1:]:
            where = where[int(key) if isinstance(where, list) else key]
        body = where.get("choice") or list(range(where["integer"]["low"], where["integer"]["high"] + 1))
        assert tuple(body) == decision.options


# -- names and conditions ----------------------------------------------------------------------------------------------


def test_decisions_are_named_by_their_path():
    space = space_of(
        Stem(channels=Choice(4, 8)),
        Repeat(Stem(kernel=Choice(1, 3)), times=2, name="body"),
        Repeat(Stem(4, kernel=Choice(1, 3)), times=Integer(1, 2), shared=True),
    )
    names = ["stem/channels", "body/1/kernel", "body/2/kernel", "repeat/times", "repeat/each/kernel"]
    assert [decision.name for decision in space.decisions] == names
    assert space.size == 2**5


def test_a_relative_condition_is_about_the_same_component():
    stem = Stem(channels=Choice(4, 8), kernel=Choice(1, 3, when={"channels": [8]}))
    space = space_of(Repeat(stem, times=2))
    assert space.decisions[1].when == (Condition("repeat/1/channels", (8,)),)
    assert space.decisions[3].when == (Condition("repeat/2/channels", (8,)),)
    assert space.size == (1 + 2) ** 2


def test_an_absolute_condition_is_named_from_the_root():
    space = space_of(
        Stem(channels=Choice(4, 8), name="first"),
        Repeat(Stem(4, kernel=Choice(1, 3, when={"/first/channels": [8]})), times=2),
    )
    assert {decision.when for decision in space.decisions[1:]} == {(Condition("first/channels", (8,)),)}
    assert space.size == 1 + 2**2


def test_what_is_inactive_takes_the_default():
    stem = Stem(channels=Choice(4, 8), kernel=Choice(1, 5, when={"channels": [8]}))
    assert stem.fixed({"channels": 4}) == Stem(4, 3)
    assert stem.fixed({"channels": 8, "kernel": 5}) == Stem(8, 5)


@pytest.mark.parametrize(
    ("parts", "pointer", "said"),
    [
        (
            [Stem(kernel=Choice(1, 3, when={"stride": [2]}), stride=Choice(1, 2))],
            "/component/parts/0/kernel/when",
            "'stem/kernel' must depend on decisions that come before it, got 'stem/stride'. Those before it: none",
        ),
        (
            [Stem(), Stem(kernel=Choice(1, 3, when={"kernel": [3]}), name="two")],
            "/component/parts/1/kernel/when",
            "'two/kernel' must depend on decisions that come before it, got 'two/kernel'",
        ),
        (
            [Stem(kernel=Choice(1, 3)), Repeat(Stem(stride=Choice(1, 2, when={"/stem/channels": [8]})), times=2)],
            "/component/parts/1/part/stride/when",
            "'repeat/1/stride' must .* got 'stem/channels'. Those before it: stem/kernel",
        ),
        (
            [Stem(channels=Choice(4, 8), kernel=Choice(1, 3, when={"channels": [16]}))],
            "/component/parts/0/kernel/when",
            r"'stem/kernel' must depend on options of 'stem/channels' \(4, 8\), got 16",
        ),
        (
            [Stem(channels=Choice(1, 2), kernel=Choice(1, 3, when={"channels": [True]}))],
            "/component/parts/0/kernel/when",
            r"'stem/kernel' must depend on options of 'stem/channels' \(1, 2\), got True",
        ),
    ],
)
def test_conditions_that_cannot_be_name_their_place(parts, pointer, said):
    with pytest.raises(SpaceError, match=rf"^{pointer}: decision {said}"):
        space_of(*parts)
    value = {"kind": "network", **Network((*parts, Head())).to_json()}
    with pytest.raises(SpaceError, match=rf"^space.json: {pointer}: decision {said}"):
        SearchSpace.from_json({"schema": 1, "name": "s", "dims": 2, "component": value}, "space.json")


# -- components of one's own -------------------------------------------------------------------------------------------


def test_two_components_of_one_name_in_one_field():
    @dataclass(frozen=True)
    class Branches(Component):
        kind: ClassVar[str] = "branches"
        parts: tuple[Component, ...] = setting((), "Side by side.")

    assert list(Branches((Stem(), Stem(name="other"))).children()) == ["stem", "other"]
    with pytest.raises(SpaceError, match=r"parts/1/name must be new among the parts, got 'stem'.*own name") as caught:
        Branches((Stem(), Stem()))
    assert caught.value.field == "parts/1/name"


def test_decisions_of_one_name_and_without_options_are_refused():
    @dataclass(frozen=True)
    class Odd(Component):
        kind: ClassVar[str] = "odd"
        options: tuple[int, ...] = setting((1,), "Options.")
        names: tuple[str, ...] = setting(("a", "a"), "Names.")

        def decisions(self):
            return tuple(Decision(name, self.options) for name in self.names)

    with pytest.raises(SpaceError, match=r"^/component: decision 'a' must occur once"):
        SearchSpace("odd", Odd())
    with pytest.raises(SpaceError, match=r"^/component: decision 'a' must have an option, got none"):
        SearchSpace("odd", Odd((), ("a",)))


def test_a_field_and_a_child_of_one_name_are_told_apart():
    """Its own choice is part of the canonical form too."""

    @dataclass(frozen=True)
    class Both(Component):
        kind: ClassVar[str] = "both"
        stem: Stem = setting(Stem(kernel=Choice(1, 3)), "A child.")  # noqa: RUF009

        def decisions(self):
            return (Decision("stem", ("a", "b")), *super().decisions())

    space = SearchSpace("both", Both())
    assert len({space.canonical(one) for one in space.enumerate()}) == 4


def test_the_strongest_option_of_a_decision_that_is_not_active_is_not_derived():
    @dataclass(frozen=True)
    class Gated(Component):
        kind: ClassVar[str] = "gated"

        def decisions(self):
            there = Condition("gate", ("open",))
            return (Decision("gate", ("shut", "open")), Decision("way", ("left", "right"), when=(there,)))

        def relaxable(self):
            return None

    space = SearchSpace("gated", Gated())
    assert str(space.derive({"gate": (0.9, 0.1), "way": (0.1, 0.9)})) == "0-."
    assert str(space.derive({"gate": (0.1, 0.9), "way": (0.1, 0.9)})) == "1-1"


# -- extremes ----------------------------------------------------------------------------------------------------------


def test_thousands_of_decisions_are_walked_without_recursion():
    space = space_of(Repeat(Repeat(Stem(kernel=Choice(1, 3)), times=60), times=60))
    first = next(space.enumerate())
    assert first.choices == (0,) * 3600
    assert next(space.neighbours(first)).choices == (1,) + (0,) * 3599
    assert space.size == 2**3600
    assert repr(space) == "<SearchSpace tree: 3600 decisions, about 10^1084 architectures>"


def test_a_space_without_decisions_has_one_architecture():
    space = space_of(Stem())
    rng = np.random.default_rng(0)
    only = space.sample(rng)
    assert (space.size, list(space.enumerate()), only.choices) == (1, [only], ())
    assert list(space.neighbours(only)) == []
    with pytest.raises(SpaceError, match="must have a decision with two options to mutate"):
        space.mutate(only, rng)


def test_too_many_decisions_are_refused_before_they_are_made():
    nest = Stem(kernel=Choice(1, 3))
    for _ in range(3):
        nest = Repeat(nest, times=64)
    with pytest.raises(SpaceError, match=r"decisions must be at most 10,000, got 262,144"):
        nest.decisions()
