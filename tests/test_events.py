"""Events: frozen, JSON only, read back as they were."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas import events, jsonio
from nbnas.errors import StoreError
from nbnas.events import EVENTS, Evaluation, Record

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
number = st.floats(allow_nan=False, allow_infinity=False)
count = st.integers(0, 10**9)
metrics = st.dictionaries(text, number, max_size=3)
rows = st.dictionaries(text, st.dictionaries(text, st.dictionaries(text, number, max_size=2), max_size=2), max_size=2)
plain = st.dictionaries(text, st.none() | number | text | st.lists(text, max_size=2), max_size=3)

FIELDS = {
    "RunStarted": {"spec": plain, "identity": plain},
    "TrialStarted": {"trial": count, "architecture": text, "parents": st.lists(count, max_size=3).map(tuple),
                     "operator": text, "fidelity": st.none() | number},
    "TrialProgressed": {"trial": count, "epoch": count, "epochs": count, "metrics": metrics},
    "TrialFinished": {"trial": count, "architecture": text, "metrics": metrics, "violation": number,
                      "objectives": st.lists(number, max_size=3).map(tuple), "measured": metrics},
    "TrialFailed": {"trial": count, "architecture": text, "cause": text, "message": text},
    "EpochFinished": {"epoch": count, "metrics": metrics, "measured": metrics},
    "DistributionUpdated": {"source": text, "step": count, "groups": rows},
    "PolicyUpdated": {name: number for name in ("reward", "baseline", "advantage", "entropy")} | {"trial": count},
    "PopulationUpdated": {"born": st.lists(st.tuples(count, number), max_size=3).map(tuple),
                          "died": st.lists(count, max_size=3).map(tuple)},
    "FrontChanged": {"trial": count, "architecture": text, "objectives": st.lists(number, max_size=3).map(tuple),
                     "violation": number, "left": st.lists(count, max_size=3).map(tuple)},
    "SpaceChanged": {"step": count, "reason": text, "options": st.dictionaries(text, st.lists(text, max_size=2))},
    "ValuesUpdated": {"source": text, "step": count, "rows": st.dictionaries(text, metrics, max_size=2)},
    "IncumbentChanged": {"trial": st.none() | count, "architecture": text, "score": number},
    "CheckpointSaved": {"role": text, "digest": text},
    "RunPaused": {},
    "RunResumed": {"identity": plain},
    "RunStopped": {},
    "RunFinished": {"reason": text},
    "RunFailed": {"message": text},
}  # fmt: skip


def test_every_event_is_here():
    assert set(FIELDS) == {name for name, kind in EVENTS.items() if kind.__module__ == "nbnas.events"}


@pytest.mark.parametrize("kind", FIELDS)
@settings(deadline=None, max_examples=25)
@given(st.data())
def test_records_survive_json(kind, data):
    event = EVENTS[kind](**{name: data.draw(values, name) for name, values in FIELDS[kind].items()})
    record = Record(data.draw(count), data.draw(number), event)
    again = Record.from_json(jsonio.loads(jsonio.dumps(record.to_json()), "test"))
    assert again == record
    assert again.event.semantic_json() == event.semantic_json()
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.more = 1


@pytest.mark.parametrize("kind", FIELDS)
def test_what_is_semantic(kind):
    """Pauses, checkpoints and failures of the run tell of the execution, all else must repeat."""
    execution = {"RunStarted", "RunPaused", "RunResumed", "RunStopped", "RunFailed", "CheckpointSaved"}
    assert EVENTS[kind].semantic == (kind not in execution)


def test_measured_times_are_not_semantic():
    one = events.TrialFinished(1, "0", {"a": 1.0}, (1.0,), measured={"seconds": 1.0})
    other = dataclasses.replace(one, measured={"seconds": 2.0})
    assert one != other
    assert one.semantic_json() == other.semantic_json()
    assert one.semantic_json() != dataclasses.replace(one, metrics={"a": 2.0}).semantic_json()


def test_there_is_a_score_iff_there_is_one_objective():
    for objectives, score in (((0.5,), 0.5), ((), None), ((0.5, 0.6), None)):
        assert Evaluation({}, objectives).score == score
        assert events.TrialFinished(1, "0", {}, objectives).score == score


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"kind": "MoonLanded", "event": {}}, "event 7: 'MoonLanded' is not a known event. A newer nbnas wrote it"),
        ({"kind": "RunFinished", "event": {}}, r"event 7 \(RunFinished\): .*missing.*reason"),
        ({"kind": "RunFinished", "event": {"reason": "done", "x": 1}}, r"event 7 \(RunFinished\): .*unexpected.*'x'"),
    ],
    ids=["unknown kind", "missing field", "field more"],
)
def test_records_that_cannot_be_read(value, said):
    with pytest.raises(StoreError, match=said):
        Record.from_json({"seq": 7, "time": 0.0, **value})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_finite(value):
    with pytest.raises(ValueError, match="loss must be finite, got"):
        events.finite(value, "loss")
    assert events.finite(0.5, "loss") == 0.5
