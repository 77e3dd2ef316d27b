"""What holds for every space of the catalogue: it is plain data, it can be walked, and it can be drawn."""

import numpy as np
import pytest

from nbnas.charts import cell_graph
from nbnas.spaces import CATALOGUE, SearchSpace

SPACES = {name: make() for name, make in CATALOGUE.items()}
NAMES = sorted(SPACES)


def drawn(space, count=25):
    rng = np.random.default_rng(0)
    return [space.sample(rng) for _ in range(count)]


@pytest.mark.parametrize("name", NAMES)
def test_a_space_is_its_json(name):
    space = SPACES[name]
    again = SearchSpace.from_json(space.to_json())
    assert again == space
    assert again.to_json() == space.to_json()
    assert CATALOGUE[name]() == space


@pytest.mark.parametrize("name", NAMES)
def test_what_is_drawn_is_of_the_space_and_has_a_text_and_a_code(name):
    space = SPACES[name]
    for architecture in drawn(space):
        space.validate(architecture)
        assert space.architecture(str(architecture)) == architecture
        assert space.architecture(space.options(architecture)) == architecture
        assert space.decode(space.encode(architecture)) == architecture
        assert isinstance(space.canonical(architecture), str)


@pytest.mark.parametrize("name", NAMES)
def test_a_mutation_changes_one_active_decision_and_what_hangs_on_it(name):
    space = SPACES[name]
    rng = np.random.default_rng(1)
    for parent in drawn(space):
        child = space.mutate(parent, rng)
        space.validate(child)
        pairs = list(zip(space.decisions, parent.choices, child.choices, strict=True))
        changed = {decision.name for decision, one, other in pairs if None not in (one, other) and one != other}
        assert len(changed) == 1
        appeared = [decision for decision, one, other in pairs if (one is None) != (other is None)]
        # What came or went hangs on what was changed, at once or through others that came or went.
        reached = set(changed)
        for decision in appeared:
            assert reached & {one.decision for rule in decision.when for one in (rule, *rule.otherwise)}, decision.name
            reached.add(decision.name)


@pytest.mark.parametrize("name", NAMES)
def test_a_crossover_takes_what_a_parent_has(name):
    space = SPACES[name]
    rng = np.random.default_rng(2)
    for a, b in zip(drawn(space), reversed(drawn(space)), strict=True):
        child = space.crossover(a, b, rng)
        space.validate(child)
        for one, other, own in zip(a.choices, b.choices, child.choices, strict=True):
            if own is not None and not (one is None and other is None):
                assert own in (one, other)


@pytest.mark.parametrize("name", NAMES)
def test_neighbours_differ_and_are_of_the_space(name):
    space = SPACES[name]
    architecture = drawn(space, 1)[0]
    seen = set()
    for neighbour, _ in zip(space.neighbours(architecture), range(50), strict=False):
        space.validate(neighbour)
        assert neighbour != architecture
        assert neighbour not in seen
        seen.add(neighbour)
    assert seen


@pytest.mark.parametrize("name", NAMES)
def test_the_space_and_an_architecture_are_drawn(name):
    space = SPACES[name]
    for architecture in (None, *drawn(space, 3)):
        picture = cell_graph.draw(space.graph(architecture))
        assert picture.startswith("<svg")


@pytest.mark.parametrize("name", [name for name in NAMES if not SPACES[name].component.relaxable()])
def test_deriving_from_an_architecture_gives_it_back(name):
    space = SPACES[name]
    rows = {row.name: len(row.options) for row in space.rows}
    for architecture in drawn(space):
        paths = space.paths(architecture)
        assert paths.keys() == rows.keys()
        if any(len(places) > 1 for places in paths.values()):
            continue  # two options of one row at a time: alpha cannot stand for them
        weights = {row: [float(place in paths[row]) for place in range(count)] for row, count in rows.items()}
        derived = space.derive(weights)
        # `none` is never derived, where there is another option.
        if "none" not in space.options(architecture).values():
            assert space.canonical(derived) == space.canonical(architecture)


@pytest.mark.parametrize("name", [name for name in NAMES if SPACES[name].component.relaxable()])
def test_a_space_without_relaxed_view_says_what_to_use(name):
    assert "nb.evaluators" in SPACES[name].component.relaxable()
