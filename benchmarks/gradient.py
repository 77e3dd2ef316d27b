"""The gradient family on real data, against random search that is given the same CPU time, five seeds.

    python benchmarks/gradient.py --workers 2 --out gradient.json

For each task and seed: a strategy trains a supernet for 12 epochs (digits) or 8 (MNIST-1D) and derives; what it derives
is trained from scratch for 20 or 15 epochs on train and valid, and measured once on test. Random search trains
architectures for 4 epochs each and keeps the best on valid, until it has used as many CPU seconds as first-order DARTS
did on the same seed; what it keeps is retrained alike. One architecture drawn at random, without any search, is the
floor. A seed is that of the split (digits), of the search and of the retraining: rows of a seed are paired.

Settings: the papers' defaults, but for alpha's step size, 0.01 instead of the 3e-4 to 6e-4 that fit 50 epochs of
CIFAR-10, and batches of 32 (the halves of digits have 540 items). P-DARTS adds 0, 3 and 6 cells instead of 0, 6 and 12,
PC-DARTS has DARTS' step size for w, FBNet counts multiply-adds instead of measuring latency. Nothing was tuned here.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

import nbnas as nb
from nbnas.seeds import generator
from nbnas.session import Candidate
from nbnas.spaces import Architecture, SearchSpace
from nbnas.spec import RunSpec
from nbnas.strategies import StrategySettings
from nbnas.tasks import Task

EPOCHS = {"digits": 12, "mnist1d": 8}
RETRAIN_EPOCHS = {"digits": 20, "mnist1d": 15}
COMMON: dict[str, Any] = {"alpha_learning_rate": 1e-2, "batch": 32}
FLOOR, RANDOM, FIRST = "one random architecture", "random search, CPU time of DARTS", "DARTS, first order"

METHODS: dict[str, StrategySettings] = {
    FIRST: nb.strategies.Darts(**COMMON),
    "DARTS, second order": nb.strategies.Darts(order="second", **COMMON),
    "DARTS, exact second order": nb.strategies.Darts(order="exact", **COMMON),
    "DARTS, by perturbation": nb.strategies.Darts(derivation="perturbation", **COMMON),
    "P-DARTS": nb.strategies.PDarts(more_cells=(0, 3, 6), **COMMON),
    "PC-DARTS": nb.strategies.PcDarts(w_learning_rate=0.025, **COMMON),
    "GDAS": nb.strategies.Gdas(**COMMON),
    "FBNet": nb.strategies.FBNet(complexity="macs", **COMMON),
    "DrNAS": nb.strategies.DrNas(**COMMON),
    "FairDARTS": nb.strategies.FairDarts(**COMMON),
}


class Found(NamedTuple):
    """What one search came to."""

    test_accuracy: float
    architecture: str
    cpu_seconds: float
    trials: int


def problem(name: str, seed: int) -> tuple[Task, SearchSpace]:
    """The data and the space."""
    if name == "digits":
        return nb.tasks.digits(split_seed=seed), nb.spaces.nas_bench_201(channels=8, cells=1)
    return nb.tasks.mnist1d(), nb.spaces.nas_bench_201(channels=8, cells=1, dims=1)


def retrained(space: SearchSpace, architecture: Architecture, task: Task, seed: int, epochs: int) -> float:
    """Accuracy on test after training on train and valid."""
    candidate = Candidate(architecture, 0.0, None, space, task)
    return nb.retrain(candidate, epochs=epochs, seed=seed, device="cpu").test_accuracy


def relaxed(name: str, method: str, seed: int, epochs: int) -> tuple[Architecture, float]:
    """What a strategy derives, and its CPU seconds."""
    task, space = problem(name, seed)
    search = RunSpec(space, task, METHODS[method], None, nb.Budget(epochs=epochs), seed, "cpu").bind().search
    start = time.process_time()
    while search.end is None:
        for _ in search.step():
            pass
    return search.process.strategy.derive(), time.process_time() - start


def randomly(name: str, seed: int, seconds: float) -> tuple[Architecture, float, int]:
    """The best of as many random architectures as there is CPU time for; the one that exceeds it does not count."""
    task, space = problem(name, seed)
    evaluator = nb.evaluators.Training(epochs=4)
    strategy = nb.strategies.RandomSearch()
    search = RunSpec(space, task, strategy, evaluator, nb.Budget(trials=100_000), seed, "cpu").bind().search
    start, best, trials = time.process_time(), None, 0
    while True:
        score = text = None
        for record in search.step():
            event = getattr(record, "event", None)
            if type(event).__name__ == "TrialFinished":
                score, text = event.score, event.architecture
        spent = time.process_time() - start
        if trials and spent > seconds:
            break
        trials += 1
        if text is not None and (best is None or score > best[0]):
            best = (score, text)
    assert best is not None
    return space.architecture(best[1]), spent, trials


def job(given: tuple[str, int, int, int, str]) -> dict[str, Found]:
    """All rows of one task and seed."""
    name, seed, epochs, retrain_epochs, only = given
    task, space = problem(name, seed)
    rows = {}
    floor = space.sample(generator(seed, "floor"))
    rows[FLOOR] = Found(retrained(space, floor, task, seed, retrain_epochs), _words(space, floor), 0.0, 1)
    for method in METHODS:
        if only not in method and method != FIRST:
            continue
        architecture, seconds = relaxed(name, method, seed, epochs)
        accuracy = retrained(space, architecture, task, seed, retrain_epochs)
        rows[method] = Found(accuracy, _words(space, architecture), seconds, 0)
        print(f"{name} {seed} {method}: {accuracy:.4f} ({seconds:.0f} CPU s)", file=sys.stderr, flush=True)
    architecture, seconds, trials = randomly(name, seed, rows[FIRST].cpu_seconds)
    accuracy = retrained(space, architecture, task, seed, retrain_epochs)
    rows[RANDOM] = Found(accuracy, _words(space, architecture), seconds, trials)
    print(f"{name} {seed} {RANDOM}: {accuracy:.4f}, {trials} trials", file=sys.stderr, flush=True)
    return rows


def _words(space: SearchSpace, architecture: Architecture) -> str:
    return " ".join(map(str, space.options(architecture).values()))


def markdown(results: dict[int, dict[str, Found]]) -> str:
    """Mean and spread over seeds, and the paired difference to random search with its 95 % t-interval, in %."""
    seeds = sorted(results)
    lines = ["| | test, % | minus random search | CPU time / DARTS |", "|---|---|---|---|"]
    reference = np.array([results[seed][RANDOM].test_accuracy for seed in seeds])
    for method in (FLOOR, RANDOM, *METHODS):
        if method not in results[seeds[0]]:
            continue
        values = np.array([results[seed][method].test_accuracy for seed in seeds])
        times = [results[seed][method].cpu_seconds / results[seed][FIRST].cpu_seconds for seed in seeds]
        difference = 100 * (values - reference)
        half = stats.t.ppf(0.975, len(seeds) - 1) * difference.std(ddof=1) / len(seeds) ** 0.5
        shown = (
            ""
            if method == RANDOM
            else f"{difference.mean():+.2f} [{difference.mean() - half:+.2f}, {difference.mean() + half:+.2f}]"
        )
        lines.append(
            f"| {method} | {100 * values.mean():.2f} ± {100 * values.std(ddof=1):.2f} | {shown} | "
            f"{statistics.median(times):.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=["digits", "mnist1d"], choices=["digits", "mnist1d"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="two or more")
    parser.add_argument("--epochs", type=int, help="of the supernet (12, 8)")
    parser.add_argument("--retrain-epochs", type=int, help="(20, 15)")
    parser.add_argument("--only", default="", help="strategies with this text in their name, and first-order DARTS")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a JSON file for every accuracy and architecture")
    options = parser.parse_args()
    if len(options.seeds) < 2:
        parser.error("--seeds must be two or more, for an interval")
    jobs = [
        (task, seed, options.epochs or EPOCHS[task], options.retrain_epochs or RETRAIN_EPOCHS[task], options.only)
        for task in options.tasks
        for seed in options.seeds
    ]
    with tempfile.TemporaryDirectory() as home:
        os.environ["NBNAS_HOME"] = home
        with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
            found = pool.map(job, jobs, chunksize=1)
    report: dict[str, dict[int, dict[str, Found]]] = {task: {} for task in options.tasks}
    for (task, seed, *_), rows in zip(jobs, found, strict=True):
        report[task][seed] = rows
    for task, results in report.items():
        trials = [results[seed][RANDOM].trials for seed in results]
        print(f"\n{task} (random search: {min(trials)} to {max(trials)} trials)\n\n{markdown(results)}")
    if options.out is not None:
        plain = {
            task: {str(seed): {method: row._asdict() for method, row in rows.items()} for seed, rows in results.items()}
            for task, results in report.items()
        }
        options.out.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
