"""Writes the pages of docs/strategies: one template for all, filled from the code and from hand-written sections.

A page is made of the docstring of the module, the dataclass of settings and `docs/strategies/sources/MODULE.md`:
`python docs/make_strategies.py`. Links in a source are relative to the page. A test holds the pages to the code.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from nbnas.evaluators import SharedWeights
from nbnas.settings import FieldInfo, Settings, field_infos
from nbnas.strategies import STRATEGIES

__all__ = ["FOLDER", "SECTIONS", "call", "kinds", "pages", "problems", "sections"]

FOLDER = Path(__file__).parent / "strategies"
SECTIONS = ("Idea", "Equation", "What it logs", "Implementation", "Results")
"""Sections of a source, in this order; `Links` may follow."""

WIDTH = 120
FAMILIES = {
    "baseline": ("random_search", "grid_search", "local_search"),
    "evolution": ("regularized_evolution", "genetic_algorithm", "nsga2"),
    "reinforcement learning": ("reinforce", "ppo", "q_learning"),
    "model-based": ("bananas", "bayesian_optimization", "optuna_sampler"),
    "weight sharing": ("shared_weights",),
}


def kinds() -> dict[str, list[type[Settings]]]:
    """What has a page: the strategies of nbnas and shared weights, by the name of their module."""
    found: dict[str, list[type[Settings]]] = {}
    for kind in (*STRATEGIES.values(), SharedWeights):
        if kind.__module__.startswith("nbnas."):
            found.setdefault(kind.__module__.rpartition(".")[2], []).append(kind)
    return found


def sections(text: str) -> dict[str, str]:
    """The sections of a source by their title."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return {title.strip(): body.strip() for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def problems(text: str) -> list[str]:
    """What a source lacks."""
    found = sections(text)
    wanted = [*SECTIONS, *(["Links"] if "Links" in found else [])]
    wrong = [f"{title} is empty" for title, body in found.items() if not body]
    if list(found) != wanted or not text.startswith("## "):
        wrong.append(f"sections must be {', '.join(wanted)}, got {', '.join(found) or 'none'}")
    return wrong


def pages(sources: Path) -> dict[str, str]:
    """The text of every page by its file name: those that have a source, and the table of all."""
    made = {"README.md": _table(sources)}
    for module, of_module in kinds().items():
        source = sources / f"{module}.md"
        if source.exists():
            made[f"{module}.md"] = _page(of_module, sections(source.read_text(encoding="utf-8")))
    return made


def call(kind: type[Settings]) -> str:
    """Code that makes the settings with their defaults."""
    group = "evaluators" if kind is SharedWeights else "strategies"
    given = [f"{info.name}={_literal(info.default)}" for info in field_infos(kind) if info.name not in _required(kind)]
    line = f"nb.{group}.{kind.__name__}({', '.join(given)})"
    if len(line) <= WIDTH - len("evaluator = "):
        return line
    return "\n".join([f"nb.{group}.{kind.__name__}(", *(f"    {argument}," for argument in given), ")"])


def _literal(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _required(kind: type[Settings]) -> set[str]:
    return {entry.name for entry in fields(kind) if entry.default is MISSING}  # type: ignore[arg-type]


def _page(of_module: list[type[Settings]], source: Mapping[str, str]) -> str:
    reference, differs = _docstring(of_module[0])
    heads = [f"# {of_module[0].title}", *(f"```python\n{_search(kind)}\n```" for kind in of_module)]  # type: ignore[attr-defined]
    parts = [*heads, f"## Idea\n{source['Idea']}", f"## Reference\n{reference}"]
    parts += [differs] if differs else []
    parts.append(f"## Equation\n{source['Equation']}")
    parts += [f"## Settings{_of(kind, of_module)}\n{_settings(kind)}" for kind in of_module]
    parts += [f"## {title}\n{source[title]}" for title in SECTIONS[2:]]
    return "\n\n".join([*parts, f"## Links\n{_links(of_module[0], source.get('Links', ''))}"]) + "\n"


def _of(kind: type[Settings], of_module: list[type[Settings]]) -> str:
    return f" of `{kind.__name__}`" if len(of_module) > 1 else ""


def _docstring(kind: type[Settings]) -> tuple[str, str]:
    """Reference and deviations: the docstring of the module without its first line."""
    text = inspect.cleandoc(sys.modules[kind.__module__].__doc__ or "").partition("\n")[2].strip()
    reference, _, differs = text.partition("Differs from the ")
    differs = f"**Differs from the {differs.replace(':', ':**', 1)}" if differs else ""
    return _prose(reference), _prose(differs)


def _prose(text: str) -> str:
    """Paragraphs filled anew, with links where arXiv is named; lists and code stay as they are."""
    paragraphs = re.split(r"\n\s*\n", text.strip()) if text.strip() else []
    return "\n\n".join(_filled(paragraph) for paragraph in paragraphs)


def _filled(paragraph: str) -> str:
    linked = re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", paragraph)
    if re.search(r"^(- | {2,}|\|)", paragraph, flags=re.MULTILINE):
        return linked
    return textwrap.fill(" ".join(linked.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def _search(kind: type[Settings]) -> str:
    """A whole search with the defaults."""
    if kind is SharedWeights:
        return f"evaluator = {call(kind)}\nnb.search(space, task, strategy, evaluator, budget=nb.Budget(epochs=50))"
    if kind.differentiable:  # type: ignore[attr-defined]
        rest = "budget=nb.Budget(epochs=50)"
    else:
        several = "objective=nb.objectives.Pareto(), " if kind.several else ""  # type: ignore[attr-defined]
        rest = f"nb.evaluators.Training(), {several}budget=nb.Budget(trials=100)"
    search = f"space, task, strategy, {rest}"
    if len(search) > WIDTH - len("nb.search()"):
        search = f"\n    {search}\n"
    return f"strategy = {call(kind)}\nnb.search({search})"


def _settings(kind: type[Settings]) -> str:
    infos = field_infos(kind)
    if not infos:
        return "None."
    required = _required(kind)
    rows = [
        (f"`{info.name}`", "" if info.name in required else _value(info.default), _range(info), info.help)
        for info in infos
    ]
    return _markdown(("setting", "default", "range", "meaning"), rows)


def _value(value: Any) -> str:
    return "none" if value is None else f"`{value}`"


def _range(info: FieldInfo) -> str:
    return " or ".join(filter(None, [info.range_text, "none" if info.optional else ""]))


def _links(kind: type[Settings], own: str) -> str:
    path = kind.__module__.replace(".", "/") + ".py"
    package, module = kind.__module__.split(".")[-2:]
    folder = Path(__file__).parents[1] / "tests" / package
    tests = sorted({*folder.glob(f"test_{module}.py"), *folder.glob(f"test_facts_{module}.py")})
    named = ", ".join(f"[tests/{package}/{test.name}](../../tests/{package}/{test.name})" for test in tests)
    lines = [f"- Code: [{path}](../../{path})", f"- Facts that are tested: {named}"]
    return "\n".join([*([own] if own else []), *(lines if named else lines[:1])])


def _table(sources: Path) -> str:
    rows = []
    for module, of_module in kinds().items():
        for kind in of_module:
            reference, _ = _docstring(kind)
            title: str = kind.title  # type: ignore[attr-defined]
            written = (sources / f"{module}.md").exists()
            named = f"[{title}]({module}.md)" if written else title
            rows.append((named, f"`{kind.__name__}`", _family(module, kind), _first(reference), *_needs(kind)))
    order = [*FAMILIES, "differentiable", "other"]
    rows.sort(key=lambda row: (order.index(row[2]), row[1]))
    heads = ("strategy", "class", "family", "reference", "needs a relaxed view", "several objectives")
    intro = _prose(
        "One page each, from one template: idea, reference and what differs from it, equation, settings, what is "
        "logged, implementation, results. `make docs` writes the pages from the code and from `sources/`. Shared "
        "weights are a way to score; they are listed because with them a strategy becomes a one-shot search."
    )
    return f"# Strategies\n\n{intro}\n\n{_markdown(heads, rows)}\n"


def _family(module: str, kind: type[Settings]) -> str:
    if getattr(kind, "differentiable", False):
        return "differentiable"
    return next((family for family, modules in FAMILIES.items() if module in modules), "other")


def _first(reference: str) -> str:
    """The first work that is named: up to its year, with its arXiv number."""
    text = " ".join(reference.split())
    found = re.match(r".*?\b(?:19|20)\d\d\b(?:, \[arXiv:[^)]*\))?", text)
    return found.group() if found else text.split(". ")[0]


def _needs(kind: type[Settings]) -> Iterator[str]:
    yield "yes" if kind is SharedWeights or getattr(kind, "differentiable", False) else "no"
    yield "as its strategy" if kind is SharedWeights else "yes" if getattr(kind, "several", False) else "no"


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in (heads, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(heads), *lines[1:]])


def main() -> None:
    """Writes all pages and removes those of strategies that are gone."""
    made = pages(FOLDER / "sources")
    for old in FOLDER.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{len(made)} pages in {FOLDER}")


if __name__ == "__main__":
    main()
