"""Claims and profiles: what holds is printed alike everywhere, what does not hold raises."""

from __future__ import annotations

import numpy as np
import pytest

from nbnas import course
from nbnas.errors import ClaimError, NbnasError, SettingsError


def test_a_claim_that_holds_prints_one_line_without_measured_values(capsys):
    made = course.claim("05.2", "The mean stays.", True, value=1.23456, threshold=2, margin_sd=7.3, kind="empirical")
    assert capsys.readouterr().out == "CLAIM 05.2 holds (empirical, margin above 5 sd): The mean stays.\n"
    assert made.name == "05.2"


def test_a_claim_at_the_end_of_a_cell_does_not_stand_there_twice(capsys):
    made = course.claim("05.2", "The mean stays.", True)
    capsys.readouterr()
    made._ipython_display_()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("margin", "words"),
    [(1.9, "margin below 2 sd"), (2.0, "margin above 2 sd"), (9.99, "margin above 5 sd"), (1e6, "margin above 100 sd")],
)
def test_margins_are_told_in_coarse_steps(margin, words):
    assert f"({'empirical'}, {words})" in course.claim("00.1", "So.", True, kind="empirical", margin_sd=margin).text


@pytest.mark.parametrize("false", [False, np.bool_(False)])
def test_a_claim_that_does_not_hold_raises_and_says_what_was_found(false, capsys):
    with pytest.raises(ClaimError, match=r"^claim 05\.3 must hold, got 0\.25 against 0\.5: It is large\.$"):
        course.claim("05.3", "It is large.", false, value=0.25, threshold=0.5)
    assert capsys.readouterr().out == ""


def test_a_claim_error_is_an_assertion_and_an_error_of_the_library():
    assert issubclass(ClaimError, AssertionError)
    assert issubclass(ClaimError, NbnasError)


@pytest.mark.parametrize("holds", [None, 1, "yes", [True], np.array([True, True]), np.array(True)])
def test_only_a_truth_value_can_hold(holds):
    """An array would hold by accident, and so would a text."""
    with pytest.raises(SettingsError, match=r"holds must be True or False"):
        course.claim("05.1", "Something.", holds)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("5.1", "So."), "name must be lesson and number"),
        (("05.b", "So."), "name must be lesson and number"),
        (("05.1", "  "), "sentence must say what is claimed"),
    ],
)
def test_a_claim_needs_a_name_and_a_sentence(arguments, message):
    with pytest.raises(SettingsError, match=message):
        course.claim(*arguments, True)


def test_a_claim_is_of_a_known_kind():
    with pytest.raises(SettingsError, match=r"kind must be one of identity, statistical, empirical, got 'certain'"):
        course.claim("05.1", "So.", True, kind="certain")


@pytest.mark.parametrize(("name", "value"), [("ci", 1), ("class", 2), ("full", 3), ("", 2)])
def test_the_environment_says_the_profile(monkeypatch, name, value):
    monkeypatch.setenv("NBNAS_PROFILE", name)
    assert course.params().pick(1, 2, 3) == value


def test_an_unknown_profile_is_refused(monkeypatch):
    monkeypatch.setenv("NBNAS_PROFILE", "quick")
    with pytest.raises(SettingsError, match=r"NBNAS_PROFILE must be one of ci, class, full, got 'quick'"):
        course.params()


def test_sections_have_streams_of_their_own():
    def first(lesson, section):
        return course.rng(lesson, section).random()

    assert first("05", "1") == first("05", "1")
    assert len({first("05", "1"), first("05", "2"), first("06", "1")}) == 3


def test_a_figure_must_say_in_words_what_it_shows():
    drawn = course.chart("Title", "x", "y", lines={"a": ([0, 1], [2, 3])})
    for alt in ("", "  ", "A plot of y"[:6]):
        with pytest.raises(SettingsError, match="alt must say in a sentence"):
            course.show(drawn, alt)


def test_a_figure_shows_its_numbers_axes_and_words():
    drawn = course.chart(
        "Growth <b>", "n (draws)", "error", lines={"mean": ([1, 2], [0.5, 0.25])}, dots={"seen": ([1.5], [0.3])}
    )
    html = course.show(drawn, "The error halves from one & two draws.")._repr_html_()
    assert "The error halves from one &amp; two draws." in html
    assert "n (draws)" in html
    assert ">error</text>" in html
    assert "Growth &lt;b&gt;" in html
    assert "<td>2<br>0.25</td>" in html
    assert (
        len({(trace["line"]["dash"] if "line" in trace else trace["marker"]["symbol"]) for trace in drawn["data"]}) == 2
    )


@pytest.mark.parametrize("name", ["", "n" * 41])
def test_an_axis_has_a_name_for_which_there_is_room(name):
    with pytest.raises(SettingsError, match=r"axis must be named by 1\.\.40 characters"):
        course.chart("Title", "x", name, lines={"a": ([0, 1], [2, 3])})
