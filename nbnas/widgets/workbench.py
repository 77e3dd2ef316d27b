"""The workbench: a whole search by mouse, and the code that does the same."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, ClassVar

import ipywidgets

from nbnas.errors import NbnasError
from nbnas.evaluators import EVALUATORS
from nbnas.processes import Budget
from nbnas.spec import RunSpec
from nbnas.strategies import STRATEGIES
from nbnas.tasks import TASKS, Task
from nbnas.widgets.choice import Choice
from nbnas.widgets.code import code_of, code_panel
from nbnas.widgets.form import SettingsForm
from nbnas.widgets.live_output import LiveOutput
from nbnas.widgets.page import alert, answering, html, menu, style
from nbnas.widgets.presets import PRESETS, Preset
from nbnas.widgets.run_options import RunOptions
from nbnas.widgets.run_view import RunView
from nbnas.widgets.space_card import SpaceCard
from nbnas.widgets.space_figures import ImaginedInputs

__all__ = ["Workbench"]

MOST_VIEWS = 3
_NO_CODE = "# The code stands here once all fields are right." + 8 * "\n"


class Workbench(ipywidgets.VBox):
    """Menus for space, task, strategy, evaluator and budget; Start; the run below; the code cell that does the same.

    Displaying it again shows a further view of the same workbench.

    Args:
        search: what Start calls: `nbnas.api.search` by default, which is above this layer and so is found late.
    """

    PRESETS: ClassVar[tuple[Preset, ...]] = PRESETS

    def __init__(self, search: Callable[..., Any] | None = None) -> None:
        self._search = search
        self._ready = False
        tasks = {name: cls for name, cls in TASKS.items() if _has_defaults(cls)}
        self.space = SpaceCard(self._changed)
        self.task = Choice("Task", tasks, {name: cls.title for name, cls in tasks.items()}, self._changed)
        titles = {name: cls.title for table in (STRATEGIES, EVALUATORS) for name, cls in table.items()}
        self.strategy = Choice("Strategy", STRATEGIES, titles, self._changed)
        self.evaluator = Choice("Evaluator", EVALUATORS, titles, self._changed)
        self.budget, self.options = SettingsForm(Budget), SettingsForm(RunOptions)
        self._forms = (self.budget, self.options)
        for form in self._forms:
            form.observe(lambda change: self._changed(), "value")
        names = [("choose yourself", None), *((preset.title, number) for number, preset in enumerate(self.PRESETS))]
        self.preset = menu("Start from", names, None)
        self.preset.observe(self._fill, "value")
        self.start = answering(ipywidgets.Button(description="Start", icon="play", button_style="primary"))
        self.start.on_click(lambda _: self._start())
        self._alert, self._code = html(), html()
        self.runs = ipywidgets.VBox()
        self.runs.add_class("nbnas-runs")
        super().__init__([style(), *self._layout()])
        self.add_class("nbnas-workbench")
        self.output = LiveOutput(self, "nbnas workbench: run this cell to open it")
        self._ready = True
        self.preset.value = 0

    def _ipython_display_(self, **keywords: Any) -> None:
        self.output.show()

    def spec(self) -> RunSpec | None:
        """What Start would start, or `None` while a field is wrong.

        Raises:
            NbnasError: each part is right, but they do not fit together.
        """
        if not all(part.valid for part in (self.space, self.task, self.strategy, self.evaluator, *self._forms)):
            return None
        task, options = self.task.value, self.options.value
        space = self.space.value
        assert space is not None
        strategy, evaluator, budget = self.strategy.value, self.evaluator.value, self.budget.value
        return RunSpec(space, task, strategy, evaluator, budget, options.seed, options.device, options.name)

    def _layout(self) -> list[ipywidgets.Widget]:
        columns = ipywidgets.Box([self.budget, self.options])
        columns.add_class("nbnas-columns")
        run = ipywidgets.VBox([html('<div class="nbnas-heading">Budget and run</div>'), columns])
        run.add_class("nbnas-card")
        cards = ipywidgets.Box([self.space, self.task, self.strategy, self.evaluator, run])
        cards.add_class("nbnas-cards")
        row = ipywidgets.HBox([self.start, self._alert])
        row.add_class("nbnas-start")
        title = html('<div class="nbnas-title">Search workbench</div>')
        return [title, self.preset, cards, self.space.place, row, self._code, self.runs]

    def _fill(self, change: Any) -> None:
        if change["new"] is None:
            return
        preset, self._ready = self.PRESETS[change["new"]], False
        self.space.pick(preset.space.kind, preset.space.values)
        self.task.pick(preset.task.kind, preset.task.values)
        self.strategy.pick(preset.strategy.kind, preset.strategy.values)
        if preset.evaluator is not None:
            self.evaluator.pick(preset.evaluator.kind, preset.evaluator.values)
        self.budget.fill(preset.budget)
        self._ready = True
        self._changed()

    def _changed(self) -> None:
        """After every change: what follows from it for the other cards, for Start and for the code."""
        if not self._ready:
            return
        strategy, evaluator = self.strategy.picked, self.evaluator.picked
        alone = f"{strategy.__name__} trains a supernet and scores what it derives itself: it takes no evaluator."
        self.evaluator.disable(alone if strategy.differentiable else "")
        tasked = strategy.differentiable or evaluator.needs_task
        self.task.disable("" if tasked else f"{evaluator.__name__} trains nothing: it needs no task.")
        self.space.suit(*_inputs(self.task.value))
        spec, problem = None, ""
        try:
            spec = self.spec()
        except NbnasError as error:
            problem = self._marked(error)
        else:
            self._marked(None)
        self._alert.value = alert(problem)
        self.start.disabled = spec is None
        self._code.value = code_panel(code_of(spec) if spec is not None else _NO_CODE)

    def _start(self) -> None:
        spec = self.spec()
        if spec is None:
            return
        self.start.disabled, self.start.description = True, "Starting…"
        problem = ""
        try:
            search = self._search or importlib.import_module("nbnas.api").search
            plain = {"budget": spec.budget, "seed": spec.seed, "device": spec.device, "name": spec.name}
            run = search(spec.space, spec.task, spec.strategy, spec.evaluator, **plain, background=True)
            self._add(RunView(run, output=self.output))
        except NbnasError as error:
            problem = self._marked(error)
        except Exception as error:  # shown, because the callback of a button has no cell to raise in
            problem = f"{type(error).__name__}: {error}"
        self.start.disabled, self.start.description = False, "Start"
        self._alert.value = alert(problem)

    def _marked(self, error: NbnasError | None) -> str:
        """Marks the field that an error names, and no other one; returns the message when there is no such field."""
        forms = [self.strategy.form, self.evaluator.form, self.task.form, self.space.form, *self._forms]
        for form in forms:
            form.unmark()
        self.space.mark()
        field = getattr(error, "field", None)
        if error is None or (field is not None and any(form.mark(field, str(error)) for form in reversed(forms))):
            return ""
        return str(error)

    def _add(self, view: RunView) -> None:
        """Shows the run on top; views of earlier runs that make room for it are closed, their runs go on."""
        for old in self.runs.children:
            old.output = None  # the picture that stays is that of the newest run
        kept, gone = self.runs.children[: MOST_VIEWS - 1], self.runs.children[MOST_VIEWS - 1 :]
        self.runs.children = (view, *kept)
        view.follow()
        for old in gone:
            old.close()


def _inputs(task: Task | None) -> tuple[int, ImaginedInputs | None]:
    """Spatial dimensions of the items of a task, and what costs are told for."""
    if task is None:
        return 2, None
    data = task.load()
    shape = data.input_shape
    imagined = data.inputs != "nodes" and 1 <= len(shape) <= 3
    return data.dims, ImaginedInputs(shape, data.classes, data.vocabulary) if imagined else None


def _has_defaults(cls: type) -> bool:
    return all(entry.default is not MISSING for entry in fields(cls))
