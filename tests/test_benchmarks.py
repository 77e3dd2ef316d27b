"""The benchmarks on tiny sizes: that they measure what they say. Their figures stand in benchmarks/README.md."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import nbnas as nb
from nbnas.evaluators import Table
from nbnas.spaces import nas_bench_201

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


def test_absent_data_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("NBNAS_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match="NBNAS_DATA must be a folder with nasbench201/nb201"):
        load("nas_bench_201").data_folder()


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
