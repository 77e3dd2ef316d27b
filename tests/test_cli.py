"""The command line: what it prints, and its exit status."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

import nbnas as nb
from nbnas import cli, identity, session
from nbnas.errors import NbnasError
from nbnas.spec import RunSpec
from nbnas.store import RunStore
from tests.fixtures.runs import CHAIN, DEADLINE, Hooked, semantic, table_of, until

EVOLUTION = nb.strategies.RegularizedEvolution(population=3, tournament=2)


@pytest.fixture
def nbnas(monkeypatch, capsys):
    """Runs the command line in this process; returns exit status, output and errors."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["nbnas", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        shown = capsys.readouterr()
        return caught.value.code or 0, shown.out, shown.err

    return call


@pytest.fixture
def spec(tmp_path):
    """A specification and its file."""
    made = RunSpec(CHAIN, None, EVOLUTION, table_of(CHAIN, tmp_path / "t.npz"), nb.Budget(trials=8), name="by file")
    made.save(tmp_path / "spec.json")
    return made


def test_search_runs_a_file(nbnas, spec, tmp_path):
    status, out, err = nbnas("search", tmp_path / "spec.json", "--quiet")
    assert (status, err) == (0, "")
    first, last = out.splitlines()
    run = nb.open(first.removeprefix("run "))
    best = run.incumbent
    assert last == f"finished; best {best.architecture} with score {best.score:.4f}"
    assert run.spec == spec
    assert run.state.trials_finished == 8


def test_search_shows_its_progress_on_standard_error(nbnas, spec, tmp_path):
    status, out, err = nbnas("search", tmp_path / "spec.json")
    assert status == 0
    assert len(out.splitlines()) == 2
    assert all(re.match(r"\d+ % cpu: \d+ trials, 0 epochs", line) for line in err.splitlines())


BAD = {
    "absent": None,
    "empty": "",
    "not JSON": "{",
    "a list": "[]",
    "unknown strategy": {"strategy": {"kind": "Magic", "settings": {}}},
    "no budget": {"budget": {}},
    "a seed below 0": {"seed": -1},
    "control characters": {"name": "\x1b[31m\n"},
}


@pytest.mark.parametrize("case", BAD)
def test_search_of_a_bad_file_is_one_line_and_status_1(case, nbnas, spec, tmp_path, nbnas_home):
    path, change = tmp_path / "bad.json", BAD[case]
    if change is not None:
        path.write_text(change if isinstance(change, str) else json.dumps(spec.to_json() | change))
    status, out, err = nbnas("search", path)
    assert (status, out) == (1, "")
    assert re.fullmatch(r"nbnas: [^\n]*bad\.json[^\n]*\n", err)
    assert err.strip().isprintable()
    assert not nbnas_home.exists()


def test_as_a_process_of_its_own(tmp_path):
    (tmp_path / "bad.json").write_text('{"schema": 2}')
    done = subprocess.run(
        [sys.executable, "-m", "nbnas.cli", "search", str(tmp_path / "bad.json")], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "nbnas: bad.json: /schema must be 1, got 2. A newer nbnas wrote it: update nbnas\n"
    )  # fmt: skip


def test_errors_of_many_lines_become_one(nbnas, monkeypatch, tmp_path):
    def fail(path):
        raise NbnasError("first\nsecond\n\x1b[31m third")

    monkeypatch.setattr(RunSpec, "load", fail)
    status, _, err = nbnas("search", tmp_path)
    assert status == 1
    assert err.count("\n") == 1
    assert err.startswith("nbnas: first second")
    assert "\x1b" not in err


def test_a_run_that_fails_has_status_1(nbnas, spec, tmp_path, monkeypatch):
    def broken(self, trial, proposal, answer):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("nbnas.strategies.regularized_evolution._RegularizedEvolution.tell", broken)
    status, out, err = nbnas("search", tmp_path / "spec.json", "--quiet")
    run_id = out.split()[1]
    assert (status, err) == (1, f"nbnas: run {run_id} failed: a bug\n")
    monkeypatch.undo()


def test_an_interrupt_has_status_130(nbnas, spec, tmp_path, monkeypatch):
    def interrupted(*given, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr("nbnas.bar.watch", interrupted)
    status, _, _ = nbnas("search", tmp_path / "spec.json")
    assert status == 130


def test_runs(nbnas, spec, tmp_path):
    assert nbnas("runs") == (0, "no runs yet\n", "")
    _, out, _ = nbnas("search", tmp_path / "spec.json", "--quiet")
    run_id = out.split()[1]
    status, out, _ = nbnas("runs")
    assert status == 0
    assert out.splitlines()[1].split()[:4] == [run_id, "finished", "RegularizedEvolution", "chain"]
    assert out.rstrip().endswith("by file")


@pytest.fixture
def stopped(spec, tmp_path, monkeypatch):
    """A run that was stopped in its fourth trial and forgotten by this process."""
    evaluate = nb.evaluators.tabular._Tabular.evaluate
    runs = []

    def stopping(self, trial, proposal):
        if trial == 4:
            until(lambda: runs)
            runs[0].stop()
        return (yield from evaluate(self, trial, proposal))

    with monkeypatch.context() as patched:
        patched.setattr(nb.evaluators.tabular._Tabular, "evaluate", stopping)
        runs.append(session.start(spec))
        runs[0].wait(DEADLINE)
    assert runs[0].status == "stopped"
    session._LIVE.clear()
    return runs[0].id


def test_resume_goes_on(nbnas, stopped, spec):
    status, out, err = nbnas("resume", stopped, "--quiet")
    assert (status, err) == (0, "")
    assert out.startswith("finished; best ")
    session._LIVE.clear()
    assert semantic(nb.open(stopped)) == semantic(session.start(spec).wait(DEADLINE))
    status, out, err = nbnas("resume", stopped)
    assert (status, out) == (1, "")
    assert err == f"nbnas: run {stopped} is finished. Start a new one with a larger budget\n"


def test_resume_elsewhere_asks(nbnas, stopped, monkeypatch):
    monkeypatch.setattr(identity.platform, "machine", lambda: "abacus")
    status, _, err = nbnas("resume", stopped, "--quiet")
    assert status == 1
    assert "machine was" in err
    assert "is abacus" in err
    assert "--accept-differences" in err
    status, out, _ = nbnas("resume", stopped, "--quiet", "--accept-differences")
    assert (status, out.split(";")[0]) == (0, "finished")


@pytest.mark.parametrize("command", ["resume", "verify"])
@pytest.mark.parametrize("run_id", ["nosuch", "../x"])
def test_a_run_that_is_not_there(command, run_id, nbnas):
    status, out, err = nbnas(command, run_id)
    assert (status, out) == (1, "")
    assert re.fullmatch(r"nbnas: run (id must be|nosuch must exist)[^\n]*\n", err)


def test_verify(nbnas, stopped, nbnas_home):
    assert nbnas("verify", stopped) == (0, f"{stopped}: whole\n", "")
    with RunStore.open(stopped) as store, store._database.transaction():
        store._database.change("UPDATE event SET body = replace(body, 'e', 'E') WHERE seq IN (3, 5)")
    status, out, _ = nbnas("verify", stopped)
    assert status == 1
    lines = out.splitlines()
    assert lines[-1] == f"{stopped}: 2 problems"
    assert "event 3" in lines[0]
    assert "event 5" in lines[1]


def test_help_names_all_commands(nbnas):
    status, out, _ = nbnas("--help")
    assert status == 0
    for command in ("lab", "search", "resume", "runs", "verify"):
        assert command in out


def test_hooks_of_tests_are_not_registered():
    assert Hooked.__name__ not in nb.evaluators.EVALUATORS
