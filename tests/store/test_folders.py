import subprocess
import sys
import time
from pathlib import Path

import pytest

from nbnas.errors import StoreError
from nbnas.store import RunReader, RunStore, home, list_runs, new_run_id, run_folder, verify

HOSTILE = [
    "", ".", "..", "../x",
    "/etc", "a/b", "a\\b", "a/../b", "~", "x\0y", "x\n", "-rf", ".new-x", "A", "é", "a" * 65, "c:",
    None, 3, b"x", Path("x"),
]  # fmt: skip


def test_ids_are_valid_distinct_and_sort_by_second() -> None:
    first = new_run_id()
    time.sleep(1.1)
    assert first < new_run_id()
    ids = [new_run_id() for _ in range(200)]
    assert len(set(ids)) > 190
    assert all(len(run_id) == len("20261124-131502-k3v9") for run_id in ids)


@pytest.mark.parametrize("run_id", HOSTILE, ids=repr)
@pytest.mark.parametrize("call", [RunStore.open, RunReader, verify, run_folder], ids=lambda call: call.__qualname__)
def test_an_id_is_never_a_path(call, run_id, store: RunStore) -> None:
    before = sorted(store.path.parent.parent.rglob("*"))
    with pytest.raises(StoreError, match="run id must be"):
        call(run_id)
    assert sorted(store.path.parent.parent.rglob("*")) == before


@pytest.mark.parametrize("call", [RunStore.open, RunReader, verify])
def test_an_unknown_run_is_named_and_nothing_is_made(call, nbnas_home: Path) -> None:
    with pytest.raises(StoreError, match="run absent must exist"):
        call("absent")
    assert not nbnas_home.exists()
    assert list_runs() == []


def test_home_is_the_environment_or_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NBNAS_HOME", str(tmp_path))
    assert home() == tmp_path
    for empty in ("", None):
        monkeypatch.setenv("NBNAS_HOME", empty) if empty is not None else monkeypatch.delenv("NBNAS_HOME")
        assert home() == Path("~/.nbnas").expanduser()


def test_runs_may_lie_elsewhere(tmp_path: Path, nbnas_home: Path) -> None:
    with RunStore.create({"seed": 1}, tmp_path / "else where?#%") as store:
        assert store.path.parent == tmp_path / "else where?#%"
        assert RunReader(store.run_id, store.path.parent).spec == {"seed": 1}
    assert not nbnas_home.exists()


def test_reading_a_run_does_not_import_torch(store: RunStore) -> None:
    code = f"""
import sys
from nbnas.store import RunReader, RunStore, list_runs, verify
reader = RunReader({store.run_id!r})
assert len(list(reader.records())) == 3 and len(list_runs()) == 1 and verify({store.run_id!r}) == []
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
