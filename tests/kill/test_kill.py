"""A process that is killed at any moment loses nothing that it acknowledged, and its run goes on as if never killed."""

import random
import signal

import pytest

from nbnas.session import open_run
from tests.kill.campaign import SUBJECTS, Campaign
from tests.kill.points import POINTS, Kill

pytestmark = pytest.mark.kill

ABSENT = {
    "Trials-RandomSearch": {"before derive", "before probabilities", "before rename", "after rename"},  # no tensors
    "Trials-RegularizedEvolution": {"before derive", "before probabilities", "before rename", "after rename"},
    "Trials-Reinforce": {"before derive", "before probabilities"},
    "Relaxation-Darts": {"before tell"},
    "OneShot-Reinforce": {"before derive", "before probabilities"},
}
"""Points that a subject never comes to."""


@pytest.fixture(scope="module", params=SUBJECTS)
def campaign(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(SUBJECTS[request.param], tmp_path_factory.mktemp(request.param))


def test_the_run_that_is_never_killed_comes_to_every_point(campaign):
    assert {point for point, _ in campaign.whole.trace} == set(POINTS) - ABSENT[campaign.subject.name]
    assert {kill.point for kill in campaign.midway} == set(POINTS) - ABSENT[campaign.subject.name]
    assert campaign.semantic[-1] == {"kind": "RunFinished", "reason": "budget"}
    assert len(campaign.middle) >= 20


@pytest.mark.parametrize("point", POINTS)
def test_killed_once(campaign, point):
    if point in ABSENT[campaign.subject.name]:
        pytest.skip("it never comes there")
    rng = random.Random(f"{campaign.subject.name} {point}")
    kill = rng.choice(campaign.places(point))
    case = campaign.case(kill)
    assert case.kills == [kill]
    assert case.good, case


@pytest.mark.parametrize("seed", range(4))
def test_killed_again_while_it_repeats_or_goes_on(campaign, seed):
    rng = random.Random(f"{campaign.subject.name} {seed}")
    kills, save_every = campaign.random_case(rng, twice=True)
    case = campaign.case(*kills, save_every=save_every)
    assert case.kills == kills
    assert case.good, case


def test_killed_right_after_a_resume_point_that_was_saved_while_repeating(campaign):
    """There is none before the first kill, so the second process repeats several steps and saves after each."""
    first = [kill for kill in campaign.places("within batch") if kill in campaign.middle][-1]
    kills = [first, Kill("after save", 1), Kill("after save", 1)]
    case = campaign.case(*kills, save_every=1000)
    assert case.kills == kills
    assert case.good, case


def test_killed_before_the_first_event(campaign):
    kill = Kill("before append", 1)
    before = set(campaign.runs.iterdir())
    child = campaign.child(kill=kill)
    assert child.exit_code == -signal.SIGKILL
    (folder,) = set(campaign.runs.iterdir()) - before
    assert campaign.records(folder.name) == []
    assert campaign.child(folder.name).exit_code == 0
    assert [r.event.semantic_json() for r in campaign.records(folder.name) if r.event.semantic] == campaign.semantic


def test_a_killed_run_shows_as_interrupted(campaign):
    child = campaign.child(kill=campaign.middle[0])
    assert child.killed
    assert open_run(child.run_id, campaign.runs).status == "interrupted"


@pytest.mark.parametrize("seed", range(3))
def test_control_without_the_generators_state_a_resumed_run_differs(campaign, seed):
    """The campaign can fail."""
    kill = random.Random(f"{campaign.subject.name} {seed}").choice(campaign.middle)
    case = campaign.case(kill, control=True)
    assert case.kills == [kill]
    assert case.midway
    assert not case.equal
    assert case.lost == 0
    assert not case.error or "ResumeError" in case.error
