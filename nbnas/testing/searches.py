"""What holds for any search: it repeats itself, also when it is stopped, and what it says is true."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbnas import jsonio
from nbnas.events import DistributionUpdated, IncumbentChanged, Record, TrialStarted
from nbnas.processes import Search
from nbnas.spaces import SearchSpace
from nbnas.spec import RunSpec
from nbnas.state import fold
from nbnas.store.checkpoints import load_checkpoint, save_checkpoint
from nbnas.store.codec import array_names, decode, encode
from nbnas.testing.promises import explained, require, same, semantic, shaken

__all__ = ["check_any", "check_records", "check_search"]


def check_search(spec: RunSpec) -> None:
    """Checks a whole specification: its strategy, its evaluator, and the process that drives them.

    Args:
        spec: of a small run, on the CPU, with a budget in trials or epochs; stopping is tried after each step.

    Raises:
        AssertionError: a promise is broken.
    """
    require(spec.budget.seconds is None, "budget must be in trials or epochs; one in seconds does not repeat itself")
    parts = [type(part).__name__ for part in (spec.strategy, spec.evaluator) if part is not None]
    check_any(lambda: spec.bind().search, spec.space, f"{' × '.join(parts)} on {spec.space.name}")


@dataclass(frozen=True)
class _Cut:
    """A search between two steps: how many records there are, and its state as a store gives it back."""

    seq: int
    load: Callable[[], Any]


def check_any(make: Callable[[], Search], space: SearchSpace, name: str) -> list[Record]:
    """All that holds for any search; returns the records of one run.

    Args:
        make: gives the search at its start, each time the same.
        space: what is searched.
        name: of the case, for messages.
    """
    with tempfile.TemporaryDirectory(prefix="nbnas-testing-") as folder:
        cuts: list[_Cut] = []
        with shaken(1), explained(f"search must run to its end; {name}"):
            records = list(_run(make(), cuts, Path(folder)))
        require(bool(records), f"search must say something, got no event; {name}")
        check_records(records, space, name)
        with shaken(2):
            again = list(_run(make()))
        same(semantic(again), semantic(records), "search must repeat itself with the same seed", name)
        _check_cancelled(make(), name)
        for number, cut in enumerate(cuts, start=1):
            # Half of the next step is stored already, as if the process had been killed there.
            following = cuts[number].seq if number < len(cuts) else cut.seq
            stored = records[: (cut.seq + following + 1) // 2]
            promise = f"search must do the same when it is stopped after step {number} and resumed"
            with shaken(2 + number), explained(f"{promise}; {name}"):
                search = make()
                search.resume(cut.load(), len(stored), stored[cut.seq :])
                later = list(_run(search))
            same(semantic([*stored, *later]), semantic(records), promise, name)
        promise = "search must do the same when it is stopped and resumed after every step"
        with explained(f"{promise}; {name}"):
            restarted = list(_restarted(make, Path(folder)))
        same(semantic(restarted), semantic(records), promise, name)
    return records


def _run(search: Search, cuts: list[_Cut] | None = None, folder: Path | None = None) -> Iterator[Record]:
    """The records until the search's end; adds the state after each step to `cuts`."""
    while search.end is None:
        for item in search.step():
            if isinstance(item, Record):
                yield item
        if cuts is not None and folder is not None:
            cuts.append(_Cut(search.seq, _saved(search.state_dict(), folder)))


def _restarted(make: Callable[[], Search], folder: Path) -> Iterator[Record]:
    """The records of a search that is stopped and resumed after every step."""
    search, shake = make(), 1000
    while search.end is None:
        with shaken(shake):
            records = [item for item in search.step() if isinstance(item, Record)]
        yield from records
        load, seq, shake = _saved(search.state_dict(), folder), search.seq, shake + 1
        search = make()
        search.resume(load(), seq, ())


def _saved(state: Mapping[str, Any], folder: Path) -> Callable[[], Any]:
    """Writes a state as the store does; returns what reads it."""
    with explained("state_dict must be made of what a store can hold"):
        text, arrays = encode(state)
        digest = save_checkpoint(folder, arrays) if arrays else None
    _, with_torch = array_names(text, "state")

    def load() -> Any:
        return decode(text, {} if digest is None else load_checkpoint(folder, digest, with_torch=with_torch), "state")

    return load


def _check_cancelled(search: Search, name: str) -> None:
    """A step can be closed at any item."""
    step = search.step()
    next(step, None)
    next(step, None)
    with explained(f"a step must end when its generator is closed; {name}"):
        step.close()


def check_records(records: Sequence[Record], space: SearchSpace, name: str) -> None:
    """What events say is true, survives JSON, and folds to the same state afterwards as live."""
    with explained(f"events must be finite JSON values; {name}"):
        texts = [jsonio.dumps(record.to_json()) for record in records]
        replayed = [Record.from_json(jsonio.loads(text, "event")) for text in texts]
    same(semantic(replayed), semantic(records), "events must be the same after a round trip by JSON", name)
    require(fold(replayed) == fold(records), f"the state of a replayed run must be that of the live one; {name}")
    started: set[int] = set()
    for record in records:
        event = record.event
        if isinstance(event, TrialStarted):
            unknown = set(event.parents) - started
            require(not unknown, f"parents must be earlier trials, got {sorted(unknown)}; trial {event.trial}, {name}")
            started.add(event.trial)
        if isinstance(event, TrialStarted | IncumbentChanged):
            with explained(f"event {record.seq} must name an architecture of the space; {name}"):
                space.architecture(event.architecture)
        if isinstance(event, DistributionUpdated):
            _check_distribution(event, space, f"event {record.seq}, {name}")


def _check_distribution(event: DistributionUpdated, space: SearchSpace, where: str) -> None:
    # A policy or a population has a row for each decision, alpha one for each row of the relaxed view.
    known = [*space.decisions, *(() if space.component.relaxable() else space.rows)]
    options = {row.name: set(map(str, row.options)) for row in known}
    for rows in event.groups.values():
        for decision, row in rows.items():
            require(decision in options, f"a row must be named by a decision, got {decision!r:.80}; {where}")
            odd = sorted(set(row) - options[decision])
            require(not odd, f"a row's entries must be named by options, got {odd!r:.80}; {decision}, {where}")
            good = all(0 <= probability <= 1 for probability in row.values())
            require(good, f"probabilities must be in [0, 1], got {dict(row)}; {decision}, {where}")
            total = math.fsum(row.values())
            require(abs(total - 1) < 1e-5, f"a row must sum to 1, got {total}; {decision}, {where}")
