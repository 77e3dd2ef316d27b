"""Settings, registry, JSON and loading of tasks."""

import dataclasses
import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbnas import tasks
from nbnas.errors import NbnasError, TaskError
from nbnas.settings import field_infos, setting
from nbnas.tasks import (
    TASKS,
    Characters,
    Communities,
    Data,
    Digits,
    Graph,
    Mnist1D,
    Split,
    Task,
    TaskSettingsError,
    Topics,
    Wine,
    task_from_json,
    task_to_json,
)
from nbnas.tasks.task import _LOADED, _LOADED_LIMIT


def split(items=4, *, x=None, y=None):
    x = np.arange(items * 3, dtype=np.float32).reshape(items, 1, 3) if x is None else x
    return Split(x, np.arange(len(x), dtype=np.int64) % 2 if y is None else y)


def small(**changes):
    return Data(
        **{"train": split(), "valid": split(2), "test": split(3), "classes": 2, "labels": ("a", "b"), **changes}
    )


@pytest.fixture
def registry():
    """Undoes registrations."""
    before = dict(TASKS)
    yield TASKS
    TASKS.clear()
    TASKS.update(before)


@pytest.fixture
def counting(registry):
    @dataclass(frozen=True)
    class Counting(Task):
        kind = "counting"
        title = "Counting"
        number: int = setting(0, "A number.", minimum=0)
        made = []  # noqa: RUF012

        def make(self):
            self.made.append(self.number)
            return small()

    return Counting


# --- data -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": 1, "labels": ("a",)}, "classes must be 2 or more, got 1"),
        ({"labels": ("a",)}, "labels must be 2 different names, one a class, got 1"),
        ({"labels": ("a", "a")}, "labels must be 2 different names"),
        ({"test": split(x=np.zeros((3, 1, 4), np.float32))}, r"test\.x must have items of the same shape as train\.x"),
        ({"train": split(x=np.zeros((4, 1, 3)))}, "train must be x of float32 and y of int64, got float64"),
        ({"train": split(y=np.zeros(4, np.int32))}, "train must be x of float32 and y of int64, got float32 and int32"),
        ({"valid": split(y=np.zeros(3, np.int64))}, "valid must have one label an item, got 4 items and 3 labels"),
        ({"valid": split(y=np.zeros((4, 1), np.int64))}, r"valid must be x of shape .* got \(4, 1, 3\) and \(4, 1\)"),
        ({"train": split(x=np.zeros((4, 1, 3, 3, 3), np.float32))}, "at most two spatial dimensions"),
        ({"test": split(0)}, "test must have at least one item that is not empty"),
        ({"valid": split(y=np.array([0, 1, 2, 0]))}, r"valid\.y must be in 0\.\.classes - 1 \(1\), got 0\.\.2"),
        ({"valid": split(y=np.array([0, 1, -1, 0]))}, r"valid\.y must be in 0\.\.classes - 1 \(1\), got -1\.\.1"),
        ({"train": split(x=np.float32([[[1]], [[np.nan]], [[np.inf]]]))}, "in 2 of 3 items, first in item 1"),
    ],
)
def test_wrong_data_are_refused_by_name(changes, message):
    with pytest.raises(TaskError, match=message):
        small(**changes)


# --- tokens and nodes -------------------------------------------------------------------------------------------------


def tokens(items=4, length=3, *, x=None, y=None, dtype=np.int64):
    x = np.arange(items * length).reshape(items, length) % 5 if x is None else x
    return Split(x.astype(dtype), np.arange(len(x)) % 2 if y is None else y)


def of_tokens(**changes):
    parts = {"train": tokens(), "valid": tokens(2), "test": tokens(3)}
    return small(**{**parts, "vocabulary": 5, **changes})


FEATURES = np.arange(12, dtype=np.float32).reshape(6, 2)
EDGES = np.array([[0, 1, 1, 2, 5], [1, 0, 2, 1, 3]])


def nodes(*numbers):
    return Split(np.array(numbers), np.arange(len(numbers)) % 2)


def of_nodes(features=FEATURES, edges=EDGES, **changes):
    parts = {"train": nodes(0, 1, 2), "valid": nodes(3), "test": nodes(4, 5)}
    return small(**{**parts, "graph": Graph(features, edges), **changes})


def test_what_the_data_say_of_their_inputs():
    positions = {name: tokens(y=np.ones((4, 3), np.int64)) for name in ("train", "valid", "test")}
    found = [
        (data.inputs, data.targets, data.input_shape, data.dims, data.vocabulary, data.graph is None)
        for data in (small(), of_tokens(), of_tokens(**positions), of_nodes())
    ]
    assert found == [
        ("values", "item", (1, 3), 1, None, True),
        ("tokens", "item", (3,), 1, 5, True),
        ("tokens", "position", (3,), 1, 5, True),
        ("nodes", "item", (), 0, None, False),
    ]


POSITIONS = np.zeros((4, 3), np.int64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": tokens(dtype=np.float32)}, "train must be x of int64 and y of int64, got float32 and int64"),
        (
            {"train": tokens(x=np.zeros((4, 1, 3)))},
            r"train must be x of shape \(items, length\) and y .* got \(4, 1, 3\)",
        ),
        ({"train": tokens(x=np.full((2, 3), 5))}, r"train\.x must be in 0\.\.vocabulary - 1 \(4\), got 5\.\.5"),
        ({"test": tokens(x=np.full((2, 3), -1))}, r"test\.x must be in 0\.\.vocabulary - 1 \(4\), got -1\.\.-1"),
        ({"test": tokens(length=4)}, r"test\.x must have items of the same shape as train\.x, \(3,\), got \(4,\)"),
        ({"train": tokens(y=POSITIONS)}, r"valid\.y must have items of the same shape as train\.y, \(3,\), got \(\)"),
        ({"train": tokens(y=POSITIONS[:, :2])}, r"train must have one label a position, got x of .*\(4, 2\)"),
        ({"train": tokens(y=POSITIONS + 2)}, r"train\.y must be in 0\.\.classes - 1 \(1\), got 2\.\.2"),
        ({"train": tokens(0)}, "train must have at least one item that is not empty"),
        ({"graph": Graph(FEATURES, EDGES)}, "data must be of tokens or of nodes, got both a vocabulary and a graph"),
    ],
)
def test_wrong_tokens_are_refused_by_name(changes, message):
    with pytest.raises(TaskError, match=message):
        of_tokens(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": nodes(0, 6)}, r"train\.x must be in 0\.\.nodes - 1 \(5\), got 0\.\.6"),
        ({"train": tokens()}, r"train must be x of shape \(items,\) and y of shape \(items,\), got \(4, 3\)"),
        (
            {"valid": nodes(3, 4)},
            r"a node must be in one split and there once, got node 4 2 times\. Give disjoint splits",
        ),
        ({"train": nodes(0, 1, 1)}, "a node must be in one split and there once, got node 1 2 times"),
        ({"features": FEATURES.astype(np.float64)}, "graph must be features of float32 .* got float64 and int64"),
        ({"features": FEATURES[0]}, r"graph must be features of shape .* got \(2,\) and \(2, 5\)"),
        ({"edges": EDGES.T}, r"graph must be .* edges of shape \(2, edges\), got \(6, 2\) and \(5, 2\)"),
        ({"edges": EDGES + 1}, r"graph\.edges must be in 0\.\.nodes - 1 \(5\), got 1\.\.6"),
        ({"edges": np.array([[0, 4], [1, 4]])}, "got one from node 4 to itself"),
        ({"edges": np.array([[0, 2, 0], [1, 3, 1]])}, r"graph\.edges must be there once each, got \(0, 1\) more often"),
        ({"features": FEATURES * np.float32("nan")}, r"graph\.features must be finite, got .* in 6 of 6 nodes"),
    ],
)
def test_wrong_graphs_are_refused_by_name(changes, message):
    with pytest.raises(TaskError, match=message):
        of_nodes(**changes)


def test_a_graph_may_have_no_edges():
    assert of_nodes(edges=np.zeros((2, 0), np.int64)).graph.edges.shape == (2, 0)


def test_the_digest_covers_tokens_and_graph():
    positions = {name: tokens(y=POSITIONS) for name in ("train", "valid", "test")}
    other = FEATURES + np.float32([[0, 0]] * 5 + [[0, 1]])
    digests = [
        of_tokens().digest,
        of_tokens(test=tokens(3, x=np.ones((3, 3)))).digest,
        of_tokens(**positions).digest,
        of_nodes().digest,
        of_nodes(features=other).digest,
        of_nodes(edges=EDGES[:, :4]).digest,
        of_nodes(edges=EDGES[::-1]).digest,
        of_nodes(test=nodes(5, 4)).digest,
    ]
    assert len(set(digests)) == len(digests)
    assert of_nodes().digest == digests[3]


@pytest.mark.parametrize("data", [small(), of_tokens(), of_nodes()], ids=["values", "tokens", "nodes"])
def test_data_are_read_only(data):
    for array in data.graph or ():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    for part in (data.train, data.valid, data.test):
        for array in part:
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0


def test_digest_covers_every_array_and_shape():
    digest = small().digest
    assert digest == small().digest
    assert len(digest) == 64
    others = {digest}
    for part in ("train", "valid", "test"):
        x, y = split()
        changed_x, changed_y = x.copy(), y.copy()
        changed_x[-1, -1, -1] = np.nextafter(changed_x[-1, -1, -1], np.float32(99))
        changed_y[-1] = 1 - changed_y[-1]
        others |= {small(**{part: Split(changed_x, y)}).digest, small(**{part: Split(x, changed_y)}).digest}
    reshaped = {part: Split(np.ones((4, 2, 3), np.float32), split().y) for part in ("train", "valid", "test")}
    same_bytes = {part: Split(np.ones((4, 3, 2), np.float32), split().y) for part in ("train", "valid", "test")}
    others |= {small(**reshaped).digest, small(**same_bytes).digest}
    assert len(others) == 9


# --- settings ---------------------------------------------------------------------------------------------------------


def test_settings_out_of_range_name_field_range_and_value():
    with pytest.raises(TaskSettingsError, match=r"valid_fraction must be >= 0\.05 and <= 0\.4, got 0\.9") as caught:
        Digits(valid_fraction=0.9)
    assert caught.value.field == "valid_fraction"
    assert isinstance(caught.value, TaskError)


BUILT_IN = {kind: cls for kind, cls in TASKS.items() if kind != "arrays"}


@pytest.mark.parametrize("cls", BUILT_IN.values())
def test_every_setting_tells_a_form_its_help_and_range(cls):
    for info in field_infos(cls):
        assert info.help.endswith(".")
        assert info.limits.keys() == {"minimum", "maximum"}


def test_factories_take_the_settings_and_nothing_else():
    assert tasks.digits(split_seed=3) == Digits(split_seed=3)
    for kind, cls in BUILT_IN.items():
        assert getattr(tasks, kind)() == cls()
    with pytest.raises(TypeError, match="unknown"):
        tasks.digits(unknown=1)


# --- JSON -------------------------------------------------------------------------------------------------------------

FRACTIONS = st.floats(0.05, 0.4)
SEEDS = st.integers(0, 2**32 - 1)


@given(
    st.one_of(
        st.builds(Digits, valid_fraction=FRACTIONS, test_fraction=FRACTIONS, split_seed=SEEDS),
        st.builds(Mnist1D, valid_fraction=FRACTIONS, split_seed=SEEDS),
        st.builds(Wine, valid_fraction=FRACTIONS, test_fraction=FRACTIONS, split_seed=SEEDS),
        st.builds(Characters, length=st.integers(2, 256), vocabulary=st.integers(8, 96), split_seed=SEEDS),
        st.builds(Topics, items=st.integers(400, 50_000), topics=st.integers(2, 10), test_fraction=FRACTIONS),
        st.builds(Communities, within=st.floats(0, 1), noise=st.floats(0, 10), graph_seed=SEEDS),
    )
)
def test_json_round_trip(task):
    value = json.loads(json.dumps(task_to_json(task), allow_nan=False))
    assert task_from_json(value) == task
    assert type(task_from_json(value)) is type(task)
    assert set(value["settings"]) == {field.name for field in dataclasses.fields(task)}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "settings", "valid_fraction", "split_seed", "x"]) | st.text(max_size=3),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(JSON, st.sampled_from(sorted(TASKS)), st.booleans())
def test_any_json_gives_a_task_or_an_error_of_ours(value, kind, wrapped):
    try:
        task = task_from_json({"kind": kind, "settings": value} if wrapped else value, "/task")
    except NbnasError as error:
        message = str(error)
    else:
        assert task_from_json(task_to_json(task)) == task
        return
    assert "/task" in message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "/task must be an object, got None"),
        ({"kind": "digits"}, "/task/settings is missing"),
        ({"settings": {}}, "/task/kind is missing"),
        ({"kind": "digits", "settings": {}, "a/b": 1}, "/task/a~1b is not a known name; known: kind, settings"),
        (
            {"kind": "nope", "settings": {}},
            "/task/kind: 'nope' is not a known task; known: arrays, breast_cancer, charac",
        ),
        ({"kind": ["digits"], "settings": {}}, "/task/kind: ['digits'] is not a known task"),
        ({"kind": "digits", "settings": []}, "/task/settings must be an object"),
        ({"kind": "digits", "settings": {"seed": 1}}, "/task/settings/seed: 'seed' is not a field of Digits"),
        ({"kind": "digits", "settings": {"split_seed": True}}, "/task/settings/split_seed: split_seed must be a whole"),
        ({"kind": "digits", "settings": {"split_seed": 1.0}}, "/task/settings/split_seed: split_seed must be a whole"),
        ({"kind": "digits", "settings": {"split_seed": None}}, "/task/settings/split_seed: split_seed must be a whole"),
        ({"kind": "digits", "settings": {"split_seed": -1}}, "/task/settings/split_seed: split_seed must be >= 0"),
        ({"kind": "digits", "settings": {"valid_fraction": float("nan")}}, "/task/settings/valid_fraction"),
        ({"kind": "digits", "settings": {"valid_fraction": "0.2"}}, "/task/settings/valid_fraction"),
        ({"kind": "digits", "settings": {"valid_fraction": False}}, "/task/settings/valid_fraction"),
        ({"kind": "arrays", "settings": {}}, "/task/settings/name: is missing"),
    ],
)
def test_wrong_json_is_refused_with_its_place(value, message):
    with pytest.raises(TaskError) as caught:
        task_from_json(value, "/task")
    assert message in str(caught.value)


# --- registry ---------------------------------------------------------------------------------------------------------


def defined(kind, module, name="Mine"):
    return dataclass(frozen=True)(
        type(name, (Task,), {"kind": kind, "title": "Mine", "__module__": module, "make": lambda self: small()})
    )


def test_a_kind_of_another_module_is_refused(registry):
    built_in = TASKS["digits"]
    for module in ("__main__", "their_module"):
        with pytest.raises(TaskError, match=r"'digits', which nbnas\.tasks\.digits\.Digits has"):
            defined("digits", module)
    assert TASKS["digits"] is built_in


def test_a_notebook_cell_may_be_run_again_and_moved_to_a_file(registry):
    old = defined("mine", "__main__")
    new = defined("mine", "__main__")
    assert TASKS["mine"] is new
    assert task_to_json(old()) == {"kind": "mine", "settings": {}}
    assert defined("mine", "my_file") is TASKS["mine"]


@pytest.mark.parametrize("kind", ["", "Mine", "my task", "a/b", 3])
def test_a_kind_is_a_plain_name(registry, kind):
    with pytest.raises(TaskError, match="kind must be lower-case letters"):
        defined(kind, "__main__")


def test_a_task_without_own_kind_is_not_stored(registry, counting):
    @dataclass(frozen=True)
    class Derived(counting):
        pass

    with pytest.raises(TaskError, match="Derived must define its own kind"):
        task_to_json(Derived())


def test_a_task_must_be_a_frozen_dataclass(registry):
    class Plain(Task):
        kind = "plain"
        title = "Plain"

        def make(self):
            return small()

    for use in (Plain().load, lambda: task_to_json(Plain())):
        with pytest.raises(TaskError, match=r"Plain must be a frozen dataclass\. Put @dataclass\(frozen=True\)"):
            use()


# --- loading ----------------------------------------------------------------------------------------------------------


def test_equal_settings_load_once_and_few_stay(counting):
    first = counting(number=1).load()
    assert counting(number=1).load() is first
    assert counting.made == [1]
    for number in range(2, 2 + _LOADED_LIMIT):
        counting(number=number).load()
    assert len(_LOADED) == _LOADED_LIMIT
    assert counting(number=1).load() is not first
    assert counting.made.count(1) == 2


def test_naming_and_loading_a_task_needs_no_torch():
    code = (
        "import sys, nbnas.tasks as t; t.task_from_json(t.task_to_json(t.digits())).load(); "
        "t.from_arrays([[1, 2], [3, 4]] * 6, [0, 1] * 6).load(); "
        "t.from_texts(['a', 'b'] * 6, [0, 1] * 6).load(); t.topics().load(); t.characters().load(); "
        "t.communities().load(); t.wine().load(); t.breast_cancer().load(); "
        "assert 'torch' not in sys.modules; t.digits().bind(); assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
