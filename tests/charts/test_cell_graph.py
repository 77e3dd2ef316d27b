"""Nothing covers a label, whatever the graph; all text is data."""

from __future__ import annotations

from itertools import combinations, pairwise
from xml.etree import ElementTree

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbnas.charts.cell_graph import draw, layout
from nbnas.charts.cell_layout import WIDE, XY, Box, CellLayout, parted
from nbnas.charts.palette import CATEGORICAL, NEUTRAL, operation_colour, sequential
from nbnas.errors import SpaceError
from tests.fixtures import graphs

SVG = "{http://www.w3.org/2000/svg}"
FIXTURES = {
    "darts supernet": graphs.darts_supernet(0.5),
    "DARTS_V2": graphs.darts_v2(),
    "NASNet-A": graphs.nasnet_a(),
    "NAS-Bench-201": graphs.nas_bench_201(),
    "long chain": graphs.chain(20),
    "two panels": graphs.panels(normal=graphs.darts_v2(), reduction=graphs.nasnet_a()),
    "two supernets": graphs.panels(normal=graphs.darts_supernet(0.2), reduction=graphs.darts_supernet(0.8)),
    "two chains": graphs.panels(one=graphs.chain(20), other=graphs.chain(2)),
}
each_fixture = pytest.mark.parametrize("graph", FIXTURES.values(), ids=FIXTURES)


def overlap(one: Box, other: Box) -> bool:
    return (
        abs(one.x - other.x) < (one.width + other.width) / 2 and abs(one.y - other.y) < (one.height + other.height) / 2
    )


def points(curve: tuple[XY, ...]) -> list[XY]:
    """Points on a chain of cubic Bézier segments."""
    found = []
    for at in range(0, len(curve) - 1, 3):
        a, b, c, d = curve[at : at + 4]
        for t in (step / 12 for step in range(13)):
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
            ends = (a, b, c, d)
            found.append(
                XY(
                    sum(w * p.x for w, p in zip(weights, ends, strict=True)),
                    sum(w * p.y for w, p in zip(weights, ends, strict=True)),
                )
            )
    return found


def check(placed: CellLayout) -> None:
    """No box covers another; no edge runs over the label of another; all of it is within the picture."""
    labels = [(edge, edge.label) for edge in placed.edges if edge.label]
    boxes = [node.box for node in placed.nodes] + [label for _, label in labels]
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]
    for edge in placed.edges:
        run = points(edge.curve)
        for other, label in labels:
            inside = [p for p in run if overlap(label, Box(p.x, p.y, 0, 0))]
            assert (edge is other) == bool(inside), (edge.text, other.text)
        assert all(-20 <= p.x <= placed.width and -20 <= p.y <= placed.height for p in run)
    boxes += [Box(at.x + 4 * len(text), at.y, 8 * len(text), 20) for text, at in placed.titles]
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]
    assert all(b.x - b.width / 2 >= 0 and b.y - b.height / 2 >= 0 for b in boxes)
    assert all(b.x + b.width / 2 <= placed.width and b.y + b.height / 2 <= placed.height for b in boxes)


@each_fixture
def test_nothing_covers_a_label(graph: networkx.DiGraph):
    placed = layout(graph)
    assert len(placed.edges) == graph.number_of_edges()
    assert len([edge for edge in placed.edges if edge.label]) == len(networkx.get_edge_attributes(graph, "operation"))
    check(placed)


def test_the_check_can_fail():
    placed = layout(graphs.nas_bench_201())
    one, other = placed.edges[:2]
    with pytest.raises(AssertionError):
        check(placed._replace(edges=(one, other._replace(label=one.label), *placed.edges[2:])))


@st.composite
def acyclic(draw) -> networkx.MultiDiGraph:
    count = draw(st.integers(1, 9))
    graph = networkx.MultiDiGraph()
    names = draw(st.lists(st.text(max_size=12), min_size=count, max_size=count))
    for node, name in enumerate(names):
        graph.add_node(node, label=name)
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    for one, other in draw(st.lists(ends, max_size=18)):
        if one != other:
            label = draw(st.one_of(st.none(), st.text(max_size=40)))
            graph.add_edge(min(one, other), max(one, other), **({} if label is None else {"operation": label}))
    return graph


@settings(max_examples=60, deadline=None)
@given(acyclic())
def test_nothing_covers_a_label_in_any_graph(graph: networkx.MultiDiGraph):
    check(layout(graph))
    ElementTree.fromstring(draw(graph))


def test_wide_graphs_run_downwards_and_long_chains_in_rows():
    assert layout(graphs.darts_supernet()).height > layout(graphs.darts_v2()).height
    chain = layout(graphs.chain(20))
    assert chain.width < WIDE + 60
    assert len({node.box.y for node in chain.nodes}) > 2
    assert [node.key for node in sorted(chain.nodes, key=lambda node: (node.box.y, node.box.x))] == list(range(21))


def test_panels_stand_apart_in_their_order_under_titles():
    placed = layout(FIXTURES["two panels"])
    assert [title.text for title in placed.titles] == ["Normal", "Reduction"]
    tops = [title.at.y for title in placed.titles]
    bottom = {
        panel: max(node.box.y + node.box.height / 2 for node in placed.nodes if node.panel == panel)
        for panel in ("normal", "reduction")
    }
    assert tops[0] < bottom["normal"] < tops[1] < bottom["reduction"]
    assert placed.width < WIDE
    described = ElementTree.fromstring(draw(placed)).findtext(f"{SVG}desc")
    assert "; normal: c_{k-2} → 0: sep_conv_3x3; " in described
    assert "; reduction: c_{k-2} → 0: sep_conv_3x3; " in described
    texts = {text.text: text for text in ElementTree.fromstring(draw(placed)).iter(f"{SVG}text")}
    assert texts["Normal"].get("class") == texts["Reduction"].get("class") == "panel"


def test_small_panels_stand_beside_each_other():
    small = layout(graphs.panels(one=graphs.chain(1), other=graphs.chain(1)))
    assert len({title.at.y for title in small.titles}) == 1
    assert small.width <= WIDE


def test_a_supernet_in_panels_runs_to_the_right():
    """Two of them, one below the other, are the larger on a screen so."""
    placed = layout(FIXTURES["two supernets"])
    assert placed.width > placed.height
    for panel in ("normal", "reduction"):
        across = [node.box.x for node in placed.nodes if node.panel == panel]
        assert across == sorted(across)


def test_panels_that_an_edge_joins_are_one_drawing():
    graph = networkx.DiGraph([(0, 1), (1, 2)])
    for node, panel in enumerate(("a", "a", "b")):
        graph.nodes[node]["panel"] = panel
    assert layout(graph).titles == ()
    graph.remove_edge(1, 2)
    assert len(layout(graph).titles) == 2
    one = graphs.panels(alone=graphs.nas_bench_201())
    assert layout(one).titles == ()


def test_subscripts_of_labels_are_set_low():
    root = ElementTree.fromstring(draw(graphs.darts_v2()))
    spans = [(span.get("class"), span.text) for span in root.iter(f"{SVG}tspan")]
    assert spans[:2] == [("base", "c"), ("sub", "k−2")]
    assert ("sub", "k") in spans
    assert [parted(text) for text in ("c_{k-1}", "2", "a_b", "_{k}", "a_{b}c")] == [
        ("c", "k−1"), ("2", ""), ("a_b", ""), ("_{k}", ""), ("a_{b}c", ""),
    ]  # fmt: skip


def test_what_is_open_is_grey():
    graph = networkx.DiGraph()
    graph.add_edge(0, 1, operation="8 options")
    (path,) = (g for g in ElementTree.fromstring(draw(graph)).iter(f"{SVG}g") if g.find(f"{SVG}path") is not None)
    assert path.get("stroke") == NEUTRAL


def test_nothing_moves_while_a_distribution_is_learned():
    early, late = graphs.darts_supernet(0.0), graphs.darts_supernet(1.0)
    for _, _, edge in late.edges(data=True):
        if "options" in edge:
            names = list(edge["options"])
            edge["options"] = dict(zip(names, [*list(edge["options"].values())[1:], 0.0], strict=True))
            del edge["operation"], edge["weight"]
    for _, _, edge in early.edges(data=True):
        edge.pop("operation", None)
    one, other = layout(early), layout(late)
    assert [edge.text for edge in one.edges] != [edge.text for edge in other.edges]
    assert [(edge.curve, edge.label) for edge in one.edges] == [(edge.curve, edge.label) for edge in other.edges]


def test_the_most_probable_option_is_shown_with_its_probability():
    graph = networkx.DiGraph()
    graph.add_edge(0, 1, options={"skip": 0.38, "conv_3x3": 0.62})
    graph.add_edge(1, 2, operation="skip", options={"skip": 0.38, "conv_3x3": 0.62}, weight=0.5)
    one, other = layout(graph).edges
    assert (one.text, one.weight) == ("conv_3x3 .62", 0.62)
    assert (other.text, other.weight) == ("skip .38", 0.5)
    widths = [float(path.get("stroke-width", "nan")) for path in ElementTree.fromstring(draw(graph)).iter(f"{SVG}path")]
    assert widths == pytest.approx([1 + 7 * 0.62, 1 + 7 * 0.5])


def test_text_is_data():
    graph = networkx.DiGraph()
    graph.add_node(0, label="<script>alert(1)</script>")
    graph.add_edge(0, 1, operation='"><img src=x onerror=f()>')
    graph.add_edge(1, 2, operation="&amp;\x00\ud800")
    root = ElementTree.fromstring(draw(graph, "<b>t</b>"))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "style", "g", "path", "polygon", "rect", "text",
    }  # fmt: skip
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts[0] == '"><img src=x onerror=f()>'
    assert "<script>alert(1)</script>" in texts
    assert root.findtext(f"{SVG}title") == "<b>t</b>"


@each_fixture
def test_it_says_what_is_seen(graph: networkx.DiGraph):
    root = ElementTree.fromstring(draw(graph))
    assert root.get("role") == "img"
    counts = f"{len(graph)} nodes, {graph.number_of_edges()} edges"
    assert root.findtext(f"{SVG}title") == f"Cell graph: {counts}"
    description = root.findtext(f"{SVG}desc") or ""
    operations = set(networkx.get_edge_attributes(graph, "operation").values())
    assert all(operation in description for operation in operations)


def test_an_absent_edge_is_faint():
    absent = [
        g for g in ElementTree.fromstring(draw(graphs.nas_bench_201())).iter(f"{SVG}g") if g.get("class") == "none"
    ]
    assert [g.get("stroke") for g in absent] == [NEUTRAL, NEUTRAL]  # its line and its label


def test_bounds():
    assert layout(networkx.DiGraph()).nodes == ()
    cycle = networkx.DiGraph([(0, 1), (1, 0)])
    for wrong in (cycle, networkx.Graph([(0, 1)])):
        with pytest.raises(SpaceError, match="without cycles"):
            draw(wrong)
    long = draw(networkx.DiGraph([(0, node) for node in range(1, 100)]))
    assert "and 39 more edges" in long


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in (b / 255 for b in bytes.fromhex(colour[1:]))
        ]
        return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_read_on_white_and_on_dark():
    colours = {*CATEGORICAL, NEUTRAL, *(sequential(n / 20) for n in range(21))}
    for colour in colours:
        assert min(contrast(colour, "#ffffff"), contrast(colour, "#111111")) >= 3, colour


def test_colours_are_stable():
    assert operation_colour("conv_3x3 64") == operation_colour("conv_3x3")
    assert operation_colour("my_operation") == "#c772a4"  # in every process
    assert sequential(-1) == sequential(0) != sequential(1) == sequential(2)
    values = [int(sequential(n / 10)[1:3], 16) for n in range(11)]
    assert all(one < other for one, other in pairwise(values))
