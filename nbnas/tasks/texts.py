"""The user's own texts as a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nbnas.errors import TaskError
from nbnas.tasks.arrays import ArraysTask
from nbnas.tasks.data import Data, Split
from nbnas.tasks.inputs import classes as classes_of
from nbnas.tasks.parts import parts
from nbnas.tasks.tokens import encoded_tokens, numbered, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbnas.tasks.task import Task

__all__ = ["from_texts"]

_UNITS: dict[str, Callable[[str], Sequence[str]]] = {"words": words, "characters": str}


def from_texts(
    texts: Sequence[str],
    labels: Any,
    *,
    valid: float | tuple[Any, Any] | None = None,
    test: float | tuple[Any, Any] | None = None,
    seed: int = 0,
    name: str = "texts",
    classes: Sequence[str] | None = None,
    tokens: Literal["words", "characters"] = "words",
    length: int = 32,
    vocabulary: int = 1_000,
) -> Task:
    """A classification task on texts: each becomes `length` numbers of tokens.

    Number 0 is padding, 1 every token but the most frequent of train, which count from 2.

    Args:
        texts: One text an item.
        labels: A class an item: whole numbers or texts.
        valid: What a search scores on: `(texts, labels)`, or the share of the given items; None is 0.2.
        test: What only a final report reads: as `valid`.
        seed: Of the split, which is stratified by class.
        name: What the data are called in lists of runs.
        classes: The names of the classes, as `labels` in `from_arrays`.
        tokens: `words` in lower case, a sign of punctuation being one, or `characters`.
        length: Tokens an item: longer texts are cut off at their end, shorter ones are padded there.
        vocabulary: Different tokens, padding and unknown included; fewer where train has fewer.

    Raises:
        TaskError: If types, classes or splits are wrong.
    """
    if tokens not in _UNITS:
        raise TaskError(f"tokens must be one of {', '.join(_UNITS)}, got {tokens!r:.80}")
    for subject, value, least in (("length", length, 1), ("vocabulary", vocabulary, 3)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise TaskError(f"{subject} must be a whole number, {least} or more, got {value!r:.80}")

    def pair(part: str, value: tuple[Any, Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        part_texts = _texts(f"{part} texts", value[0])
        return part_texts, classes_of(f"{part} labels", value[1], len(part_texts))

    given_texts = _texts("texts", texts)
    given = given_texts, classes_of("labels", labels, len(given_texts))
    names, splits = parts(given, pair, valid=valid, test=test, seed=seed, labels=classes)
    lines = {part: [_UNITS[tokens](text) for text in part_texts] for part, (part_texts, _) in splits.items()}
    numbers = numbered((token for line in lines["train"] for token in line), vocabulary)
    done = {part: Split(encoded_tokens(lines[part], numbers, length), y) for part, (_, y) in splits.items()}
    data = Data(done["train"], done["valid"], done["test"], len(names), names, vocabulary=len(numbers) + 2)
    return ArraysTask.of(data, name)


def _texts(subject: str, value: Any) -> NDArray[Any]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise TaskError(f"{subject} must be a list of texts, got {type(value).__name__}")
    items = list(value)
    for index, text in enumerate(items):
        if not isinstance(text, str):
            raise TaskError(f"{subject} must be texts, got {type(text).__name__} in item {index}")
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found
