"""Tensors, batches, halves, loss; and that a search cannot reach test."""

import math
from types import ModuleType

import numpy as np
import pytest
import torch

from nbnas.errors import TaskError
from nbnas.tasks import Data, Graph, Split, characters, communities, digits, from_arrays, topics, wine
from nbnas.tasks.bound import BoundTask, TensorSplit, accuracy, resolve_device

CPU = torch.device("cpu")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def numbered(items, valid=3):
    """Data whose items say their own number."""
    parts = {
        name: Split(np.arange(start, start + n, dtype=np.float32).reshape(n, 1, 1), np.arange(n) % 2)
        for name, start, n in (("train", 0, items), ("valid", 1000, valid), ("test", 2000, 4))
    }
    return Data(**parts, classes=2, labels=("even", "odd"))


def bound(items=11):
    return BoundTask(numbered(items), CPU)


def numbers(batches):
    return [[int(value) for value in batch.x.flatten()] for batch in batches]


def flat(lists):
    return [number for numbers in lists for number in numbers]


# --- test is out of reach ---------------------------------------------------------------------------------------------


def reachable(root):
    """Every object that attributes, properties, items and closures of methods lead to; code and modules left aside."""
    seen, queue = {}, [root]
    while queue:
        value = queue.pop()
        if id(value) in seen or isinstance(value, type | str | bytes | int | float | None | torch.device | ModuleType):
            continue
        seen[id(value)] = value
        if isinstance(value, np.ndarray):
            queue.append(value.base)
        if isinstance(value, torch.Tensor | np.ndarray):
            continue
        if isinstance(value, dict):
            queue += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            queue += value
        for name in dir(value):
            if name.startswith("__") and name != "__dict__":
                continue
            try:
                attribute = getattr(value, name)
            except (TaskError, AttributeError):
                continue
            if not callable(attribute):
                queue.append(attribute)
            queue += [cell.cell_contents for cell in getattr(attribute, "__closure__", None) or ()]
    return list(seen.values())


def rows_in(found, rows):
    """Which rows occur in the memory behind any tensor or array, whatever part of it the tensor shows."""
    memory = [
        torch.empty(0, dtype=torch.uint8).set_(value.untyped_storage()).numpy().tobytes()
        if isinstance(value, torch.Tensor)
        else value.tobytes()
        for value in found
        if isinstance(value, torch.Tensor | np.ndarray)
    ]
    assert memory
    return [row for row in rows if any(row.tobytes() in chunk for chunk in memory)]


@pytest.mark.parametrize("own", [False, True], ids=["digits", "arrays"])
def test_a_search_cannot_reach_test(own):
    if own:
        rng = np.random.default_rng(0)
        task = from_arrays(rng.normal(size=(60, 12)), np.arange(60) % 3)
    else:
        task = digits()
    data = task.load()
    known = {row.tobytes() for part in (data.train, data.valid) for row in part.x}
    rows = [row for row in data.test.x if row.tobytes() not in known]
    assert len(rows) > 0.9 * len(data.test.x)

    search, report = task.bind(), task.bind(with_test=True)
    with pytest.raises(TaskError, match="a search never reads test"):
        _ = search.test
    assert rows_in(reachable(search), rows) == []
    # The control: the same walk finds test where it is, and train in both.
    assert len(rows_in(reachable(report), rows)) == len(rows)
    assert len(rows_in(reachable(search), data.train.x[:5])) == 5
    assert torch.equal(report.test.x, torch.tensor(data.test.x))


def test_tensors_do_not_share_memory_with_the_data():
    data = numbered(5)
    before = data.train.x.copy()
    BoundTask(data, CPU).train.x.zero_()
    assert np.array_equal(data.train.x, before)


# --- shape ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "layout", "shape", "dims"),
    [
        (np.zeros((20, 6, 7)), None, (1, 6, 7), 2),
        (np.zeros((20, 6)), None, (1, 6), 1),
        (np.zeros((20, 6)), "nf", (6,), 0),
    ],
)
def test_input_shape_and_dims(x, layout, shape, dims):
    task = from_arrays(x, [0, 1] * 10, layout=layout).bind()
    assert (task.input_shape, task.dims, task.classes) == (shape, dims, 2)
    assert task.train.x.shape[1:] == shape
    assert (task.train.x.dtype, task.train.y.dtype) == (torch.float32, torch.int64)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (digits(), ("values", "item", (1, 8, 8), 2, None, None)),
        (wine(), ("values", "item", (13,), 0, None, None)),
        (topics(), ("tokens", "item", (24,), 1, 500, None)),
        (characters(), ("tokens", "position", (32,), 1, 64, None)),
        (communities(), ("nodes", "item", (), 0, None, (1000, 4))),
    ],
)
def test_what_a_network_must_know(task, expected):
    bound_task, data = task.bind(), task.load()
    graph = bound_task.graph
    found = bound_task.inputs, bound_task.targets, bound_task.input_shape, bound_task.dims, bound_task.vocabulary
    assert (*found, graph and tuple(graph.features.shape)) == expected
    assert bound_task.train.x.dtype == (torch.float32 if expected[0] == "values" else torch.int64)
    assert torch.equal(bound_task.train.x, torch.tensor(data.train.x))
    assert torch.equal(bound_task.train.y, torch.tensor(data.train.y))
    if graph is not None:
        assert torch.equal(graph.features, torch.tensor(data.graph.features))
        assert torch.equal(graph.edges, torch.tensor(data.graph.edges))


def test_the_binding_of_a_search_has_no_classes_of_test_nodes():
    y = {"train": 3, "valid": 5, "test": 7}
    parts = {
        name: Split(np.array([2 * index, 2 * index + 1]), np.array([label, label]))
        for index, (name, label) in enumerate(y.items())
    }
    graph = Graph(np.zeros((6, 2), np.float32), np.zeros((2, 0), np.int64))
    data = Data(**parts, classes=8, labels=tuple("abcdefgh"), graph=graph)
    row = np.full(2, y["test"])
    assert rows_in(reachable(BoundTask(data, CPU)), [row]) == []
    assert rows_in(reachable(BoundTask(data, CPU, with_test=True)), [row]) == [row]


# --- batches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("generator", [None, 7], ids=["in-order", "shuffled"])
@pytest.mark.parametrize("size", [1, 3, 5, 11, 50])
def test_an_epoch_has_every_item_once_with_its_label(size, generator):
    task = bound(11)
    batches = list(task.batches(task.train, size, generator and seeded(generator)))
    assert sorted(flat(numbers(batches))) == list(range(11))
    assert [len(batch.y) for batch in batches] == [size] * (11 // size) + ([11 % size] if 11 % size else [])
    for x, y in batches:
        assert torch.equal(x.flatten().long() % 2, y)
    if generator is None:
        assert flat(numbers(batches)) == list(range(11))


def test_drop_last_leaves_out_the_smaller_batch():
    task = bound(11)
    batches = list(task.batches(task.train, 4, seeded(), drop_last=True))
    assert [len(batch.y) for batch in batches] == [4, 4]
    assert len(set(flat(numbers(batches)))) == 8
    assert numbers(task.batches(task.train, 4, None, drop_last=True)) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_the_order_is_a_function_of_the_generator_only():
    task = bound(50)
    torch.manual_seed(0)
    first = numbers(task.batches(task.train, 8, seeded(1)))
    torch.manual_seed(99)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    again = numbers(task.batches(task.train, 8, seeded(1)))
    assert again == first
    assert torch.equal(torch.get_rng_state(), state), "the global generator was used"
    assert np.array_equal(np.random.get_state()[1], numpy_state)
    assert numbers(task.batches(task.train, 8, seeded(2))) != first
    # The batch size cuts one and the same order.
    assert flat(numbers(task.batches(task.train, 3, seeded(1)))) == flat(first)


def test_epochs_of_one_generator_differ_and_resume_from_its_state():
    task, generator = bound(50), seeded(1)
    one = numbers(task.batches(task.train, 8, generator))
    state = generator.get_state()
    two = numbers(task.batches(task.train, 8, generator))
    assert one != two
    resumed = torch.Generator()
    resumed.set_state(state)
    assert numbers(task.batches(task.train, 8, resumed)) == two


def test_the_order_is_drawn_at_the_call_whoever_reads_first():
    task, generator = bound(50), seeded(1)
    first, second = (task.batches(task.train, 8, generator) for _ in range(2))
    got_second, got_first = numbers(second), numbers(first)
    reference = seeded(1)
    assert got_first == numbers(task.batches(task.train, 8, reference))
    assert got_second == numbers(task.batches(task.train, 8, reference))


@pytest.mark.parametrize("generator", [None, 3])
def test_what_a_network_does_to_a_batch_in_place_stays_in_the_batch(generator):
    task = bound(11)
    before = task.train.x.clone(), task.train.y.clone()
    for x, y in task.batches(task.train, 4, generator and seeded(generator)):
        x.zero_()
        y.zero_()
    assert torch.equal(task.train.x, before[0])
    assert torch.equal(task.train.y, before[1])


@pytest.mark.parametrize(
    ("size", "drop_last", "message"),
    [
        (0, False, "batch size must be 1 or more, got 0"),
        (-1, False, "batch size must be 1 or more, got -1"),
        (12, True, r"batch size must be in 1\.\.11, the items of the split, with drop_last, got 12"),
    ],
)
def test_wrong_batch_sizes_are_refused_at_the_call(size, drop_last, message):
    task = bound(11)
    with pytest.raises(TaskError, match=message):
        task.batches(task.train, size, seeded(), drop_last=drop_last)


# --- halves -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("items", [2, 10, 11])
def test_halves_are_equal_disjoint_and_of_train(items):
    task = bound(items)
    halves = task.halves(seeded())
    first, second = ({int(value) for value in half.x.flatten()} for half in halves)
    assert len(first) == len(second) == items // 2
    assert not first & second
    assert first | second <= set(range(items))
    assert len(set(range(items)) - first - second) == items % 2
    for x, y in halves:
        assert torch.equal(x.flatten().long() % 2, y)


def test_halves_are_random_and_a_function_of_the_generator():
    task = bound(40)

    def first(seed):
        return [int(value) for value in task.halves(seeded(seed))[0].x.flatten()]

    assert first(0) == first(0)
    assert sorted(first(0)) != sorted(first(1))
    assert sorted(first(0)) != list(range(20))


def test_one_item_has_no_halves():
    with pytest.raises(TaskError, match="train must have 2 items or more to be halved, got 1"):
        bound(1).halves(seeded())


# --- loss and metrics -------------------------------------------------------------------------------------------------


def test_loss_is_the_mean_cross_entropy_in_nats():
    logits, y = torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])
    loss = bound().loss(logits, y)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(math.log(2))
    assert bound().metrics(logits, y) == {"accuracy": 0.5, "loss": pytest.approx(math.log(2))}


def test_accuracy_counts_nan_as_wrong():
    logits = torch.tensor([[1.0, 0.0], [0.0, 1.0], [math.nan, 0.0], [0.0, math.nan]])
    assert accuracy(logits, torch.tensor([0, 1, 0, 1])) == 0.5
    assert accuracy(logits, torch.tensor([1, 1, 0, 1])) == 0.25


def test_positions_count_one_by_one():
    """By hand: of 2 × 3 positions four are right; the loss is the mean of six logarithms."""
    probabilities = torch.tensor(
        [[[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], [[0.4, 0.6], [0.55, 0.45], [0.25, 0.75]]], dtype=torch.float64
    )
    y = torch.tensor([[0, 1, 1], [1, 0, 0]])
    taken = [0.9, 0.2, 0.7, 0.6, 0.55, 0.25]
    task = characters().bind()
    expected = {"accuracy": 4 / 6, "loss": pytest.approx(-sum(map(math.log, taken)) / 6)}
    assert task.metrics(probabilities.log(), y) == expected
    lost = probabilities.log()
    lost[0, 0, 1] = math.nan
    assert accuracy(lost, y) == 3 / 6


def test_positions_are_items_to_the_loss():
    logits = torch.randn(4, 5, 3, generator=seeded(), requires_grad=True)
    y = torch.randint(3, (4, 5), generator=seeded())
    task = bound()
    whole, flat_loss = task.loss(logits, y), task.loss(logits.reshape(20, 3), y.reshape(20))
    assert torch.equal(whole, flat_loss)
    assert torch.equal(*(torch.autograd.grad(loss, logits)[0] for loss in (whole, flat_loss)))


# --- devices ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(monkeypatch):
    """Pretends which accelerators there are."""

    def pretend(cuda=0, mps=False, current=0):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: current)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("there", "name", "expected"),
    [
        ({}, "auto", "cpu"),
        ({"mps": True}, "auto", "mps"),
        ({"cuda": 2, "mps": True}, "auto", "cuda:0"),
        ({"cuda": 2, "current": 1}, "auto", "cuda:1"),
        ({"cuda": 2}, "cuda", "cuda:0"),
        ({"cuda": 2}, "cuda:1", "cuda:1"),
        ({"cuda": 2}, "cpu", "cpu"),
        ({"mps": True}, "mps", "mps"),
    ],
)
def test_auto_is_cuda_then_mps_then_cpu(machine, there, name, expected):
    machine(**there)
    assert resolve_device(name) == torch.device(expected)


@pytest.mark.parametrize(
    ("there", "name", "has"),
    [
        ({}, "cuda", "cpu"),
        ({}, "mps", "cpu"),
        ({"cuda": 1}, "cuda:1", "cuda:0, cpu"),
        ({}, "meta", "cpu"),
        ({"cuda": 1, "mps": True}, "nonsense", "cuda:0, mps, cpu"),
    ],
)
def test_a_device_that_is_not_there_is_refused_naming_those_that_are(machine, there, name, has):
    machine(**there)
    with pytest.raises(TaskError, match=rf"device must be auto or one that is here \({has}\), got '{name}'"):
        resolve_device(name)


@pytest.mark.gpu
def test_batches_on_a_gpu_have_the_order_of_the_cpu():
    data = numbered(50)
    there, here = BoundTask(data, resolve_device("cuda")), bound(50)
    assert there.train.x.device == there.device
    assert numbers(there.batches(there.train, 8, seeded(1))) == numbers(here.batches(here.train, 8, seeded(1)))
    first, _ = there.halves(seeded(1))
    assert isinstance(first, TensorSplit)
    assert torch.equal(first.x.cpu(), here.halves(seeded(1))[0].x)
    with pytest.raises(TaskError, match="generator must be on the CPU"):
        there.batches(there.train, 8, torch.Generator("cuda"))
