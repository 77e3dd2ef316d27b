"""How many architectures a space has, counted from its conditions without enumerating them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

__all__ = ["MOST_STATES", "Condition", "TooEntangled", "count"]

MOST_STATES = 20_000
_MOST_STEPS = 500_000

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
    last_use = {rule: place for place, needs in enumerate(when) for ways in needs for rule in ways}
    asked: dict[int, list[Condition]] = {}
    for rule in last_use:
        asked.setdefault(rule[0], []).append(rule)
    # A state tells which conditions hold, one bit each, of those on which later decisions still depend; a bit is free
    # again after the last use of its condition.
    bits: dict[Condition, int] = {}
    free: list[int] = []
    steps, factor = 0, 1
    kinds: dict[tuple[int, tuple[frozenset[int], ...]], Counter[frozenset[int]]] = {}
    states: dict[int, int] = {0: 1}  # state -> number of ways to come there
    for place, options in enumerate(counts):
        rules = asked.get(place, ())
        if not when[place] and not rules:
            factor *= options
            continue
        for rule in rules:
            bits[rule] = free.pop() if free else 1 << len(bits)
        allowed = tuple(rule[1] for rule in rules)
        if (options, allowed) not in kinds:
            kinds[options, allowed] = _alike(options, allowed)
        # Options that agree on all conditions make no difference.
        holding = [(sum(bits[rules[at]] for at in kind), number) for kind, number in kinds[options, allowed].items()]
        needs = [sum({bits[rule] for rule in ways}) for ways in when[place]]
        ended = {rule for ways in when[place] for rule in ways if last_use[rule] == place}
        kept = ~sum(bits[rule] for rule in ended)
        following: dict[int, int] = {}
        for state, ways in states.items():
            outcomes = holding if all(state & need for need in needs) else [(0, 1)]
            steps += len(outcomes)
            for new, number in outcomes:
                key = state & kept | new
                following[key] = following.get(key, 0) + ways * number
            if len(following) > MOST_STATES or steps > _MOST_STEPS:
                raise TooEntangled(place)
        free += [bits[rule] for rule in ended]
        states = following
    return factor * sum(states.values())


def _alike(options: int, allowed: tuple[frozenset[int], ...]) -> Counter[frozenset[int]]:
    """How many options are in just these of the allowed sets, by the places of the sets."""
    return Counter(frozenset(at for at, some in enumerate(allowed) if option in some) for option in range(options))
