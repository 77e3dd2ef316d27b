"""What may be searched: decisions, architectures, search spaces and the catalogue of published ones. No torch here."""

from nbnas.spaces.architecture import Architecture
from nbnas.spaces.catalogue.chain import chain
from nbnas.spaces.catalogue.nas_bench_201 import nas_bench_201
from nbnas.spaces.cell_network import CellNetwork
from nbnas.spaces.chain import Chain
from nbnas.spaces.component import Component
from nbnas.spaces.decision import Condition, Decision
from nbnas.spaces.ends import Head, Stem
from nbnas.spaces.limit import Limit
from nbnas.spaces.network import Network, Repeat
from nbnas.spaces.open import Choice, Integer, Real
from nbnas.spaces.space import SearchSpace

CATALOGUE = {"nas_bench_201": nas_bench_201, "chain": chain}

__all__ = [
    "CATALOGUE",
    "Architecture",
    "CellNetwork",
    "Chain",
    "Choice",
    "Component",
    "Condition",
    "Decision",
    "Head",
    "Integer",
    "Limit",
    "Network",
    "Real",
    "Repeat",
    "SearchSpace",
    "Stem",
    "chain",
    "nas_bench_201",
]
