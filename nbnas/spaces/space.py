"""A search space: plain data, from which architectures are drawn, changed, compared, counted, encoded and drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nbnas import jsonio
from nbnas.errors import SpaceError
from nbnas.spaces.architecture import Architecture, parse_choices
from nbnas.spaces.component import COMPONENTS, Component
from nbnas.spaces.decision import Decision, Option

if TYPE_CHECKING:
    import networkx

__all__ = ["SCHEMA", "SearchSpace"]

SCHEMA = 1
_MAX_DECISIONS = 10_000


class SearchSpace:
    """The set of candidates: one component with decisions in it. Immutable; equal iff the JSON is equal.

    Args:
        name: a label, 1..80 printable characters.
        component: what the networks are made of.
        dims: spatial dimensions of the operations: 2 for images, 1 for sequences.
    """

    def __init__(self, name: str, component: Component, *, dims: int = 2) -> None:
        if not isinstance(name, str) or not 0 < len(name) <= 80 or not name.isprintable():
            raise SpaceError(f"name must be 1..80 printable characters, got {name!r:.100}; in a search space.")
        if isinstance(dims, bool) or not isinstance(dims, int) or dims not in (1, 2):
            raise SpaceError(f"dims must be 1 (sequences) or 2 (images), got {dims!r}; in a search space.")
        self.name = name
        self.component = component
        self.dims = dims
        self.decisions: tuple[Decision, ...] = component.decisions()
        if len(self.decisions) > _MAX_DECISIONS:
            raise SpaceError(f"decisions must be at most {_MAX_DECISIONS:,}, got {len(self.decisions):,}; in {name!r}.")
        self._index = {decision.name: place for place, decision in enumerate(self.decisions)}
        self._counts = [len(decision.options) for decision in self.decisions]
        self._open = [place for place, count in enumerate(self._counts) if count > 1]
        # Conditions as (index of the earlier decision, allowed choices): what every walk below uses.
        self._when: list[list[tuple[int, frozenset[int]]]] = [
            [
                (self._index[rule.decision], frozenset(map(self._decision(rule.decision).options.index, rule.options)))
                for rule in decision.when
            ]
            for decision in self.decisions
        ]
        self._parents = {place for rules in self._when for place, _ in rules}

    # -- identity and files ------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchSpace) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<SearchSpace {self.name}: {len(self.decisions)} decisions, {self.size:,} architectures>"

    @cached_property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the JSON without the name."""
        value = {key: item for key, item in self.to_json().items() if key != "name"}
        return hashlib.sha256(jsonio.dumps(value).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """The space as JSON values; `from_json` reads it back."""
        component = {"kind": self.component.kind, **self.component.to_json()}
        return {"schema": SCHEMA, "name": self.name, "dims": self.dims, "component": component}

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
        if set(value) != needed:
            odd = sorted(set(value) ^ needed)
            raise SpaceError(f"{where}: keys must be {', '.join(sorted(needed))}, got a difference in {odd!r:.200}")
        component = value["component"]
        if not isinstance(component, dict) or not isinstance(component.get("kind"), str):
            raise SpaceError(f"{where}: /component must be an object with a kind, got {component!r:.80}")
        kind = component["kind"]
        if kind not in COMPONENTS:
            known = ", ".join(COMPONENTS)
            raise SpaceError(f"{where}: /component/kind: {kind!r:.80} is not a known component; known: {known}")
        fields = {key: item for key, item in component.items() if key != "kind"}
        made = COMPONENTS[kind].from_json(fields, f"{where}: /component")
        try:
            return cls(value["name"], made, dims=value["dims"])
        except SpaceError as cause:
            raise SpaceError(f"{where}: {cause}") from None

    @classmethod
    def load(cls, path: str | Path) -> SearchSpace:
        """Reads a space from a JSON file."""
        path = Path(path)
        try:
            text = path.read_bytes()
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

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draws each active decision uniformly (so conditional spaces are not drawn uniformly over architectures)."""
        if not self._parents:
            return Architecture(self.digest, tuple(rng.integers(self._counts).tolist()))
        return self._complete([None] * len(self.decisions), 0, rng)

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Changes one active decision, drawn uniformly, to another option; decisions that it activates are drawn.

        Raises:
            SpaceError: no active decision has a second option.
        """
        choices = list(architecture.choices)
        places = [place for place in self._open if choices[place] is not None]
        if not places:
            raise SpaceError(f"space {self.name!r} must have a decision with two options to mutate, got none active.")
        place = places[rng.integers(len(places))]
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
        """
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
                    yield from self._completions(choices, place + 1, keep=True)

    def enumerate(self) -> Iterator[Architecture]:
        """All architectures, lazily, in lexicographic order."""
        return self._completions([None] * len(self.decisions), 0, keep=False)

    @cached_property
    def size(self) -> int:
        """How many architectures there are, counted without enumerating them."""
        last_use = {place: user for user, rules in enumerate(self._when) for place, _ in rules}
        # States: the choices of those decisions on which later ones still depend -> number of ways to reach them.
        states: dict[tuple[tuple[int, int | None], ...], int] = {(): 1}
        for place in range(len(self.decisions)):
            following: dict[tuple[tuple[int, int | None], ...], int] = {}
            for state, ways in states.items():
                known = dict(state)
                active = all(known[parent] in allowed for parent, allowed in self._when[place])
                options: Sequence[int | None] = range(self._counts[place]) if active else (None,)
                kept = tuple(item for item in state if last_use[item[0]] > place)
                if place not in last_use:
                    following[kept] = following.get(kept, 0) + ways * len(options)
                    continue
                for choice in options:
                    key = (*kept, (place, choice))
                    following[key] = following.get(key, 0) + ways
            states = following
        return sum(states.values())

    # -- forms -------------------------------------------------------------------------------------------------------

    def canonical(self, architecture: Architecture) -> str:
        """One text for all architectures that compute the same function."""
        return self.component.canonical(self.options(architecture))

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

    # -- walks -------------------------------------------------------------------------------------------------------

    def _decision(self, name: str) -> Decision:
        if name not in self._index:
            raise SpaceError(f"{name!r:.80} is not a decision of space {self.name!r}; known: {', '.join(self._index)}")
        return self.decisions[self._index[name]]

    def active(self, place: int, choices: Sequence[int | None]) -> bool:
        """Whether the decision at `place` is open, given the choices for those before it."""
        return all(choices[parent] in allowed for parent, allowed in self._when[place])

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
        if start == len(choices):
            yield Architecture(self.digest, tuple(choices))
            return
        given = choices[start]
        options: Sequence[int | None]
        if not self.active(start, choices):
            options = (None,)
        else:
            options = (given,) if keep and given is not None else range(self._counts[start])
        for choice in options:
            choices[start] = choice
            yield from self._completions(choices, start + 1, keep=keep)
        choices[start] = given
