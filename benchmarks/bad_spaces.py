"""What reading malformed space files costs: 10,000 files made of good ones by chance.

    python benchmarks/bad_spaces.py

Each good file (one of every space of the catalogue, and a tree with open values, conditions, a repetition, a recipe
and limits) is damaged in one to three places: bytes of its text, or values, keys and parts of its tree. A file must be
read, or refused with a `SpaceError` that starts with the name of the file; nothing else may be raised. What is read
must give its JSON back, and be counted and drawn from, or say why not. Shown are the slowest file and the largest peak
of memory that Python allocated, of the reading alone.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import copy
import json
import random
import sys
import time
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from nbnas import jsonio
from nbnas.errors import SpaceError
from nbnas.spaces import (
    CATALOGUE,
    Choice,
    Head,
    Integer,
    Limit,
    Network,
    Real,
    Recipe,
    Repeat,
    SearchSpace,
    Stage,
    Stem,
)

NASTY: list[Any] = [
    None, True, False, 0, -1, 1, 3, 1.5, 1e308, 10**18, 10**63, "", "x" * 300, "__import__('os').system('true')",
    "../../etc/passwd", "<img src=x onerror=alert(1)>", "\x1b[31m", [], {}, [[]], [1, 2, 3], {"choice": []},
    {"choice": [1, 2]}, {"choice": ["a", 1]}, {"integer": {"low": 1, "high": 10**9}},
    {"integer": {"low": 3, "high": 1}}, {"real": {"low": 0, "high": 1, "log": True}},
    {"kind": "stem"}, {"kind": "os.system"},
    {"kind": "repeat", "part": {"kind": "stem"}, "times": 64}, {"choice": [1, 2], "when": {"nothing": [1]}},
]  # fmt: skip


def good_files() -> list[str]:
    """Space files that are read."""
    parts = (
        Stem(channels=Choice(8, 16)),
        Repeat(
            Stage(depth=Integer(1, 3), width=16, kernel=Choice(3, 5), expansion=Choice(1, 3, when={"kernel": (3,)})),
            times=Choice(1, 2),
            name="body",
        ),
        Head(dropout=Real(0, 0.5, steps=4)),
        Recipe(learning_rate=Real(0.01, 0.3, log=True)),
    )
    limits = [Limit("parameters", maximum=20_000, input_shape=(1, 8, 8))]
    spaces = [make() for make in CATALOGUE.values()]
    spaces += [SearchSpace("tree", Network(parts)), SearchSpace("limited", Network(parts), limits=limits)]
    return [json.dumps(space.to_json()) for space in spaces]


def damaged(text: str, chance: random.Random) -> bytes:
    """A file with one to three places changed."""
    if chance.random() < 0.3:
        content = bytearray(text.encode())
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(content))
            match chance.randrange(3):
                case 0:
                    content[place] = chance.randrange(256)
                case 1:
                    del content[place : place + chance.randint(1, 40)]
                case _:
                    content[place:place] = content[chance.randrange(len(content)) :][: chance.randint(1, 60)]
        return bytes(content)
    value = json.loads(text)
    for _ in range(chance.randint(1, 3)):
        _change(value, chance)
    return json.dumps(value).encode()


def _change(value: Any, chance: random.Random) -> None:
    """Changes one place of a tree of JSON values."""
    places: list[tuple[Any, Any]] = []
    todo = [value]
    while todo:
        holder = todo.pop()
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        for key in keys:
            places.append((holder, key))
            if isinstance(holder[key], dict | list):
                todo.append(holder[key])
    if not places:
        return
    holder, key = chance.choice(places)
    match chance.randrange(5):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[chance.choice(["kind", "name", "parts", "when", "choice", "colour", "__class__"])] = holder.pop(key)
        case 2:  # a part of the tree stands elsewhere too
            other, place = chance.choice(places)
            holder[key] = copy.deepcopy(other[place]) if _has(other, place) else None
        case 3 if isinstance(holder, list):
            holder.extend(copy.deepcopy(holder) * chance.randint(1, 3))
        case _:
            holder[key] = copy.deepcopy(chance.choice(NASTY))


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


def read(content: bytes) -> SearchSpace | None:
    """The space, or `None` when it was refused.

    Raises:
        AssertionError: it was refused without its name.
        Exception: whatever should not have been raised.
    """
    try:
        return SearchSpace.from_json(jsonio.loads(content, "file.json", error=SpaceError), "file.json")
    except SpaceError as refused:
        assert str(refused).startswith("file.json"), str(refused)[:300]
        return None


def check(space: SearchSpace) -> None:
    """Raises `AssertionError` unless a space that was read is what its file says and can be used."""
    assert SearchSpace.from_json(json.loads(json.dumps(space.to_json()))) == space
    try:
        assert space.size > 0
        if not space.limits:  # which would build networks
            space.validate(space.sample(np.random.default_rng(0)))
    except SpaceError:
        pass  # too entangled to be counted


def campaign(files: int, seed: int = 0) -> tuple[Counter[str], float, int]:
    """How many files were accepted and refused, the slowest in CPU seconds, the largest peak in bytes."""
    chance, good = random.Random(seed), good_files()
    tracing = random.Random(seed + 1)
    for text in good:
        space = read(text.encode())
        assert space is not None, "the good files must be read"
        check(space)
    found: Counter[str] = Counter()
    slowest, largest = 0.0, 0
    for number in range(files):
        content = damaged(good[number % len(good)], chance)
        traced = tracing.random() < 0.1  # which makes everything several times slower
        if traced:
            tracemalloc.start()
        begin = time.process_time()
        space = read(content)
        if traced:
            largest = max(largest, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        else:
            slowest = max(slowest, time.process_time() - begin)
        found["refused" if space is None else "accepted"] += 1
        if space is not None:
            check(space)
    return found, slowest, largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found, slowest, largest = campaign(options.files, options.seed)
    assert min(found["accepted"], found["refused"]) > 0, "a campaign with one outcome shows nothing"
    print("| files | accepted | refused | slowest, CPU s (goal 0.05) | largest peak, MB (goal 200) |")
    print("|---|---|---|---|---|")
    print(f"| {found.total():,} | {found['accepted']:,} | {found['refused']:,} | {slowest:.3f} | {largest / 1e6:.2f} |")


if __name__ == "__main__":
    main()
