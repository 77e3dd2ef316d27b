"""States (nested dicts, lists, numbers, tensors) as JSON plus named arrays. Closed: no code, no paths, no pickle.

Kept: `None`, bools, ints, floats with infinities and nan, texts, lists, tuples, dicts with their order and with keys of
any of these plain kinds, tensors, numpy arrays and numpy scalars, bit by bit. One tensor at two places is one tensor
again. Not kept: the type of a mapping (a dict comes back), device and gradient of a tensor (CPU, none), and that two
different tensors look at the same memory.

A JSON object with a single key that begins with `$` stands for what JSON lacks.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from nbnas import jsonio
from nbnas.errors import StoreError

__all__ = ["array_names", "decode", "encode"]

_PLAIN_KEYS = (str, int, float, bool, type(None), tuple)
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_LARGEST_BITS = 200  # about 60 digits; jsonio reads 64

Arrays = dict[str, Any]


def encode(state: Any) -> tuple[str, Arrays]:
    """The JSON text of `state`, and its tensors and arrays by the names that the text uses.

    Raises:
        StoreError: something in it is of another kind, or it is too deep or too large; the place is named.
    """
    encoder = _Encoder()
    # Not jsonio.dumps: that sorts keys, and the order of a dict is part of a state.
    text = json.dumps(encoder.encode(state, (), 1), allow_nan=False, separators=(",", ":"))
    if len(text) > jsonio.MAX_BYTES:
        raise StoreError(
            f"state must be at most {jsonio.MAX_BYTES:,} characters without its tensors, got {len(text):,}. "
            "Keep long series in arrays"
        )
    return text, encoder.arrays


def decode(text: str, arrays: Mapping[str, Any], where: str) -> Any:
    """Undoes `encode`.

    Raises:
        StoreError: the text is not one that `encode` writes, or an array is missing.
    """
    try:
        return _decode(jsonio.loads(text, where, error=StoreError), arrays)
    except (KeyError, TypeError, ValueError, IndexError) as cause:
        raise StoreError(f"{where} is not a stored state: {cause!r:.200}. Restore the run from a copy") from cause


def array_names(text: str, where: str) -> tuple[set[str], bool]:
    """The names of the arrays that a text refers to, and whether one is a torch tensor."""
    names: set[str] = set()
    tensors = False
    pending = [jsonio.loads(text, where, error=StoreError)]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            tag, value = next(iter(node.items()), ("", None))
            if tag in ("$tensor", "$array", "$scalar"):
                names.add(str(value))
                tensors |= tag == "$tensor"
            else:
                pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return names, tensors


class _Encoder:
    def __init__(self) -> None:
        self.arrays: Arrays = {}
        self._names: dict[int, str] = {}

    def encode(self, value: Any, path: tuple[str, ...], depth: int) -> Any:
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind is int and value.bit_length() <= _LARGEST_BITS:
            return value
        if kind is float and math.isfinite(value):
            return value
        where = "/".join(("", *path)) or "/"
        brackets = 2 if kind is tuple else 3 if isinstance(value, Mapping) and not _is_object(value) else 1
        if depth + brackets - 1 > jsonio.MAX_DEPTH:
            raise StoreError(f"state must be nested at most {jsonio.MAX_DEPTH} deep; {where:.200}. Flatten it")
        if kind is int:
            raise StoreError(f"integers must have at most {_LARGEST_BITS} bits, got {value.bit_length()}; {where}")
        if kind is float:
            return {"$float": str(value)}
        if kind in (list, tuple):
            items = [self.encode(item, (*path, str(i)), depth + 1 + (kind is tuple)) for i, item in enumerate(value)]
            return items if kind is list else {"$tuple": items}
        if isinstance(value, np.generic):
            return {"$scalar": self._keep(value, path, where)}
        if kind is np.ndarray:  # a subclass (masked) holds more than its numbers
            return {"$array": self._keep(value, path, where)}
        if isinstance(value, Mapping):
            return self._mapping(value, path, where, depth)
        # Where torch is not loaded, nothing is a tensor.
        tensor = getattr(sys.modules.get("torch"), "Tensor", None)
        if tensor is not None and isinstance(value, tensor):
            return {"$tensor": self._keep(value, path, where)}
        raise StoreError(
            f"state must be made of JSON values, tuples, tensors and arrays, got {kind.__module__}.{kind.__qualname__}"
            f"; {where}. Store what it is made of"
        )

    def _mapping(self, value: Mapping[Any, Any], path: tuple[str, ...], where: str, depth: int) -> Any:
        if _is_object(value):
            return {key: self.encode(item, (*path, key), depth + 1) for key, item in value.items()}
        pairs = []
        for key, item in value.items():
            if type(key) not in _PLAIN_KEYS:
                raise StoreError(
                    f"keys must be texts, numbers or tuples of them, got {key!r:.80}; {where}. Change the key"
                )
            name = (*path, str(key))
            pairs.append([self.encode(key, (*name, "key"), depth + 3), self.encode(item, name, depth + 3)])
        return {"$map": pairs}

    def _keep(self, array: Any, path: tuple[str, ...], where: str) -> str:
        if isinstance(array, np.ndarray | np.generic) and array.dtype.kind not in "biufc":
            raise StoreError(f"arrays must hold numbers or bools, got {array.dtype}; {where}. Convert it first")
        if (known := self._names.get(id(array))) is not None:
            return known
        # The path, so that other tools that read safetensors show something sensible.
        name = base = ".".join(path) or "state"
        number = 2
        while name in self.arrays or name == "__metadata__":
            name, number = f"{base}#{number}", number + 1
        self.arrays[name] = array
        self._names[id(array)] = name
        return name


def _is_object(value: Mapping[Any, Any]) -> bool:
    """Whether a mapping is a JSON object as it is."""
    return all(type(key) is str and not key.startswith("$") for key in value)


def _decode(node: Any, arrays: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_decode(item, arrays) for item in node]
    if not isinstance(node, dict):
        return node
    tag: str = next(iter(node), "")
    if not tag.startswith("$"):
        return {key: _decode(item, arrays) for key, item in node.items()}
    if len(node) != 1:
        raise ValueError(f"{tag} has neighbours")
    value = node[tag]
    match tag:
        case "$float":
            return _FLOATS[value]
        case "$tuple":
            return tuple(_decode(item, arrays) for item in value)
        case "$map":
            return {_decode(key, arrays): _decode(item, arrays) for key, item in value}
        case "$tensor":
            return arrays[value]
        case "$array":
            return np.asarray(arrays[value])
        case "$scalar":
            return np.asarray(arrays[value])[()]
    raise ValueError(f"{tag} is not known")
