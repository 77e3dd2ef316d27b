"""How many architectures a space has, counted from its conditions without enumerating them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

__all__ = ["MOST_STATES", "Condition", "TooEntangled", "count"]

MOST_STATES = 20_000
_MOST_STEPS = 2_000_000

Condition = tuple[int, frozenset[int]]
"""The place of an earlier decision and its choices with which the condition holds."""


class TooEntangled(Exception):
    """At the decision `args[0]` more cases are open at a time than can be counted."""


def count(counts: Sequence[int], when: Sequence[Sequence[Sequence[Condition]]]) -> int:
    """How many ways there are to choose.

    Args:
        counts: how many options each decision has.
        when: for each decision what must hold for it to be active: each time one of some conditions.

    Raises:
        TooEntangled: the conditions that are open at a time have too many cases.
    """
    flat = [[rule for ways in needs for rule in ways] for needs in when]
    last_use = {rule: place for place, rules in enumerate(flat) for rule in rules}
    asked: dict[int, list[Condition]] = {}
    for rule in last_use:
        asked.setdefault(rule[0], []).append(rule)
    steps, factor = 0, 1
    # The conditions that hold, of those on which later decisions still depend -> number of ways to come there.
    states: dict[frozenset[Condition], int] = {frozenset(): 1}
    for place, options in enumerate(counts):
        if not flat[place] and place not in asked:
            factor *= options
            continue
        rules = asked.get(place, [])
        # Options that agree on all conditions make no difference.
        kinds = Counter(frozenset(rule for rule in rules if option in rule[1]) for option in range(options))
        ended = frozenset(rule for rule in flat[place] if last_use[rule] == place)
        following: dict[frozenset[Condition], int] = {}
        for state, ways in states.items():
            active = all(any(rule in state for rule in either) for either in when[place])
            outcomes = kinds.items() if active else ((frozenset(), 1),)
            for holding, number in outcomes:
                steps += 1
                key = (state - ended) | holding
                following[key] = following.get(key, 0) + ways * number
            if len(following) > MOST_STATES or steps > _MOST_STEPS:
                raise TooEntangled(place)
        states = following
    return factor * sum(states.values())
