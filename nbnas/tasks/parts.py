"""Own data in train, valid and test: given by the user, or a share of what is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nbnas.errors import TaskError
from nbnas.tasks.data import stratified
from nbnas.tasks.inputs import encoded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["checked_seed", "parts"]

_DEFAULT_FRACTION = 0.2


def parts(
    given: tuple[NDArray[Any], NDArray[Any]],
    pair: Callable[[str, tuple[Any, Any]], tuple[NDArray[Any], NDArray[Any]]],
    *,
    valid: float | tuple[Any, Any] | None,
    test: float | tuple[Any, Any] | None,
    seed: int,
    labels: Sequence[str] | None,
) -> tuple[tuple[str, ...], dict[str, tuple[NDArray[Any], NDArray[np.int64]]]]:
    """The names of the classes; and the inputs and encoded classes of `train`, `valid` and `test`.

    Args:
        given: The inputs and classes that train is taken from, and each part that is a share.
        pair: Reads and checks the part of that name that is given as a pair (inputs, classes).
        valid: The pair, or the share of the given items; None is 0.2.
        test: As `valid`.
        seed: Of the split, which is stratified by class.
        labels: The names of the classes, as in `from_arrays`.

    Raises:
        TaskError: If shares, seed, pairs or classes are wrong, or a part has no items.
    """
    pairs, fractions = {"given": given}, dict[str, float]()
    for part, value in (("test", test), ("valid", valid)):
        if isinstance(value, tuple):
            if len(value) != 2:
                raise TaskError(f"{part} must be a share or a pair (x, y), got a tuple of {len(value)}")
            pairs[part] = pair(part, value)
        else:
            fractions[part] = _fraction(part, _DEFAULT_FRACTION if value is None else value)
    if sum(fractions.values()) >= 1:
        raise TaskError(f"valid + test must be below 1, got {fractions['valid']} + {fractions['test']}")
    names, codes = encoded([part_y for _, part_y in pairs.values()], labels)
    splits = {part: (part_x, code) for (part, (part_x, _)), code in zip(pairs.items(), codes, strict=True)}
    given_x, given_code = splits.pop("given")
    indices = stratified(given_code, [*fractions.values()], checked_seed(seed))
    for part, index in zip([*fractions, "train"], indices, strict=True):
        if len(index) == 0:
            raise TaskError(
                f"{part} must have at least one item, got 0 of {len(given_x)}. Give more items, or {part}=(x, y)"
            )
        splits[part] = given_x[index], given_code[index]
    return names, splits


def checked_seed(value: Any) -> int:
    """The seed, or `TaskError` if it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise TaskError(f"seed must be a whole number in 0..2^32 - 1, got {value!r:.80}")
    return value


def _fraction(part: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise TaskError(f"{part} must be a share in (0, 1) or a pair (x, y), got {value!r:.80}")
    return float(value)
