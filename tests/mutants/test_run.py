"""The runner itself: it sees what is killed, what survives, and what it cannot judge."""

from __future__ import annotations

import pytest

from tests.mutants import run
from tests.mutants.run import ROOT, main, outcome
from tests.mutants.table import MUTANTS, Mutant

TESTS = "tests/test_seeds.py"
GLUED = Mutant(
    "Keys are glued together.",
    "seeds.py",
    "(zlib.crc32(name.encode()), *keys)",
    '(zlib.crc32((name + "".join(map(str, keys))).encode()),)',
    f"{TESTS}::test_keys_are_not_glued_together",
)
NAMELESS = GLUED._replace(
    says="All purposes share a stream.", new="keys", test=f"{TESTS}::test_every_purpose_has_its_own_seed"
)
LIKE_THE_CODE = GLUED._replace(
    says="Nothing is wrong with it.",
    new="(zlib.crc32(name.encode()),) + keys",
    test=f"{TESTS}::test_seeds_never_change",
)
BROKEN = GLUED._replace(says="It cannot run.", new="(zlib.crc32(keys), *keys)")


@pytest.fixture(autouse=True)
def light(monkeypatch):
    """The tests that are run here need nothing that is slow to import."""
    monkeypatch.setattr(run, "PRELOAD", ["pytest", "hypothesis"])


def test_mutants_are_killed_and_an_equivalent_one_survives(monkeypatch, capsys):
    monkeypatch.setattr(run, "MUTANTS", [GLUED, NAMELESS, LIKE_THE_CODE])
    assert main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(" | ")[2] for line in lines[2:5]] == ["killed |", "killed |", "SURVIVED |"]
    assert lines[2].startswith("| seeds.py: Keys are glued together. | test_seeds.py::test_keys_are_not_glued_together")
    assert lines[-1].startswith("2 of 3 killed in")


def test_all_killed_is_status_0(monkeypatch, capsys):
    monkeypatch.setattr(run, "MUTANTS", [GLUED])
    assert main() == 0
    assert "1 of 1 killed" in capsys.readouterr().out


def test_a_test_that_breaks_has_seen_nothing():
    assert outcome(BROKEN) == "NOT SEEN BY AN ASSERTION: TypeError"
    assert outcome(BROKEN._replace(new="(")).startswith("NOT SEEN BY AN ASSERTION: ")


@pytest.mark.parametrize(("old", "times"), [("no such text", 0), ("_sequence(seed, name, keys)", 2)])
def test_an_old_text_must_be_there_exactly_once(old, times):
    found = outcome(GLUED._replace(old=old))
    assert found == f"CANNOT BE APPLIED: its old text is there {times} times"


def test_nothing_is_judged_where_the_code_as_it_is_fails(monkeypatch, capsys):
    monkeypatch.setattr(run, "MUTANTS", [GLUED._replace(test=f"{TESTS}::test_that_is_not_there")])
    assert main() == 1
    assert "must pass on the code as it is" in capsys.readouterr().out


def test_words_choose(capsys):
    assert main(["no mutant has these words"]) == 1
    assert "no mutant has no mutant has these words in it" in capsys.readouterr().out


def test_there_are_many_and_each_is_another_change():
    assert len(MUTANTS) >= 30
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)
    assert len({mutant.says for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.says)
def test_every_mutant_can_still_be_applied(mutant):
    """The code has moved on when this fails: bring the table along."""
    text = (ROOT / "nbnas" / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1
    assert mutant.old != mutant.new
    compile(text.replace(mutant.old, mutant.new), mutant.file, "exec")
    file, test = mutant.test.split("::")
    assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")
