"""Networks composed of parts, one after the other, and parts that are repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from nbnas.errors import SpaceError
from nbnas.settings import setting
from nbnas.spaces.bound import Bound, Extent
from nbnas.spaces.component import MAX_DECISIONS, Component, Flow, of_part
from nbnas.spaces.decision import Condition, Decision, Option, within
from nbnas.spaces.graphs import chained
from nbnas.spaces.open import Open

if TYPE_CHECKING:
    import networkx

__all__ = ["Composite", "Network", "Repeat"]


@dataclass(frozen=True)
class Composite(Component):
    """A component whose relaxed view is made of those of its children."""

    @override
    def relaxable(self) -> str | None:
        if self.opened():
            return f"field {next(iter(self.opened()))!r} is open. Close it, or score with nb.evaluators.Training"
        for name, part in self.children().items():
            if reason := part.relaxable():
                return f"part {name!r}: {reason}"
        return None

    @override
    def rows(self) -> tuple[Decision, ...]:
        return tuple(row for name, part in self.children().items() for row in within(name, part.rows()))

    @override
    def paths(self, chosen: Mapping[str, Option]) -> dict[str, tuple[Option, ...]]:
        return {
            f"{name}/{row}": options
            for name, part in self.children().items()
            for row, options in part.paths(of_part(chosen, name)).items()
        }

    @override
    def derive(self, weights: Mapping[str, Mapping[Option, float]]) -> dict[str, Option]:
        found: dict[str, Option] = {}
        for name, part in self.children().items():
            inner = {
                row.removeprefix(f"{name}/"): value for row, value in weights.items() if row.startswith(f"{name}/")
            }
            found |= {f"{name}/{decision}": option for decision, option in part.derive(inner).items()}
        return found


@dataclass(frozen=True)
class Network(Composite):
    """Named parts, one after the other, from the input to the logits; parts that take `none` (a recipe) stand aside."""

    kind: ClassVar[str] = "network"

    parts: tuple[Component, ...] = setting((), "Stem, bodies, head, perhaps a training recipe.")

    @override
    def check(self) -> None:
        if not 1 <= len(self.parts) <= 100:
            self._wrong("parts", f"1..100 components, got {len(self.parts)}")
        seen: set[str] = set()
        for place, part in enumerate(self.parts):
            name = part.name or part.kind
            if name in seen:
                self._wrong(f"parts/{place}/name", f"new among the parts, got {name!r}. Give each part its own name")
            seen.add(name)
        flowing = [(place, part) for place, part in enumerate(self.parts) if part.flow_in() != "none"]
        if not flowing:
            self._wrong("parts", "one part of a network at least, got only parts that stand aside")
        for (_, before), (place, part) in pairwise(flowing):
            if not _fits(before.flow_out(), part.flow_in()):
                self._wrong(
                    f"parts/{place}",
                    f"a part that takes a {before.flow_out()}, which {before.name or before.kind!r} gives, "
                    f"got {part.name or part.kind!r}, which takes a {part.flow_in()}",
                )
        place, last = flowing[-1]
        if last.flow_out() != "logits":
            self._wrong(
                f"parts/{place}",
                f"the head of the network, got {last.name or last.kind!r}. Add a head as the last part",
            )

    def _wrong(self, field: str, expected: str) -> None:
        raise SpaceError(f"{field} must be {expected}; in Network.", field=field)

    def flowing(self) -> dict[str, Component]:
        """The parts that the input goes through, in order."""
        return {name: part for name, part in self.children().items() if part.flow_in() != "none"}

    @override
    def flow_in(self) -> Flow:
        return next(iter(self.flowing().values())).flow_in()

    @override
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        parts = self.flowing()
        return chained(
            {name: part.graph(None if chosen is None else of_part(chosen, name)) for name, part in parts.items()}
        )


@dataclass(frozen=True)
class Repeat(Composite):
    """One part several times in a row, with the same choices in all of them, or each with its own."""

    kind: ClassVar[str] = "repeat"

    part: Component = setting(help="What is repeated.")  # noqa: RUF009
    times: int = setting(2, "How often.", minimum=1, maximum=64, open=True)
    shared: bool = setting(False, "Whether all repetitions take the same choices.")

    @override
    def check(self) -> None:
        taken, given = self.part.flow_in(), self.part.flow_out()
        if taken == "none" or not _fits(given, taken):
            expected = "a part of the network" if taken == "none" else f"one that gives what it takes ({taken})"
            raise SpaceError(
                f"part must be {expected}, got {self.part.name or self.part.kind!r}, which gives {given}; in Repeat.",
                field="part",
            )

    @override
    def flow_in(self) -> Flow:
        return self.part.flow_in()

    @override
    def flow_out(self) -> Flow:
        return self.part.flow_out()

    @override
    def children(self) -> dict[str, Component]:
        if self.shared:
            return {"each": self.part}
        return {str(place): self.part for place in range(1, self.most() + 1)}

    @override
    def place(self, decision: str) -> str:
        head, _, rest = decision.partition("/")
        return f"/part{self.part.place(rest)}" if rest and head.isalnum() else super().place(decision)

    @override
    def bound(self, given: Extent) -> Bound:
        part = self.part.bound(given)
        if part.channels > given.channels:  # else asking again would only double the work of each level of nesting
            part = self.part.bound(given._replace(channels=part.channels))
        return Bound(self.most() * part.parameters, self.most() * part.modules, part.channels)

    def most(self) -> int:
        """The largest number of repetitions."""
        return max(self.times.options) if isinstance(self.times, Open) else self.times

    @override
    def decisions(self) -> tuple[Decision, ...]:
        inner = self.part.decisions()
        if self.shared:
            return (*self.own_decisions(), *within("each", inner))
        if len(inner) * self.most() > MAX_DECISIONS:
            raise SpaceError(
                f"decisions must be at most {MAX_DECISIONS:,}, got {len(inner) * self.most():,}; in Repeat.",
                field="times",
            )
        found = list(self.own_decisions())
        for place in range(1, self.most() + 1):
            found += within(str(place), inner, self._there(place))
        return tuple(found)

    def _there(self, place: int) -> tuple[Condition, ...]:
        """The condition under which there is a repetition `place`."""
        times = self.times.options if isinstance(self.times, Open) else (self.times,)
        enough = tuple(option for option in times if option >= place)
        return () if len(enough) == len(times) else (Condition("times", enough),)

    @override
    def canonical(self, chosen: Mapping[str, Option]) -> str:
        forms = [self.part.canonical(inner) for inner in self.repetitions(chosen)]
        return f"{len(forms)} times({forms[0]})" if self.shared else "|".join(f"({form})" for form in forms)

    def repetitions(self, chosen: Mapping[str, Option]) -> list[dict[str, Option]]:
        """What was chosen for each repetition, in order."""
        times = int(chosen.get("times", self.most() if isinstance(self.times, Open) else self.times))
        return [of_part(chosen, "each" if self.shared else str(place)) for place in range(1, times + 1)]

    @override
    def graph(self, chosen: Mapping[str, Option] | None) -> networkx.DiGraph:
        if chosen is None:
            return chained({"each" if self.shared else "1": self.part.graph(None)})
        repetitions = enumerate(self.repetitions(chosen), start=1)
        return chained({str(place): self.part.graph(inner) for place, inner in repetitions})


def _fits(given: Flow, taken: Flow) -> bool:
    """Whether a part that takes `taken` can follow one that gives `given`."""
    return given == taken or (taken == "vector" and given in ("map", "sequence"))  # which it flattens
