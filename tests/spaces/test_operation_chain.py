"""Chains of one operation a layer: counting, twins, files, drawing."""

from nbnas.spaces import Head, Network, OperationChain, SearchSpace, Stem

SPACE = SearchSpace("chain", Network((Stem(4), OperationChain(name="body"), Head())))


def test_sixty_four_architectures_are_forty_without_their_skips():
    """1 + 3 + 9 + 27 words over three operations that are no skip."""
    every = list(SPACE.enumerate())
    assert SPACE.size == len(every) == 4**3
    assert len({SPACE.canonical(one) for one in every}) == 1 + 3 + 9 + 27


def test_skips_vanish_and_order_stays():
    def form(*names):
        return SPACE.component.children()["body"].canonical({f"layer_{k}": name for k, name in enumerate(names, 1)})

    assert form("skip", "conv_3x3", "avg_pool_3x3") == form("conv_3x3", "skip", "avg_pool_3x3")
    assert form("conv_3x3", "avg_pool_3x3", "skip") != form("avg_pool_3x3", "conv_3x3", "skip")
    assert form("skip", "skip", "skip") == ""


def test_a_file_gives_the_same_space(tmp_path):
    SPACE.save(tmp_path / "chain.json")
    assert SearchSpace.load(tmp_path / "chain.json") == SPACE


def test_the_drawing_has_an_edge_a_layer_that_names_its_decision():
    graph = SPACE.graph(SPACE.architecture("3-0-1"))
    edges = {data["decision"]: data["operation"] for _, _, data in graph.edges(data=True) if "decision" in data}
    assert edges == {"body/layer_1": "conv_3x3", "body/layer_2": "skip", "body/layer_3": "avg_pool_3x3"}
