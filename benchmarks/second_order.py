"""What a step of second-order DARTS costs, as a ratio to a first-order step in the same run.

    python benchmarks/second_order.py

A step is one of alpha and one of w, on the fast supernet, one thread. Rounds of the three kinds alternate, so that a
machine that slows down slows all of them down; each ratio is of the least times.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import time

import numpy as np
import torch

from nbnas import spaces, tasks
from nbnas.spaces import SearchSpace
from nbnas.strategies import Darts

ORDERS = ("first", "second", "exact")


def bound(space: SearchSpace, order: str, size: int, channels: int, batch: int):
    rng = np.random.default_rng(0)
    y = np.arange(2 * batch) % 10
    x = rng.normal(size=(2 * batch, channels, size, size)).astype(np.float32)
    task = tasks.from_arrays(x, y, valid=(x[:20], y[:20]), test=(x[:20], y[:20])).bind("cpu")
    settings = Darts(order=order, batch=batch)
    return settings.bind(space, settings.make_supernet(space, task, 0), task, 0, 50)


def measured(space: SearchSpace, size: int, channels: int, batch: int, rounds: int) -> dict[str, float]:
    """Least CPU seconds of a step, by order."""
    strategies = {order: bound(space, order, size, channels, batch) for order in ORDERS}
    least = dict.fromkeys(ORDERS, float("inf"))
    for _ in range(rounds + 1):
        for order, strategy in strategies.items():
            start = time.process_time()
            for _ in strategy.epoch():
                pass
            least[order] = min(least[order], time.process_time() - start)
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    cases = {
        "DARTS, 8 cells, 16 channels, batch 8": (spaces.darts(), 32, 3, 8),
        "NAS-Bench-201, 16 channels, batch 16": (spaces.nas_bench_201(channels=16, cells=2), 32, 3, 16),
        "NAS-Bench-201 on digits, 16 channels, batch 64": (spaces.nas_bench_201(channels=16, cells=1), 8, 1, 64),
    }
    for name, (space, size, channels, batch) in cases.items():
        least = measured(space, size, channels, batch, rounds)
        second, exact = (least[order] / least["first"] for order in ("second", "exact"))
        print(f"{name}: first order 1, finite difference {second:.2f}, exact {exact:.2f}  ({least['first']:.2f} s)")


if __name__ == "__main__":
    main()
