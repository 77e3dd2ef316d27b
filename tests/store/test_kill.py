"""Processes are killed while they write; what they had acknowledged is there, to the bit.

A kill leaves the system's buffers alone. That commits are synced too is shown elsewhere: by
`test_the_file_is_durable_before_the_row` and `test_both_settings_that_durability_rests_on_are_set`.
"""

import random
import time

import pytest

from nbnas.events import Record, TrialFinished
from nbnas.store import RunStore, list_runs, verify

pytestmark = [pytest.mark.kill, pytest.mark.timeout(300)]

KILLS = 30

# Acknowledged: "e N", event N is stored; "r N", the resume point after it is.
WRITE = """
early = sys.argv[2] == "early"
with RunStore.open(sys.argv[1]) as store:
    say("open")
    for seq in range(store.last_seq + 1, 10**6):
        if early:
            say(f"e {seq + 3}")
        store.append(record(seq))
        if not early:
            say(f"e {seq}")
        if seq % 3 == 0:
            store.save_resume_point(seq, {"step": seq, "weights": np.full(20_000, seq)})
            say(f"r {seq}")
"""


def expected(seq: int) -> Record:
    return Record(seq, 1.7e9 + seq / 7, TrialFinished(seq, f"1-0-{seq}", {"valid_accuracy": seq / 1000}, (seq / 1000,)))


def kill_once(child, run_id: str, mode: str, delay: float) -> tuple[int, int]:
    """Kills a writer after `delay` seconds of writing; the last event and resume point that it acknowledged."""
    process = child(WRITE, run_id, mode)
    assert process.stdout.readline() == b"open\n"
    time.sleep(delay)
    assert process.poll() is None  # it was writing
    process.kill()
    output, _ = process.communicate()
    assert process.returncode == -9
    lines = output.decode().split("\n")[:-1]  # a line that was cut is no acknowledgement
    events = [int(line[2:]) for line in lines if line.startswith("e")]
    points = [int(line[2:]) for line in lines if line.startswith("r")]
    return max(events, default=0), max(points, default=0)


def lost(run_id: str, event: int, point: int) -> int:
    """How many of the acknowledged events are not there; all else about the run must be right."""
    assert [(info.status, info.busy) for info in list_runs()] in ([("interrupted", False)], [("created", False)])
    assert verify(run_id) == []
    with RunStore.open(run_id) as store:
        records = list(store.records())
        assert records == [expected(seq) for seq in range(1, store.last_seq + 1)]
        if (saved := store.resume_point()) is not None:
            assert saved.note == ""
            assert saved.seq == saved.state["step"]
            assert (saved.state["weights"] == saved.seq).all()
        assert (saved.seq if saved else 0) >= point
        return max(0, event - store.last_seq)


def test_nothing_acknowledged_is_lost(child) -> None:
    run = RunStore.create({})
    run.close()
    rng = random.Random(21)
    gained, tails = [], set()
    for _ in range(KILLS):
        before = _last(run.run_id)
        event, point = kill_once(child, run.run_id, "honest", rng.uniform(0, 0.15))
        assert lost(run.run_id, event, point) == 0
        gained.append(_last(run.run_id) - before)
        tails.add((_last(run.run_id) - event > 0 and event > 0, event % 3))
    # Not vacuous: most were killed after some events, at several places of the loop.
    assert sum(gain > 0 for gain in gained) > KILLS // 2, gained
    assert len(tails) >= 3, tails


def test_control_a_writer_that_acknowledges_too_early_is_found_out(child) -> None:
    run = RunStore.create({})
    run.close()
    rng = random.Random(22)
    losses = []
    for _ in range(5):
        event, point = kill_once(child, run.run_id, "early", rng.uniform(0.05, 0.1))
        losses.append(lost(run.run_id, event, point))
    assert max(losses) > 0, losses


def _last(run_id: str) -> int:
    with RunStore.open(run_id) as store:
        return store.last_seq


CREATE = """
say("open")
while True:
    with RunStore.create({"seed": 1}) as store:
        store.append(record(1))
"""


def test_a_creation_that_is_killed_is_whole_or_not_listed(child, nbnas_home) -> None:
    rng = random.Random(23)
    halves = 0
    for kills in range(1, 101):  # a slow disk takes more of them until both kinds have been seen
        process = child(CREATE)
        assert process.stdout.readline() == b"open\n"
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.communicate()
        assert process.returncode == -9
        for info in list_runs():
            assert info.status in ("created", "interrupted"), info
            assert verify(info.run_id) == []
        halves += any(path.name.startswith(".new-") for path in (nbnas_home / "runs").glob(".*"))
        if kills >= 20 and halves and list_runs():
            break
    assert list_runs(), "some were whole"
    assert halves > 0, "some were killed half way"
