"""What searches of each family have in mind is seen, live, in a real JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import OpenNotebook

TABLE = """import nbnas as nb
space = nb.spaces.nas_bench_201(channels=8, cells=1)
every = list(space.enumerate())
worth = [0.0, 0.45, 0.6, 1.0, 0.3]  # of none, skip, conv_1x1, conv_3x3, avg_pool_3x3
cost = [0, 0, 72, 584, 0]
table = nb.evaluators.Tabular({
    "architecture": [str(one) for one in every],
    "valid_accuracy": [sum(worth[c] * (7 + p) for p, c in enumerate(one.choices)) / 57 for one in every],
    "parameters": [1000 + sum(cost[c] for c in one.choices) for one in every],
    "flops": [9 * sum(cost[c] * (1 + p % 3) for p, c in enumerate(one.choices)) for one in every],
})
"""
P_DARTS = """import nbnas as nb
run = nb.search(nb.spaces.nas_bench_201(channels=8, cells=1), nb.tasks.digits(),
                nb.strategies.PDarts(alpha_learning_rate=0.02, batch=64, more_cells=(0, 3, 6), alpha_after=0.0),
                budget=nb.Budget(epochs=15), name="gradients")
run"""
Q_LEARNING = """run = nb.search(space, None, nb.strategies.QLearning(trials=200), table,
                budget=nb.Budget(trials=100_000))
run"""
NSGA2 = """run = nb.search(space, None, nb.strategies.NSGA2(population=20), table, budget=nb.Budget(trials=100_000),
                objective=nb.objectives.Pareto({more}))
run"""
HOLD = """import time
end = time.monotonic() + 150
while run.state.trials_finished < {trials} or run.state.epochs_trained < {epochs}:
    assert time.monotonic() < end, run.status
    time.sleep(0.1)
run.pause()
while run.status != "paused":
    assert time.monotonic() < end, run.status
    time.sleep(0.1)"""
END = "run.stop(); run.wait(); print(run.status)"

TRIALS, EPOCHS = HOLD.format(trials=120, epochs=0), HOLD.format(trials=0, epochs=6)
FAMILIES = {
    "gradients": ([P_DARTS, EPOCHS], {"Honesty of the relaxation": 5, "Schedule of the strategy": 1}),
    "q-learning": ([TABLE, Q_LEARNING, TRIALS], {"Values of options": 2, "Score of each trial": 2}),
    "two objectives": ([TABLE, NSGA2.format(more=""), TRIALS], {"Front": 3}),
    "three objectives": ([TABLE, NSGA2.format(more='minimize=("parameters", "flops")'), TRIALS], {"Front": 6}),
}
TITLES = {"gradients": "Honesty: mixture", "q-learning": "Q after trial"}


def traces(view: Locator, label: str) -> list[int]:
    """How many values each trace of a chart holds in the browser."""
    plot = view.get_by_role("region", name=label).locator(".js-plotly-plot")
    expect(plot).to_be_visible(timeout=60_000)
    found: list[int] = plot.evaluate("plot => plot.data.map(trace => (trace.x ?? []).length)")
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_the_panels_of_a_family_are_there_and_show_data(open_notebook: OpenNotebook, family: str):
    cells, panels = FAMILIES[family]
    notebook = open_notebook([*cells, END], viewport=(1400, 2300))
    for number in range(len(cells)):
        notebook.run_cell(number, timeout=200)
    view = notebook.page.locator(".nbnas-run").first
    expect(view.get_by_text("paused")).to_be_visible(timeout=30_000)
    notebook.page.wait_for_timeout(1500)
    name = f"minds-{family.replace(' ', '-')}"
    notebook.screenshot(name)
    for label, count in panels.items():
        held = traces(view, label)
        assert len(held) >= count, f"{label}: {held}"
        assert all(held), f"{label}: {held}"
    notebook.set_theme("dark")
    notebook.page.wait_for_timeout(1000)
    notebook.screenshot(f"{name}-dark")

    # The picture that stays shows them too.
    notebook.run_cell(len(cells), timeout=200)
    assert notebook.text(len(cells)) == "stopped\n"
    shown = notebook.outputs(len(cells) - 2)
    drawn = "".join("".join(output.get("data", {}).get("image/svg+xml", "")) for output in shown)
    assert TITLES.get(family, "Front: ") in drawn
    notebook.assert_clean()
