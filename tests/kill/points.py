"""The places within a run at which a process can kill itself. Patched in from outside: the product has no hooks."""

import copy
import os
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

POINTS = (
    "before append",  # an event is about to be stored
    "within append",  # it is inserted, its transaction not committed
    "after append",  # it is durable and acknowledged
    "within batch",  # the loss of a batch is known, the step not taken; with a table: within a trial
    "before tell",  # TrialFinished is durable, the strategy does not know yet
    "before derive",  # an epoch is trained, nothing of it is stored
    "before probabilities",  # EpochFinished is durable, the rest of the step not
    "before save",  # a resume point is due
    "before rename",  # its checkpoint is written under a temporary name
    "after rename",  # the checkpoint is there, no row refers to it
    "within save",  # the row is inserted, its transaction not committed
    "after save",  # the resume point is durable
)
OF_SAVES = tuple(name for name in POINTS if name.endswith(("save", "rename", "append")))
"""Points whose visits depend on how often resume points are saved; a saved checkpoint is an event too."""


class Kill(NamedTuple):
    """Where a process kills itself: at the `occurrence`-th visit (1-based) of a point."""

    point: str
    occurrence: int


class Visits:
    """Counts visits of points, writes them down, and kills its own process at one of them."""

    def __init__(self, kill: Kill | None) -> None:
        self.kill = kill
        self.counts: Counter[str] = Counter()
        self.trace: list[tuple[str, str]] = []

    def __call__(self, point: str, detail: str = "") -> None:
        self.counts[point] += 1
        self.trace.append((point, detail))
        if self.kill == (point, self.counts[point]):
            os.kill(os.getpid(), signal.SIGKILL)


def patch(visit: Visits, acknowledge: Callable[[Any, Any], None], *, save_every: int, forget: str) -> None:
    """Patches this process, for good.

    Args:
        visit: called at each point.
        acknowledge: called with the run's id and a record once `append` has returned.
        save_every: a resume point after every so many steps.
        forget: the part of the state that is not saved (`strategy/rng`), for the control; empty: all is saved.
    """
    from nbnas import session
    from nbnas.evaluators.tabular import _Tabular
    from nbnas.spec import RunSpec
    from nbnas.store import RunStore, run_store, states
    from nbnas.tasks.bound import BoundTask

    session._SAVE_SECONDS = session._SAVE_SHARE = 0.0
    _around(os, "replace", visit, "rename", lambda source, target: Path(target).parent.name == "checkpoints")
    _around(RunStore, "save_resume_point", visit, "save")
    _after(run_store, "set_meta", visit, "within append")
    _after(states, "set_meta", visit, "within save")
    _after(BoundTask, "loss", visit, "within batch")
    _before(_Tabular, "evaluate", visit, "within batch")
    append, save, bind = RunStore.append, session.Run._save, RunSpec.bind

    def patched_append(self, *records):
        kinds = ",".join(type(record.event).__name__ for record in records)
        visit("before append", kinds)
        append(self, *records)
        for record in records:
            acknowledge(self.run_id, record)
        visit("after append", kinds)

    steps = 0

    def patched_save(self, store, search):
        nonlocal steps
        steps += 1
        return save(self, store, search) if steps % save_every == 0 else 0.0

    def patched_bind(self):
        bound = bind(self)
        strategy = bound.search.process.strategy
        for name in ("tell", "derive", "probabilities"):
            with suppress(AttributeError):
                _before(strategy, name, visit, f"before {name}")
        if forget:
            owner, _, key = forget.partition("/")
            _forget(getattr(bound.search.process, owner), key)
        return bound

    RunStore.append, session.Run._save, RunSpec.bind = patched_append, patched_save, patched_bind


def _forget(owner: Any, key: str) -> None:
    """Makes `owner` save, instead of a part of its state, what that part was at its start."""
    state_dict = owner.state_dict
    first = copy.deepcopy(state_dict()[key])
    owner.state_dict = lambda: {**state_dict(), key: first}


def _around(owner: Any, name: str, visit: Visits, what: str, applies: Callable[..., bool] = lambda *_: True) -> None:
    original = getattr(owner, name)

    def patched(*arguments):
        if not applies(*arguments):
            return original(*arguments)
        visit(f"before {what}")
        result = original(*arguments)
        visit(f"after {what}")
        return result

    setattr(owner, name, patched)


def _before(owner: Any, name: str, visit: Visits, point: str) -> None:
    original = getattr(owner, name)

    def patched(*arguments):
        visit(point)
        return original(*arguments)

    setattr(owner, name, patched)


def _after(owner: Any, name: str, visit: Visits, point: str) -> None:
    original = getattr(owner, name)

    def patched(*arguments):
        result = original(*arguments)
        visit(point)
        return result

    setattr(owner, name, patched)
