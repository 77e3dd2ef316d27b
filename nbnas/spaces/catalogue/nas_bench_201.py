"""NAS-Bench-201: 4 nodes, 6 edges, 5 operations an edge, 15,625 architectures.

Dong & Yang, NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search, ICLR 2020, arXiv:2001.00326.
With 16 channels and 5 cells a stage the networks have exactly the published numbers of parameters.
"""

from __future__ import annotations

from nbnas.errors import SpaceError
from nbnas.spaces.architecture import Architecture
from nbnas.spaces.cell_network import CellNetwork
from nbnas.spaces.space import SearchSpace

__all__ = ["OFFICIAL_NAMES", "from_official", "nas_bench_201", "nb201_string", "to_official"]

OFFICIAL_NAMES = {
    "none": "none",
    "skip": "skip_connect",
    "conv_1x1": "nor_conv_1x1",
    "conv_3x3": "nor_conv_3x3",
    "avg_pool_3x3": "avg_pool_3x3",
}


def nas_bench_201(channels: int = 16, cells: int = 5, *, dims: int = 2) -> SearchSpace:
    """The space; smaller `channels` and `cells` (a stage) make it light enough for two CPU cores."""
    component = CellNetwork(nodes=4, operations=tuple(OFFICIAL_NAMES), channels=channels, cells=cells, stages=3)
    return SearchSpace("nas_bench_201", component, dims=dims)


def to_official(space: SearchSpace, architecture: Architecture) -> str:
    """The benchmark's own text, such as `|nor_conv_3x3~0|+|none~0|skip_connect~1|+|…|`."""
    chosen = space.options(architecture)
    nodes = (
        "|"
        + "|".join(f"{OFFICIAL_NAMES[str(chosen[f'edge_{source}_{target}'])]}~{source}" for source in range(target))
        + "|"
        for target in (1, 2, 3)
    )
    return "+".join(nodes)


def from_official(space: SearchSpace, text: str) -> Architecture:
    """Reads the benchmark's own text."""
    ours = {official: name for name, official in OFFICIAL_NAMES.items()}
    chosen = {}
    try:
        for target, node in enumerate(text.split("+"), start=1):
            for place, item in enumerate(node.strip("|").split("|")):
                operation, source = item.split("~")
                if int(source) != place:
                    raise ValueError
                chosen[f"edge_{source}_{target}"] = ours[operation]
    except (KeyError, ValueError):
        raise SpaceError(
            f"text must be an architecture of NAS-Bench-201 such as |none~0|+…, got {text!r:.120}"
        ) from None
    return space.architecture(chosen)


def nb201_string(space: SearchSpace, architecture: Architecture) -> str:
    """The benchmark's own simplification, a finer partition than `canonical`: 6,466 strings.

    Node 0 is `0`. A term is `#` when the operation is none or its source is `#`, the source's own string for skip, else
    `(source)@operation`; a node joins its sorted terms by `+`.
    """
    chosen = space.options(architecture)
    nodes = ["0"]
    for target in (1, 2, 3):
        terms = []
        for source in range(target):
            operation = str(chosen[f"edge_{source}_{target}"])
            if operation == "none" or nodes[source] == "#":
                terms.append("#")
            elif operation == "skip":
                terms.append(nodes[source])
            else:
                terms.append(f"({nodes[source]})@{OFFICIAL_NAMES[operation]}")
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]
