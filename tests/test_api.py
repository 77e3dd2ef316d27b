"""The public calls."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import pytest

import nbnas as nb
from nbnas import bar
from nbnas.errors import RunError
from nbnas.spec import RunSpec
from tests.fixtures.runs import CHAIN, DEADLINE, NB201, Hooked, images, table_of, until

EVOLUTION = nb.strategies.RegularizedEvolution(population=3, tournament=2)


# -- importing ---------------------------------------------------------------------------------------------------------


def modules_after(code):
    """The modules that a fresh process has loaded after running `code`."""
    command = [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"]
    return set(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]))


def test_importing_loads_neither_torch_nor_numpy_nor_widgets():
    loaded = modules_after("import nbnas")
    assert "nbnas" in loaded
    assert not {name for name in loaded if name.startswith("nbnas.")}
    assert not loaded & {"torch", "numpy", "scipy", "sklearn", "pandas", "ipywidgets", "anywidget", "IPython", "plotly"}


def test_specifications_and_stored_runs_need_no_torch_and_no_widgets():
    loaded = modules_after(
        "import nbnas as nb\n"
        "from nbnas.spec import RunSpec\n"
        "spec = RunSpec(nb.spaces.chain(), None, nb.strategies.Reinforce(), nb.evaluators.Tabular('t.npz'))\n"
        "assert RunSpec.from_json(spec.to_json()) == spec\n"
        "nb.runs()"
    )
    assert "nbnas.api" in loaded
    assert not loaded & {"torch", "sklearn", "ipywidgets", "anywidget", "IPython", "plotly"}


def test_every_public_name_is_there():
    for name in nb.__all__:
        assert getattr(nb, name) is not None
        assert name in dir(nb)
    assert len(set(nb.__all__)) == len(nb.__all__)
    for package in (nb.spaces, nb.tasks, nb.strategies, nb.evaluators):
        for name in package.__all__:
            assert getattr(package, name) is not None


def test_star_import_gives_the_public_names_alone():
    names: dict[str, object] = {}
    exec("from nbnas import *", names)
    assert set(names) - {"__builtins__"} == set(nb.__all__)


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(AttributeError, match=r"module 'nbnas' has no attribute 'serach'; it has Budget, .*search"):
        _ = nb.serach


def test_public_classes_and_calls_say_what_they_are():
    for name in nb.__all__:
        assert getattr(nb, name).__doc__, name


# -- search, open, runs ------------------------------------------------------------------------------------------------


def search(tmp_path, trials=6, **more):
    return nb.search(
        CHAIN, None, EVOLUTION, table_of(CHAIN, tmp_path / "t.npz"), budget=nb.Budget(trials=trials), **more
    )


def test_in_the_background_it_returns_at_once(monkeypatch):
    gate = threading.Event()

    def hook(trial):
        gate.wait(DEADLINE)
        return ()

    monkeypatch.setattr(Hooked, "hook", staticmethod(hook))
    run = nb.search(CHAIN, None, EVOLUTION, Hooked(), budget=nb.Budget(trials=3))
    assert run.alive
    assert run.status in ("starting", "running")
    gate.set()
    assert run.wait(DEADLINE).status == "finished"


def test_in_the_foreground_it_waits_and_shows_lines(tmp_path, capsys):
    run = search(tmp_path, background=False, name="mine")
    assert (run.status, run.name, run.alive) == ("finished", "mine", False)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(" % cpu: " in line for line in shown.err.splitlines())


def test_the_seed_and_the_device_are_passed_on(tmp_path):
    run = search(tmp_path, seed=7, device="cpu").wait(DEADLINE)
    assert (run.spec.seed, run.spec.device, run.device) == (7, "cpu", "cpu")
    assert run.spec == RunSpec(
        CHAIN, None, EVOLUTION, table_of(CHAIN, tmp_path / "t.npz"), nb.Budget(trials=6), 7, "cpu"
    )


def test_runs_are_listed_the_newest_first_and_as_a_table(tmp_path):
    assert repr(nb.runs()) == "no runs yet"
    first = search(tmp_path, name="the first").wait(DEADLINE)
    second = nb.search(
        NB201, images(), nb.strategies.Darts(batch=8), budget=nb.Budget(epochs=1), device="cpu"
    ).wait(DEADLINE)  # fmt: skip
    found = nb.runs()
    assert {run.run_id for run in found} == {first.id, second.id}
    assert [run.run_id for run in found] == sorted([first.id, second.id], reverse=True)
    head, *lines = repr(found).split("\n")
    assert head.split() == ["run", "status", "strategy", "space", "task", "events", "name"]
    by_id = {line.split()[0]: line.split() for line in lines}
    assert by_id[first.id][1:5] == ["finished", "RegularizedEvolution", "chain", str(len(first.events))]
    assert by_id[first.id][5:] == ["the", "first"]
    assert by_id[second.id][1:5] == ["finished", "Darts", "nas_bench_201", "arrays"]
    starts = {line.index("finished") for line in lines}
    assert len(starts) == 1  # columns are aligned


def test_open_gives_the_run_of_an_id(tmp_path):
    run = search(tmp_path).wait(DEADLINE)
    assert nb.open(run.id) is run


def test_a_notebook_shows_a_run_live_and_without_one_nothing_is_imported():
    assert "nbnas.widgets" not in modules_after("import nbnas as nb; nb.Run; nb.search")
    assert nb.Run.display_hook is not None


# -- the bar -----------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_there_is_a_bar(tmp_path, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    run = search(tmp_path, background=False)
    text = terminal.getvalue()
    assert "100%" in text
    assert f"6 trials, 0 epochs, best {run.incumbent.score:.4f}" in text


def test_lines_come_at_every_tenth_at_most(monkeypatch, capsys):
    passes = threading.Semaphore(0)

    def hook(trial):
        passes.acquire(timeout=DEADLINE)
        return ()

    monkeypatch.setattr(Hooked, "hook", staticmethod(hook))
    monkeypatch.setattr(bar, "time", SimpleNamespace(sleep=lambda seconds: passes.release()))
    run = bar.watch(nb.search(CHAIN, None, EVOLUTION, Hooked(), budget=nb.Budget(trials=40)))
    tenths = [int(line.split(" %")[0]) for line in capsys.readouterr().err.splitlines()]
    assert tenths == sorted(set(tenths))
    assert set(tenths) <= set(range(10, 101, 10))
    assert len(tenths) > 3
    assert run.status == "finished"


@pytest.mark.parametrize("quiet", [False, True])
def test_an_interrupt_of_the_bar_stops_the_run(quiet, monkeypatch, capsys):
    waiting = threading.Event()

    def hook(trial):
        while True:
            yield nb.evaluators.base.Progress(0, 1, "batch")
            waiting.set()

    def interrupted(*given):
        waiting.wait(DEADLINE)
        raise KeyboardInterrupt

    monkeypatch.setattr(Hooked, "hook", staticmethod(hook))
    run = nb.search(CHAIN, None, EVOLUTION, Hooked(), budget=nb.Budget(trials=40))
    until(waiting.is_set)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(bar, "_lines", interrupted)
        patched.setattr(run._ended, "wait", Once(run._ended.wait, interrupted))
        bar.watch(run, quiet=quiet)
    assert run.status == "stopped"


class Once:
    """Calls the second function the first time, the first one afterwards."""

    def __init__(self, function, first):
        self.function, self.first = function, first

    def __call__(self, *given):
        function, self.first = self.first or self.function, None
        return function(*given)


def test_in_the_foreground_a_failure_is_raised(monkeypatch):
    @staticmethod
    def broken(self, trial, proposal, answer):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("nbnas.strategies.regularized_evolution._RegularizedEvolution.tell", broken.__func__)
    with pytest.raises(RunError, match="failed: a bug"):
        nb.search(CHAIN, None, EVOLUTION, Hooked(), budget=nb.Budget(trials=40), background=False)
    assert nb.runs()[0].status == "failed"


# -- drawings ----------------------------------------------------------------------------------------------------------


def test_a_cell_is_drawn_as_svg(tmp_path):
    drawing = nb.draw_cell(NB201, NB201.architecture("3-1-2-0-3-1"))
    drawing.save(tmp_path / "cell.svg")
    text = (tmp_path / "cell.svg").read_text(encoding="utf-8")
    assert text == drawing.svg == drawing._repr_svg_()
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    words = " ".join(root.itertext())
    for label in ("conv_3x3", "conv_1x1", "skip", "in", "out"):
        assert label in words
    assert "avg_pool_3x3" not in words
    row = {"none": 0.1, "skip": 0.2, "conv_1x1": 0.4, "conv_3x3": 0.2, "avg_pool_3x3": 0.1}
    assert nb.draw_cell(NB201, distribution={"edge_0_1": row}).svg != nb.draw_cell(NB201).svg
