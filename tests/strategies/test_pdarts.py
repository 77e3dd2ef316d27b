"""P-DARTS (Chen et al. 2019): stages, what is dropped, dropout behind skips, and the limit on skips."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nbnas import spaces
from nbnas.errors import SettingsError, SpaceError, SpecError
from nbnas.events import EpochFinished, SpaceChanged
from nbnas.networks import Supernet
from nbnas.networks.skip_dropout import drop_skips
from nbnas.processes import Budget
from nbnas.spec import RunSpec
from nbnas.state import fold
from nbnas.strategies import PDarts
from nbnas.strategies.pdarts import deeper
from nbnas.testing import check_differentiable, tiny_task

SPACE = spaces.nas_bench_201(channels=2, cells=1)
SETTINGS = PDarts(batch=16, more_cells=(0, 3, 6), alpha_after=0.0)


def bound(settings=SETTINGS, epochs=6, space=SPACE):
    task = tiny_task().bind("cpu")
    return settings.bind(space, settings.make_supernet(space, task, 0), task, 0, epochs)


def one_epoch(strategy):
    list(strategy.epoch())
    return strategy.advance()


def test_the_promises_of_a_strategy():
    check_differentiable(PDarts(batch=16, more_cells=(0, 3)[:2], kept=(1.0, 0.5), skip_dropout=(0.1, 0.4)), epochs=3)


def test_published_stages_keep_8_5_3_options_and_add_6_and_12_cells():
    """Sec. 4.1.1: 5, 11, 17 cells; 8, 5, 3 operations."""
    settings = PDarts()
    assert [math.ceil(share * 8) for share in settings.kept] == [8, 5, 3]
    space = spaces.darts(cells=5)
    assert [deeper(space, more).component.cells for more in settings.more_cells] == [5, 11, 17]
    assert (settings.alpha_learning_rate, settings.batch, settings.skip_dropout) == (6e-4, 96, (0.1, 0.4, 0.7))


def test_the_weakest_options_of_each_row_are_dropped_and_do_not_come_back():
    strategy = bound()
    rng = np.random.default_rng(0)
    kept_before = {row.name: set(range(5)) for row in SPACE.rows}
    for wanted in (4, 2):
        assert one_epoch(strategy) == ()
        with torch.no_grad():
            for row in strategy.alpha.values():
                row[:] = torch.from_numpy(rng.normal(size=5))
        ranked = {
            name: sorted(kept_before[name], key=lambda place, row=row: -float(row.detach()[place]))
            for name, row in strategy.alpha.items()
        }
        strategy.done += 1  # the second epoch of the stage, of which only the end matters here
        (event,) = strategy.advance()
        assert isinstance(event, SpaceChanged)
        for name, places in strategy.kept.items():
            assert set(places) == set(ranked[name][:wanted])
            assert event.options[name] == tuple(SPACE.rows[0].options[place] for place in places)
        kept_before = {name: set(places) for name, places in strategy.kept.items()}
        dropped = [
            p for name, row in strategy.shares().items() for i, p in enumerate(row) if i not in strategy.kept[name]
        ]
        assert dropped
        assert set(dropped) == {0.0}
        assert all(sum(row) == pytest.approx(1) for row in strategy.shares().values())


def test_each_stage_begins_with_a_deeper_supernet_and_alpha_and_weights_anew():
    strategy = bound()
    cells = [len(strategy.supernet.network.blocks)]
    alphas = [{name: row.detach().clone() for name, row in strategy.alpha.items()}]
    for _ in range(6):
        if one_epoch(strategy):
            cells.append(len(strategy.supernet.network.blocks))
            alphas.append({name: row.detach().clone() for name, row in strategy.alpha.items()})
            optimized = [p for group in strategy.w_optimizer.param_groups for p in group["params"]]
            assert {id(p) for p in optimized} == {id(p) for p in strategy.supernet.parameters()}
            assert {id(p) for g in strategy.alpha_optimizer.param_groups for p in g["params"]} == {
                id(p) for p in strategy.alpha.parameters()
            }
    # Three stages of NAS-Bench-201 with a reduction between them: 3 + 2 blocks, then 3 and 6 cells more.
    assert cells == [5, 8, 11]
    for alpha in alphas[1:]:
        assert all(torch.equal(alpha[name], alphas[0][name]) for name in alpha)  # near zero again, and moved between
    assert max(float(row.detach().abs().max()) for row in strategy.alpha.values()) > 0


def test_a_dropped_option_is_not_computed():
    strategy = bound()
    for _ in range(6):
        one_epoch(strategy)
    assert strategy.stage == 2
    for name, module in strategy.supernet.named_modules():
        if hasattr(module, "decision"):
            for place, option in enumerate(module.options):
                used = any(p.grad is not None for p in option.parameters())
                assert used == (place in strategy.kept[module.decision] and any(True for _ in option.parameters())), (
                    name
                )


def test_alpha_rests_at_the_start_of_each_stage():
    """Sec. 4.1.1: only w learns in the first 10 of 25 epochs of a stage."""
    strategy = bound(PDarts(batch=16, more_cells=(0, 0, 0), alpha_after=0.4), epochs=15)
    learns = []
    for _ in range(15):
        before = {name: row.detach().clone() for name, row in strategy.alpha.items()}
        list(strategy.epoch())
        learns.append(any(not torch.equal(before[name], row) for name, row in strategy.alpha.items()))
        strategy.advance()
    assert learns == [False, False, True, True, True] * 3


def test_the_step_size_of_w_starts_anew_in_each_stage():
    strategy = bound()
    rates = []
    for _ in range(6):
        list(strategy.epoch())
        rates.append(strategy.w_optimizer.param_groups[0]["lr"])
        strategy.advance()
    assert rates == pytest.approx([0.025, 0.0125] * 3)


def test_dropout_behind_skips_is_published_and_fades():
    strategy = bound(PDarts(batch=16, more_cells=(0, 0, 0), alpha_after=0.0), epochs=9)
    rates = []
    for _ in range(9):
        rates.append(strategy.begin_epoch()["skip_dropout"])
        list(strategy.epoch())
        strategy.advance()
    expected = [start * math.exp(-0.2 * epoch) for start in (0.1, 0.4, 0.7) for epoch in range(3)]
    assert rates == pytest.approx(expected)


def test_dropout_keeps_the_mean_drops_the_share_and_rests_in_evaluation():
    task = tiny_task().bind("cpu")
    supernet = Supernet(SPACE, task, seed=0)
    dropping = drop_skips(supernet, torch.Generator().manual_seed(0))
    dropping.rate = 0.3
    skip = next(m for m in supernet.modules() if type(m).__name__ == "_DroppedSkip").train()
    x = torch.ones(100_000)
    out = skip(x)
    # The share has standard deviation 0.0015: five of them.
    assert float((out == 0).float().mean()) == pytest.approx(0.3, abs=0.0075)
    assert float(out.max()) == pytest.approx(1 / 0.7)
    assert torch.equal(skip.eval()(x), x)


def test_no_more_skips_than_the_limit_are_derived_and_the_strongest_stay():
    strategy = bound(PDarts(batch=16, more_cells=(0,), kept=(1.0,), skip_dropout=(0.0,), skip_limit=2), epochs=1)
    skip = SPACE.rows[0].options.index("skip")
    with torch.no_grad():
        for place, row in enumerate(strategy.alpha.values()):
            row[:] = torch.tensor([0.0, 0.0, 1.0, 0.5, 0.0])
            row[skip] = 2.0 + place
    chosen = SPACE.options(strategy.derive())
    assert [option == "skip" for option in chosen.values()] == [False] * 4 + [True] * 2
    assert set(chosen.values()) == {"skip", "conv_1x1"}


def test_where_nothing_but_a_skip_is_left_it_stays_and_the_other_rows_give_way():
    strategy = bound(PDarts(batch=16, more_cells=(0,), kept=(1.0,), skip_dropout=(0.0,), skip_limit=1), epochs=1)
    none, skip, conv = (SPACE.rows[0].options.index(name) for name in ("none", "skip", "conv_1x1"))
    with torch.no_grad():
        for place, row in enumerate(strategy.alpha.values()):
            row[skip] = 2.0 + place
    strategy.kept = {name: (skip, conv) for name in strategy.kept} | {"edge_0_1": (none, skip)}
    chosen = SPACE.options(strategy.derive())
    assert chosen["edge_0_1"] == "skip"  # the weakest, but the only one there
    assert [option for name, option in chosen.items() if name != "edge_0_1"] == ["conv_1x1"] * 5


def test_none_is_never_all_that_is_kept():
    strategy = bound(PDarts(batch=16, more_cells=(0, 0), kept=(1.0, 0.2), skip_dropout=(0.0, 0.0)), epochs=2)
    with torch.no_grad():
        for row in strategy.alpha.values():
            row[:] = torch.tensor([9.0, 0.0, 1.0, 0.0, 0.0])
    strategy.done = 1
    strategy.advance()
    assert set(strategy.kept.values()) == {(2,)}


def test_by_perturbation_only_options_that_are_still_searched_are_derived():
    settings = PDarts(batch=16, more_cells=(0,), kept=(1.0,), skip_dropout=(0.0,), derivation="perturbation")
    strategy = bound(settings, epochs=1)
    strategy.kept = {name: (2, 4) for name in strategy.kept}
    list(strategy.epoch())
    chosen = SPACE.options(strategy.derive())
    assert set(chosen.values()) <= {SPACE.rows[0].options[2], SPACE.rows[0].options[4]}


def test_a_run_tells_what_it_dropped():
    spec = RunSpec(SPACE, tiny_task(), SETTINGS, None, Budget(epochs=6), 0, "cpu")
    search, records = spec.bind().search, []
    while search.end is None:
        records += [item for item in search.step() if hasattr(item, "event")]
    state = fold(records)
    assert list(state.changes) == [2, 4]
    assert {len(options) for options in state.searched.values()} == {2}
    dropouts = [r.event.metrics["skip_dropout"] for r in records if isinstance(r.event, EpochFinished)]
    assert dropouts == pytest.approx([0.1, 0.1 * math.exp(-0.2), 0.4, 0.4 * math.exp(-0.2), 0.7, 0.7 * math.exp(-0.2)])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kept": (1.0, 0.5)}, r"kept must be one value for each stage of more_cells \(3\)"),
        ({"kept": (0.5, 1.0, 0.3)}, "kept must be falling from stage to stage"),
        ({"skip_dropout": (0.1, 1.0, 0.2)}, "skip_dropout must be >= 0 and < 1"),
        ({"more_cells": ()}, "kept must be one value for each stage"),
    ],
)
def test_settings_that_do_not_fit_together(settings, message):
    with pytest.raises(SettingsError, match=message):
        PDarts(**settings)


def test_spaces_and_budgets_that_do_not_fit_are_refused_before_the_start():
    with pytest.raises(SettingsError, match=r"epochs must be at least one for each stage of PDarts \(3\), got 2"):
        RunSpec(SPACE, tiny_task(), PDarts(), None, Budget(epochs=2))
    with pytest.raises((SpaceError, SpecError), match="space must be a stack of cells for PDarts"):
        PDarts().check_space(spaces.fbnet(), 9)
