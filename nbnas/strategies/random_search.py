"""Random search: the baseline that every other strategy must beat.

Li & Talwalkar, Random Search and Reproducibility for Neural Architecture Search, UAI 2019, arXiv:1902.07638. With the
evaluator `SharedWeights` it is their random search with weight sharing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, override

import numpy as np

from nbnas.events import Evaluation, Event
from nbnas.spaces import Architecture, SearchSpace
from nbnas.strategies.base import BlackBoxSettings, Failure, Proposal

__all__ = ["RandomSearch"]
