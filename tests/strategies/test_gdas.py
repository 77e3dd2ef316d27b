"""GDAS (Dong & Yang 2019): what is drawn how often, what is computed of it, and which gradient alpha gets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from nbnas import spaces, tasks
from nbnas.errors import SettingsError
from nbnas.networks import Supernet
from nbnas.networks.mixed_modules import Drawn, MixedModules
from nbnas.spaces import CellNetwork, SearchSpace
from nbnas.strategies import Gdas
from nbnas.tasks.bound import TensorSplit

SPACE = spaces.nas_bench_201(channels=2, cells=1)
ONE_EDGE = SearchSpace("one edge", CellNetwork(2, ("none", "skip", "conv_1x1", "conv_3x3"), channels=2, cells=1))
ITEMS = 12


def task():
    rng = np.random.default_rng(0)
    y = np.arange(2 * ITEMS) % 3
    x = rng.normal(size=(2 * ITEMS, 1, 6, 6)) + 0.5 * y.reshape(-1, 1, 1, 1)
    return tasks.from_arrays(x, y, valid=(x[:6], y[:6]), test=(x[:6], y[:6])).bind("cpu")


def bound(space=SPACE, settings=None, epochs=5):
    """In double precision, alpha far from uniform."""
    data = task()
    strategy = (settings or Gdas(batch=ITEMS)).bind(space, Supernet(space, data, seed=1), data, 2, epochs)
    strategy.supernet.double()
    strategy.alpha.double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for row in strategy.alpha.values():
            row += torch.randn(row.shape, generator=generator)
    for name in ("w_half", "alpha_half"):
        half = getattr(strategy, name)
        setattr(strategy, name, TensorSplit(half.x.double(), half.y))
    return strategy


def chosen(mixture):
    """The option that is drawn, by row."""
    return {name: weight.places[0] for name, weight in mixture.items()}


def end_of(epoch):
    try:
        while True:
            next(epoch)
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize("temperature", [10.0, 0.1])
def test_an_option_is_drawn_with_probability_softmax_of_alpha_at_any_temperature(temperature):
    """Eq. 3, the Gumbel trick: the temperature does not change what is drawn. One false alarm in ten million."""
    strategy, draws = bound(ONE_EDGE), 6000
    strategy.temperature = temperature
    counts = np.zeros(4)
    for _ in range(draws):
        counts[chosen(strategy.drawn())["edge_0_1"]] += 1
    expected = strategy.alpha["edge_0_1"].detach().softmax(0).numpy() * draws
    assert expected.min() > 100
    limit = stats.chi2.isf(1e-7, df=3)
    assert ((counts - expected) ** 2 / expected).sum() < limit
    assert ((counts - draws / 4) ** 2 / (draws / 4)).sum() > limit  # which uniform draws would not exceed


def test_what_is_computed_is_the_drawn_architecture_alone_to_the_bit():
    """Sec. 3.2: one operation an edge runs forward and backward."""
    strategy = bound()
    x, seen = strategy.w_half.x, set()
    for _ in range(5):
        drawn = strategy.drawn()
        architecture = SPACE.architecture(tuple(chosen(drawn)[row.name] for row in SPACE.rows))
        seen.add(architecture)
        assert all(weight.shares.tolist() == [1.0] for weight in drawn.values())
        assert torch.equal(strategy.supernet(x, drawn), strategy.supernet(x, architecture))
    assert len(seen) == 5


def test_only_the_drawn_operation_is_run():
    strategy = bound()
    ran = []
    for module in strategy.supernet.modules():
        if isinstance(module, MixedModules):
            for place, option in enumerate(module.options):
                option.register_forward_hook(lambda *_, key=(module.decision, place): ran.append(key))
    drawn = strategy.drawn()
    strategy.supernet(strategy.w_half.x, drawn)
    assert set(ran) <= set(chosen(drawn).items())
    assert len(ran) >= 3


def test_the_gradient_is_the_straight_through_one_in_closed_form():
    """Eqs. 4-5: dL/d alpha_j = dL/d share_k · soft_k (1[j = k] - soft_j) / temperature, with k the drawn option."""
    strategy = bound(ONE_EDGE)
    strategy.temperature = 2.0
    state = strategy.chance.get_state()
    seen = set()
    for _ in range(8):
        state = strategy.chance.get_state()
        weight = strategy.drawn()["edge_0_1"]
        (place,) = weight.places
        seen.add(place)
        (3.0 * weight.shares.sum()).backward()  # dL/d share = 3
        strategy.chance.set_state(state)
        noise = -torch.empty(4, dtype=torch.float64).exponential_(generator=strategy.chance).log()
        alpha = strategy.alpha["edge_0_1"]
        soft = ((alpha.detach() + noise) / 2.0).softmax(0)
        assert place == int((alpha.detach() + noise).argmax())
        expected = 3.0 * soft[place] * ((torch.arange(4) == place).double() - soft) / 2.0
        assert torch.allclose(alpha.grad, expected, atol=1e-12)
        assert float(expected.abs().max()) > 1e-3  # a hard draw without the soft one would have no gradient
        alpha.grad = None
    assert len(seen) > 1


def test_alpha_moves_by_the_gradient_of_the_drawn_path():
    """The step on alpha against the derivative of the loss by the share of the drawn option, taken numerically."""
    strategy = bound(ONE_EDGE)
    strategy.alpha_optimizer = torch.optim.SGD(strategy.alpha.parameters(), lr=1.0)
    strategy.temperature = 1.5
    half, row = strategy.alpha_half, strategy.alpha["edge_0_1"]
    for _ in range(10):  # not `none`, which has no part in the loss
        state = strategy.chance.get_state()
        (place,) = strategy.drawn()["edge_0_1"].places
        if place:
            break
    assert place

    def loss(share):
        mixture = {"edge_0_1": Drawn((place,), torch.tensor([share], dtype=torch.float64))}
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(strategy.supernet(half.x, mixture), half.y))

    by_share = (loss(1 + 1e-6) - loss(1 - 1e-6)) / 2e-6
    before = row.detach().clone()
    strategy.chance.set_state(state)
    noise = -torch.empty(4, dtype=torch.float64).exponential_(generator=strategy.chance).log()
    soft = ((before + noise) / 1.5).softmax(0)
    expected = by_share * soft[place] * ((torch.arange(4) == place).double() - soft) / 1.5
    strategy.chance.set_state(state)
    strategy.alpha_step(half, strategy.w_half)
    assert torch.allclose(before - row.detach(), expected, atol=1e-7)
    assert float(expected.abs().max()) > 1e-4


def test_an_epoch_in_which_none_is_always_drawn_leaves_alpha_without_a_gradient():
    space = SearchSpace("nothing", CellNetwork(2, ("none", "skip"), channels=2, cells=1, stages=1))
    strategy = bound(space, Gdas(batch=ITEMS, alpha_weight_decay=0.0))
    with torch.no_grad():
        strategy.alpha["edge_0_1"].copy_(torch.tensor([200.0, 0.0]))
    before = strategy.alpha["edge_0_1"].detach().clone()
    end_of(strategy.epoch())
    assert torch.equal(strategy.alpha["edge_0_1"].detach(), before)


@pytest.mark.parametrize(("epochs", "expected"), [(1, [10.0]), (3, [10.0, 5.05, 0.1]), (4, [10.0, 6.7, 3.4, 0.1])])
def test_the_temperature_falls_in_a_line_from_10_to_01(epochs, expected):
    """Sec. 4: tau starts at 10 and is reduced linearly to 0.1."""
    strategy = bound(epochs=epochs)
    seen = [end_of(strategy.epoch())["temperature"] for _ in expected]
    assert seen == pytest.approx(expected, abs=1e-12)
    assert end_of(strategy.epoch())["temperature"] == pytest.approx(0.1)  # one more than planned


def test_draws_of_an_epoch_depend_on_seed_and_epoch_alone():
    def draws(strategy, times):
        strategy.chance.manual_seed(0)  # whatever was drawn before
        seen, drawn = [], strategy.drawn
        strategy.drawn = lambda: seen.append(drawn()) or seen[-1]
        epoch = strategy.epoch()
        for _ in range(times):
            next(epoch)
        epoch.close()
        return [chosen(mixture) for mixture in seen]

    settings = Gdas(batch=3, alpha_learning_rate=1e-9)
    whole, cut = draws(bound(settings=settings), 3), draws(bound(settings=settings), 2)
    assert whole[: len(cut)] == cut
    assert len(cut) == 4  # one for alpha and one for w, twice
    assert len({tuple(one.items()) for one in whole}) > 1
    later = bound(settings=settings)
    later.done = 1
    assert draws(later, 3) != whole


def texts():
    sentences = [f"{a} {b} {c}" for a in ("red", "blue", "green") for b in ("big", "small") for c in ("cat", "dog")]
    labels = [number % 2 for number in range(len(sentences))]
    return tasks.from_texts(sentences, labels, valid=0.25, test=0.25, length=3).bind("cpu")


def ring():
    rng, nodes = np.random.default_rng(0), np.arange(20)
    edges = np.stack([nodes, (nodes + 1) % 20])
    return tasks.from_graph(rng.normal(size=(20, 3)), edges, nodes % 2).bind("cpu")


OTHERS = {
    "recurrent": lambda: (spaces.recurrent(2, 8, embedding=4), texts()),
    "enas_recurrent": lambda: (spaces.enas_recurrent(3, 8, embedding=4), texts()),
    "transformer": lambda: (
        spaces.transformer(depths=(1,), widths=(8,), heads=(2,), head_widths=(4,), hidden=(8,), relaxed=True),
        texts(),
    ),
    "graph": lambda: (spaces.graph(2, 8, operations=("gcn", "fc", "skip"), heads=2, dropout=0.0), ring()),
    "enas_macro": lambda: (spaces.enas_macro(3, 4), task()),
    "darts": lambda: (spaces.darts(2, 3, 2), task()),
}


@pytest.mark.parametrize("name", OTHERS)
def test_rows_that_cannot_be_computed_alone_are_told_the_drawn_option_by_zeros(name):
    """Nothing then flows back to the entries of the others but through the softened entry of the drawn one."""
    space, data = OTHERS[name]()
    strategy = Gdas(batch=4).bind(space, Supernet(space, data, seed=1), data, 2, 3)
    drawn = strategy.supernet._weights(strategy.drawn())
    dense = {row: weight for row, weight in drawn.items() if isinstance(weight, torch.Tensor)}
    assert bool(dense) == (name != "darts")
    assert set(drawn) == {row.name for row in space.rows}
    for row, weight in dense.items():
        assert sorted(weight.detach().tolist()) == [0.0] * (len(weight) - 1) + [1.0]
        place = int(weight.argmax())
        downstream = torch.arange(1.0, 1 + len(weight))  # dL/d weight, also for those not drawn
        (gradient,) = torch.autograd.grad((downstream * weight).sum(), strategy.alpha[row], retain_graph=True)
        (alone,) = torch.autograd.grad(weight[place], strategy.alpha[row])
        assert torch.allclose(gradient, downstream[place] * alone)
    assert np.isfinite(list(end_of(strategy.epoch()).values())).all()


def test_settings_that_do_not_fit():
    with pytest.raises(SettingsError, match=r"temperature_end must be at most temperature \(1\), got 2"):
        Gdas(temperature=1.0, temperature_end=2.0)
    with pytest.raises(SettingsError, match="temperature must be > 0"):
        Gdas(temperature=0.0)
