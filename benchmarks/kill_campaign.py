"""Kills running searches at random moments, resumes them, and counts what was lost or came out differently.

    python benchmarks/kill_campaign.py --kills 100

For each process and strategy: a third of the runs is killed a second time while it resumes. The control, in which the
state of a generator is not saved, must come out differently. Exits with 1 if anything is not as it must be.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the helpers that the tests use too

from tests.kill.campaign import SUBJECTS, Campaign, Case


@dataclass
class Row:
    """One line of the table: a process and a strategy."""

    name: str
    wanted: int
    runs: list[Case] = field(default_factory=list)
    controls: list[Case] = field(default_factory=list)
    acknowledged: int = 0
    seconds: float = 0.0

    @property
    def kills(self) -> int:
        return sum(len(case.kills) for case in self.runs)

    @property
    def points(self) -> Counter[str]:
        return Counter(kill.point for case in self.runs for kill in case.kills)

    @property
    def red(self) -> int:
        return sum(not case.equal for case in self.controls)

    @property
    def good(self) -> bool:
        whole = all(case.good for case in self.runs) and self.kills >= self.wanted
        seen = all(not case.equal and case.kills and case.midway for case in self.controls)
        return whole and seen and bool(self.controls)

    def __str__(self) -> str:
        lost, midway = sum(case.lost for case in self.runs), sum(case.midway for case in self.runs)
        equal = sum(case.equal and not case.error and not case.problems for case in self.runs)
        runs = len(self.runs)
        return (
            f"| {self.name} | {self.kills} | {midway} of {runs} | {lost} of {self.acknowledged:,} | {equal} of {runs} "
            f"| {self.red} of {len(self.controls)} | {len(self.points)} | {self.seconds:.0f} | "
            f"{'good' if self.good else 'BAD'} |"
        )


HEADER = """
| process × strategy | kills | runs killed mid-run | acknowledged events lost | resumed equal | control red | kinds of \
moments | s | |
|---|---|---|---|---|---|---|---|---|""".lstrip("\n")


def measure(name: str, kills: int, controls: int, seed: int, folder: Path) -> Row:
    """All runs of one process and strategy."""
    rng, row, since = random.Random(f"{seed} {name}"), Row(name.replace("-", " × "), kills), time.perf_counter()
    campaign = Campaign(SUBJECTS[name], folder)
    while row.kills < kills:
        places, save_every = campaign.random_case(rng, twice=len(row.runs) % 3 == 0 and kills - row.kills > 1)
        case = campaign.case(*places, save_every=save_every)
        row.runs.append(case)
        row.acknowledged += case.acknowledged
        if not case.good or case.kills != places:
            print(f"{name}: killed at {places}, a resume point after {save_every} steps: {case}", flush=True)
            if len(case.kills) < len(places):
                break  # it would go on for ever
    for _ in range(controls):
        case = campaign.case(rng.choice(campaign.middle), control=True)
        row.controls.append(case)
        if case.equal:
            print(f"{name}: the control did not show: {case}", flush=True)
    row.seconds = time.perf_counter() - since
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="for each process and strategy")
    parser.add_argument("--controls", type=int, default=10, help="likewise")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", choices=SUBJECTS, help="this process and strategy")
    arguments = parser.parse_args()
    rows = []
    print(HEADER, flush=True)
    for name in SUBJECTS if arguments.only is None else (arguments.only,):
        with tempfile.TemporaryDirectory(prefix="nbnas-kill-") as folder:
            rows.append(measure(name, arguments.kills, arguments.controls, arguments.seed, Path(folder)))
        print(rows[-1], flush=True)
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
