"""nbnas: a workbench for neural architecture search that lives in a notebook.

```python
import nbnas as nb

run = nb.search(nb.spaces.nas_bench_201(channels=8, cells=1), nb.tasks.digits(), nb.strategies.Darts(),
                budget=nb.Budget(epochs=20))
run                 # live; the cell returns at once
```
All names are loaded when they are first used: importing nbnas imports neither torch nor widgets.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nbnas import course, evaluators, objectives, spaces, strategies, tasks
    from nbnas.api import Workbench, draw_cell, edit, open, rank_correlation, retrain, runs, search
    from nbnas.errors import NbnasError
    from nbnas.networks import Supernet, operation
    from nbnas.networks.build import build
    from nbnas.networks.parts import component
    from nbnas.processes import Budget
    from nbnas.session import Candidate, Run
    from nbnas.spec import RunSpec

_WHERE = {
    "Budget": "nbnas.processes",
    "Candidate": "nbnas.session",
    "NbnasError": "nbnas.errors",
    "Run": "nbnas.session",
    "RunSpec": "nbnas.spec",
    "Supernet": "nbnas.networks",
    "Workbench": "nbnas.api",
    "build": "nbnas.networks",
    "component": "nbnas.networks.parts",
    "draw_cell": "nbnas.api",
    "edit": "nbnas.api",
    "open": "nbnas.api",
    "operation": "nbnas.networks",
    "rank_correlation": "nbnas.api",
    "retrain": "nbnas.api",
    "runs": "nbnas.api",
    "search": "nbnas.api",
}
_PACKAGES = ("course", "evaluators", "objectives", "spaces", "strategies", "tasks")

__all__ = [
    "Budget",
    "Candidate",
    "NbnasError",
    "Run",
    "RunSpec",
    "Supernet",
    "Workbench",
    "build",
    "component",
    "course",
    "draw_cell",
    "edit",
    "evaluators",
    "objectives",
    "open",
    "operation",
    "rank_correlation",
    "retrain",
    "runs",
    "search",
    "spaces",
    "strategies",
    "tasks",
]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"nbnas.{name}")
    if name in _WHERE:
        value = getattr(importlib.import_module(_WHERE[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'nbnas' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def load_measure() -> Callable[..., float]:
    """What tells the cost of an architecture; spaces, which know nothing of torch, ask for it here."""
    measure: Callable[..., float] = importlib.import_module("nbnas.networks.measure").measure
    return measure
