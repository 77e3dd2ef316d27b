"""The strategies of nbnas on the table of NAS-Bench-Graph: 100 queries, selected by validation accuracy.

    python benchmarks/nas_bench_graph.py --workers 2 --out nas_bench_graph.json

A search is told the validation accuracy; of what it queried, the one that scored best there (the first of equal ones)
is reported by its test accuracy. Every proposal is a query, also one that was made before or is the same network
written in another way; how many were different is reported. The network that only skips is not in the table: its trial
fails, and counts. Run `seed` has the generator that `nb.search(..., seed=seed)` gives to its strategy; all seeds from 0
on are reported. Qin et al., NAS-Bench-Graph, NeurIPS 2022 Datasets and Benchmarks, arXiv:2206.09166; accuracies are
means of three trainings. What 100 draws give on average is also computed exactly, over the rows of the table and over
the ways to write a network, which is what random search draws. The table is read from the folder that the environment
variable NBNAS_DATA names (default: ../shared/data beside the repository).
"""

import os

# Before torch loads; results of a seed depend on the number of threads, and one is the fastest here.
os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nbnas import strategies
from nbnas.events import Evaluation
from nbnas.seeds import generator
from nbnas.spaces import Architecture, SearchSpace, graph
from nbnas.strategies import BlackBoxSettings, Failure, Proposal

QUERIES = 100
DATA_SETS = ("cora", "arxiv")


class Method(NamedTuple):
    """A row: settings, and whether it takes longer than all others together (`--quick` leaves it out)."""

    settings: BlackBoxSettings
    seeds: int = 500
    slow: bool = False


METHODS = {
    "random search": Method(strategies.RandomSearch()),
    "regularized evolution (P=10, S=3)": Method(strategies.RegularizedEvolution(population=10, tournament=3)),
    "regularized evolution (P=10, S=10)": Method(strategies.RegularizedEvolution(population=10, tournament=10)),
    "REINFORCE (softmax)": Method(
        strategies.Reinforce(controller="softmax", learning_rate=0.01, baseline_decay=0.9, entropy_weight=0.0)
    ),
    # Q starts in the middle of the scores, as 0.5 does where they are shares; epsilon falls within the queries.
    "Q-learning": Method(strategies.QLearning(trials=QUERIES, initial=50.0)),
    "local search, first better neighbour": Method(strategies.LocalSearch()),
    "local search, starts as the first one": Method(strategies.LocalSearch(restart=10)),
    "genetic algorithm (P=10, elite 1)": Method(strategies.GeneticAlgorithm(population=10)),
    "genetic algorithm (10 + 10)": Method(strategies.GeneticAlgorithm(population=10, survival="plus")),
    "BANANAS": Method(strategies.Bananas(), 50, slow=True),
    "Optuna, TPE": Method(strategies.OptunaSampler(), 100, slow=True),
}


@dataclass(frozen=True)
class Bench:
    """The table of one data set: accuracies in % by row, shape (rows,), and the row of each architecture.

    Attributes:
        lookup: shape (2, 3, 4, 9, 9, 9, 9): the inputs of nodes 2..4, then the operations of all; -1 without a row.
    """

    lookup: npt.NDArray[np.int16]
    valid: npt.NDArray[np.float64]
    test: npt.NDArray[np.float64]

    def row(self, architecture: Architecture) -> int:
        """The row of an architecture of `graph()`, whose choices are input and operation of each node; or -1."""
        _, first, *rest = architecture.choices
        return int(self.lookup[(*rest[0::2], first, *rest[1::2])])

    def written(self) -> npt.NDArray[np.float64]:
        """In how many ways the network of each row can be written."""
        rows = self.lookup[self.lookup >= 0]
        return np.bincount(rows, minlength=len(self.valid)).astype(np.float64)


@dataclass(frozen=True)
class Result:
    """What one run found, accuracies in %: those of the selected architecture, and the best test of all it queried."""

    valid: float
    test: float
    best_test: float
    different: int


def data_file() -> Path:
    """The published table."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("NBNAS_DATA") or beside) / "nasbench_graph" / "nbgraph.npz"
    if not path.is_file():
        sys.exit(f"NBNAS_DATA must be a folder with nasbench_graph/nbgraph.npz in it, got {str(path)!r}. Set it.")
    return path


def load(path: Path, data_set: str) -> Bench:
    """The table of one data set."""
    with np.load(path, allow_pickle=False) as arrays:
        # What it calls perf is test.
        valid, test = (100 * arrays[f"{data_set}_{name}"].astype(np.float64) for name in ("valid_perf", "perf"))
        return Bench(arrays["lookup"], valid, test)


def search(settings: BlackBoxSettings, space: SearchSpace, bench: Bench, seed: int, queries: int = QUERIES) -> Result:
    """One run: ask, look up, tell, so many times."""
    strategy = settings.bind(space, generator(seed, "strategy"))
    rows = []
    for trial in range(1, queries + 1):
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        row = bench.row(proposal.architecture)
        if row < 0:
            strategy.tell(trial, proposal, Failure("missing", f"no row for {proposal.architecture}"))
            continue
        rows.append(row)
        score = float(bench.valid[row])
        strategy.tell(trial, proposal, Evaluation({"valid_accuracy_percent": score}, (score,)))
    found = rows[int(np.argmax(bench.valid[rows]))]
    best_test = float(bench.test[rows].max())
    return Result(float(bench.valid[found]), float(bench.test[found]), best_test, len(set(rows)))


def best_of_draws(bench: Bench, weights: npt.NDArray[np.float64], draws: int = QUERIES) -> tuple[float, float]:
    """Mean and standard deviation of the test accuracy of the best by validation of independent draws, exactly.

    Args:
        bench: one data set.
        weights: how likely each row is, up to a factor, shape (rows,).
        draws: with replacement. Of equally valid rows each is the first with the probability of its weight.
    """
    chance = weights / weights.sum()
    _, group = np.unique(bench.valid, return_inverse=True)
    share = np.bincount(group, chance)
    reached = np.cumsum(share)
    # The best has at most this validation accuracy with probability reached^draws.
    best = np.diff(reached**draws, prepend=0.0)
    chances = chance * (best / share)[group]
    mean = float(chances @ bench.test)
    return mean, float(chances @ (bench.test - mean) ** 2) ** 0.5


_SPACE: SearchSpace
_BENCHES: dict[str, Bench]


def _open(path: Path) -> None:
    """In each worker, once: reads the table."""
    global _SPACE, _BENCHES
    _SPACE = graph()
    _BENCHES = {data_set: load(path, data_set) for data_set in DATA_SETS}


def _search(settings: BlackBoxSettings, data_set: str, seed: int) -> Result:
    return search(settings, _SPACE, _BENCHES[data_set], seed)


Results = Mapping[str, Mapping[str, Sequence[Result]]]
"""By method and data set."""


def run(path: Path, workers: int, seeds: int | None = None, only: str = "", quick: bool = False) -> Results:
    """All runs of the methods with `only` in their name, shared out to processes."""
    results: dict[str, dict[str, list[Result]]] = {}
    with multiprocessing.get_context("spawn").Pool(workers, _open, (path,)) as pool:
        for title, method in METHODS.items():
            if only not in title or (quick and method.slow):
                continue
            start = time.perf_counter()
            numbers = range(seeds or method.seeds)
            results[title] = {
                data_set: pool.map(partial(_search, method.settings, data_set), numbers, chunksize=5)
                for data_set in DATA_SETS
            }
            seconds = time.perf_counter() - start
            print(f"{title}: {len(DATA_SETS)} × {len(numbers)} runs in {seconds:.0f} s", file=sys.stderr)
    return results


def summary(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    """Mean, standard deviation over seeds and standard error of the mean, by field of `Result`."""
    found = {}
    for name in Result.__dataclass_fields__:
        values = [float(getattr(result, name)) for result in results]
        deviation = statistics.stdev(values) if len(values) > 1 else float("nan")
        error = deviation / len(values) ** 0.5
        found[name] = {"mean": statistics.fmean(values), "std": deviation, "standard_error": error}
    return found


def markdown(results: Results, path: Path) -> str:
    """The figures: accuracy in %, mean ± standard deviation over seeds, and exact expectations."""
    headings = " | ".join(f"{name} valid | {name} test | best test queried | different" for name in DATA_SETS)
    lines = [f"| method | seeds | {headings} |", "|---" * (2 + 4 * len(DATA_SETS)) + "|"]
    for title, by_data_set in results.items():
        seeds = len(next(iter(by_data_set.values())))
        cells = [title, str(seeds)]
        for data_set in DATA_SETS:
            found = summary(by_data_set[data_set])
            valid, test, best, different = (found[name] for name in ("valid", "test", "best_test", "different"))
            cells += [
                f"{valid['mean']:.2f} ± {valid['std']:.2f}",
                f"{test['mean']:.2f} ± {test['std']:.2f} (error {test['standard_error']:.3f})",
                f"{best['mean']:.2f} ± {best['std']:.2f}",
                f"{different['mean']:.0f}",
            ]
        lines.append(f"| {' | '.join(cells)} |")
    benches = [load(path, data_set) for data_set in DATA_SETS]
    for title, written in (("ways to write one", True), ("rows of the table", False)):
        cells = []
        for bench in benches:
            mean, deviation = best_of_draws(bench, bench.written() if written else np.ones(len(bench.valid)))
            cells.append(f"– | {mean:.2f} ± {deviation:.2f} | – | – ")
        lines.append(f"| {QUERIES} draws of {title}, exactly | – | {'| '.join(cells)}|")
    cells = []
    for bench in benches:
        best = bench.valid == bench.valid.max()
        tests = " or ".join(f"{value:.2f}" for value in bench.test[best])
        cells.append(f"{bench.valid.max():.2f} | {tests} | {bench.test.max():.2f} | {len(bench.valid):,}")
    lines.append(f"| the whole table | – | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--seeds", type=int, help="runs a method and data set; by default 500, of slow methods fewer")
    parser.add_argument("--only", default="", help="methods with this text in their name")
    parser.add_argument("--quick", action="store_true", help="without the slow methods: those with a predictor")
    parser.add_argument("--out", type=Path, help="a JSON file for all runs")
    options = parser.parse_args()
    path = data_file()
    results = run(path, options.workers, options.seeds, options.only, options.quick)
    print(markdown(results, path))
    if options.out is not None:
        report = {
            title: {
                "settings": METHODS[title].settings.to_json(),
                "runs": {
                    data_set: [{"seed": seed, **asdict(result)} for seed, result in enumerate(found)]
                    for data_set, found in by_data_set.items()
                },
            }
            for title, by_data_set in results.items()
        }
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
