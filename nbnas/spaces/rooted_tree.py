"""Trees whose nodes each have one input: texts that are equal iff the trees are."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["canonical_tree", "leaves"]


def canonical_tree(parents: Sequence[int], labels: Sequence[str]) -> str:
    """The tree as a text that does not depend on the order of its nodes, such as `tanh(relu,relu(tanh))`.

    Args:
        parents: of node 1, 2, …: an earlier node each; node 0 is the root.
        labels: of node 0, 1, …, without brackets and commas.
    """
    below: list[list[str]] = [[] for _ in labels]
    for node in range(len(labels) - 1, 0, -1):  # children come after their parents
        below[parents[node - 1]].append(_text(labels[node], below[node]))
    return _text(labels[0], below[0])


def _text(label: str, children: list[str]) -> str:
    return f"{label}({','.join(sorted(children))})" if children else label


def leaves(parents: Sequence[int]) -> tuple[int, ...]:
    """The nodes besides the root that no node takes as its input."""
    used = set(parents)
    return tuple(node for node in range(1, len(parents) + 1) if node not in used)
