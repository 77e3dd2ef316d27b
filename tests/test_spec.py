"""A specification: one JSON, closed, the same run."""

from __future__ import annotations

import copy
import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas import evaluators, jsonio, spaces, strategies, tasks
from nbnas.errors import NbnasError, SettingsError, SpecError
from nbnas.events import TrialFinished
from nbnas.processes import Budget
from nbnas.session import start
from nbnas.spaces import CellNetwork, Limit, Network, Recipe, SearchSpace
from nbnas.spec import RunSpec
from tests.fixtures.runs import CHAIN, NB201, Hooked, images, score_of, table_of

DIGITS = tasks.digits()
TRAINING = evaluators.Training(epochs=2)
GOOD = RunSpec(NB201, DIGITS, strategies.RandomSearch(), TRAINING, Budget(trials=5), 7, "cpu", "a label")

parts = st.sampled_from(
    [
        (NB201, DIGITS, strategies.Darts(batch=32), None, Budget(epochs=3)),
        (NB201, DIGITS, strategies.Reinforce(controller="softmax"), evaluators.SharedWeights(), Budget(epochs=2)),
        (CHAIN, DIGITS, strategies.RegularizedEvolution(population=7, tournament=3), TRAINING, Budget(trials=9)),
        (CHAIN, None, strategies.RandomSearch(), evaluators.Tabular("some.npz"), Budget(trials=3, seconds=2.5)),
        (spaces.chain(dims=1), tasks.mnist1d(), strategies.RandomSearch(), TRAINING, Budget(epochs=30, trials=4)),
    ]
)


@settings(deadline=None, max_examples=40)
@given(
    parts,
    st.integers(0, 2**63 - 1),
    st.sampled_from(["auto", "cpu", "mps", "cuda", "cuda:3"]),
    st.text(max_size=200).filter(str.isprintable),
)
def test_round_trip_by_json(some, seed, device, name):
    """mnist1d must not be loaded for it."""
    with pytest.MonkeyPatch.context() as patch:
        loaded = type("D", (), {"inputs": "values", "input_shape": (1, 40), "dims": 1})()
        patch.setattr(tasks.Mnist1D, "load", lambda self: loaded)
        spec = RunSpec(*some, seed, device, name)
        text = jsonio.dumps(spec.to_json())
        again = RunSpec.from_json(jsonio.loads(text, "test"))
        assert again == spec
        assert jsonio.dumps(again.to_json()) == text
        assert (again.space.name, again.name, again.seed) == (spec.space.name, name, seed)


def test_save_and_load_give_the_same_run(tmp_path):
    spec = RunSpec(CHAIN, None, strategies.RandomSearch(), table_of(CHAIN, tmp_path / "t.npz"), Budget(trials=7), 3)
    spec.save(tmp_path / "spec.json")
    again = RunSpec.load(tmp_path / "spec.json")
    assert again == spec
    found = [
        [event.objectives for event in start(one).wait(30).events if isinstance(event, TrialFinished)]
        for one in (spec, again)
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 7


def test_what_may_be_left_out_has_the_default():
    value = GOOD.to_json()
    for key in ("schema", "name", "seed", "device"):
        del value[key]
    assert RunSpec.from_json(value) == dataclasses.replace(GOOD, seed=0, device="auto", name="")


def changed(*path, to):
    value = copy.deepcopy(GOOD.to_json())
    place = value
    for key in path[:-1]:
        place = place[key]
    if to is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return value


BAD = {
    "a list": ([], r"must be an object, got \[\]"),
    "newer": (changed("schema", to=2), "/schema must be 1, got 2. A newer nbnas wrote it: update nbnas"),
    "schema as a boolean": (changed("schema", to=True), "/schema must be 1, got True"),
    "key more": (changed("code", to="import os"), "'code' is not a part of a specification; known: schema, name"),
    "no space": (changed("space", to=KeyError), "/space is missing; a specification needs space, strategy and budget"),
    "no strategy": (changed("strategy", to=KeyError), "/strategy is missing"),
    "no budget": (changed("budget", to=KeyError), "/budget is missing"),
    "space as a number": (changed("space", to=3), "/space must be an object, got 3"),
    "unknown operation": (
        changed("space", "component", "operations", to=["skip", "conv_9x9"]),
        "/space: /component/operations/1: 'conv_9x9' is not a known operation",
    ),
    "unknown strategy": (
        changed("strategy", "kind", to="Magic"),
        "/strategy/kind: 'Magic' is not a known strategy; known: .*RandomSearch.*Define or import your own",
    ),
    "strategy as a path": (changed("strategy", "kind", to="os.system"), "/strategy/kind: 'os.system' is not a known"),
    "strategy kind as a list": (changed("strategy", "kind", to=[]), r"/strategy/kind: \[\] is not a known strategy"),
    "strategy without settings": (changed("strategy", "settings", to=KeyError), "/strategy must be an object with"),
    "setting more": (
        changed("strategy", "settings", to={"population": 5}),
        "/strategy/settings/population: 'population' is not a field of RandomSearch; known: none",
    ),
    "unknown evaluator": (changed("evaluator", "kind", to="Oracle"), "/evaluator/kind: 'Oracle' is not a known"),
    "wrong setting": (
        changed("evaluator", "settings", "epochs", to=0),
        "/evaluator/settings/epochs: epochs must be >= 1 .*, got 0",
    ),
    "wrong type": (changed("evaluator", "settings", "epochs", to=2.5), "epochs must be a whole number, got 2.5"),
    "unknown task": (changed("task", "kind", to="imagenet"), "/task/kind: 'imagenet' is not a known task; known: "),
    "wrong task setting": (
        changed("task", "settings", "valid_fraction", to=3),
        "/task/settings/valid_fraction: valid_fraction must be >= 0.05 and <= 0.4, got 3",
    ),
    "budget as a number": (changed("budget", to=100), "/budget must be an object, got 100"),
    "empty budget": (changed("budget", to={}), "/budget/trials: budget must have at least one of"),
    "negative budget": (changed("budget", "trials", to=-5), "/budget/trials: trials must be >= 1, got -5"),
    "seed as a fraction": (changed("seed", to=1.5), "seed must be a whole number in 0..2"),
    "negative seed": (changed("seed", to=-1), r"seed must be a whole number in 0..2\^63-1, got -1"),
    "huge seed": (changed("seed", to=2**63), "seed must be a whole number in 0..2"),
    "device as a number": (changed("device", to=0), "device must be auto, cpu, cuda, cuda:N or mps, got 0"),
    "unknown device": (changed("device", to="tpu"), "device must be auto, cpu, cuda, cuda:N or mps, got 'tpu'"),
    "name with control characters": (changed("name", to="a\nb"), r"name must be at most 200 printable .*, got 'a\\n"),
    "long name": (changed("name", to="x" * 201), "name must be at most 200 printable characters"),
    "no evaluator": (changed("evaluator", to=None), "evaluator must say how RandomSearch gets its scores, got none"),
    "no task": (changed("task", to=None), r"task must be given, such as nb\.tasks\.digits\(\)"),
    "another dims": (changed("space", "dims", to=1), r"space must have dims=2, .* have shape \(1, 8, 8\)"),
    "images for tokens": (
        changed("task", to={"kind": "topics", "settings": {}}),
        "space must take the inputs of its task, tokens, got 'nas_bench_201', which takes values",
    ),
    "images for vectors": (
        changed("task", to={"kind": "wine", "settings": {}}),
        r"space must take vectors, as inputs of this task have shape \(13,\), got 'nas_bench_201'",
    ),
    "images for nodes": (
        changed("task", to={"kind": "communities", "settings": {}}),
        "space must take the inputs of its task, nodes, got 'nas_bench_201', which takes values",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_with_the_file_the_place_and_the_remedy(case, tmp_path, nbnas_home):
    value, said = BAD[case]
    path = tmp_path / "my spec.json"
    path.write_text(json.dumps(value))
    with pytest.raises(NbnasError, match=rf"^my spec\.json[: ].*{said}") as caught:
        RunSpec.load(path)
    assert len(str(caught.value)) < 700
    assert not nbnas_home.exists()


def test_the_file_that_was_changed_is_good(tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(GOOD.to_json()))
    assert RunSpec.load(path) == GOOD


@pytest.mark.parametrize("text", ["", "{", '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 50 + "]" * 50], ids=repr)
def test_files_that_are_no_json(text, tmp_path):
    (tmp_path / "spec.json").write_text(text)
    with pytest.raises(SpecError, match=r"^spec\.json: "):
        RunSpec.load(tmp_path / "spec.json")


@pytest.mark.parametrize("name", ["absent.json", "."])
def test_files_that_cannot_be_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match="spec must be a file that can be read, got"):
        RunSpec.load(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("space", "nas_bench_201"),
        ("task", "digits"),
        ("strategy", strategies.RandomSearch),
        ("evaluator", "training"),
        ("budget", 100),
    ],
)
def test_parts_of_the_wrong_type_are_named_with_an_example(name, value):
    with pytest.raises(SpecError, match=rf"{name} must be one such as nb\.\S+, got .*; in a run") as caught:
        dataclasses.replace(GOOD, **{name: value})
    assert caught.value.field == name


def test_own_data_are_named_and_not_stored():
    spec = RunSpec(NB201, images(), strategies.RandomSearch(), TRAINING, Budget(trials=1))
    value = spec.to_json()
    assert len(json.dumps(value["task"])) < 500
    with pytest.raises(NbnasError, match="must be given again"):
        RunSpec.from_json(value)
    assert RunSpec.from_json(value, task=images()) == spec
    with pytest.raises(SettingsError, match="task must be the one of the run"):
        RunSpec.from_json(value, task=images(seed=5))


def test_an_evaluator_that_is_not_registered_can_be_given_again():
    spec = RunSpec(CHAIN, None, strategies.RandomSearch(), Hooked(), Budget(trials=1))
    with pytest.raises(SettingsError, match="/evaluator/kind: 'Hooked' is not a known evaluator"):
        RunSpec.from_json(spec.to_json())
    assert RunSpec.from_json(spec.to_json(), evaluator=Hooked()) == spec
    assert score_of((1,)) > 0


@pytest.mark.parametrize("stored", [5, [], {}, {"kind": "Hooked"}, {"kind": "Hooked", "settings": 3}], ids=repr)
def test_what_a_foreign_file_says_of_the_evaluator_is_not_believed(stored):
    value = {
        **RunSpec(CHAIN, None, strategies.RandomSearch(), Hooked(), Budget(trials=1)).to_json(),
        "evaluator": stored,
    }
    with pytest.raises(SettingsError, match="evaluator must be"):
        RunSpec.from_json(value, evaluator=Hooked())
    with pytest.raises(SettingsError, match="/evaluator"):
        RunSpec.from_json(value)


def test_a_space_with_limits_is_refused_by_a_strategy_that_derives():
    """It would train to its end and then derive what the space does not hold."""
    space = SearchSpace("limited", CellNetwork(channels=2, cells=1), limits=[Limit("parameters", maximum=1000)])
    with pytest.raises(SpecError, match=r"space must have no limits for Darts.*RegularizedEvolution"):
        RunSpec(space, tasks.digits(), strategies.Darts(), None, Budget(epochs=1))


def test_a_recipe_that_cannot_be_is_told_before_a_supernet_is_trained():
    space = spaces.transformer(relaxed=True)
    parts = (*space.component.parts, Recipe(augmentation="flip"))
    bound = SearchSpace("mine", Network(parts), dims=1)
    shared = evaluators.SharedWeights()
    for spec in (
        RunSpec(bound, tasks.topics(), strategies.Darts(), None, Budget(epochs=1), device="cpu"),
        RunSpec(bound, tasks.topics(), strategies.RandomSearch(), shared, Budget(epochs=1), device="cpu"),
    ):
        with pytest.raises(NbnasError, match="augmentation must be none for a task of tokens"):
            spec.bind()
