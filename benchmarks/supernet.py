"""How much faster a step of a supernet is than that of a plain one of the published structure.

    python benchmarks/supernet.py            # all, about five minutes on one core
    python benchmarks/supernet.py --only darts --quick

A step is one on alpha and one on the weights, first order. The plain supernet (tests/oracles/plain_supernets.py) is
structured as the published code: each edge its own sum of weight times operation, channels first, the gradients of
both computed in both steps. Both are run in turns in one process with one thread; CPU time, the median of the ratios.
Peak memory is that of the process above its start, each in a process of its own. With CUDA it counts kernels.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch.nn import functional as F

from nbnas import spaces
from nbnas.networks import Supernet, softmax
from nbnas.networks.freezing import constant
from tests.oracles import plain_supernets as plain

CONFIGURATIONS: dict[str, tuple[str, Callable[[], Any], Callable[[], Any], int, int, float]] = {
    # title, space, plain supernet, size of the images, batch, goal
    "darts": (
        "DARTS, C=16, 8 cells, 32×32, batch 16",
        lambda: spaces.darts(channels=16, cells=8),
        lambda: plain.PlainCells(channels=16, cells=8),
        32, 16, 3.0,
    ),
    "darts-small": (
        "DARTS, C=8, 4 cells, 16×16, batch 32",
        lambda: spaces.darts(channels=8, cells=4),
        lambda: plain.PlainCells(channels=8, cells=4),
        16, 32, 2.5,
    ),
    "nas-bench-201": (
        "NAS-Bench-201, C=16, N=5, 32×32, batch 16",
        lambda: spaces.nas_bench_201(16, 5),
        lambda: plain.PlainNasBench201(channels=16, cells=5),
        32, 16, 2.6,
    ),
}  # fmt: skip
MEMORY_GOAL = 0.55


def steps(which: str, device: str = "cpu", shrink: int = 1) -> tuple[Callable[[], None], Callable[[], None]]:
    """One step of our supernet, and one of the plain one."""
    _, make_space, make_plain, size, items, _ = CONFIGURATIONS[which]
    space, other = make_space(), make_plain().to(device)
    task = SimpleNamespace(input_shape=(3, size // shrink, size // shrink), classes=10, device=device)
    supernet = Supernet(space, task, seed=0)
    x = torch.randn(items // shrink, *task.input_shape, device=device)
    y = torch.randint(10, (items // shrink,), device=device)

    def alphas() -> dict[str, torch.Tensor]:
        rows = {row.name: 1e-3 * torch.randn(len(row.options), device=device) for row in space.rows}
        return {name: row.requires_grad_() for name, row in rows.items()}

    def optimizers(network: torch.nn.Module, alpha: dict[str, torch.Tensor], **how: bool) -> Any:
        return (
            torch.optim.Adam(list(alpha.values()), 3e-4, betas=(0.5, 0.999), weight_decay=1e-3, **how),
            torch.optim.SGD(network.parameters(), 0.025, momentum=0.9, weight_decay=3e-4, **how),
        )

    alpha, plain_alpha = alphas(), alphas()
    alpha_optimizer, w_optimizer = optimizers(supernet, alpha, fused=True)
    plain_optimizers = optimizers(other, plain_alpha)

    def ours() -> None:
        for optimizer, fixed in ((alpha_optimizer, supernet.parameters()), (w_optimizer, alpha.values())):
            with constant(fixed):  # type: ignore[arg-type]
                loss = F.cross_entropy(supernet(x, softmax(alpha)), y)
                optimizer.zero_grad()
                loss.backward()
            if optimizer is w_optimizer:
                torch.nn.utils.clip_grad_norm_(supernet.parameters(), 5.0)
            optimizer.step()

    return ours, lambda: plain.step(other, plain_alpha, (x, y), (x, y), *plain_optimizers) and None


def ratios(which: str, repeats: int, shrink: int = 1) -> tuple[list[float], float]:
    """Plain CPU seconds by ours, repeat by repeat, and our median CPU seconds a step."""
    ours, other = steps(which, shrink=shrink)
    ours(), other()
    found, seconds = [], []
    for _ in range(repeats):
        times = [time.process_time()]
        for step in (other, ours):
            step()
            times.append(time.process_time())
        seconds.append(times[2] - times[1])
        found.append((times[1] - times[0]) / seconds[-1])
    return found, statistics.median(seconds)


def peak_bytes(which: str, ours: bool) -> int:
    """The largest resident memory in two steps above that before them; to be called in a fresh process."""
    page = os.sysconf("SC_PAGE_SIZE")

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * page

    step = steps(which)[0 if ours else 1]
    before, largest, over = resident(), 0, threading.Event()

    def watch() -> None:
        nonlocal largest
        while not over.is_set():
            largest = max(largest, resident())
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    step(), step()
    over.set()
    watcher.join()
    return largest - before


def kernels_of(step: Callable[[], None]) -> int:
    """How many CUDA kernels a step starts."""
    from torch.profiler import ProfilerActivity, profile

    step()
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        step()
        torch.cuda.synchronize()
    return sum(1 for event in found.events() if event.device_type == torch.autograd.DeviceType.CUDA)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CONFIGURATIONS)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="images and batches a quarter as large: no result")
    parser.add_argument("--peak", choices=("ours", "plain"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.peak:
        print(peak_bytes(options.only, options.peak == "ours"))
        return
    names = [options.only] if options.only else list(CONFIGURATIONS)
    print("| step of | plain / ours | spread | goal | ours, CPU s |\n|---|---|---|---|---|")
    for name in names:
        found, seconds = ratios(name, options.repeats, 4 if options.quick else 1)
        title, goal = CONFIGURATIONS[name][0], CONFIGURATIONS[name][-1]
        spread = f"{min(found):.2f}–{max(found):.2f}"
        print(f"| {title} | {statistics.median(found):.2f} | {spread} | ≥ {goal} | {seconds:.3f} |", flush=True)
    if "darts" in names and not options.quick and Path("/proc/self/statm").exists():
        run = [sys.executable, __file__, "--only", "darts", "--peak"]
        peaks = [
            int(subprocess.run([*run, which], check=True, capture_output=True).stdout) for which in ("ours", "plain")
        ]
        share = peaks[0] / peaks[1]
        print(f"\nPeak memory, DARTS: {share:.2f} of the plain one ({peaks[0] / 1e6:,.0f} MB), goal ≤ {MEMORY_GOAL}")
    if torch.cuda.is_available():
        for name in names:
            ours, other = (kernels_of(step) for step in steps(name, "cuda"))
            print(f"CUDA kernels a step, {CONFIGURATIONS[name][0]}: {ours:,}, plain {other:,}")


if __name__ == "__main__":
    main()
