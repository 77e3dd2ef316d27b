"""What sampled architectures of a space cost, measured on a thread of its own: the first time loads torch."""

from __future__ import annotations

import atexit
import importlib
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from nbnas.errors import NbnasError, SpaceError
from nbnas.settings import Settings, setting
from nbnas.spaces import SearchSpace

__all__ = ["Figures", "FiguresWorker", "ImaginedInputs", "inputs_for"]

SAMPLES = 24
SECONDS = 4.0
"""After so long no further sample is taken."""
DEBOUNCE = 0.35
"""Seconds of quiet before networks are measured."""


@dataclass(frozen=True)
class ImaginedInputs(Settings):
    """The inputs for which parameters and FLOPs are told."""

    error: ClassVar[type[NbnasError]] = SpaceError

    input_shape: tuple[int, ...] = setting((1, 8, 8), "Shape of one input.", minimum=1, maximum=65536)
    classes: int = setting(10, "Classes.", minimum=2, maximum=1_000_000)
    vocabulary: int | None = setting(None, "Different tokens, where inputs are tokens.", minimum=1, maximum=1 << 24)

    def check(self) -> None:
        if not 1 <= len(self.input_shape) <= 3:
            self.fail("input_shape", "one to three numbers")

    def suits(self, space: SearchSpace) -> bool:
        """Whether the space takes inputs of this form."""
        tokens = space.component.flow_in() == "tokens"
        dims = 1 if tokens else len(self.input_shape) - 1
        return dims == space.dims and tokens == (self.vocabulary is not None)


def inputs_for(space: SearchSpace) -> ImaginedInputs:
    """Small inputs that the space takes."""
    if space.component.flow_in() == "tokens":
        return ImaginedInputs((24,), 8, 1000)
    return ImaginedInputs({2: (1, 8, 8), 1: (1, 40)}.get(space.dims, (13,)))


@dataclass(frozen=True)
class Figures:
    """What is known so far.

    Attributes:
        costs: (parameters, FLOPs) of each sampled architecture.
        problem: why there is no more.
        done: whether nothing will be added.
    """

    costs: tuple[tuple[int, int], ...] = field(default=())
    problem: str = ""
    done: bool = False


class FiguresWorker:
    """Measures the space that was asked for last. Its thread ends when there is nothing to do.

    Args:
        ready: called on the worker's thread whenever `figures` says more.
    """

    def __init__(self, ready: Callable[[], Any]) -> None:
        self.figures = Figures()
        self._ready = ready
        self._lock = threading.Lock()
        self._asked: tuple[SearchSpace, ImaginedInputs] | None = None
        self._number = 0
        self._thread: threading.Thread | None = None
        _WORKERS.add(self)

    def ask(self, space: SearchSpace, inputs: ImaginedInputs) -> None:
        """Starts anew with this space; what is under way for another one is dropped."""
        with self._lock:
            self._number += 1
            self._asked = (space, inputs)
            self.figures = Figures()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="nbnas-figures", daemon=True)
                self._thread.start()

    def cancel(self) -> None:
        """Drops what is under way."""
        with self._lock:
            self._number += 1
            self._asked = None

    def join(self, timeout: float | None = None) -> None:
        """Waits until nothing is under way."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._asked is None:
                    self._thread = None
                    return
                (space, inputs), self._asked, number = self._asked, None, self._number
            self._measure(space, inputs, number)

    def _measure(self, space: SearchSpace, inputs: ImaginedInputs, number: int) -> None:
        problem = ""
        end = time.monotonic() + DEBOUNCE
        while time.monotonic() < end:
            time.sleep(0.05)
            if number != self._number:
                return
        costs: list[tuple[int, int]] = []
        try:
            measure: Any = importlib.import_module("nbnas.networks.measure")
            wanted = measure.Inputs(inputs.input_shape, inputs.classes, inputs.vocabulary)
            rng, end = np.random.default_rng(0), float("inf")
            for place in range(SAMPLES):
                if number != self._number or time.monotonic() > end:
                    break
                weights, adds = measure.cost(space, space.sample(rng), wanted)
                costs.append((weights, 2 * adds))
                end = min(end, time.monotonic() + SECONDS)  # the first one loads what torch needs
                if place % 4 == 3:
                    self._tell(number, Figures(tuple(costs), problem))
        except Exception as error:  # whatever a network of the user's own parts raises is shown, not lost
            words = str(error) if isinstance(error, NbnasError) else f"{type(error).__name__}: {error}"
            problem = words[:400]
        self._tell(number, Figures(tuple(costs), problem, done=True))

    def _tell(self, number: int, figures: Figures) -> None:
        with self._lock:
            if number != self._number:
                return
            self.figures = figures
        self._ready()


_WORKERS: weakref.WeakSet[FiguresWorker] = weakref.WeakSet()


@atexit.register
def _end() -> None:
    """A thread within torch must not outlive the interpreter."""
    for worker in list(_WORKERS):
        worker.cancel()
    for worker in list(_WORKERS):
        worker.join(5)
