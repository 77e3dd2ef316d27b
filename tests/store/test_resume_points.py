import builtins
import errno
import hashlib
import os

import numpy as np
import pytest

from nbnas.errors import StoreError
from nbnas.store import RunReader, RunStore, verify
from nbnas.store.database import Database


def state(number: int) -> dict:
    return {
        "step": number,
        "weights": np.full(1000, number, "f4"),
        "rng": np.random.default_rng(number).bit_generator.state,
    }


def step_of(store: RunStore) -> int:
    point = store.resume_point()
    assert point is not None
    number = point.state["step"]
    assert point.state["weights"].tobytes() == state(number)["weights"].tobytes()
    assert point.state["rng"] == state(number)["rng"]
    assert point.seq == number
    return number


def checkpoints(store: RunStore) -> set[str]:
    return set(os.listdir(store.path / "checkpoints"))


def test_no_point_then_the_newest(store: RunStore) -> None:
    assert store.resume_point() is None
    for number in (0, 1, 3):
        digest = store.save_resume_point(number, state(number))
        assert step_of(store) == number
        assert store.resume_point().note == ""
        content = (store.path / "checkpoints" / digest).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
    store.close()
    with RunStore.open(store.run_id) as again:
        assert step_of(again) == 3


def test_the_two_newest_are_kept_and_no_other_file(store: RunStore) -> None:
    digests = [store.save_resume_point(3, state(number)) for number in range(6)]
    assert checkpoints(store) == set(digests[-2:])
    assert store._database.rows("SELECT count(*) FROM saved") == [(2,)]


def test_equal_checkpoints_share_a_file(store: RunStore) -> None:
    digests = {store.save_resume_point(seq, {"a": np.arange(9), "seq": seq}) for seq in (1, 2, 3)}
    digests.add(store.save_result("best", {"a": np.arange(9)}))
    assert checkpoints(store) == digests
    assert len(digests) == 1
    assert store.resume_point().state["seq"] == 3
    store.save_resume_point(3, {"other": 1})
    store.save_resume_point(3, {"other": 2})
    assert checkpoints(store) == digests  # the result needs it still


def test_a_state_without_tensors_needs_no_file(store: RunStore) -> None:
    assert store.save_resume_point(2, {"population": [(1, 0.5)], 3: None}) is None
    assert checkpoints(store) == set()
    assert store.resume_point().state == {"population": [(1, 0.5)], 3: None}


def test_results_are_kept_always(store: RunStore) -> None:
    first = store.save_result("best", state(1))
    for number in range(4):
        store.save_resume_point(3, state(10 + number))
    second = store.save_result("last", state(2))
    assert {first, second} < checkpoints(store)
    with RunReader(store.run_id) as reader:
        assert reader.results() == store.results() == ("best", "last")
        assert reader.result("best")["step"] == 1
        store.save_result("best", state(3))
        assert reader.result("best")["step"] == 3
        with pytest.raises(StoreError, match="has no result 'worst'; it has: best, last"):
            reader.result("worst")
    assert first not in checkpoints(store)
    assert verify(store.run_id) == []


@pytest.mark.parametrize("seq", [-1, 4])
def test_the_event_must_be_stored_before(store: RunStore, seq: int) -> None:
    with pytest.raises(StoreError, match=r"seq must be in 0\.\.3"):
        store.save_resume_point(seq, {})


def damage_file(store: RunStore, digest: str) -> None:
    path = store.path / "checkpoints" / digest
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def remove_file(store: RunStore, digest: str) -> None:
    (store.path / "checkpoints" / digest).unlink()


def link_file(store: RunStore, digest: str) -> None:
    path = store.path / "checkpoints" / digest
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def damage_row(store: RunStore, digest: str) -> None:
    store._database.change("UPDATE saved SET skeleton = replace(skeleton, '1', '2') WHERE digest = ?", digest, expect=1)


def remove_row(store: RunStore, digest: str) -> None:
    store._database.change("DELETE FROM saved WHERE digest = ?", digest, expect=1)


@pytest.mark.parametrize("damage", [damage_file, remove_file, link_file, damage_row, remove_row])
def test_a_damaged_newest_point_gives_the_one_before_and_says_so(store: RunStore, damage) -> None:
    older, newer = (store.save_resume_point(number, state(number)) for number in (1, 3))
    damage(store, newer)
    (problem,) = verify(store.run_id)
    store.close()
    with RunStore.open(store.run_id) as again:
        assert step_of(again) == 1
        assert problem in again.resume_point().note
        # A damaged point is not one of the two that are kept: the good one stays until there are two good ones.
        again.save_resume_point(2, state(2))
        assert older in checkpoints(again)
        assert again.resume_point().note == ""
        assert step_of(again) == 2
        assert verify(store.run_id) == []
        damage(again, older) if damage in (damage_file, remove_file) else remove_file(again, older)
        remove_file(again, hashlib.sha256(_file_of(2)).hexdigest())
        with pytest.raises(StoreError, match="no resume point is whole"):
            again.resume_point()


def _file_of(number: int) -> bytes:
    from nbnas.store.checkpoints import _pack
    from nbnas.store.codec import encode

    return _pack(encode(state(number))[1])


def test_saving_again_what_is_damaged_heals_it(store: RunStore) -> None:
    digest = store.save_resume_point(3, state(3))
    damage_file(store, digest)
    assert store.save_resume_point(3, state(3)) == digest
    assert verify(store.run_id) == []


class Faults:
    """Counts the operations of saving, and makes the one with number `at` fail, before or after it is done."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, *, after: bool) -> None:
        self.count, self.at, self.after = 0, at, after
        self.names: list[str] = []
        real_close = os.close
        for owner, name in [
            (os, "fsync"), (os, "replace"), (os, "open"), (os, "close"), (os, "unlink"), (builtins, "open"),
            (Database, "change"), (Database, "rows"),
        ]:  # fmt: skip
            patch.setattr(owner, name, self.wrap(getattr(owner, name), name, real_close))

    def wrap(self, real, name: str, real_close):
        def operation(*args, **keywords):
            self.count += 1
            self.names.append(name)
            if self.count != self.at:
                return real(*args, **keywords)
            if self.after:
                result = real(*args, **keywords)
                if name == "open":  # nobody gets it, so nobody would close it
                    (result.close if hasattr(result, "close") else lambda: real_close(result))()
            raise OSError(errno.ENOSPC, "No space left on device")

        return operation


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_fault_at_any_operation_of_saving_leaves_the_old_point_or_the_new(after: bool) -> None:
    old = new = 0
    seen: set[str] = set()
    for at in range(1, 100):
        with RunStore.create({}) as store, pytest.MonkeyPatch.context() as patch:
            store._last = 9  # no events are needed here
            store.save_resume_point(1, state(1))
            store.save_resume_point(2, state(2))
            faults = Faults(patch, at, after=after)
            try:
                store.save_resume_point(3, state(3))
                failed = False
            except (OSError, StoreError):
                failed = True
            patch.undo()
            if faults.count < at:
                assert not failed
                break
            seen.add(faults.names[at - 1])
            assert verify(store.run_id) == []
        with RunStore.open(store.run_id) as again:
            number = step_of(again)
            assert again.resume_point().note == ""
            assert number in (2, 3)
            assert failed or number == 3
            old, new = old + (number == 2), new + (number == 3)
            # And it goes on: what the fault left behind is swept away.
            again._last = 9
            again.save_resume_point(4, state(4))
            again.save_resume_point(5, state(5))
            assert step_of(again) == 5
            assert len(checkpoints(again)) == 2
            assert verify(store.run_id) == []
    else:
        pytest.fail("saving never ended without a fault")
    assert old >= 6
    assert new >= 1
    assert seen >= {"fsync", "replace", "open", "change", "rows"}


def test_the_file_is_durable_before_the_row(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = Faults(monkeypatch, -1, after=False)
    store.save_resume_point(3, state(3))
    order = [name for name in faults.names if name in ("fsync", "replace", "change")]
    assert order[:4] == ["fsync", "replace", "fsync", "change"]


REAL_FULL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from nbnas.errors import StoreError
with RunStore.open(sys.argv[1]) as store:
    store.save_resume_point(3, {"step": 3, "weights": np.zeros(10)})
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    try:
        store.save_resume_point(3, {"step": 4, "weights": np.zeros(100_000)})
    except StoreError as error:
        say(f"refused {error}")
    for seq in range(4, 5000):
        try:
            store.append(record(seq))
        except StoreError as error:
            say(f"refused {error}")
            break
        say(seq)
    try:
        store.close()
    except StoreError:
        pass
"""


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files")
def test_when_the_system_refuses_to_write_the_old_point_and_all_acknowledged_events_are_there(store, child) -> None:
    store.close()
    output, _ = child(REAL_FULL_DISK, store.run_id).communicate()
    first, *lines, last = output.decode().splitlines()
    assert first.startswith("refused checkpoint must be written")
    assert last.startswith("refused ")
    assert len(lines) > 3
    with RunStore.open(store.run_id) as again:
        assert again.resume_point().state["step"] == 3
        assert again.last_seq >= int(lines[-1])
        assert [item.seq for item in again.records()] == list(range(1, again.last_seq + 1))
        assert verify(store.run_id) == []
        again.save_resume_point(3, state(3))
        assert len(checkpoints(again)) == 2  # what the failed save left is gone
