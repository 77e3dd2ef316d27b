"""Sources of notebooks: regeneration changes no byte, and a source that is wrong is refused."""

from __future__ import annotations

import json

import nbformat
import pytest

from nbnas import course
from tests.course.lessons import ROOT, SOURCES, maker

LESSONS = sorted(path.stem for path in SOURCES.glob("*.py"))


@pytest.mark.parametrize("name", LESSONS)
def test_the_notebook_is_what_its_source_makes(name):
    """Run `python notebooks/make.py` after a change of the source; notebooks are not edited by hand."""
    text = maker().notebook((SOURCES / f"{name}.py").read_text(encoding="utf-8"))
    assert (ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_has_one_title_short_cells_and_no_outputs(name):
    book = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    nbformat.validate(nbformat.from_dict(book))
    texts = ["".join(cell["source"]) for cell in book["cells"]]
    code = [text for text, cell in zip(texts, book["cells"], strict=True) if cell["cell_type"] == "code"]
    titles = [line for text in texts if text not in code for line in text.splitlines() if line.startswith("# ")]
    assert len(titles) == 1
    assert texts[0].startswith("# ")
    assert 25 <= len(texts) <= 40
    assert max(text.count("\n") + 1 for text in code) <= 25
    assert all(not cell["outputs"] for cell in book["cells"] if cell["cell_type"] == "code")
    assert not any(word in text for text in code for word in ("!pip", "sudo", "input(", "http", "urlopen", "cuda"))


@pytest.mark.parametrize("name", LESSONS)
def test_the_claims_of_a_lesson_are_numbered_in_order_and_its_exercises_exist(name):
    text = (SOURCES / f"{name}.py").read_text(encoding="utf-8")
    lesson = name[:2]
    numbers = [int(part.split('"')[0]) for part in text.split(f'"{lesson}.')[1:] if part.split('"')[0].isdigit()]
    assert numbers == list(range(1, len(numbers) + 1))
    letters = [letter for letter in "abcdefg" if f'exercise("{lesson}.{letter}").check(' in text]
    assert len(letters) >= 2
    for letter in letters:
        assert course.exercise(f"{lesson}.{letter}").text in " ".join(text.replace("\n#", " ").split())


def test_cells_are_made_of_marks_and_comments():
    made = maker().cells("# %% [markdown]\n# # Title\n#\n# Words.\n\n# %%\nx = 1  # one\n\n# %% [live]\nx\n")
    assert [(cell.kind, cell.text) for cell in made] == [
        ("markdown", "# Title\n\nWords."),
        ("code", "x = 1  # one"),
        ("live", "x"),
    ]
    assert [cell.line for cell in made] == [1, 6, 9]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n# %%\n", "the first cell must begin"),
        ("# %% [raw]\n", "mark must be one of"),
        ("# %% [markdown]\nno comment\n", "line 2: markdown must be comments"),
    ],
)
def test_a_wrong_source_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        maker().cells(source)
