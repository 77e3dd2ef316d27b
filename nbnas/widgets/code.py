"""The notebook cell that does what was picked by mouse. Running it gives equal objects."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Protocol

import nbnas.tasks
from nbnas.settings import Settings, field_infos
from nbnas.spaces import SearchSpace
from nbnas.spaces.code import space_code
from nbnas.widgets.page import escape

__all__ = ["SpecLike", "code_of", "code_panel", "expression"]


class SpecLike(Protocol):
    """What is written as code. `nbnas.spec.RunSpec` is one; `device` and `name` may be absent."""

    @property
    def space(self) -> SearchSpace: ...
    @property
    def task(self) -> Any: ...
    @property
    def strategy(self) -> Any: ...
    @property
    def evaluator(self) -> Any: ...
    @property
    def budget(self) -> Any: ...
    @property
    def seed(self) -> int: ...


def code_of(spec: SpecLike) -> str:
    """The cell for a specification.

    An own class is written by its name alone, so its own cell must have run before. Own data have no code: for them the
    cell expects the task in the variable `task`.
    """
    lines = ["import nbnas as nb", "", f"space = {space_code(spec.space, start=8)}"]
    if getattr(spec.task, "kind", "") == "arrays":
        lines.append("# task: the one that holds your data")
    else:
        lines.append("task = None" if spec.task is None else f"task = {expression(spec.task, 'tasks')}")
    lines.append(f"strategy = {expression(spec.strategy, 'strategies')}")
    names = ["space", "task", "strategy"]
    if spec.evaluator is not None:
        lines.append(f"evaluator = {expression(spec.evaluator, 'evaluators')}")
        names.append("evaluator")
    arguments = [*names, f"budget={expression(spec.budget, '')}", f"seed={spec.seed!r}"]
    for name, default in (("device", "auto"), ("name", "")):
        value = getattr(spec, name, default)
        if value != default:
            arguments.append(f"{name}={value!r}")
    return "\n".join([*lines, "", f"run = nb.search({', '.join(arguments)})", "run"])


def expression(settings: Settings, module: str) -> str:
    """A call that makes equal settings; fields that hold their defaults are left out."""
    cls = type(settings)
    given = _differing(settings, {entry.name: entry.default for entry in fields(settings)})  # type: ignore[arg-type]
    name = cls.__name__
    if cls.__module__.startswith("nbnas."):
        kind = str(getattr(cls, "kind", ""))
        # Built-in tasks have a function in the manner of torchvision: nb.tasks.digits().
        short = kind if module == "tasks" and callable(getattr(nbnas.tasks, kind, None)) else name
        name = ".".join(filter(None, ("nb", module, short)))
    return f"{name}({', '.join(given)})"


def code_panel(code: str) -> str:
    """The code as HTML with a button that copies it."""
    copy = (
        "const code=this.parentNode.querySelector('code'),range=document.createRange();range.selectNodeContents(code);"
        "const chosen=getSelection();chosen.removeAllRanges();chosen.addRange(range);document.execCommand('copy');"
        "chosen.removeAllRanges();this.textContent='Copied';setTimeout(()=>{this.textContent='Copy'},1500)"
    )
    return (
        f'<div class="nbnas-code"><pre tabindex="0" aria-label="code of this search"><code>{escape(code)}</code></pre>'
        f'<button type="button" class="nbnas-copy" onclick="{copy}">Copy</button></div>'
    )


def _differing(settings: Settings, defaults: dict[str, Any]) -> list[str]:
    """`name=value` for the fields in `defaults` that hold another value."""
    names = [info.name for info in field_infos(type(settings)) if info.name in defaults]
    pairs = [(name, getattr(settings, name)) for name in names]
    # Compared as written, so that True is not taken for 1, nor 1 for 1.0.
    return [f"{name}={value!r}" for name, value in pairs if repr(value) != repr(defaults[name])]
