"""A run with some events, and children that use the store in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbnas.events import Record, RunStarted, TrialFinished
from nbnas.store import RunStore

ROOT = Path(__file__).parents[2]
SPEC = {
    "strategy": {"kind": "Darts", "settings": {}},
    "space": {"name": "nb201"},
    "task": {"kind": "digits"},
    "seed": 7,
}

PRELUDE = """
import os, sys, time
import numpy as np
from nbnas.events import Record, TrialFinished
from nbnas.store import RunReader, RunStore
assert "torch" not in sys.modules
def record(seq):
    return Record(seq, 1.7e9 + seq / 7, TrialFinished(seq, f"1-0-{seq}", {"valid_accuracy": seq / 1000}, (seq / 1000,)))
def say(text):
    os.write(1, f"{text}\\n".encode())
"""


def make_record(seq: int) -> Record:
    if seq == 1:
        return Record(1, 1.7e9, RunStarted(SPEC, {"device": "cpu"}))
    event = TrialFinished(seq, f"1-0-{seq}", {"valid_accuracy": seq / 1000}, (seq / 1000,), measured={"seconds": 0.1})
    return Record(seq, 1.7e9 + seq / 7, event)


@pytest.fixture
def record() -> Callable[[int], Record]:
    return make_record


@pytest.fixture
def store() -> Iterator[RunStore]:
    """A new run with three events."""
    with RunStore.create(SPEC) as store:
        store.append(*map(make_record, (1, 2, 3)))
        yield store


@pytest.fixture
def child() -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts Python code after `PRELUDE`, with `arguments` in `sys.argv[1:]`; what is left is killed at the end."""
    children: list[subprocess.Popen[bytes]] = []

    def start(code: str, *arguments: object) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        children.append(process)
        return process

    yield start
    for process in children:
        process.kill()
        process.communicate()
