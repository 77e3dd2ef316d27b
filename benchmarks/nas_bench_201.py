"""The table of NAS-Bench-201 under a simulated budget of 12,000 s, with the strategies of nbnas.

    python benchmarks/nas_bench_201.py --workers 2 --out nas_bench_201.json
    python benchmarks/nas_bench_201.py --tried   # settings of local search, by what a search is told

A search is told the accuracy on CIFAR-10 valid after 12 epochs; the architecture that scored best there is looked up
after 200 epochs. A query costs 12 of the 200 epochs of training and a quarter of one epoch for validation; the first
query that would exceed the budget ends the run and is discarded. No architecture is free because it was seen before.
Run `seed` has the generator that `nb.search(..., seed=seed)` gives to its strategy; all seeds from 0 on are reported.
`--tried` compares settings on other seeds, so that the table's runs had no part in the choice, and ranks them by the
best accuracy after 12 epochs alone.
Published figures: Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv:2001.00326. The table is read from the folder
that the environment variable NBNAS_DATA names (default: ../shared/data beside the repository).
"""

import os

# Before torch loads; results of a seed depend on the number of threads, and one is the fastest here.
os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import itertools
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from nbnas import strategies
from nbnas.evaluators import Table
from nbnas.events import Evaluation
from nbnas.seeds import generator
from nbnas.spaces import Architecture, SearchSpace, nas_bench_201
from nbnas.spaces.catalogue.nas_bench_201 import from_official
from nbnas.strategies import BlackBoxSettings, Proposal

BUDGET = 12_000.0
"""Simulated seconds on one GTX 1080 Ti."""
SCORE = "valid_accuracy_12_percent"
COST = "query_seconds"
REPORTED = {
    "C10 valid": "cifar10_valid_200",
    "C10 test": "cifar10_test_200",
    "C100 test": "cifar100_test_200",
}

OPTIMUM = {"C10 valid": "91.61", "C10 test": "94.37", "C100 test": "73.51"}
"""As published."""


@dataclass(frozen=True)
class Method:
    """A row of the table: settings, number of seeds, figures to compare with (mean, standard deviation) in %.

    One seed is enough where chance plays no part.
    """

    settings: BlackBoxSettings
    seeds: int
    published: Mapping[str, tuple[float, float]]
    recomputed: tuple[float, float] | None = None
    """C10 test of a plain script on this table, 500 seeds."""
    node_first: bool = False
    """Whether mutations are those of the published code, see `NodeFirst`."""
    slow: bool = False
    """Whether `--quick` leaves it out: recurrent controllers and predictors."""


class NodeFirst(SearchSpace):
    """The space with the mutation of the published code: a node drawn uniformly, then one of its edges.

    So the one edge into node 1 mutates three times as often as an edge into node 3; nbnas draws all edges alike.
    """

    @override
    def mutate(
        self, architecture: Architecture, rng: np.random.Generator, kinds: Sequence[Collection[int]] = ()
    ) -> Architecture:
        by_node = itertools.groupby(range(len(self.decisions)), key=lambda place: self.decisions[place].group)
        return super().mutate(architecture, rng, kinds or [tuple(places) for _, places in by_node])


METHODS = {
    "random search": Method(
        strategies.RandomSearch(),
        500,
        {"C10 valid": (90.93, 0.36), "C10 test": (93.70, 0.36), "C100 test": (71.04, 1.07)},
        (93.75, 0.34),
    ),
    "regularized evolution (P=10, S=3)": Method(
        strategies.RegularizedEvolution(population=10, tournament=3),
        500,
        {"C10 valid": (91.19, 0.31), "C10 test": (93.92, 0.30), "C100 test": (71.84, 0.99)},
        (93.90, 0.44),
    ),
    "the same, mutating a node's edge as published": Method(
        strategies.RegularizedEvolution(population=10, tournament=3),
        500,
        {"C10 valid": (91.19, 0.31), "C10 test": (93.92, 0.30), "C100 test": (71.84, 0.99)},
        (93.90, 0.44),
        node_first=True,
    ),
    "regularized evolution (P=10, S=10)": Method(
        strategies.RegularizedEvolution(population=10, tournament=10), 500, {}, (94.07, 0.35)
    ),
    "REINFORCE (softmax)": Method(
        strategies.Reinforce(controller="softmax", learning_rate=0.01, baseline_decay=0.9, entropy_weight=0.0),
        500,
        {"C10 valid": (91.09, 0.37), "C10 test": (93.85, 0.37), "C100 test": (71.71, 1.09)},
        (93.80, 0.30),
    ),
    "REINFORCE (LSTM)": Method(strategies.Reinforce(controller="lstm"), 50, {}, slow=True),
    "PPO (LSTM)": Method(strategies.Ppo(), 50, {}, slow=True),
    "PPO (softmax)": Method(strategies.Ppo(controller="softmax", learning_rate=0.01), 500, {}),
    # Q starts in the middle of the scores, as 0.5 does where they are shares; epsilon falls within the queries.
    "Q-learning": Method(strategies.QLearning(trials=100, initial=50.0), 500, {}),
    "local search, first better neighbour": Method(strategies.LocalSearch(), 500, {}, (94.20, 0.29)),
    "local search, best of all neighbours": Method(strategies.LocalSearch(query_until="all"), 500, {}, (94.10, 0.31)),
    "local search, each start as the first (10)": Method(strategies.LocalSearch(restart=10), 500, {}),
    "local search, initial 20 (highest told among those tried)": Method(strategies.LocalSearch(initial=20), 500, {}),
    "BANANAS": Method(strategies.Bananas(), 500, {}, slow=True),
    "Bayesian optimisation": Method(strategies.BayesianOptimization(), 500, {}, slow=True),
    "Optuna, TPE": Method(strategies.OptunaSampler(), 500, {}, slow=True),
    "Optuna, Gaussian process": Method(strategies.OptunaSampler(sampler="gp"), 50, {}, slow=True),
    "grid search, lexicographic": Method(strategies.GridSearch(), 1, {}),
    "grid search, shuffled": Method(strategies.GridSearch(order="shuffled"), 500, {}),
    "genetic algorithm (P=10, elite 1)": Method(strategies.GeneticAlgorithm(population=10), 500, {}, (93.93, 0.40)),
    "genetic algorithm (10 + 10)": Method(
        strategies.GeneticAlgorithm(population=10, survival="plus"), 500, {}, (94.01, 0.34)
    ),
    "genetic algorithm (10, 20)": Method(
        strategies.GeneticAlgorithm(population=10, survival="comma", children=20), 500, {}, (93.92, 0.37)
    ),
}

TRIED_SEEDS = range(1000, 1500)
TRIED = {
    f"local search, {until}, initial {initial}, restart {restart}": Method(
        strategies.LocalSearch(initial=initial, query_until=until, restart=restart), len(TRIED_SEEDS), {}
    )
    for until in ("better", "all")
    for initial, restart in ((1, 1), (10, 1), (10, 10), (20, 1), (20, 20), (30, 1), (30, 30))
}
"""Each later start as small as can be, or, as in the authors' code, like the first."""


@dataclass(frozen=True)
class Result:
    """What one run found, accuracies in %.

    Attributes:
        found: after 200 epochs.
        queries: how many it made.
        score: after 12 epochs, by which it was chosen.
    """

    found: Mapping[str, float]
    queries: int
    score: float


def data_folder() -> Path:
    """The folder of published tables."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NBNAS_DATA") or beside)
    if not (folder / "nasbench201" / "nb201.npz").is_file():
        sys.exit(f"NBNAS_DATA must be a folder with nasbench201/nb201.npz in it, got {str(folder)!r}. Set it.")
    return folder


def load(space: SearchSpace, path: Path) -> Table:
    """The published table with the architectures of `space`."""
    with np.load(path, allow_pickle=False) as arrays:
        epoch_seconds = arrays["cifar10_train_time_200"].astype(np.float64) / 200
        metrics: dict[str, npt.ArrayLike] = {
            SCORE: arrays["cifar10_valid_12"],
            COST: 12 * epoch_seconds + 0.25 * epoch_seconds,
        }
        metrics |= {name: arrays[column] for name, column in REPORTED.items()}
        architectures = [str(from_official(space, text.decode())) for text in arrays["arch"].tolist()]
    return Table(architectures, metrics)


def search(settings: BlackBoxSettings, space: SearchSpace, table: Table, seed: int, budget: float = BUDGET) -> Result:
    """One run: ask, look up, tell, until the next query would exceed the budget."""
    strategy = settings.bind(space, generator(seed, "strategy"))
    scores, costs = table.metrics[SCORE], table.metrics[COST]
    spent, best, queries = 0.0, -1, 0
    while True:
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        row = table.rows[str(proposal.architecture)]
        if spent + costs[row] > budget:
            break
        spent += float(costs[row])
        queries += 1
        score = float(scores[row])
        strategy.tell(queries, proposal, Evaluation({SCORE: score}, (score,)))
        if best < 0 or score > scores[best]:
            best = row
    if best < 0:
        raise ValueError(f"budget must allow at least one query, got {budget:g} s")
    return Result({name: float(table.metrics[name][best]) for name in REPORTED}, queries, float(scores[best]))


_SPACE: SearchSpace
_TABLE: Table


def _open(path: Path) -> None:
    """In each worker, once: reads the table."""
    global _SPACE, _TABLE
    _SPACE = nas_bench_201()
    _TABLE = load(_SPACE, path)


def _search(method: Method, seed: int) -> Result:
    space = NodeFirst(_SPACE.name, _SPACE.component) if method.node_first else _SPACE
    return search(method.settings, space, _TABLE, seed)


def summary(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    """Mean, standard deviation over seeds and standard error of the mean, by what is reported."""
    columns = {name: [result.found[name] for result in results] for name in REPORTED}
    columns["queries"] = [float(result.queries) for result in results]
    columns["score"] = [result.score for result in results]
    found = {}
    for name, values in columns.items():
        deviation = statistics.stdev(values) if len(values) > 1 else float("nan")
        error = deviation / len(values) ** 0.5
        found[name] = {"mean": statistics.fmean(values), "std": deviation, "standard_error": error}
    return found


def markdown(summaries: Mapping[str, Mapping[str, Mapping[str, float]]], seeds: Mapping[str, int], table: Table) -> str:
    """The measured figures beside the published ones: accuracy in %, mean ± standard deviation over seeds."""
    names = list(REPORTED)
    headings = " | ".join(f"{name} | published" for name in names)
    lines = [
        f"| method | seeds | queries | told (12 epochs) | {headings} | C10 test, plain script |",
        "|---" * (5 + 2 * len(names)) + "|",
    ]
    for title, found in summaries.items():
        method = {**METHODS, **TRIED}[title]
        cells = [title, str(seeds[title]), f"{found['queries']['mean']:.1f}", f"{found['score']['mean']:.3f}"]
        for name in names:
            value = found[name]
            spread = f" ± {value['std']:.2f} (error {value['standard_error']:.3f})" if seeds[title] > 1 else ""
            cells.append(f"{value['mean']:.2f}{spread}")
            cells.append(_pair(method.published.get(name)))
        cells.append(_pair(method.recomputed))
        lines.append(f"| {' | '.join(cells)} |")
    best = [f"{table.metrics[name].max():.2f} | {value}" for name, value in OPTIMUM.items()]
    lines.append(f"| optimum of the table | | | {table.metrics[SCORE].max():.3f} | {' | '.join(best)} | |")
    return "\n".join(lines)


def _pair(pair: tuple[float, float] | None) -> str:
    return f"{pair[0]:.2f} ± {pair[1]:.2f}" if pair else "–"


def run(
    path: Path, workers: int, methods: Mapping[str, Method], seeds: int | None = None, first: int = 0
) -> dict[str, list[Result]]:
    """All runs of some methods, shared out to processes.

    Args:
        path: of the published table.
        workers: processes.
        methods: by title.
        seeds: runs a method; `None` for the number that it names.
        first: the first seed.
    """
    results = {}
    with multiprocessing.get_context("spawn").Pool(workers, _open, (path,)) as pool:
        for title, method in methods.items():
            start = time.perf_counter()
            numbers = range(first, first + (seeds or method.seeds))
            results[title] = pool.map(partial(_search, method), numbers, chunksize=5)
            print(f"{title}: {len(results[title])} runs in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument(
        "--seeds", type=int, help="runs a method; by default 500, 50 for the LSTM, 1 for a grid in order"
    )
    parser.add_argument("--only", default="", help="methods with this text in their name")
    parser.add_argument("--quick", action="store_true", help="without recurrent controllers and predictors")
    parser.add_argument("--tried", action="store_true", help="the settings that were tried, best told accuracy first")
    parser.add_argument("--out", type=Path, help="a JSON file for all runs")
    options = parser.parse_args()
    path = data_folder() / "nasbench201" / "nb201.npz"
    methods = {
        title: method
        for title, method in (TRIED if options.tried else METHODS).items()
        if options.only in title and not (options.quick and method.slow)
    }
    first = TRIED_SEEDS[0] if options.tried else 0
    results = run(path, options.workers, methods, options.seeds, first)
    summaries = {title: summary(found) for title, found in results.items()}
    if options.tried:
        summaries = dict(sorted(summaries.items(), key=lambda item: -item[1]["score"]["mean"]))
    print(markdown(summaries, {title: len(found) for title, found in results.items()}, load(nas_bench_201(), path)))
    if options.out is not None:
        report = {
            title: {
                "settings": methods[title].settings.to_json(),
                "summary": summaries[title],
                "runs": [{"seed": seed, **asdict(result)} for seed, result in enumerate(found, start=first)],
            }
            for title, found in results.items()
        }
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
