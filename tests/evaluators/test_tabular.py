"""Tables: what is read, what is refused, and that a missing row fails a trial and not the run."""

from __future__ import annotations

import pickle
import zipfile
from collections import Counter

import numpy as np
import pytest

from nbnas.errors import SettingsError, TrialError
from nbnas.evaluators import Table, Tabular
from nbnas.events import IncumbentChanged, TrialFailed, TrialFinished, TrialStarted
from nbnas.processes import Budget
from nbnas.session import start
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.spec import RunSpec
from nbnas.strategies import Proposal, RandomSearch, RegularizedEvolution

SPACE = SearchSpace("small", CellNetwork(3, ("none", "skip", "conv_1x1")))
EVERY = list(SPACE.enumerate())
TEXTS = [str(one) for one in EVERY]
SCORES = np.linspace(0.1, 0.9, len(EVERY))


def evaluated(settings, architecture):
    scoring = settings.bind(SPACE, None, 0).evaluate(1, Proposal(architecture))
    try:
        while True:
            next(scoring)
    except StopIteration as end:
        return end.value


def given_as(form, path):
    table = Table(TEXTS, {"valid_accuracy": SCORES, "parameters": np.arange(len(EVERY))})
    if form == "table":
        return Tabular(table)
    if form == "mapping":
        return Tabular({"architecture": TEXTS, "valid_accuracy": SCORES.tolist(), "parameters": range(len(EVERY))})
    table.save(path)
    return Tabular(path if form == "path" else str(path))


@pytest.mark.parametrize("form", ["table", "mapping", "path", "text"])
def test_every_row_is_looked_up_exactly(form, tmp_path):
    settings = given_as(form, tmp_path / "table.npz")
    for place, one in enumerate(EVERY):
        found = evaluated(settings, one)
        assert found.metrics == {"valid_accuracy": SCORES[place], "parameters": float(place)}
        assert found.objectives == (SCORES[place],)


def test_the_score_may_be_any_column(tmp_path):
    settings = Tabular({"architecture": TEXTS, "a": SCORES, "b": -SCORES}, score="b")
    assert evaluated(settings, EVERY[3]).objectives == (-SCORES[3],)
    with pytest.raises(SettingsError, match=r"score must be a metric of the table \(a, b\), got 'c'") as caught:
        Tabular({"architecture": TEXTS, "a": SCORES, "b": SCORES}, score="c").open()
    assert caught.value.field == "score"


def test_a_missing_architecture_fails_its_trial_and_the_run_goes_on():
    known = {text: score for text, score in zip(TEXTS, SCORES, strict=True) if not text.startswith("0")}
    table = {"architecture": list(known), "valid_accuracy": list(known.values())}
    run = start(RunSpec(SPACE, None, RandomSearch(), Tabular(table), Budget(trials=40))).wait(30)
    events = run.events
    failed = [event for event in events if isinstance(event, TrialFailed)]
    finished = [event for event in events if isinstance(event, TrialFinished)]
    assert run.status == "finished"
    assert len(failed) + len(finished) == 40
    assert len(failed) > 5
    for event in failed:
        assert event.architecture.startswith("0")
        assert event.cause == "missing"
        assert f"got none for {event.architecture} (trial {event.trial}). Add its row" in event.message
    assert all(not event.architecture.startswith("0") for event in finished)
    assert run.state.failures == {"missing": len(failed)}
    assert run.incumbent.score == max(event.score for event in finished)


def test_rows_that_were_not_measured_fail_their_trial():
    scores = SCORES.copy()
    scores[::2] = np.nan
    other = np.where(np.arange(len(EVERY)) % 3 == 0, np.nan, 1.0)
    settings = Tabular({"architecture": TEXTS, "valid_accuracy": scores, "latency_ms": other})
    with pytest.raises(TrialError, match=r"no finite valid_accuracy for 0-0-0 \(trial 1\)") as caught:
        evaluated(settings, EVERY[0])
    assert caught.value.cause == "missing"
    assert evaluated(settings, EVERY[3]).metrics == {"valid_accuracy": SCORES[3]}  # what is nan is left out
    assert evaluated(settings, EVERY[1]).metrics == {"valid_accuracy": SCORES[1], "latency_ms": 1.0}


def test_infinite_scores_fail_their_trial():
    scores = SCORES.copy()
    scores[5] = np.inf
    with pytest.raises(TrialError, match="no finite"):
        evaluated(Tabular({"architecture": TEXTS, "valid_accuracy": scores}), EVERY[5])


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a table was unpickled",))


def pickled(path):
    np.savez(path, architecture=np.array([Bomb()], dtype=object), valid_accuracy=np.zeros(1))


def npy(path):
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))


def raw_pickle(path):
    path.write_bytes(pickle.dumps(Bomb()))


def cut(path):
    Table(TEXTS, {"valid_accuracy": SCORES}).save(path)
    path.write_bytes(path.read_bytes()[:-40])


def flipped(path):
    """A byte of the compressed data of a member is another one."""
    Table(TEXTS, {"valid_accuracy": SCORES}).save(path)
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("valid_accuracy.npy")
    for place in range(member.header_offset + 80, member.header_offset + 90):
        raw[place] ^= 0xFF
    path.write_bytes(raw)


def encrypted(path):
    Table(TEXTS, {"valid_accuracy": SCORES}).save(path)
    raw = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = raw.find(signature)
        while place >= 0:
            raw[place + offset] |= 1
            place = raw.find(signature, place + 1)
    path.write_bytes(raw)


def not_arrays(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("architecture.npy", b"not an array")


@pytest.mark.parametrize(
    "make",
    [pickled, npy, raw_pickle, cut, flipped, encrypted, not_arrays, lambda path: None, lambda path: path.mkdir(),
     lambda path: path.write_bytes(b""), lambda path: path.write_text("architecture,valid_accuracy\n")],
    ids=["pickled", "npy", "pickle", "cut", "flipped", "encrypted", "not arrays", "absent", "folder", "empty", "csv"],
)  # fmt: skip
def test_files_that_are_no_tables_are_refused_and_nothing_is_unpickled(make, tmp_path):
    path = tmp_path / "table.npz"
    make(path)
    with pytest.raises(SettingsError, match=r"table must be an npz file of plain arrays, got '.*table\.npz'") as caught:
        Tabular(path).open()
    assert caught.value.field == "table"


def test_any_flipped_byte_is_an_error_of_ours_or_seen(tmp_path):
    """150 flips of one byte: never another exception, and a table that can still be read is the same but for names."""
    path = tmp_path / "table.npz"
    Table(TEXTS, {"valid_accuracy": SCORES}).save(path)
    good, rng, outcomes = path.read_bytes(), np.random.default_rng(0), Counter()
    for _ in range(150):
        raw = bytearray(good)
        raw[rng.integers(len(raw))] ^= int(rng.integers(1, 256))
        path.write_bytes(raw)
        try:
            table = Table.load(path)
        except SettingsError:
            outcomes["refused"] += 1
        else:
            outcomes["read"] += 1
            assert list(table.rows) == TEXTS
            for column in table.metrics.values():
                assert np.array_equal(column, SCORES)
    assert outcomes["refused"] > 50


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"valid_accuracy": [1.0]}, "table must have a key architecture"),
        ({"architecture": ["0-0-0"]}, "table must have architectures and metrics, got none of one"),
        ({"architecture": [], "valid_accuracy": []}, "table must have architectures and metrics, got none of one"),
        ({"architecture": ["0-0-0", "0-0-0"], "valid_accuracy": [1, 2]}, "each architecture once, got '0-0-0' twice"),
        ({"architecture": ["0-0-0"], "valid_accuracy": ["a"]}, "column 'valid_accuracy' must hold numbers"),
        ({"architecture": ["0-0-0"], "valid_accuracy": [1, 2]}, r"'valid_accuracy' must have shape \(1,\), got \(2,\)"),
        ({"architecture": ["0-0-0"], "valid_accuracy": [[1]]}, r"must have shape \(1,\), got \(1, 1\)"),
        ({"architecture": ["0-0-0"], "valid_accuracy": 1.0}, r"must have shape \(1,\), got \(\)"),
        (7, "table must be a text, got 7"),
        ({"architecture": "0-0-0", "valid_accuracy": [1]}, r"table must list architectures, got shape \(\)"),
    ],
    ids=["no architecture", "no metrics", "empty", "twice", "texts", "longer", "two axes", "scalar", "number", "one"],
)  # fmt: skip
def test_arrays_that_are_no_tables_are_refused(table, said):
    with pytest.raises(SettingsError, match=said) as caught:
        Tabular(table)
    assert caught.value.field == "table"


@pytest.mark.parametrize("text", ["0-0", "0-0-3", "x", "", "0-0-."])
def test_rows_foreign_to_the_space_are_refused_before_the_run(text, nbnas_home):
    table = {"architecture": [*TEXTS, text], "valid_accuracy": [*SCORES, 0.5]}
    spec = RunSpec(SPACE, None, RandomSearch(), Tabular(table), Budget(trials=3))
    with pytest.raises(SettingsError, match="table must hold architectures of space 'small', got"):
        start(spec)
    assert not nbnas_home.exists()


def test_a_table_given_as_arrays_is_named_by_its_content():
    one = Tabular({"architecture": TEXTS, "valid_accuracy": SCORES})
    same = Tabular(Table(TEXTS, {"valid_accuracy": list(SCORES)}))
    other = Tabular({"architecture": TEXTS, "valid_accuracy": SCORES + 1e-9})
    assert one == same
    assert one.table.startswith("sha256:")
    assert one.table != other.table
    assert Tabular(one.table).open().metrics["valid_accuracy"].tolist() == SCORES.tolist()


def test_a_table_of_another_process_must_be_given_again():
    absent = Tabular("sha256:" + "0" * 64)
    with pytest.raises(SettingsError, match=r"was given as arrays and must be given again; make nb\.evaluators"):
        absent.open()


def test_evolution_finds_the_optimum_of_a_table():
    """As a whole: 27 architectures, 120 trials."""
    spec = RunSpec(
        SPACE,
        None,
        RegularizedEvolution(population=6, tournament=3),
        Tabular({"architecture": TEXTS, "valid_accuracy": SCORES}),
        Budget(trials=120),
    )
    run = start(spec).wait(30)
    assert (str(run.incumbent.architecture), run.incumbent.score) == (TEXTS[-1], SCORES[-1])
    events = run.events
    started = [event.architecture for event in events if isinstance(event, TrialStarted)]
    scores = [SCORES[TEXTS.index(text)] for text in started]
    bests = [event.score for event in events if isinstance(event, IncumbentChanged)]
    assert bests == sorted(set(np.maximum.accumulate(scores)))
