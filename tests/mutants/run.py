"""Breaks the code on purpose and asks whether the tests see it: `python -m tests.mutants.run [WORD …]`.

Each mutant is applied to a copy of the package and its one test is run on that copy. It is killed when the test fails
by an assertion; a test that breaks in another way has seen nothing. Words choose the mutants that have one of them in
what they say, in the name of their file or of their test. Exit status 1: one survived, or could not be applied.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.table import MARK, MUTANTS, Mutant

__all__ = ["KILLED", "main", "outcome", "tested"]

ROOT = Path(__file__).parents[2]
AT_A_TIME = 2
TIMEOUT = 120
"""Seconds for one test; a mutant that makes it wait for ever is not killed by an assertion."""

KILLED = "killed"

PRELOAD = ["torch._dynamo", "scipy.stats", "networkx", "sklearn", "pytest", "hypothesis.strategies"]
"""What costs seconds to import: imported once, in a process of which every run of a test is a fork. Without nbnas."""

_FORKS = multiprocessing.get_context("forkserver")


def tested(package: Path, tests: Iterable[str]) -> tuple[int, str]:
    """Runs tests on a copy of the package.

    Args:
        package: the folder that holds the copy, `nbnas`.
        tests: node ids.

    Returns:
        The exit status of pytest and what it printed.
    """
    printed = package.parent / "printed"
    _FORKS.set_forkserver_preload(PRELOAD)
    process = _FORKS.Process(target=_pytest, args=(package.parent, list(tests), printed))
    process.start()
    process.join()
    return process.exitcode or 0, printed.read_text(encoding="utf-8", errors="replace")


def _pytest(folder: Path, tests: list[str], printed: Path) -> None:
    """In a process of its own: pytest on the package in `folder`, its output into the file `printed`."""
    with open(printed, "wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(ROOT)
    os.environ |= {
        "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))),  # of processes that a test starts
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(folder), str(ROOT)]
    assert "nbnas" not in sys.modules
    import hypothesis.configuration
    import pytest

    hypothesis.configuration.set_hypothesis_home_dir(folder / "hypothesis")  # nothing is replayed later
    arguments = ["-q", "-s", "--tb=line", "-p", "no:cacheprovider", "-p", "no:nbval", "-p", "tests.mutants.plugin"]
    arguments += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what was imported before
    code = pytest.main([*arguments, "-o", f"pythonpath={folder}", f"--timeout={TIMEOUT}", *tests])
    package = sys.modules.get("nbnas")
    assert package is None or Path(str(package.__file__)).is_relative_to(folder)
    sys.stdout.flush()
    sys.exit(int(code))


def outcome(mutant: Mutant) -> str:
    """`killed`, or why not."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as scratch:
        package = _copy(Path(scratch))
        file = package / mutant.file
        text = file.read_text(encoding="utf-8")
        if (times := text.count(mutant.old)) != 1:
            return f"CANNOT BE APPLIED: its old text is there {times} times"
        file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        status, printed = tested(package, [mutant.test])
    failures = [line.removeprefix(MARK) for line in printed.splitlines() if line.startswith(MARK)]
    if status == 0:
        return "SURVIVED"
    if status == 1 and failures and set(failures) == {"asserted"}:
        return KILLED
    other = ", ".join(sorted(set(failures) - {"asserted"})) or f"pytest ended with {status}: {printed.strip()[-300:]}"
    return f"NOT SEEN BY AN ASSERTION: {other}"


def main(words: Sequence[str] = ()) -> int:
    """Runs the mutants that the words choose, all without words; prints a table and returns the exit status."""
    chosen = [one for one in MUTANTS if not words or any(word in " ".join((one.says, *one[1:])) for word in words)]
    if not chosen:
        print(f"no mutant has {' or '.join(words)} in it")
        return 1
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as scratch:
        status, printed = tested(_copy(Path(scratch)), sorted({mutant.test for mutant in chosen}))
    if status:
        print(f"The tests must pass on the code as it is:\n{printed}")
        return 1
    survived = 0
    print("| mutant | test | |\n|---|---|---|")
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for mutant, found in zip(chosen, pool.map(outcome, chosen), strict=True):
            survived += found != KILLED
            print(f"| {mutant.file}: {mutant.says} | {mutant.test.removeprefix('tests/')} | {found} |", flush=True)
    seconds = time.monotonic() - start
    print(f"\n{len(chosen) - survived} of {len(chosen)} killed in {seconds:.0f} s")
    return int(survived > 0)


def _copy(folder: Path) -> Path:
    package = folder / "nbnas"
    shutil.copytree(ROOT / "nbnas", package, ignore=shutil.ignore_patterns("__pycache__"))
    return package


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
