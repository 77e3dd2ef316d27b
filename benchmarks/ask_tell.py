"""What 1,000 ask/tell of regularized evolution on a table cost, without the store and with it.

    python benchmarks/ask_tell.py

CPU seconds of this process (all threads), median of several repeats. Both loops keep a record of each trial in memory.
The plain one does the same search with lists, `random.choice` and a dictionary; ratios are taken in the same run, so
that they hold on other machines. The table has all 15,625 architectures of NAS-Bench-201 with random scores, which
costs the same as real ones and needs no data.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import itertools
import random
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nbnas.evaluators import Table, Tabular
from nbnas.events import Evaluation
from nbnas.processes import Budget, Search, Trials
from nbnas.seeds import generator
from nbnas.session import start
from nbnas.spaces import SearchSpace, nas_bench_201
from nbnas.spec import RunSpec
from nbnas.strategies import Proposal, RegularizedEvolution

GOAL_SECONDS = 0.02
SETTINGS = RegularizedEvolution(population=100, tournament=25)


def random_table(space: SearchSpace) -> Table:
    """All architectures of the space, each with a random score."""
    texts = [str(architecture) for architecture in space.enumerate()]
    return Table(texts, {"valid_accuracy": np.random.default_rng(0).random(len(texts))})


def ask_tell(space: SearchSpace, table: Table, trials: int) -> list[tuple[int, Proposal, Evaluation]]:
    """The strategy alone; returns a record of each trial."""
    strategy = SETTINGS.bind(space, generator(0, "strategy"))
    scores = table.metrics["valid_accuracy"]
    records = []
    for trial in range(1, trials + 1):
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        score = float(scores[table.rows[str(proposal.architecture)]])
        evaluation = Evaluation({"valid_accuracy": score}, (score,))
        strategy.tell(trial, proposal, evaluation)
        records.append((trial, proposal, evaluation))
    return records


def searched(space: SearchSpace, evaluator: Tabular, trials: int) -> None:
    """The strategy in its process, with evaluator, events and budget, not stored."""
    process = Trials(SETTINGS.bind(space, generator(0, "strategy")), evaluator.bind(space, None, 0))
    search = Search(process, Budget(trials=trials), space)
    while search.end is None:
        for _ in search.step():
            pass


def stored(space: SearchSpace, evaluator: Tabular, trials: int) -> None:
    """A whole run: every event committed to SQLite, folded, and resume points written."""
    spec = RunSpec(space, None, SETTINGS, evaluator, Budget(trials=trials), device="cpu")
    with tempfile.TemporaryDirectory() as runs:
        start(spec, Path(runs)).wait()


def plain(
    scores: dict[tuple[int, ...], float], options: list[list[int]], trials: int
) -> list[tuple[int, tuple[int, ...], float]]:
    """The same search without nbnas; returns a record of each trial."""
    chance = random.Random(0)
    population: deque[tuple[tuple[int, ...], float]] = deque()
    records = []
    for trial in range(1, trials + 1):
        if len(population) < SETTINGS.population:
            child = tuple(chance.choice(row) for row in options)
        else:
            parent = max((chance.choice(population) for _ in range(SETTINGS.tournament)), key=lambda member: member[1])
            place = chance.choice(range(len(options)))
            new = chance.choice([option for option in options[place] if option != parent[0][place]])
            child = (*parent[0][:place], new, *parent[0][place + 1 :])
        population.append((child, scores[child]))
        if len(population) > SETTINGS.population:
            population.popleft()
        records.append((trial, child, scores[child]))
    return records


def cpu_seconds(function: Callable[[], object], repeats: int) -> float:
    """The median of several calls, after one that is not counted."""
    function()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
    return statistics.median(times)


def measure(trials: int = 1000, repeats: int = 9) -> dict[str, float]:
    """CPU seconds of each loop."""
    space = nas_bench_201()
    table = random_table(space)
    evaluator = Tabular(table)  # type: ignore[arg-type]  # it takes a table itself too
    options = [list(range(len(decision.options))) for decision in space.decisions]
    values = table.metrics["valid_accuracy"].tolist()
    scores = dict(zip(itertools.product(*options), values, strict=True))
    return {
        "plain loop": cpu_seconds(lambda: plain(scores, options, trials), repeats),
        "ask/tell": cpu_seconds(lambda: ask_tell(space, table, trials), repeats),
        "bind, Search and evaluator": cpu_seconds(lambda: searched(space, evaluator, trials), repeats),
        "whole run with store": cpu_seconds(lambda: stored(space, evaluator, trials), max(1, repeats // 3)),
    }


def markdown(seconds: dict[str, float], trials: int) -> str:
    """The figures and their ratios to the plain loop."""
    lines = [f"| {trials:,} trials of regularized evolution | CPU seconds | × plain loop |", "|---|---|---|"]
    for title, value in seconds.items():
        lines.append(f"| {title} | {value:.4f} | {value / seconds['plain loop']:.1f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    seconds = measure(options.trials, options.repeats)
    print(markdown(seconds, options.trials))
    verdict = "reached" if seconds["ask/tell"] <= GOAL_SECONDS * options.trials / 1000 else "missed"
    ratio = seconds["ask/tell"] / seconds["plain loop"]
    print(f"\nGoal for ask/tell, {GOAL_SECONDS} s for 1,000: {verdict}; {ratio:.1f} × the plain loop")


if __name__ == "__main__":
    main()
