"""Makes the notebooks of the course from their sources: `python notebooks/make.py`.

A source, `notebooks/source/NAME.py`, is a list of cells: `# %% [markdown]` begins text, of which each line is a
comment, `# %%` begins code, and `# %% [live]` code that runs or shows a search, on which no claim elsewhere depends.
Notebooks are written without outputs, always the same bytes. With `--check` nothing is written; stale ones are named.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

FOLDER = Path(__file__).parent
MARKS = {"# %%": "code", "# %% [live]": "live", "# %% [markdown]": "markdown"}
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}


class Cell(NamedTuple):
    """One cell: its kind (code, live, markdown), its text, and the line of the source where it begins."""

    kind: str
    text: str
    line: int


def cells(source: str) -> list[Cell]:
    """The cells of a source.

    Raises:
        ValueError: there is text before the first cell, a mark that is unknown, or markdown that is no comment.
    """
    found: list[tuple[str, list[str], int]] = []
    for number, line in enumerate(source.splitlines(), start=1):
        if line.startswith("# %%"):
            if line not in MARKS:
                raise ValueError(f"line {number}: mark must be one of {', '.join(MARKS)}, got {line!r}")
            found.append((MARKS[line], [], number))
        elif not found:
            if line.strip():
                raise ValueError(f"line {number}: the first cell must begin before {line!r}")
        else:
            kind, lines, _ = found[-1]
            if kind == "markdown" and line.strip() and line != "#" and not line.startswith("# "):
                raise ValueError(f"line {number}: markdown must be comments, got {line!r}")
            lines.append(line[2:] if kind == "markdown" else line)
    return [Cell(kind, "\n".join(lines).strip("\n"), line) for kind, lines, line in found]


def notebook(source: str) -> str:
    """The text of the notebook."""
    made = []
    for place, cell in enumerate(cells(source)):
        new: Any = nbformat.v4.new_markdown_cell if cell.kind == "markdown" else nbformat.v4.new_code_cell
        made.append(new(cell.text, id=f"cell-{place:02}"))
    whole = nbformat.v4.new_notebook(cells=made, metadata=METADATA)
    nbformat.validate(whole)
    return str(nbformat.writes(whole)).rstrip("\n") + "\n"


def main() -> int:
    """Writes or checks all notebooks that have a source."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, name what is stale")
    check = parser.parse_args().check
    stale = []
    for path in sorted((FOLDER / "source").glob("*.py")):
        target = FOLDER / f"{path.stem}.ipynb"
        text = notebook(path.read_text(encoding="utf-8"))
        if target.exists() and target.read_text(encoding="utf-8") == text:
            continue
        stale.append(target.name)
        if not check:
            target.write_text(text, encoding="utf-8")
    print(f"{'stale' if check else 'written'}: {', '.join(stale) or 'none'}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
