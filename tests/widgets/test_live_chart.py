"""A page that follows the messages, or asks for a snapshot, sees exactly the figure."""

from __future__ import annotations

import math
import re
from array import array
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas.widgets.cell_graph import CellGraphView
from nbnas.widgets.live_chart import LiveChart


class Page:
    """What the script of a chart does with messages, in Python."""

    def __init__(self) -> None:
        self.seq, self.order, self.layout = -1, [], {}
        self.traces: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self.missed = False

    def receive(self, content: dict[str, Any], buffers: Any) -> None:
        if content["type"] == "update" and content["seq"] != self.seq + 1:
            self.missed = True
            return
        if content["type"] == "snapshot":
            self.traces = {}
        self.seq = content["seq"]
        self.order = content.get("order", self.order)
        self.layout = content.get("layout", self.layout)
        for uid, change in content.get("traces", {}).items():
            if "columns" in change:
                self.traces[uid] = (change["spec"], {p: unpack(c, buffers) for p, c in change["columns"].items()})
            spec, columns = self.traces[uid]
            for path, column in change.get("append", {}).items():
                columns[path] = columns[path] + unpack(column, buffers)
            self.traces[uid] = (change.get("spec", spec), columns)
        self.traces = {uid: self.traces[uid] for uid in self.order}


def unpack(column: dict[str, Any], buffers: Any) -> list[Any]:
    if "buffer" in column:
        numbers = array("d")
        numbers.frombytes(bytes(buffers[column["buffer"]]))
        values = [None if math.isnan(value) else value for value in numbers]
    else:
        values = list(column["values"])
    width = column.get("width")
    return [values[at : at + width] for at in range(0, len(values), width)] if width else values


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], list[bytes]]]:
    messages: list[tuple[dict[str, Any], list[bytes]]] = []
    monkeypatch.setattr(LiveChart, "send", lambda chart, content, buffers=None: messages.append((content, buffers)))
    return messages


@pytest.fixture
def chart(sent: list[Any]) -> LiveChart:
    """A chart that a page has asked."""
    chart = LiveChart("Score of each trial")
    ask(chart, 0)
    sent.clear()
    return chart


def ask(chart: LiveChart, have: int, **more: Any) -> None:
    chart._handle_custom_msg({"have": have, **more}, [])


def snapshot(chart: LiveChart) -> Page:
    """What a page that opens now sees."""
    page = Page()
    state = chart.get_state("_snapshot")["_snapshot"]
    page.receive(state["content"], state["buffers"])
    return page


def line(x: list[Any], y: list[Any], generation: int | None = 0, uid: str = "a", **more: Any) -> dict[str, Any]:
    meta = {} if generation is None else {"meta": {"generation": generation}}
    return {"type": "scatter", "uid": uid, "x": x, "y": y, **meta, **more}


def test_only_what_was_added_is_sent(chart: LiveChart, sent: list[Any]):
    x, y = list(range(1000)), [0.5] * 1000
    chart.update({"data": [line(x, y)], "layout": {"title": "t"}})
    chart.update({"data": [line([*x, 1000, 1001], [*y, 1.5, 2.5])], "layout": {"title": "t"}})
    first, second = sent
    assert sum(map(len, first[1])) == 2 * 8 * 1000
    assert second[0].keys() == {"type", "seq", "traces"}
    assert second[0]["traces"]["a"].keys() == {"append"}
    assert unpack(second[0]["traces"]["a"]["append"]["y"], second[1]) == [1.5, 2.5]
    assert sum(map(len, second[1])) == 2 * 8 * 2


def test_nothing_is_sent_when_nothing_changed(chart: LiveChart, sent: list[Any]):
    figure = {
        "data": [line([1, None], [math.nan, 2]), {"type": "bar", "x": ["a", "b"], "y": [1, None]}],
        "layout": {"title": "t"},
    }
    for _ in range(3):
        chart.update(figure)
    assert len(sent) == 1
    chart.update({**figure, "layout": {"title": "u"}})
    assert sent[-1][0].keys() == {"type", "seq", "layout"}


@pytest.mark.parametrize(
    "trace",
    [
        line([1, 2, 3], [1, 2, 9], generation=1),  # told to be another one
        line([1], [1]),  # shorter
        line([1, 2, 3], [1, 2, "c"]),  # of another kind
        line([1, 2, 3], [1, 2, 3], generation=None),  # promises nothing
        line([1, 2, 3], [1, 2, 3], text=["a", "b", "c"]),  # a new column
    ],
    ids=["generation", "shorter", "kind", "no promise", "column"],
)
def test_a_trace_that_did_not_only_grow_is_sent_whole(chart: LiveChart, sent: list[Any], trace: dict[str, Any]):
    chart.update({"data": [line([1, 2], [1, 2])]})
    chart.update({"data": [trace]})
    assert sent[-1][0]["traces"]["a"].keys() == {"spec", "columns"}
    page = snapshot(chart)
    assert page.traces["a"][1]["y"] == trace["y"]


def test_a_new_name_does_not_send_the_points_again(chart: LiveChart, sent: list[Any]):
    chart.update({"data": [line([1, 2], [1, 2], name="best 1")]})
    chart.update({"data": [line([1, 2], [1, 2], name="best 2")]})
    assert sent[-1][0]["traces"] == {
        "a": {"spec": {"type": "scatter", "uid": "a", "meta": {"generation": 0}, "name": "best 2"}}
    }


def test_missing_numbers_are_gaps(chart: LiveChart):
    chart.update({"data": [line([0, 1, 2], [1.0, None, math.nan])]})
    chart.update({"data": [line([0, 1, 2, 3], [1.0, None, math.nan, None])]})
    assert snapshot(chart).traces["a"][1]["y"] == [1.0, None, None, None]


def test_arrays_of_numpy_matrices_and_nested_arrays(chart: LiveChart):
    heat = {
        "type": "heatmap",
        "uid": "h",
        "z": np.array([[1.0, np.nan], [3.0, 4.0]]),
        "x": ["a", "b"],
        "zmax": np.float64(4),
    }
    ragged = {"type": "heatmap", "uid": "r", "z": [[1.0], [2.0, math.inf]], "colorscale": [[0, "#000"], [1, "#fff"]]}
    marked = line([1, 2], [3, 4], uid="m", marker={"color": (0.5, 1), "size": 3})
    chart.update({"data": [heat, ragged, marked]})
    traces = snapshot(chart).traces
    assert traces["h"][1] == {"z": [[1.0, None], [3.0, 4.0]], "x": ["a", "b"]}
    assert traces["h"][0]["zmax"] == 4
    assert traces["r"][1] == {"z": [[1.0], [2.0, None]], "colorscale": [[0, "#000"], [1, "#fff"]]}
    assert traces["m"][0]["marker"] == {"size": 3}
    assert traces["m"][1]["marker.color"] == [0.5, 1]


def test_a_page_that_missed_something_gets_all_of_it(chart: LiveChart, sent: list[Any]):
    page = Page()
    for length in range(1, 6):
        chart.update({"data": [line(list(range(length)), list(range(length)))]})
    page.receive(*sent[-1])
    assert page.missed
    ask(chart, page.seq)
    page.receive(*sent[-1])
    assert page.traces["a"][1]["x"] == [0, 1, 2, 3, 4]
    ask(chart, page.seq)
    assert sent[-1][0] == {"type": "alive"}


def test_pages_that_lose_buffers_get_json(chart: LiveChart, sent: list[Any]):
    chart.update({"data": [line([1, 2], [1, None])]})
    ask(chart, -1, binary=False)
    content, buffers = sent[-1]
    assert buffers == []
    assert content["traces"]["a"]["columns"]["y"]["values"] == [1.0, None]
    chart.update({"data": [line([1, 2, 3], [1, None, 3])]})
    assert sent[-1][1] == []


def test_until_a_page_is_heard_all_of_it_is_sent_now_and_then(sent: list[Any]):
    chart = LiveChart("Score")
    for length in range(1, 18):
        chart.update({"data": [line(list(range(length)), list(range(length)))]})
    assert [content["seq"] for content, _ in sent if content["type"] == "snapshot"] == [1, 2, 4, 8, 16]


points = st.lists(st.one_of(st.none(), st.floats(-9, 9), st.text(max_size=2)), max_size=4)
steps = st.lists(
    st.tuples(st.sampled_from("abc"), points, st.booleans(), st.booleans()), max_size=12
)  # trace, points added, whether it begins anew, whether it is taken away


@settings(max_examples=60, deadline=None)
@given(steps, st.integers(0, 12))
def test_any_sequence_of_updates_is_reproduced(changes: list[Any], late: int):
    """By a page that was there from the start, by one that joins later, and by the state of the widget."""
    chart = LiveChart("Score")
    pages = [Page(), Page()]
    chart.send = lambda content, buffers=None: [page.receive(content, buffers) for page in listening]  # type: ignore[method-assign]
    listening = [pages[0]]
    pages[0] = listening[0] = snapshot(chart)
    traces: dict[str, dict[str, Any]] = {}
    for number, (uid, added, anew, away) in enumerate(changes):
        if number == late:
            pages[1] = snapshot(chart)
            listening.append(pages[1])
        if away:
            traces.pop(uid, None)
        else:
            old = traces.get(uid)
            generation = old["meta"]["generation"] if old else 0
            kept = [] if anew or not old else old["y"]
            traces[uid] = line([], [*kept, *added], generation + anew, uid)
        chart.update({"data": list(traces.values()), "layout": {"title": {"text": str(len(traces))}}})
    shown = [snapshot(chart), pages[0]] + ([pages[1]] if late < len(changes) else [])
    for page in shown:
        assert not page.missed
        assert page.order == list(traces)
        assert {uid: columns["y"] for uid, (_, columns) in page.traces.items()} == {
            u: t["y"] for u, t in traces.items()
        }
        if traces:
            assert page.layout == {"title": {"text": str(len(traces))}}
    chart.close()


def test_two_traces_with_one_uid_are_refused(chart: LiveChart):
    with pytest.raises(ValueError, match="uid of each trace must be its own, got"):
        chart.update({"data": [line([], []), line([], [])]})


def test_unknown_keywords_are_refused():
    with pytest.raises(TypeError):
        LiveChart("Score", heigth=3)  # type: ignore[call-arg]


def test_updates_after_closing_are_harmless():
    chart = LiveChart("Score")
    chart.close()
    chart.update({"data": [line([1], [1])]})


def test_the_bundle_is_shared_and_made_again_when_it_was_closed():
    one, other = LiveChart("a"), LiveChart("b")
    assert one._plotly is other._plotly
    one._plotly.close()
    assert LiveChart("c")._plotly is not one._plotly


def test_the_bundle_has_its_licence_and_each_type_of_trace_that_charts_use():
    static = files("nbnas.widgets") / "static"
    bundle = (static / "plotly-cartesian.min.js").read_text(encoding="utf-8")
    assert bundle.startswith("/**\n* plotly.js (cartesian - minified) v4.1.1")
    assert "Licensed under the MIT license" in bundle[:200]
    assert "Permission is hereby granted" in (static / "LICENSE-plotly").read_text(encoding="utf-8")
    inside = {name for name in TRACES if re.search(rf'moduleType:"trace",name:"{name}"', bundle)}
    used = {
        kind
        for source in files("nbnas.charts").iterdir()
        if source.name.endswith(".py")
        for kind in re.findall(r'"type": "(\w+)"', source.read_text(encoding="utf-8"))
    } & TRACES
    assert used | {"scatter", "bar", "heatmap", "box"} <= inside
    assert "parcoords" not in inside


TRACES = {
    "bar", "box", "contour", "heatmap", "histogram", "histogram2d", "image", "parcoords", "pie", "sankey", "scatter",
    "scatter3d", "scattergl", "splom", "surface", "violin",
}  # fmt: skip


def test_the_cell_graph_is_sent_when_it_changes():
    view = CellGraphView("<svg/>")
    changes = []
    view.observe(changes.append, "svg")
    view.update("<svg/>")
    view.update('<svg width="1"/>')
    assert [change["new"] for change in changes] == ['<svg width="1"/>']
