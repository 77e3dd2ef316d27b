"""What a browser was told of a figure that grows, and the messages that tell it what is new.

The figure is split: `spec` is a trace without its arrays; a column is one array, named by its path (`marker.color`).
Numbers travel as float64, missing ones as NaN, in buffers next to the message (`binary`), or within it as JSON for
pages that lose buffers. Messages are numbered: a page that misses one asks for a snapshot.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from numbers import Real
from typing import Any

__all__ = ["FigureHistory", "Message"]

Message = tuple[dict[str, Any], list[bytes]]


@dataclass
class _Column:
    """An array: numbers, rows of `width` numbers one after the other, or anything that JSON holds."""

    values: array[float] | list[Any]
    width: int | None = None

    @classmethod
    def of(cls, values: Any) -> _Column:
        """Takes a list, a tuple or an array."""
        listed = values.tolist() if hasattr(values, "tolist") else list(values)
        if _numeric(listed):
            return cls(_numbers(listed))
        width = len(listed[0]) if listed and isinstance(listed[0], list | tuple) else 0
        if width and all(isinstance(row, list | tuple) and len(row) == width and _numeric(row) for row in listed):
            return cls(_numbers([value for row in listed for value in row]), width)
        return cls(_plain(listed))

    def __len__(self) -> int:
        return len(self.values) // (self.width or 1)

    def takes(self, tail: _Column) -> bool:
        """Whether the tail is of the same kind."""
        return type(self.values) is type(tail.values) and self.width == tail.width

    def pack(self, buffers: list[bytes], *, binary: bool) -> dict[str, Any]:
        """The column as it is sent; numbers are added to the buffers."""
        if isinstance(self.values, list):
            return {"values": list(self.values)}
        if not binary:
            return {"values": [value if isfinite(value) else None for value in self.values], "width": self.width}
        buffers.append(self.values.tobytes())
        return {"buffer": len(buffers) - 1, "width": self.width}


@dataclass
class _Trace:
    generation: Any
    spec: dict[str, Any]
    columns: dict[str, _Column]

    def pack(self, buffers: list[bytes], *, binary: bool) -> dict[str, Any]:
        columns = {path: column.pack(buffers, binary=binary) for path, column in self.columns.items()}
        return {"spec": self.spec, "columns": columns}


@dataclass
class FigureHistory:
    """The figure as told so far; `seq` is the number of the last message."""

    seq: int = 0
    binary: bool = True
    _order: list[str] = field(default_factory=list)
    _layout: dict[str, Any] = field(default_factory=dict)
    _traces: dict[str, _Trace] = field(default_factory=dict)

    def advance(self, figure: Mapping[str, Any]) -> Message | None:
        """Takes the figure over and returns what is new in it, None when nothing is.

        Same `uid` and same `meta.generation` (not None) promise that a trace was only added to: its arrays are looked
        at beyond their known ends only. Any other trace is compared, and sent whole when it differs.

        Raises:
            ValueError: two traces have the same `uid`.
        """
        content: dict[str, Any] = {}
        buffers: list[bytes] = []
        traces = {str(trace.get("uid", f"trace {number}")): trace for number, trace in enumerate(figure["data"])}
        if len(traces) < len(figure["data"]):
            raise ValueError(f"uid of each trace must be its own, got {[trace.get('uid') for trace in figure['data']]}")
        if list(traces) != self._order:
            self._order = content["order"] = list(traces)
            self._traces = {uid: trace for uid, trace in self._traces.items() if uid in traces}
        if (layout := _plain(figure.get("layout", {}))) != self._layout:
            self._layout = content["layout"] = layout
        changes = {uid: self._change(uid, trace, buffers) for uid, trace in traces.items()}
        if changed := {uid: change for uid, change in changes.items() if change}:
            content["traces"] = changed
        if not content:
            return None
        self.seq += 1
        return {"type": "update", "seq": self.seq, **content}, buffers

    def snapshot(self) -> Message:
        """All of it, as one message."""
        buffers: list[bytes] = []
        traces = {uid: trace.pack(buffers, binary=self.binary) for uid, trace in self._traces.items()}
        content = {"type": "snapshot", "seq": self.seq, "order": self._order, "layout": self._layout, "traces": traces}
        return content, buffers

    def _change(self, uid: str, figure: Mapping[str, Any], buffers: list[bytes]) -> dict[str, Any]:
        """What is new in one trace; empty when nothing is."""
        arrays = dict(_arrays(figure))
        spec = _without_arrays(figure)
        generation = (spec.get("meta") or {}).get("generation")
        known = self._traces.get(uid)
        if known is not None and generation is not None and generation == known.generation:
            tails = _tails(known.columns, arrays)
            if tails is not None:
                return self._grow(known, spec, tails, buffers)
        trace = _Trace(generation, spec, {path: _Column.of(values) for path, values in arrays.items()})
        # Packed numbers are compared as bytes: there NaN equals NaN.
        if known is not None and (trace.spec, _bytes(trace)) == (known.spec, _bytes(known)):
            return {}
        self._traces[uid] = trace
        return trace.pack(buffers, binary=self.binary)

    def _grow(
        self, trace: _Trace, spec: dict[str, Any], tails: dict[str, _Column], buffers: list[bytes]
    ) -> dict[str, Any]:
        change: dict[str, Any] = {}
        if spec != trace.spec:
            trace.spec = change["spec"] = spec
        if tails:
            change["append"] = {path: tail.pack(buffers, binary=self.binary) for path, tail in tails.items()}
        for path, tail in tails.items():
            trace.columns[path].values.extend(tail.values)
        return change


def _tails(columns: Mapping[str, _Column], arrays: Mapping[str, Any]) -> dict[str, _Column] | None:
    """What was added to each column; None when it is not only additions of the same kind."""
    if columns.keys() != arrays.keys():
        return None
    tails: dict[str, _Column] = {}
    for path, values in arrays.items():
        column = columns[path]
        if len(values) < len(column):
            return None
        if len(values) > len(column):
            tails[path] = _Column.of(values[len(column) :])
            if not column.takes(tails[path]):
                return None
    return tails


def _bytes(trace: _Trace) -> dict[str, Any]:
    return {
        path: column.values if isinstance(column.values, list) else (column.width, column.values.tobytes())
        for path, column in trace.columns.items()
    }


def _is_array(value: Any) -> bool:
    # Single numbers of numpy have `tolist` too, but no length.
    return isinstance(value, list | tuple) or (hasattr(value, "tolist") and hasattr(value, "__len__"))


def _arrays(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _arrays(value, f"{path}{key}.")
        elif _is_array(value):
            yield f"{path}{key}", value


def _without_arrays(node: Mapping[str, Any]) -> dict[str, Any]:
    return {
        str(key): _without_arrays(value) if isinstance(value, Mapping) else _plain(value)
        for key, value in node.items()
        if not _is_array(value)
    }


def _numeric(values: Sequence[Any]) -> bool:
    return all(value is None or isinstance(value, Real) for value in values)


def _numbers(values: Sequence[Any]) -> array[float]:
    return array("d", [nan if value is None else float(value) for value in values])


def _plain(value: Any) -> Any:
    """The value as JSON holds it: NaN and infinity are None."""
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(member) for key, member in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, int):
        return value
    if isinstance(value, Real):
        return float(value) if isfinite(value) else None
    return str(value)
