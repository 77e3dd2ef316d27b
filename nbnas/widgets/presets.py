"""Searches to start from, each a matter of minutes on two CPU cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["PRESETS", "Pick", "Preset"]


@dataclass(frozen=True)
class Pick:
    """A kind by its name in the registry, with the fields that differ from their defaults."""

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Preset:
    """A whole search. `evaluator` is `None` for a differentiable strategy."""

    title: str
    space: Pick
    task: Pick
    strategy: Pick
    evaluator: Pick | None
    budget: Mapping[str, Any]


_SMALL = Pick("nas_bench_201", {"channels": 8, "cells": 1})
_DIGITS = Pick("digits")

PRESETS = (
    Preset(
        "Evolution: a population of cells on digits",
        _SMALL,
        _DIGITS,
        Pick("RegularizedEvolution", {"population": 10, "tournament": 3}),
        Pick("Training", {"epochs": 1}),
        {"trials": 40},
    ),
    Preset(
        "DARTS: gradients on a supernet, digits",
        _SMALL,
        _DIGITS,
        Pick("Darts", {"alpha_learning_rate": 0.01}),
        None,
        {"epochs": 20},
    ),
    Preset(
        "ENAS: a controller on shared weights, digits",
        _SMALL,
        _DIGITS,
        Pick("Reinforce"),
        Pick("SharedWeights"),
        {"epochs": 20},
    ),
    Preset(
        "Evolution with inherited weights: transformers on topics, after AutoBERT-Zero",
        Pick("transformer"),
        Pick("topics"),
        Pick("RegularizedEvolution", {"population": 8, "tournament": 3, "mutation": "amoebanet"}),
        Pick("Training", {"epochs": 1, "batch": 32, "learning_rate": 0.2, "inherit": True}),
        {"trials": 40},
    ),
    Preset(
        "Random search: chains on sequences (MNIST-1D)",
        Pick("chain", {"max_depth": 3}),
        Pick("mnist1d"),
        Pick("RandomSearch"),
        Pick("Training", {"epochs": 1}),
        {"trials": 30},
    ),
)
