"""Pages of strategies: up to date with the code, made of whole sources, and the code in them runs."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import nbnas as nb

ROOT = Path(__file__).parents[1]

PENDING: set[str] = set()
"""Modules whose page is still to be written; the list must shrink."""


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("make_strategies", ROOT / "docs" / "make_strategies.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


make = _load()
SOURCES = make.FOLDER / "sources"
WRITTEN = sorted(path.stem for path in SOURCES.glob("*.md"))


def test_every_strategy_has_a_source_but_those_that_are_pending():
    missing = set(make.kinds()) - set(WRITTEN)
    assert missing <= PENDING, "write docs/strategies/sources/MODULE.md"
    assert not PENDING & set(WRITTEN), "take it out of PENDING"


def test_every_source_is_of_a_strategy():
    assert set(WRITTEN) <= set(make.kinds())


@pytest.mark.parametrize("module", WRITTEN)
def test_a_source_has_all_sections_in_order(module):
    assert make.problems((SOURCES / f"{module}.md").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "sections must be Idea, .*, got none"),
        ("## Idea\na\n## Equation\nb\n## What it logs\nc\n## Implementation\nd\n", "got Idea, Equation, What it logs"),
        ("## Equation\na\n## Idea\nb\n## What it logs\nc\n## Implementation\nd\n## Results\ne\n", "got Equation, Idea"),
        ("# Title\n## Idea\na\n## Equation\nb\n## What it logs\nc\n## Implementation\nd\n## Results\ne\n", "must be"),
        ("## Idea\n\n## Equation\nb\n## What it logs\nc\n## Implementation\nd\n## Results\ne\n", "Idea is empty"),
    ],
)
def test_an_incomplete_source_is_seen(text, problem):
    assert re.search(problem, " ".join(make.problems(text)))


def test_the_pages_are_up_to_date():
    stored = {path.name: path.read_text(encoding="utf-8") for path in make.FOLDER.glob("*.md")}
    made = make.pages(SOURCES)
    assert sorted(stored) == sorted(made), "run `make docs`"
    assert [name for name in made if stored[name] != made[name]] == [], "run `make docs`"


def test_a_page_is_made_of_code_and_source(tmp_path):
    whole = (SOURCES / "random_search.md").read_text(encoding="utf-8")
    (tmp_path / "random_search.md").write_text(
        whole.replace("## Idea\n", "## Idea\nA new sentence. "), encoding="utf-8"
    )
    made = make.pages(tmp_path)
    assert sorted(made) == ["README.md", "random_search.md"]
    assert "## Idea\nA new sentence. " in made["random_search.md"]
    assert "**Differs from the paper:** with `SharedWeights`" in made["random_search.md"]


@pytest.mark.parametrize("module", sorted(make.kinds()))
def test_the_call_of_a_page_makes_the_defaults(module):
    for kind in make.kinds()[module]:
        assert eval(make.call(kind), {"nb": nb}) == kind()


@pytest.mark.parametrize("module", WRITTEN)
def test_a_page_names_every_setting_and_its_links_lead_somewhere(module):
    page = (make.FOLDER / f"{module}.md").read_text(encoding="utf-8")
    for kind in make.kinds()[module]:
        for info in make.field_infos(kind):
            assert f"| `{info.name}` |" in page
    for link in re.findall(r"\]\(([^)#]+)", page):
        assert link.startswith("https://") or (make.FOLDER / link).exists(), link


def test_the_table_names_every_strategy_and_what_it_needs():
    rows = {
        line.split(" | ")[1]: line.strip("| ").split(" | ")
        for line in make.pages(SOURCES)["README.md"].splitlines()
        if line.startswith("| ") and "`" in line
    }
    assert set(rows) == {f"`{kind.__name__}`" for kinds in make.kinds().values() for kind in kinds}
    assert rows["`Darts`"][2:] == ["differentiable", rows["`Darts`"][3], "yes", "no"]
    assert rows["`NSGA2`"][4:] == ["no", "yes"]
    assert "arXiv:1806.09055" in rows["`Darts`"][3]
