"""Space files: a closed schema, and an error that says what, where and what to do. Nothing of the file is run."""

from __future__ import annotations

import copy
import json

import pytest

from nbnas import spaces
from nbnas.errors import SpaceError
from nbnas.spaces import SearchSpace

GOOD = spaces.nas_bench_201(channels=8, cells=1).to_json()


def changed(*path, to):
    """The JSON of a good space with one value replaced."""
    value = copy.deepcopy(GOOD)
    place = value
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return json.dumps(value)


def without(*path):
    value = copy.deepcopy(GOOD)
    place = value
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return json.dumps(value)


OPERATION = ("component", "operations", 2)
LONG = "9" * 70

BAD = {
    "empty": (b"", "must be JSON; line 1, column 1"),
    "not JSON": (b"{'schema': 1}", "must be JSON; line 1, column 2"),
    "cut off": (json.dumps(GOOD).encode()[:-9], "must be JSON; line 1"),
    "two values": (json.dumps(GOOD).encode() * 2, "must be JSON; line 1"),
    "not UTF-8": (json.dumps(GOOD).encode().replace(b"skip", b"sk\xffp"), "must be UTF-8.*Save the file as UTF-8"),
    "UTF-16": (json.dumps(GOOD).encode("utf-16"), "must be UTF-8.*Save the file as UTF-8"),
    "byte order mark": (b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), "must be JSON.*BOM"),
    "a list": ("[]", r"must be an object, got \[\]"),
    "a number": ("3", "must be an object, got 3"),
    "null": ("null", "must be an object, got None"),
    "NaN": (changed("dims", to=float("nan")), "numbers must be finite, got NaN"),
    "infinity": (changed("component", "channels", to=float("-inf")), "numbers must be finite, got -Infinity"),
    "too large a number": ('{"schema": 1e999}', "numbers must be finite, got 1e999"),
    "a whole number of 70 digits": (changed("component", "channels", to=int(LONG)), "at most 64 digits, got 70"),
    "a whole number of a million digits": ('{"schema": %s}' % ("9" * 10**6), "at most 64 digits, got 1,000,000"),
    "too large": ('"' + "x" * 4_000_000 + '"', "at most 4,000,000 characters, got 4,000,002"),
    "100,000 deep lists": ("[" * 100_000 + "]" * 100_000, "at most 32 deep, got 100,000"),
    "100,000 deep objects": ('{"a":' * 100_000, "at most 32 deep, got 100,000"),
    "deep within": (changed("component", "channels", to=json.loads("[" * 40 + "]" * 40)), "at most 32 deep, got 42"),
    "a key twice": (json.dumps(GOOD)[:-1] + ', "name": "again"}', "key 'name' must occur once.*Remove one"),
    "a key twice within": (
        json.dumps(GOOD).replace('"cells": 1', '"cells": 1, "cells": 2'),
        "key 'cells' must occur once.*Remove one",
    ),
    "newer schema": (changed("schema", to=2), "/schema must be 1, got 2.*update nbnas"),
    "schema as a text": (changed("schema", to="1"), "/schema must be 1, got '1'"),
    "schema as a boolean": (changed("schema", to=True), "/schema must be 1, got True"),
    "no schema": (without("schema"), "/schema must be 1, got None"),
    "no name": (without("name"), r"keys must be component, dims, name, schema.*\['name'\]"),
    "no dims": (without("dims"), r"keys must be .*difference in \['dims'\]"),
    "no component": (without("component"), r"keys must be .*difference in \['component'\]"),
    "more keys": (changed("module", to="os.system"), r"keys must be .*difference in \['module'\]"),
    "name as a number": (changed("name", to=7), "/name: name must be 1..80 printable characters, got 7"),
    "empty name": (changed("name", to=""), "/name: name must be 1..80 printable characters, got ''"),
    "long name": (changed("name", to="x" * 81), "/name: name must be 1..80 printable characters"),
    "name with an escape": (
        changed("name", to="a\x1b[31m"),
        r"/name: name must be 1..80 printable characters, got 'a\\x1b",
    ),
    "name with half a pair": (
        changed("name", to="a").replace('"a"', '"\\ud800"'),
        "/name: name must be 1..80 printable",
    ),
    "dims 3": (changed("dims", to=3), r"/dims: dims must be 2 \(images\), 1 .*, got 3"),
    "dims as a boolean": (changed("dims", to=True), "/dims: dims must be 2 .* got True"),
    "dims as a fraction": (changed("dims", to=2.0), "/dims: dims must be 2 .* got 2.0"),
    "dims as a list": (changed("dims", to=[2]), r"/dims: dims must be 2 .* got \[2\]"),
    "component as a text": (changed("component", to="chain"), "/component must be an object with a kind, got 'chain'"),
    "component without kind": (without("component", "kind"), "/component must be an object with a kind"),
    "unknown component": (
        changed("component", "kind", to="os.system"),
        "/component/kind: 'os.system' is not a known component; known: .*cell_network, ",
    ),
    "unknown operation": (
        changed(*OPERATION, to="conv_9x9"),
        "/component/operations/2: 'conv_9x9' is not a known operation; known: none, skip, .*@nb.operation",
    ),
    "operation as a number": (
        changed(*OPERATION, to=3),
        r"/component/operations: operations must be a text, got \('none',",
    ),
    "operation twice": (changed(*OPERATION, to="skip"), "operations must be names that occur once each"),
    "operations as a text": (changed("component", "operations", to="skip"), "operations must be a list, got 'skip'"),
    "no operations": (changed("component", "operations", to=[]), "operations must be at least one operation"),
    "a boolean as a number": (changed("component", "cells", to=True), "cells must be a whole number, got True"),
    "a fraction": (changed("component", "cells", to=1.0), "cells must be a whole number, got 1.0"),
    "a text as a number": (changed("component", "nodes", to="4"), "nodes must be a whole number, got '4'"),
    "null as a number": (changed("component", "nodes", to=None), "nodes must be a whole number, got None"),
    "too many nodes": (changed("component", "nodes", to=17), "nodes must be >= 2 and <= 16, got 17"),
    "huge number": (changed("component", "channels", to=10**60), "channels must be >= 1 and <= 4,096, got 1000"),
    "negative": (changed("component", "stages", to=-1), "stages must be >= 1 and <= 8, got -1"),
    "a field more": (
        changed("component", "__class__", to="x"),
        "/component/__class__: '__class__' is not a field of CellNetwork; known: name, label, nodes, operations",
    ),
    "a field with a slash": (changed("component", "a/b", to=1), "/component/a~1b: 'a/b' is not a field"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_with_the_place_and_the_remedy(case, tmp_path):
    content, said = BAD[case]
    path = tmp_path / "my space.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    with pytest.raises(SpaceError, match=rf"(?s)^my space\.json[: ].*{said}") as caught:
        SearchSpace.load(path)
    assert len(str(caught.value)) < 700
    assert str(caught.value).isprintable()
    assert [entry.name for entry in tmp_path.iterdir()] == ["my space.json"]
    assert path.read_bytes() == before


def test_the_good_file_is_good(tmp_path):
    """The control of the above: what is changed there is all that is wrong."""
    path = tmp_path / "space.json"
    path.write_text(json.dumps(GOOD))
    assert SearchSpace.load(path) == spaces.nas_bench_201(channels=8, cells=1)


def test_fields_of_a_component_have_defaults_and_a_file_may_leave_them_out(tmp_path):
    path = tmp_path / "space.json"
    path.write_text(json.dumps({"schema": 1, "name": "s", "dims": 2, "component": {"kind": "cell_network"}}))
    assert SearchSpace.load(path) == spaces.nas_bench_201()


def test_save_and_load(tmp_path):
    for space in (spaces.nas_bench_201(), spaces.chain(dims=1)):
        space.save(tmp_path / "space.json")
        assert SearchSpace.load(tmp_path / "space.json") == space


@pytest.mark.parametrize("path", ["absent.json", "."])
def test_a_file_that_cannot_be_read(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpaceError, match="space must be a file that can be read, got"):
        SearchSpace.load(path)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kernels": (3, 4)}, "kernels must be odd numbers"),
        ({"kernels": ()}, "kernels must be at least one value"),
        ({"widths": (8, 8)}, "widths must be values that occur once each"),
        ({"widths": 8}, "widths must be a list, got 8"),
        ({"activations": ("relu", "magic")}, r"activations must be one of relu, tanh, .*, got \('relu', 'magic'\)"),
        ({"max_depth": 0}, "max_depth must be >= 1 and <= 32, got 0"),
    ],
    ids=str,
)
def test_chains_that_cannot_be(settings, said):
    with pytest.raises(SpaceError, match=said):
        spaces.chain(**settings)


def test_an_unknown_keyword_is_a_type_error():
    with pytest.raises(TypeError, match="kernel_sizes"):
        spaces.chain(kernel_sizes=(3,))
