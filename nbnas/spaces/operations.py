"""The names of operations that a space may refer to; what they compute stands in `nbnas.networks.operations`."""

from __future__ import annotations

from nbnas.errors import SpaceError

__all__ = ["BUILT_IN", "check_known", "declare", "known"]

BUILT_IN = (
    "none",
    "skip",
    "conv_1x1",
    "conv_3x3",
    "conv_5x5",
    "avg_pool_3x3",
    "max_pool_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "sep_conv_7x7",
    "conv_3x1_1x3",
    "conv_7x1_1x7",
    "max_pool_5x5",
    "max_pool_7x7",
)

_own: dict[str, None] = {}


def known() -> tuple[str, ...]:
    """All names that a space may use now: the built-in ones and those declared in this process."""
    return BUILT_IN + tuple(_own)


def declare(name: str) -> None:
    """Makes the name of an own operation known to spaces (`nb.operation` calls this).

    Raises:
        SpaceError: the name is empty, too long, or that of a built-in operation.
    """
    if not isinstance(name, str) or not 0 < len(name) <= 64 or not name.isprintable():
        raise SpaceError(f"operation name must be 1..64 printable characters, got {name!r:.80}")
    if name in BUILT_IN:
        raise SpaceError(f"operation name must be new, got {name!r}; it is built in. Choose another name")
    _own[name] = None


def check_known(name: str, field: str) -> None:
    """Raises `SpaceError` about `field`, its place in a component, when no operation has this name."""
    if name not in BUILT_IN and name not in _own:
        raise SpaceError(
            f"{name!r:.80} is not a known operation; known: {', '.join(known())}. "
            f"Declare your own with @nb.operation(name) before the space is made",
            field=field,
        )
