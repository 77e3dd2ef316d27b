import os
import signal
import time

import pytest

from nbnas.errors import RunBusyError, StoreError
from nbnas.store import RunReader, RunStore, list_runs

HOLD = """
with RunStore.open(sys.argv[1]) as store:
    say("open")
    sys.stdin.read()
"""


def test_a_second_writer_in_the_same_process_is_refused(store: RunStore, record) -> None:
    with pytest.raises(RunBusyError, match=f"process {os.getpid()} on .*Close it there"):
        RunStore.open(store.run_id)
    store.append(record(4))  # the first one is not hurt
    store.close()
    with RunStore.open(store.run_id) as again:
        assert again.last_seq == 4


def test_a_writer_in_another_process_is_named_and_its_death_frees_the_run(store: RunStore, child) -> None:
    store.close()
    reader = RunReader(store.run_id)
    assert not reader.busy()
    process = child(HOLD, store.run_id)
    assert process.stdout.readline() == b"open\n"
    assert reader.busy()
    assert list_runs()[0].busy
    with pytest.raises(RunBusyError, match=f"process {process.pid} on "):
        RunStore.open(store.run_id)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not reader.busy()
    RunStore.open(store.run_id).close()


def test_of_many_who_want_it_one_gets_it(store: RunStore, child) -> None:
    store.close()
    code = """
say("ready"); sys.stdin.readline()
try:
    store = RunStore.open(sys.argv[1])
except Exception as error:
    say(type(error).__name__)
else:
    say("open"); sys.stdin.read()
"""
    processes = [child(code, store.run_id) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert sorted(process.stdout.readline() for process in processes) == [b"RunBusyError\n"] * 3 + [b"open\n"]


def test_readers_do_not_keep_a_writer_out(store: RunStore, child) -> None:
    store.close()
    code = "say('ready')\nwhile True: RunReader(sys.argv[1]).busy()"
    for process in [child(code, store.run_id) for _ in range(2)]:
        assert process.stdout.readline() == b"ready\n"
    for _ in range(20):
        RunStore.open(store.run_id).close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_neither_writes_nor_keeps_the_lock(store: RunStore, record) -> None:
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            store.append(record(4))
            answer = b"written"
        except StoreError as error:
            answer = str(error).encode()
        os.write(write_end, answer)
        time.sleep(60)  # outlives the parent's use
        os._exit(0)
    try:
        assert b"open in the parent process" in os.read(read_end, 1000)
        store.append(record(4))
        store.close()
        RunStore.open(store.run_id).close()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(read_end)
        os.close(write_end)


def test_the_lock_of_a_foreign_folder_is_not_followed(store: RunStore, tmp_path) -> None:
    store.close()
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    (store.path / "lock").unlink()
    (store.path / "lock").symlink_to(precious)
    with pytest.raises(StoreError, match="must be writable"):
        RunStore.open(store.run_id)
    assert precious.read_text() == "keep me"
    (store.path / "lock").unlink()
    os.mkfifo(store.path / "lock")
    assert not RunReader(store.run_id).busy()  # and does not wait for ever


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b'{"pid": "x", "host": 1}'])
def test_a_strange_holder_is_still_refused(store: RunStore, text: bytes) -> None:
    (store.path / "lock").write_bytes(text)
    with pytest.raises(RunBusyError, match="another process has it"):
        RunStore.open(store.run_id)
