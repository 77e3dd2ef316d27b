"""The course: claims that lessons assert, exercises that check themselves, and a space that is small enough to know.

Lessons are the notebooks; this package holds what they share. It needs neither Jupyter nor a network.
"""

from nbnas.course.claims import Claim, claim
from nbnas.course.exercises import Exercise, Result, exercise
from nbnas.course.figures import Shown, chart, show
from nbnas.course.profile import Profile, params, rng

__all__ = ["Claim", "Exercise", "Profile", "Result", "Shown", "chart", "claim", "exercise", "params", "rng", "show"]
