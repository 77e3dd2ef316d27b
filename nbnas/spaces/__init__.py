"""What may be searched: decisions, architectures, search spaces and the catalogue of published ones. No torch here."""

from collections.abc import Callable

from nbnas.spaces.architecture import Architecture
from nbnas.spaces.block_chain import BlockChain
from nbnas.spaces.catalogue.chain import chain
from nbnas.spaces.catalogue.darts import darts
from nbnas.spaces.catalogue.enas_macro import enas_macro
from nbnas.spaces.catalogue.graph import graph
from nbnas.spaces.catalogue.metaqnn import metaqnn_chain
from nbnas.spaces.catalogue.mlp import mlp
from nbnas.spaces.catalogue.mobile import fbnet, mnasnet, mobile
from nbnas.spaces.catalogue.nas_bench_201 import nas_bench_201
from nbnas.spaces.catalogue.nas_bench_macro import nas_bench_macro
from nbnas.spaces.catalogue.nasnet import amoebanet, enas_micro, nasnet
from nbnas.spaces.catalogue.nats_size import nats_size
from nbnas.spaces.catalogue.recurrent import enas_recurrent, recurrent
from nbnas.spaces.catalogue.transformer import transformer
from nbnas.spaces.cell import Cell
from nbnas.spaces.cell_network import CellNetwork
from nbnas.spaces.chain import Chain
from nbnas.spaces.component import Component
from nbnas.spaces.darts_network import DartsNetwork
from nbnas.spaces.decision import Condition, Decision
from nbnas.spaces.embedding import Embedding
from nbnas.spaces.ends import Head, Stem
from nbnas.spaces.graph_network import GraphNetwork
from nbnas.spaces.layer_chain import LayerChain
from nbnas.spaces.limit import Limit
from nbnas.spaces.mlp import Mlp
from nbnas.spaces.network import Network, Repeat
from nbnas.spaces.open import Choice, Integer, Real
from nbnas.spaces.operation_chain import OperationChain
from nbnas.spaces.recipe import Recipe
from nbnas.spaces.recurrent_cell import RecurrentCell
from nbnas.spaces.size_network import SizeNetwork
from nbnas.spaces.skip_chain import SkipChain
from nbnas.spaces.space import SearchSpace
from nbnas.spaces.stages import Stage, Stages
from nbnas.spaces.transformer_block import SequenceNorm, TransformerBlock

CATALOGUE: dict[str, Callable[..., SearchSpace]] = {
    "transformer": transformer,
    "mlp": mlp,
    "graph": graph,
    "recurrent": recurrent,
    "enas_recurrent": enas_recurrent,
    "enas_macro": enas_macro,
    "fbnet": fbnet,
    "metaqnn_chain": metaqnn_chain,
    "mnasnet": mnasnet,
    "mobile": mobile,
    "nas_bench_201": nas_bench_201,
    "chain": chain,
    "amoebanet": amoebanet,
    "darts": darts,
    "enas_micro": enas_micro,
    "nas_bench_macro": nas_bench_macro,
    "nasnet": nasnet,
    "nats_size": nats_size,
}

__all__ = [
    "CATALOGUE",
    "Architecture",
    "BlockChain",
    "Cell",
    "CellNetwork",
    "Chain",
    "Choice",
    "Component",
    "Condition",
    "DartsNetwork",
    "Decision",
    "Embedding",
    "GraphNetwork",
    "Head",
    "Integer",
    "LayerChain",
    "Limit",
    "Mlp",
    "Network",
    "OperationChain",
    "Real",
    "Recipe",
    "RecurrentCell",
    "Repeat",
    "SearchSpace",
    "SequenceNorm",
    "SizeNetwork",
    "SkipChain",
    "Stage",
    "Stages",
    "Stem",
    "TransformerBlock",
    "amoebanet",
    "chain",
    "darts",
    "enas_macro",
    "enas_micro",
    "enas_recurrent",
    "fbnet",
    "graph",
    "metaqnn_chain",
    "mlp",
    "mnasnet",
    "mobile",
    "nas_bench_201",
    "nas_bench_macro",
    "nasnet",
    "nats_size",
    "recurrent",
    "transformer",
]
