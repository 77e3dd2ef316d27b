"""Executes the sources of lessons, so that their claims can be tested in a library that was broken on purpose."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "notebooks" / "source"


def maker() -> ModuleType:
    """The script that makes notebooks."""
    spec = importlib.util.spec_from_file_location("make_notebooks", ROOT / "notebooks" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # which classes of it look up
    spec.loader.exec_module(made)
    return made


def run(lesson: str, *, until: str = "", skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """The names after executing the code of a lesson without its live cells.

    Args:
        lesson: the name of the source.
        until: the claim after whose cell to stop; all cells when empty.
        skip: claims whose cells are left out, since they are slow and nothing depends on them.
    """
    names: dict[str, Any] = {"__name__": "lesson"}
    path = SOURCES / f"{lesson}.py"
    seen = False
    for cell in maker().cells(path.read_text(encoding="utf-8")):
        if cell.kind != "code" or any(f'claim("{name}"' in cell.text.replace("\n    ", "") for name in skip):
            continue
        code = compile("\n" * cell.line + cell.text, str(path), "exec")  # a traceback names the line of the source
        exec(code, names)
        if until and f'"{until}"' in cell.text:
            seen = True
            break
    assert seen or not until, f"lesson {lesson} has no claim {until}"
    return names
