"""A search space: plain data, from which architectures are drawn, changed, compared, counted, encoded and drawn."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nbnas import jsonio
from nbnas.errors import SpaceError
from nbnas.spaces.architecture import Architecture, parse_choices
from nbnas.spaces.bound import check_bound
from nbnas.spaces.component import Component, component_from_json
from nbnas.spaces.conditions import absolute, misplaced, ways_of
from nbnas.spaces.counting import MOST_STATES, TooEntangled
from nbnas.spaces.counting import count as count_of
from nbnas.spaces.decision import Decision, Option
from nbnas.spaces.limit import Limit, checked_limits

if TYPE_CHECKING:
    import networkx

__all__ = ["SCHEMA", "SearchSpace"]

SCHEMA = 1
MAX_COMPONENTS = 1_000
MAX_NESTING = 12
_MOST_DRAWS = 1_000


class SearchSpace:
    """The set of candidates: one component with decisions in it. Immutable; equal iff the JSON is equal.

    Args:
        name: a label, 1..80 printable characters.
        component: what the networks are made of: a tree.
        dims: spatial dimensions of the inputs: 2 for images, 1 for sequences and tokens, 0 for vectors and graphs.
        limits: what an architecture may cost; those that cost more are not in the space.

    Raises:
        SpaceError: the parts do not fit together.
    """

    def __init__(self, name: str, component: Component, *, dims: int = 2, limits: Sequence[Limit] = ()) -> None:
        if not isinstance(name, str) or not 0 < len(name) <= 80 or not name.isprintable():
            raise SpaceError(
                f"name must be 1..80 printable characters, got {name!r:.100}; in a search space.", field="/name"
            )
        if isinstance(dims, bool) or not isinstance(dims, int) or dims not in (0, 1, 2):
            raise SpaceError(
                f"dims must be 2 (images), 1 (sequences) or 0 (vectors, graphs), got {dims!r:.80}; in a search space.",
                field="/dims",
            )
        if not isinstance(component, Component) or component.flow_out() != "logits":
            raise SpaceError(
                f"component must be a whole network, got {component!r:.120}; in space {name!r}. "
                "Put parts into a network with a head at its end",
                field="/component",
            )
        if dims == 0 and component.flow_in() == "map":
            raise SpaceError(
                f"dims must be 2 (images) or 1 (sequences), since {component.name or component.kind!r} takes a map, "
                f"got 0; in space {name!r}.",
                field="/dims",
            )
        check_bound(component)
        self.name = name
        self.component = component
        self.dims = dims
        self.limits = checked_limits(limits, component.flow_in(), dims)
        self.decisions: tuple[Decision, ...] = tuple(map(absolute, component.decisions()))
        self._index = {decision.name: place for place, decision in enumerate(self.decisions)}
        self._counts = [len(decision.options) for decision in self.decisions]
        self._open = [place for place, count in enumerate(self._counts) if count > 1]
        self._when = ways_of(component, self.decisions, self._index)
        self._parents = {place for rules in self._when for ways in rules for place, _ in ways}
        if self._parents:
            _ = self.size  # raises where the conditions are too entangled to count

    # -- identity and files ------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchSpace) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        limits = "at most " if self.limits else ""
        # Python refuses to write whole numbers of more than 4,300 digits.
        size = f"{self.size:,}" if self.size < 10**30 else f"about 10^{math.log10(self.size):.0f}"
        return f"<SearchSpace {self.name}: {len(self.decisions)} decisions, {limits}{size} architectures>"

    @cached_property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the JSON without the name."""
        value = {key: item for key, item in self.to_json().items() if key != "name"}
        return hashlib.sha256(jsonio.dumps(value).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """The space as JSON values; `from_json` reads it back."""
        component = {"kind": self.component.kind, **self.component.to_json()}
        limits = {"limits": [limit.to_json() for limit in self.limits]} if self.limits else {}
        return {"schema": SCHEMA, "name": self.name, "dims": self.dims, "component": component, **limits}

    @classmethod
    def from_json(cls, value: Any, where: str = "space") -> SearchSpace:
        """Makes a space from JSON values of a closed schema.

        Raises:
            SpaceError: with the JSON pointer of the place.
        """
        if not isinstance(value, dict):
            raise SpaceError(f"{where} must be an object, got {value!r:.80}")
        if (value.get("schema") is not SCHEMA and value.get("schema") != SCHEMA) or isinstance(value["schema"], bool):
            raise SpaceError(
                f"{where}: /schema must be {SCHEMA}, got {value.get('schema')!r:.80}. "
                f"A newer version of nbnas may have written it: update nbnas"
            )
        needed = {"schema", "name", "dims", "component"}
        if set(value) - {"limits"} != needed:
            odd = sorted((set(value) - {"limits"}) ^ needed)
            raise SpaceError(f"{where}: keys must be {', '.join(sorted(needed))}, got a difference in {odd!r:.200}")
        if (number := _components(value["component"])) > MAX_COMPONENTS:
            raise SpaceError(f"{where}: /component must have at most {MAX_COMPONENTS:,} parts, got {number:,}")
        if (depth := _nesting(value["component"])) > MAX_NESTING:
            raise SpaceError(
                f"{where}: /component must hold components within components at most {MAX_NESTING} deep, got {depth:,}"
            )
        component = component_from_json(value["component"], f"{where}: /component")
        limits = value.get("limits", [])
        if not isinstance(limits, list) or len(limits) > 16:
            raise SpaceError(f"{where}: /limits must be a list of at most 16 limits, got {limits!r:.120}")
        made = [Limit.from_json(limit, f"{where}: /limits/{place}") for place, limit in enumerate(limits)]
        try:
            return cls(value["name"], component, dims=value["dims"], limits=made)
        except SpaceError as cause:
            text, field = str(cause), cause.field or ""
            if text.startswith("/"):  # it tells the place itself
                raise SpaceError(f"{where}: {text}", field=field) from None
            place = field if field.startswith("/") else f"/component/{field}".rstrip("/")
            raise SpaceError(f"{where}: {place}: {text}", field=field) from None

    @classmethod
    def load(cls, path: str | Path) -> SearchSpace:
        """Reads a space from a JSON file."""
        path = Path(path)
        try:
            with path.open("rb") as file:
                text = file.read(4 * jsonio.MAX_BYTES + 1)  # of UTF-8; what is longer is refused below
        except OSError as cause:
            raise SpaceError(f"space must be a file that can be read, got {str(path)!r}: {cause.strerror}") from None
        return cls.from_json(jsonio.loads(text, path.name, error=SpaceError), path.name)

    def save(self, path: str | Path) -> None:
        """Writes the space to a JSON file."""
        Path(path).write_text(jsonio.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")

    # -- architectures -----------------------------------------------------------------------------------------------

    def architecture(self, chosen: Mapping[str, Option] | Sequence[int | None] | str) -> Architecture:
        """Makes an architecture from options by decision name, from choices, or from its short text form.

        Raises:
            SpaceError: a decision or an option does not exist, or the choices do not fit the space.
        """
        if isinstance(chosen, str):
            result = Architecture(self.digest, parse_choices(chosen))
        elif isinstance(chosen, Mapping):
            choices: list[int | None] = [None] * len(self.decisions)
            for name, option in chosen.items():
                decision = self._decision(name)
                if option not in decision.options:
                    known = ", ".join(map(str, decision.options))
                    raise SpaceError(f"{name} must be one of {known}, got {option!r:.80}; in space {self.name!r}.")
                choices[self._index[name]] = decision.options.index(option)
            result = Architecture(self.digest, tuple(choices))
        else:
            result = Architecture(self.digest, tuple(chosen))
        self.validate(result)
        return result

    def options(self, architecture: Architecture) -> dict[str, Option]:
        """The chosen option of each active decision, by name."""
        return {
            decision.name: decision.options[choice]
            for decision, choice in zip(self.decisions, architecture.choices, strict=True)
            if choice is not None
        }

    def validate(self, architecture: Architecture) -> None:
        """Raises `SpaceError` unless the architecture belongs to this space."""
        if architecture.space != self.digest:
            raise SpaceError(
                f"architecture must be of space {self.name!r} ({self.digest}), got one of {architecture.space!r:.40}. "
                f"Make it anew with space.architecture(...)"
            )
        choices = architecture.choices
        if len(choices) != len(self.decisions):
            raise SpaceError(
                f"architecture must have {len(self.decisions)} choices, got {len(choices)}; in space {self.name!r}."
            )
        for place, (choice, count) in enumerate(zip(choices, self._counts, strict=True)):
            name = self.decisions[place].name
            if not self.active(place, choices):
                if choice is not None:
                    raise SpaceError(f"{name} must be without choice (not active), got {choice!r}; in {architecture}.")
            elif isinstance(choice, bool) or not isinstance(choice, int) or not 0 <= choice < count:
                raise SpaceError(f"{name} must have a choice in 0..{count - 1}, got {choice!r}; in {architecture}.")
        if broken := self.broken(architecture):
            raise SpaceError(f"{broken}; architecture {architecture} of space {self.name!r}.")

    def broken(self, architecture: Architecture) -> str:
        """Which limit an architecture does not keep, in words; empty when it keeps all."""
        for limit in self.limits:
            if broken := limit.broken(self, architecture):
                return broken
        return ""

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draws each active decision uniformly (so conditional spaces are not drawn uniformly over architectures).

        Raises:
            SpaceError: none of 1,000 draws kept the limits.
        """

        def draw() -> Architecture:
            if not self._parents:
                return Architecture(self.digest, tuple(rng.integers(self._counts).tolist()))
            return self._complete([None] * len(self.decisions), 0, rng)

        return self._within_limits(draw)

    def _within_limits(self, draw: Callable[[], Architecture], of: Architecture | None = None) -> Architecture:
        """The first of at most 1,000 draws (of neighbours `of` an architecture) that keeps the limits."""
        broken = ""
        for _ in range(_MOST_DRAWS):
            drawn = draw()
            if not (broken := self.broken(drawn)):
                return drawn
        what = "an architecture" if of is None else f"a neighbour of {of!s:.60}"
        raise SpaceError(
            f"space {self.name!r} must have {what} within its limits, got none in {_MOST_DRAWS:,} draws; the "
            f"last one: {broken}. Loosen the limit, or close what costs too much"
        )

    def mutate(
        self, architecture: Architecture, rng: np.random.Generator, kinds: Sequence[Collection[int]] = ()
    ) -> Architecture:
        """Changes one active decision, drawn uniformly, to another option; decisions that it activates are drawn.

        Args:
            architecture: what is changed.
            rng: the source of chance.
            kinds: places of decisions, kind by kind; a kind is drawn uniformly first, then a decision of it. A kind
                with no active decision that has a second option is left out. Without kinds all decisions are alike.

        Raises:
            SpaceError: no active decision has a second option, or no neighbour keeps the limits in 1,000 draws.
        """
        places = [place for place in self._open if architecture.choices[place] is not None]
        groups = [group for kind in kinds if (group := [place for place in places if place in kind])]
        if not places or (kinds and not groups):
            raise SpaceError(f"space {self.name!r} must have a decision with two options to mutate, got none active.")

        def draw() -> Architecture:
            drawn = groups[int(rng.integers(len(groups)))] if groups else places
            return self._mutated(architecture, drawn, rng)

        return self._within_limits(draw, of=architecture)

    def _mutated(self, architecture: Architecture, places: Sequence[int], rng: np.random.Generator) -> Architecture:
        choices = list(architecture.choices)
        place = places[int(rng.integers(len(places)))]
        old = choices[place]
        assert old is not None
        new = int(rng.integers(self._counts[place] - 1))
        choices[place] = new + (new >= old)
        if place not in self._parents:
            return Architecture(self.digest, tuple(choices))
        return self._complete(choices, place + 1, rng)

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """Takes each active decision from one of two parents, drawn uniformly, or from the only one that has it.

        An active decision that neither parent has is drawn.

        Raises:
            SpaceError: none of 1,000 children kept the limits.
        """
        return self._within_limits(lambda: self._crossed(a, b, rng))

    def _crossed(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        choices: list[int | None] = [None] * len(self.decisions)
        from_a = rng.random(len(choices)) < 0.5
        for place, (one, other) in enumerate(zip(a.choices, b.choices, strict=True)):
            if not self.active(place, choices):
                continue
            first, second = (one, other) if from_a[place] else (other, one)
            choice = first if first is not None else second
            choices[place] = int(rng.integers(self._counts[place])) if choice is None else choice
        return Architecture(self.digest, tuple(choices))

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """All architectures that `mutate` can make of this one, lazily, each once."""
        for place in self._open:
            if (old := architecture.choices[place]) is None:
                continue
            for new in range(self._counts[place]):
                if new != old:
                    choices = [*architecture.choices]
                    choices[place] = new
                    yield from filter(self._keeps, self._completions(choices, place + 1, keep=True))

    def enumerate(self) -> Iterator[Architecture]:
        """All architectures, lazily, in lexicographic order."""
        return filter(self._keeps, self._completions([None] * len(self.decisions), 0, keep=False))

    def _keeps(self, architecture: Architecture) -> bool:
        return not self.broken(architecture)

    @cached_property
    def size(self) -> int:
        """How many architectures there are, limits not considered; counted without enumerating them.

        Raises:
            SpaceError: the conditions are too entangled for it.
        """
        try:
            return count_of(self._counts, self._when)
        except TooEntangled as cause:
            name = self.decisions[cause.args[0]].name
            misplaced(
                self.component,
                name,
                f"conditions must be such that architectures can be counted (at most {MOST_STATES:,} cases open at a "
                f"time), got more at decision {name!r}. Let fewer earlier decisions matter to later ones",
            )

    # -- forms -------------------------------------------------------------------------------------------------------

    def canonical(self, architecture: Architecture) -> str:
        """One text for all architectures that compute the same function."""
        return self.component.canonical(self.options(architecture))

    def state(self, place: int, choices: Sequence[int | None]) -> str:
        """A text for the situation before the decision at `place`, given the choices for those before it."""
        pairs = zip(self.decisions[:place], choices, strict=False)
        chosen = {decision.name: decision.options[choice] for decision, choice in pairs if choice is not None}
        name = self.decisions[place].name
        return f"{name}|{self.component.state(name, chosen)}"

    def encode(self, architecture: Architecture) -> npt.NDArray[np.float64]:
        """One-hot vector, shape (sum of option counts,); zeros where a decision is not active."""
        code = np.zeros(sum(self._counts))
        start = 0
        for choice, count in zip(architecture.choices, self._counts, strict=True):
            if choice is not None:
                code[start + choice] = 1.0
            start += count
        return code

    def decode(self, code: npt.ArrayLike) -> Architecture:
        """The architecture that `encode` turned into `code`.

        Raises:
            SpaceError: wrong length, not one-hot, or choices that do not fit the space.
        """
        vector = np.asarray(code, dtype=float)
        if vector.shape != (sum(self._counts),):
            raise SpaceError(
                f"code must have shape ({sum(self._counts)},), got {vector.shape}; in space {self.name!r}."
            )
        choices: list[int | None] = []
        start = 0
        for count in self._counts:
            row = vector[start : start + count]
            if not np.isin(row, (0.0, 1.0)).all() or row.sum() > 1:
                raise SpaceError(f"code must be one-hot or zero a decision, got {row}; decision {len(choices)}.")
            choices.append(int(row.argmax()) if row.any() else None)
            start += count
        return self.architecture(choices)

    def graph(
        self,
        architecture: Architecture | None = None,
        distribution: Mapping[str, Mapping[str, float]] | None = None,
    ) -> networkx.DiGraph:
        """The drawing of an architecture, or of the whole space when there is none.

        Args:
            architecture: the one to draw.
            distribution: probability of each option by decision name; edges named by a decision get `options` (all
                probabilities), `weight` (that of the operation shown) and, without architecture, the most probable
                operation as their label.
        """
        graph = self.component.graph(None if architecture is None else self.options(architecture))
        for _, _, edge in graph.edges(data=True):
            row = (distribution or {}).get(edge.get("decision", ""))
            if row:
                if architecture is None:
                    edge["operation"] = max(row, key=lambda name: row[name])
                edge["options"] = dict(row)
                edge["weight"] = row.get(edge["operation"], 0.0)
        return graph

    # -- the relaxed view --------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> tuple[Decision, ...]:
        """What alpha has a row for, one entry an option; asked for only where `component.relaxable()` is `None`."""
        return tuple(map(absolute, self.component.rows()))

    def paths(self, architecture: Architecture) -> dict[str, tuple[int, ...]]:
        """For each row the places of the options that an architecture computes; a place twice has weight 2."""
        found = self.component.paths(self.options(architecture))
        return {row.name: tuple(map(row.options.index, found[row.name])) for row in self.rows}

    def derive(self, weights: Mapping[str, Sequence[float]]) -> Architecture:
        """The architecture that weights stand for, by row one number an option; higher is stronger."""
        rows = {row.name: dict(zip(row.options, weights[row.name], strict=True)) for row in self.rows}
        chosen = self.component.derive(rows)
        choices: list[int | None] = [None] * len(self.decisions)
        for place, decision in enumerate(self.decisions):  # rows know of no conditions
            if decision.name in chosen and self.active(place, choices):
                choices[place] = decision.options.index(chosen[decision.name])
        return self.architecture(choices)

    # -- walks -------------------------------------------------------------------------------------------------------

    def _decision(self, name: str) -> Decision:
        if name not in self._index:
            raise SpaceError(f"{name!r:.80} is not a decision of space {self.name!r}; known: {', '.join(self._index)}")
        return self.decisions[self._index[name]]

    def active(self, place: int, choices: Sequence[int | None]) -> bool:
        """Whether the decision at `place` is open, given the choices for those before it."""
        return all(any(choices[parent] in allowed for parent, allowed in ways) for ways in self._when[place])

    def _complete(self, choices: list[int | None], start: int, rng: np.random.Generator) -> Architecture:
        """From `start` on: drops choices that are no longer active and draws those that have become active."""
        for place in range(start, len(choices)):
            if not self.active(place, choices):
                choices[place] = None
            elif choices[place] is None:
                choices[place] = int(rng.integers(self._counts[place]))
        return Architecture(self.digest, tuple(choices))

    def _completions(self, choices: list[int | None], start: int, *, keep: bool) -> Iterator[Architecture]:
        """All ways to fill `choices` from `start` on; with `keep`, choices that stay active are kept."""
        given, end = list(choices), len(choices)
        left: list[Iterator[int | None]] = [self._fillings(start, choices, given, keep)] if start < end else []
        if not left:
            yield Architecture(self.digest, tuple(choices))
        while left:
            place = start + len(left) - 1
            for choice in left[-1]:
                choices[place] = choice
                if place + 1 == end:
                    yield Architecture(self.digest, tuple(choices))
                else:
                    left.append(self._fillings(place + 1, choices, given, keep))
                    break
            else:
                left.pop()

    def _fillings(
        self, place: int, choices: Sequence[int | None], given: Sequence[int | None], keep: bool
    ) -> Iterator[int | None]:
        """What may stand at `place` after the choices before it."""
        if not self.active(place, choices):
            return iter((None,))
        old = given[place]
        return iter((old,)) if keep and old is not None else iter(range(self._counts[place]))


def _components(value: Any) -> int:
    """How many components a JSON value holds, or seems to."""
    return sum(1 for _ in _kinds(value))


def _nesting(value: Any) -> int:
    """How deep components stand within components."""
    return max(_kinds(value), default=0)


def _kinds(value: Any) -> Iterator[int]:
    """For each component that a JSON value holds, or seems to, how deep it stands; without recursion."""
    todo = [(value, 0)]
    while todo:
        one, depth = todo.pop()
        if isinstance(one, dict):
            depth += "kind" in one
            if "kind" in one:
                yield depth
        if isinstance(one, dict | list):
            todo += [(part, depth) for part in (one.values() if isinstance(one, dict) else one)]
