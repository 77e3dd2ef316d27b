"""From architectures to networks: operations by name, discrete networks, supernets, what they cost."""

from nbnas.networks.build import Shapes, build
from nbnas.networks.cost import flops, macs, parameters
from nbnas.networks.layers import Form
from nbnas.networks.mixtures import gumbel, new_alpha, one_hot, softmax
from nbnas.networks.operations import operation
from nbnas.networks.supernet import Mixture, Supernet

__all__ = [
    "Form",
    "Mixture",
    "Shapes",
    "Supernet",
    "build",
    "flops",
    "gumbel",
    "macs",
    "new_alpha",
    "one_hot",
    "operation",
    "parameters",
    "softmax",
]
