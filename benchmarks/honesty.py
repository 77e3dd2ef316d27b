"""What the honest figures of a relaxed search cost, as shares of the CPU time of an epoch of DARTS.

An epoch trains weights and alpha and measures the derived architecture on valid. Run alone:
`python benchmarks/honesty.py [--repeats 5]`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

import nbnas as nb
from nbnas.honesty import accuracy, alpha_hessian_eigenvalue, hessian_due, honest_metrics
from nbnas.networks import Supernet, softmax

SEARCHES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "NAS-Bench-201, 8 channels, 1 cell, digits": lambda: (
        nb.spaces.nas_bench_201(channels=8, cells=1),
        nb.tasks.digits(),
    ),
    "DARTS, 8 channels, 4 cells, digits": lambda: (nb.spaces.darts(channels=8, cells=4), nb.tasks.digits()),
}


def shares(name: str, repeats: int) -> dict[str, float]:
    """CPU seconds of each figure by those of an epoch, medians; and the seconds of the epoch."""
    space, task = SEARCHES[name]()
    bound = task.bind("cpu")
    supernet = Supernet(space, bound, seed=0)
    strategy: Any = nb.strategies.Darts(alpha_learning_rate=0.01).bind(space, supernet, bound, 0, repeats + 1)

    def epoch() -> None:
        for _ in strategy.epoch():
            pass
        accuracy(supernet, bound, strategy.derive())

    def mixture() -> dict[str, torch.Tensor]:
        return softmax(strategy.alpha)

    figures: dict[str, Callable[[], object]] = {
        "epoch": epoch,
        "eigenvalue": lambda: alpha_hessian_eigenvalue(supernet, bound, mixture()),
        "others": lambda: honest_metrics(supernet, bound, mixture(), strategy.derive(), hessian=False),
    }
    seconds: dict[str, list[float]] = {figure: [] for figure in figures}
    for repeat in range(repeats + 1):
        for figure, measure in figures.items():
            start = time.process_time()
            measure()
            if repeat:  # the first warms up
                seconds[figure].append(time.process_time() - start)
    epochs = statistics.median(seconds["epoch"])
    found = {figure: statistics.median(times) / epochs for figure, times in seconds.items()}
    batches = len(strategy.w_half.y) // strategy.batch
    due = sum(hessian_due(number, batches) for number in range(1, 61)) / 60
    return {**found, "epoch": epochs, "scheduled": due * found["eigenvalue"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| search | epoch, CPU s | eigenvalue | as often as it is taken | all accuracies |\n|---|---|---|---|---|")
    for name in SEARCHES:
        found = shares(name, options.repeats)
        told = " | ".join(f"{100 * found[figure]:.0f} %" for figure in ("eigenvalue", "scheduled", "others"))
        print(f"| {name} | {found['epoch']:.2f} | {told} |", flush=True)


if __name__ == "__main__":
    main()
