"""The benchmarks on tiny sizes: that they measure what they say. Their figures stand in benchmarks/README.md."""

import importlib.util
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

import nbnas as nb
from nbnas.evaluators import Table
from nbnas.spaces import nas_bench_201
from nbnas.spaces.catalogue.graph import from_links

FOLDER = Path(__file__).parents[1] / "benchmarks"


def load(name: str):
    """A benchmark as a module."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def space():
    return nas_bench_201()


@pytest.fixture(scope="module")
def table(space):
    """Every query costs 10 s; accuracies after 12 and 200 epochs are the rank of the architecture."""
    bench = load("nas_bench_201")
    texts = [str(architecture) for architecture in space.enumerate()]
    rank = np.arange(len(texts)) / len(texts)
    columns = {name: rank for name in (bench.SCORE, *bench.REPORTED)}
    return Table(texts, {**columns, bench.COST: np.full(len(texts), 10.0)})


def test_budget_ends_before_the_query_that_would_exceed_it(space, table):
    bench = load("nas_bench_201")
    for method in bench.METHODS.values():
        assert bench.search(method.settings, space, table, 0, budget=120.0).queries == 12
        assert bench.search(method.settings, space, table, 0, budget=129.0).queries == 12


def test_found_architecture_is_the_best_that_was_queried(space, table):
    bench = load("nas_bench_201")
    settings = nb.strategies.RandomSearch()
    strategy = settings.bind(space, bench.generator(3, "strategy"))
    drawn = [table.rows[str(strategy.ask().architecture)] for _ in range(25)]
    found = bench.search(settings, space, table, 3, budget=250.0).found["C10 test"]
    assert found == max(drawn) / len(table.rows)


def test_published_mutation_draws_the_node_first(space):
    bench = load("nas_bench_201")
    node_first = bench.NodeFirst(space.name, space.component)
    rng = np.random.default_rng(0)
    parent = space.sample(rng)
    counts = np.zeros(6)
    for _ in range(3000):
        child = node_first.mutate(parent, rng)
        space.validate(child)
        changed = [place for place in range(6) if child.choices[place] != parent.choices[place]]
        assert len(changed) == 1
        counts[changed[0]] += 1
    assert counts / 3000 == pytest.approx([1 / 3, 1 / 6, 1 / 6, 1 / 9, 1 / 9, 1 / 9], abs=0.03)


def test_published_table_has_the_published_optimum(data, space):
    bench = load("nas_bench_201")
    read = bench.load(space, data / "nasbench201" / "nb201.npz")
    assert len(read.rows) == 15_625
    for name, best in bench.OPTIMUM.items():
        assert f"{read.metrics[name].max():.2f}" == best
    result = bench.search(nb.strategies.RandomSearch(), space, read, 0)
    assert 80 < result.queries < 140


def test_settings_are_tried_on_seeds_that_the_table_does_not_report():
    bench = load("nas_bench_201")
    assert bench.TRIED_SEEDS[0] >= max(method.seeds for method in bench.METHODS.values())
    assert all(method.seeds == len(bench.TRIED_SEEDS) for method in bench.TRIED.values())


@pytest.mark.parametrize(
    ("name", "table"), [("nas_bench_201", "nasbench201/nb201"), ("nas_bench_graph", "nasbench_gr")]
)
def test_absent_data_are_named(monkeypatch, tmp_path, name, table):
    monkeypatch.setenv("NBNAS_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=f"NBNAS_DATA must be a folder with {table}"):
        bench = load(name)
        (bench.data_folder if name == "nas_bench_201" else bench.data_file)()


@pytest.fixture(scope="module")
def graph_bench():
    """A table with a row for each pair of operations at the first two nodes: valid is the row, test falls with it."""
    bench = load("nas_bench_graph")
    lookup = np.zeros((2, 3, 4, 9, 9, 9, 9), dtype=np.int16)
    lookup += np.arange(81, dtype=np.int16).reshape(9, 9, 1, 1)
    rows = np.arange(81.0)
    return bench.Bench(lookup, rows, 90 - rows)


def test_random_search_over_a_whole_table_gives_the_test_of_the_best_by_validation(data):
    """And not the best test, which the methods of the paper are credited with."""
    bench = load("nas_bench_graph")
    read = bench.load(data / "nasbench_graph" / "nbgraph.npz", "cora")
    operations = nb.spaces.graph().component.operations[:2]
    space = nb.spaces.graph(operations=operations)  # 24 · 2^4 ways to write a network
    rows = np.unique(read.lookup[..., :2, :2, :2, :2])
    best = rows[read.valid[rows].argmax()]
    found = bench.search(nb.strategies.RandomSearch(), space, read, seed=0, queries=6000)
    assert found.different == len(rows)
    assert (found.valid, found.test) == (read.valid[best], read.test[best])
    assert found.best_test == read.test[rows].max() > found.test


def test_graph_rows_are_those_of_links_and_operations(data):
    """The row of an architecture is that of the links and operations that the table itself names."""
    bench = load("nas_bench_graph")
    path = data / "nasbench_graph" / "nbgraph.npz"
    read, space = bench.load(path, "arxiv"), nb.spaces.graph()
    names = space.component.operations
    with np.load(path) as arrays:
        links, operations = arrays["link"].tolist(), arrays["ops"].tolist()
    for row in range(0, len(links), 131):
        named = [names[place] for place in operations[row]]
        assert read.row(from_links(space, links[row], named)) == row
    assert read.row(from_links(space, (0, 0, 1, 2), ["skip"] * 4)) == -1
    assert read.written().sum() == 24 * 9**4 - 24


def test_published_graph_tables_have_the_published_optimum(data):
    bench = load("nas_bench_graph")
    read = bench.load(data / "nasbench_graph" / "nbgraph.npz", "cora")
    assert f"{read.test.max():.2f}" == "83.13"
    mean, deviation = bench.best_of_draws(read, np.ones(len(read.valid)))
    assert mean == pytest.approx(80.05, abs=0.2)  # published: 80.05 ± 1.19
    assert deviation == pytest.approx(1.19, abs=0.1)


def test_expectation_of_the_best_of_draws_is_that_of_all_draws(graph_bench):
    bench = load("nas_bench_graph")
    tied = bench.Bench(graph_bench.lookup, np.array([1.0, 2.0, 2.0]), np.array([5.0, 7.0, 11.0]))
    weights = np.array([0.5, 0.2, 0.3])
    expected = [0.0, 0.0]
    for drawn in itertools.product(range(3), repeat=3):
        test = tied.test[drawn[int(np.argmax(tied.valid[list(drawn)]))]]
        expected[0] += weights[list(drawn)].prod() * test
        expected[1] += weights[list(drawn)].prod() * test**2
    mean, deviation = bench.best_of_draws(tied, 7 * weights, draws=3)
    assert mean == pytest.approx(expected[0])
    assert deviation == pytest.approx((expected[1] - expected[0] ** 2) ** 0.5)


def test_every_proposal_is_a_query_and_a_missing_row_a_failure(graph_bench):
    bench = load("nas_bench_graph")
    lookup = graph_bench.lookup.copy()
    lookup[..., :8, :, :, :] = -1  # the first operation must be skip, the last one
    rare = bench.Bench(lookup, graph_bench.valid, graph_bench.test)
    space = nb.spaces.graph()
    for seed in range(2):
        strategy = nb.strategies.RandomSearch().bind(space, bench.generator(seed, "strategy"))
        drawn = [row for _ in range(100) if (row := rare.row(strategy.ask().architecture)) >= 0]
        found = bench.search(nb.strategies.RandomSearch(), space, rare, seed)
        assert 0 < len(drawn) < 30
        assert found == bench.Result(max(drawn), 90 - max(drawn), 90 - min(drawn), len(set(drawn)))


def test_all_quick_methods_search_the_graph_table(graph_bench):
    bench = load("nas_bench_graph")
    space = nb.spaces.graph()
    for method in bench.METHODS.values():
        if not method.slow:
            found = [bench.search(method.settings, space, graph_bench, seed) for seed in range(2)]
            assert all(result.test == 90 - result.valid for result in found)
            assert bench.summary(found)["valid"]["mean"] > 70


def test_paired_interval_is_the_t_interval():
    digits = load("digits")
    mean, low, high = digits.paired([0.9, 0.8, 0.85], [0.8, 0.75, 0.7])  # differences 0.1, 0.05, 0.15
    assert mean == pytest.approx(0.1)
    assert (low, high) == pytest.approx((0.1 - 4.302653 * 0.05 / 3**0.5, 0.1 + 4.302653 * 0.05 / 3**0.5))
    assert digits.verdict(digits.Paired(0.1, -0.02, 0.22)).endswith("not clear of 0")
    assert digits.verdict(digits.Paired(0.1, 0.02, 0.18)).endswith("], above 0")


def test_digits_rows_are_measured_on_the_same_test_split():
    digits = load("digits")
    task = nb.tasks.digits(split_seed=7)
    baseline = digits.logistic_regression(task)
    quick = digits.Method(nb.strategies.RandomSearch(), nb.evaluators.Training(epochs=1), nb.Budget(trials=2))
    found, architecture = digits.searched(quick, task, seed=7, retrain_epochs=2)
    items = len(task.load().test.y)
    assert baseline > 0.93
    assert found > 0.3
    assert len(architecture.split()) == 6
    for accuracy in (baseline, found):
        assert accuracy * items == pytest.approx(round(accuracy * items))


def test_ask_tell_measures_every_loop():
    bench = load("ask_tell")
    seconds = bench.measure(trials=120, repeats=1)
    assert all(value > 0 for value in seconds.values())
    assert len(bench.markdown(seconds, 120).splitlines()) == 2 + len(seconds)


def test_importing_nbnas_brings_no_torch():
    bench = load("import_time")
    assert not bench.brings_torch()
    assert bench.brings_torch(bench.CONTROL)
    assert all(value > 0 for value in bench.measure(repeats=1))


def test_graph_convolutions_are_trained_and_read_at_the_best_valid_loss():
    """Noisy features, and edges that tell communities; where edges do not tell anything, it knows less."""
    bench = load("cora")
    found = {}
    for within in (0.9, 0.25):
        task = nb.tasks.communities(nodes=400, noise=1.5, within=within).bind("cpu", with_test=True)
        found[within] = bench.accuracy(task, seed=0, epochs=60)
    assert found[0.9] > 0.85
    assert found[0.25] < 0.7


def test_malformed_spaces_are_read_or_refused():
    """A thousand of the ten thousand, and a control: what is not a `SpaceError` ends the campaign."""
    bench = load("bad_spaces")
    found, _, largest = bench.campaign(1000, seed=1)
    assert found.total() == 1000
    assert min(found["accepted"], found["refused"]) >= 20
    assert largest < 200e6
    original = bench.SearchSpace.from_json
    for broken, said in ((KeyError("colour"), KeyError), (bench.SpaceError("without its name"), AssertionError)):

        def fails(value, where="space", broken=broken):
            if value.get("dims") == "wrong":
                raise broken
            return original(value, where)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bench.SearchSpace, "from_json", fails)
            with pytest.raises(said):
                bench.read(b'{"dims": "wrong"}')


def test_the_supernet_benchmark_compares_two_steps_that_learn():
    bench = load("supernet")
    found, seconds = bench.ratios("nas-bench-201", 1, shrink=8)
    assert len(found) == 1
    assert min(*found, seconds) > 0


def test_honesty_is_measured_in_epochs_and_the_hessian_as_often_as_it_is_due():
    bench = load("honesty")
    space = nb.spaces.nas_bench_201(channels=2, cells=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "SEARCHES", {"tiny": lambda: (space, nb.tasks.digits())})
        found = bench.shares("tiny", 1)
    assert all(value > 0 for value in found.values())
    assert found["scheduled"] == pytest.approx(found["eigenvalue"] * 21 / 60)  # 8 batches: epochs 1, 3, 6, …, 60
