"""Malformed trees of components: each refused with the JSON pointer of its place, before anything large is made."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest

from nbnas.errors import SpaceError
from nbnas.spaces import SearchSpace, Stem

STEM = {"kind": "stem", "channels": 8}
HEAD = {"kind": "head"}


def stem(**fields):
    return {**STEM, **fields}


def tree(*parts, **more):
    """A space file with a network of parts between a stem and a head."""
    parts = [STEM, *parts, HEAD]
    return {"schema": 1, "name": "x", "dims": 2, "component": {"kind": "network", "parts": parts}, **more}


def only(component):
    return {"schema": 1, "name": "x", "dims": 2, "component": component}


def repeat(part, times=2, **more):
    return {"kind": "repeat", "name": "body", "part": part, "times": times, **more}


def nested(depth, part, times):
    for _ in range(depth):
        part = {"kind": "repeat", "part": part, "times": times}
    return part


OPEN = {"choice": [8, 16]}
AT = "/component/parts/1"
CELL = {"kind": "cell", "operations": ["none", "skip"]}


BAD = {
    # values and their types
    "stride 0": (tree(stem(name="b", stride=0)), f"{AT}/stride: stride must be one of 1, 2, 4, got 0"),
    "even kernel": (tree(stem(name="b", kernel=4)), f"{AT}/kernel: kernel must be odd, got 4"),
    "channels 0": (tree(stem(name="b", channels=0)), f"{AT}/channels: channels must be >= 1"),
    "a huge number of channels": (tree(stem(name="b", channels=10**18)), f"{AT}/channels: .* <= 4,096"),
    "a boolean as a number": (tree(stem(name="b", channels=True)), f"{AT}/channels: .*whole number, got True"),
    "a number as a text": (tree(stem(name="b", activation=3)), f"{AT}/activation: .*must be a text, got 3"),
    "code as an activation": (
        tree(stem(name="b", activation="__import__('os').system('true')")), f"{AT}/activation: .*one of none, relu"
    ),
    "code as an operation": (
        only({"kind": "cell_network", "operations": ["skip", "__import__('os')"]}),
        r"/component/operations/1: \"__import__\('os'\)\" is not a known operation",
    ),
    "code as a kind": (tree({"kind": "os.system"}), f"{AT}/kind: 'os.system' is not a known component"),
    "a kind as a list": (tree({"kind": ["stem"]}), f"{AT} must be an object with a kind"),
    "a part as a text": (tree("stem"), f"{AT} must be an object with a kind, got 'stem'"),
    "parts as an object": (only({"kind": "network", "parts": {}}), "/component/parts must be a value"),
    "an unknown field": (tree(stem(name="b", __class__="x")), f"{AT}/__class__: '__class__' is not a field of Stem"),
    "a component where a value stands": (tree(stem(name="b", channels=STEM)), f"{AT}/channels: an open value must"),
    "a value where a component stands": (tree({"kind": "repeat", "part": 3}), f"{AT}/part must be an object"),
    "a repeat of nothing": (tree({"kind": "repeat"}), f"{AT}/part: is missing"),
    # open values
    "no options": (tree(stem(name="b", channels={"choice": []})), f"{AT}/channels/choice: options must be 1"),
    "options as a text": (tree(stem(name="b", channels={"choice": "8"})), f"{AT}/channels/choice: .*list of options"),
    "an option twice": (tree(stem(name="b", channels={"choice": [8, 8]})), f"{AT}/channels/choice: .*once each"),
    "an option of another type": (
        tree(stem(name="b", channels={"choice": [8, "a"]})),
        f"{AT}/channels/choice/1: .*whole",
    ),
    "an option out of range": (
        tree(stem(name="b", channels={"choice": [8, 0]})),
        f"{AT}/channels/choice/1: channels must be",
    ),
    "an option that is a list": (tree(stem(name="b", channels={"choice": [[8]]})), f"{AT}/channels/choice: option 0"),
    "5,000 options": (tree(stem(name="b", channels={"choice": [*range(1, 5001)]})), f"{AT}/channels/choice: .*1,000"),
    "a range of 10^18": (
        tree(stem(name="b", channels={"integer": {"low": 1, "high": 10**18}})), f"{AT}/channels/integer: .*1,000 steps"
    ),
    "a range turned round": (
        tree(stem(name="b", channels={"integer": {"low": 9, "high": 3}})), f"{AT}/channels/integer: .*must be a range"
    ),
    "a step of 0": (
        tree(stem(name="b", channels={"integer": {"low": 1, "high": 3, "step": 0}})), f"{AT}/channels/integer: "
    ),
    "a real without an end": (
        {**tree(), "component": {"kind": "network", "parts": [STEM, {**HEAD, "dropout": {"real": {"low": 0}}}]}},
        "/component/parts/1/dropout/real: real must have low and high",
    ),
    "a logarithm of 0": (
        only({"kind": "network", "parts": [STEM, {**HEAD, "dropout": {"real": {"low": 0, "high": 0.5, "log": True}}}]}),
        "/component/parts/1/dropout/real: low and high must be 0 < low < high with log",
    ),
    "two kinds of open value": (
        tree(stem(name="b", channels={"choice": [8], "integer": {"low": 1, "high": 2}})),
        f"{AT}/channels: an open value must have one key",
    ),
    "an open field that cannot be": (
        only({"kind": "cell_network", "nodes": OPEN}), "/component/nodes must be a value, it cannot be left open"
    ),
    # conditions
    "a condition on nothing": (
        tree(stem(name="b", channels={**OPEN, "when": {"colour": [1]}})), f"{AT}/channels/when.*'b/colour'"
    ),
    "a condition on itself": (
        tree(stem(name="b", channels={**OPEN, "when": {"channels": [8]}})),
        f"{AT}/channels/when",
    ),
    "a condition on a later decision": (
        tree(stem(name="b", channels={**OPEN, "when": {"kernel": [3]}}, kernel={"choice": [3, 5]})),
        f"{AT}/channels/when.*must depend on decisions that come before it",
    ),
    "two conditions in a circle": (
        tree(
            stem(
                name="b",
                channels={**OPEN, "when": {"kernel": [3]}},
                kernel={"choice": [3, 5], "when": {"channels": [8]}},
            )
        ),
        f"{AT}/channels/when",
    ),
    "a condition on another option": (
        tree(stem(name="b", channels=OPEN, kernel={"choice": [3, 5], "when": {"channels": [9]}})),
        f"{AT}/kernel/when.*got 9",
    ),
    "a condition without options": (
        tree(stem(name="b", channels=OPEN, kernel={"choice": [3, 5], "when": {"channels": []}})),
        f"{AT}/kernel/choice: when must give a list|{AT}/kernel/when",
    ),
    "conditions as a list": (
        tree(stem(name="b", channels={**OPEN, "when": ["kernel"]})),
        f"{AT}/channels/when must be",
    ),
    "a dangling reference from the root": (
        tree(stem(name="b", channels={**OPEN, "when": {"/body/times": [2]}})), f"{AT}/channels/when.*'/?body/times'"
    ),
    # how parts fit
    "two parts of one name": (tree(stem()), "/component/parts/1/name: .*new among the parts, got 'stem'"),
    "no head": (only({"kind": "network", "parts": [STEM]}), "/component/parts/0: .*Add a head as the last part"),
    "two heads": (tree(HEAD), "/component/parts/2.*(takes a vector|new among)"),
    "no parts": (only({"kind": "network", "parts": []}), "/component/parts: parts must be 1..100 components, got 0"),
    "101 parts": (tree(*[stem(name=f"s{n}") for n in range(99)]), "/component/parts: parts must be 1..100 components"),
    "a part alone": (only(STEM), "/component.*must be a whole network"),
    "tokens after a map": (tree({"kind": "embedding"}), f"{AT}: .*takes? a? ?(map|tokens)"),
    "a name with a slash": (tree(stem(name="a/b")), f"{AT}/name: name must be 1..40 small letters"),
    "a label with an escape": (tree(stem(name="b", label="\x1b[31m")), f"{AT}/label: label must be 0..80 printable"),
    # sizes
    "repeats within repeats": (
        tree(nested(5, stem(channels=OPEN), 64)), r"/component.*(decisions must be at most 10,000|modules|10\^)"
    ),
    "deep repeats": (tree(nested(40, stem(), 1)), "must be nested at most"),
    "10^12 parameters": (
        only({"kind": "cell_network", "channels": 4096, "stages": 8, "cells": 100, "nodes": 16}),
        "/component.*(parameters|modules).*must|/component.*at most",
    ),
    "no architecture within the limits": (
        tree(limits=[{"metric": "parameters", "maximum": -1}]), "/limits/0/maximum: maximum must be >= 0"
    ),
    "a limit without a bound": (tree(limits=[{"metric": "parameters"}]), "/limits/0/maximum"),
    "a limit on something else": (tree(limits=[{"metric": "colour", "maximum": 1}]), "/limits/0/metric"),
    "a newer schema": ({**tree(), "schema": 2}, "/schema must be 1, got 2. A newer version of nbnas"),
}  # fmt: skip


def test_there_are_enough_of_them():
    assert len(BAD) >= 40


def test_the_good_file_that_they_are_made_of_is_read():
    assert SearchSpace.from_json(tree()).size == 1
    assert SearchSpace.from_json(tree(repeat(stem(channels=OPEN)))).size == 4
    conditional = stem(name="b", channels=OPEN, kernel={"choice": [3, 5], "when": {"channels": [8]}})
    assert SearchSpace.from_json(tree(conditional)).size == 3


@pytest.mark.parametrize("case", BAD)
def test_it_is_refused_with_its_place_at_once(case, tmp_path):
    value, said = BAD[case]
    path = tmp_path / "my space.json"
    path.write_text(json.dumps(value))
    tracemalloc.start()
    begin = time.process_time()
    with pytest.raises(SpaceError, match=rf"(?s)^my space\.json[: ].*({said})") as caught:
        SearchSpace.load(path)
    seconds, (_, peak) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(str(caught.value)) < 2000
    # No measurement: a bound far above what it takes, which work that is not bounded breaks.
    assert seconds < 10
    assert peak < 200e6
    assert json.loads(path.read_text()) == value


@pytest.mark.parametrize("depth", [9, 12, 26, 400])
@pytest.mark.parametrize("times", [1, 64])
def test_the_work_does_not_double_with_each_level_of_nesting(monkeypatch, depth, times):
    """Counted in bounds asked for; what is too deep is refused before any."""
    asked = []
    bound = Stem.bound
    monkeypatch.setattr(Stem, "bound", lambda self, given: (asked.append(given), bound(self, given))[1])
    value = tree(nested(depth, stem(name="b"), times))
    if depth < 10 and times == 1:
        assert SearchSpace.from_json(value).size == 1
    else:
        with pytest.raises(SpaceError, match=r"at most 12 deep|modules|parameters"):
            SearchSpace.from_json(value)
    assert len(asked) <= 10 * 12**2
