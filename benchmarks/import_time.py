"""How long `import nbnas` takes in a fresh interpreter, and that it brings no torch.

    python benchmarks/import_time.py

Wall seconds, median of several starts, the bare start of the interpreter taken off; the kinds of start take turns,
so that a busy machine slows both.
"""

import argparse
import statistics
import subprocess
import sys
import time

GOAL_SECONDS = 0.3
BARE = "pass"
IMPORT = "import nbnas"
FIRST_CALL = "import nbnas; nbnas.runs"
"""For information: names load on first use, and this one brings the store and all settings, still without torch."""
NO_TORCH = "import nbnas, sys; nbnas.runs; sys.exit('torch' in sys.modules)"
CONTROL = "import nbnas, sys; nbnas.Supernet; sys.exit('torch' in sys.modules)"
"""Uses a name that needs torch: the check must see it."""


def seconds(code: str) -> float:
    """Wall seconds of a fresh interpreter that runs `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def measure(repeats: int = 15) -> tuple[float, float, float]:
    """Median seconds of a start with `BARE`, `IMPORT`, `FIRST_CALL`, after one of each that is not counted."""
    rounds = [(seconds(BARE), seconds(IMPORT), seconds(FIRST_CALL)) for _ in range(repeats + 1)][1:]
    bare, imported, called = (statistics.median(column) for column in zip(*rounds, strict=True))
    return bare, imported, called


def brings_torch(code: str = NO_TORCH) -> bool:
    """Whether torch is loaded after `code`."""
    code_of_exit = subprocess.run([sys.executable, "-c", code], check=False).returncode
    if code_of_exit not in (0, 1):
        raise RuntimeError(f"interpreter must exit with 0 or 1, got {code_of_exit}; code {code!r}")
    return code_of_exit == 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    if not brings_torch(CONTROL):
        sys.exit("the control must load torch, got none: the check sees nothing")
    if brings_torch():
        sys.exit("import nbnas must not load torch, but it does")
    bare, imported, called = measure(options.repeats)
    print("| start of an interpreter | seconds | × bare |", "|---|---|---|", sep="\n")
    print(f"| bare | {bare:.3f} | 1.0 |", f"| with `import nbnas` | {imported:.3f} | {imported / bare:.1f} |", sep="\n")
    print(f"| with `import nbnas; nbnas.runs` | {called:.3f} | {called / bare:.1f} |")
    reached = imported - bare < GOAL_SECONDS
    print(f"\n`import nbnas` alone: {imported - bare:.3f} s, no torch. Goal, {GOAL_SECONDS} s: ", end="")
    print("reached" if reached else "missed")


if __name__ == "__main__":
    main()
