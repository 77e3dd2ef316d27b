"""A series of points that stays small however long the run."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["MAX_POINTS", "Series"]

MAX_POINTS = 2000


@dataclass
class Series:
    """Points `(x, y)` in the order of arrival, at most `MAX_POINTS` of them.

    When it is full, neighbouring points are merged so that the smallest and the largest of each bucket of `stride` raw
    points stay; peaks survive. `generation` counts these mergers: as long as it stays, points were only appended.
    """

    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    generation: int = 0
    stride: int = 1
    last: tuple[float, float] | None = None
    """The newest point, also when it is merged or still waiting in a bucket."""
    _bucket: list[tuple[float, float]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.x)

    def append(self, x: float, y: float) -> None:
        """Adds one point."""
        self.last = (x, y)
        if self.stride == 1:
            self._add(x, y)
        else:
            self._bucket.append((x, y))
            if len(self._bucket) == self.stride:
                for point in _extremes(self._bucket):
                    self._add(*point)
                self._bucket.clear()
        if len(self.x) >= MAX_POINTS:
            self._halve()

    def points(self) -> tuple[list[float], list[float]]:
        """Copies of x and y, with the points that still wait in a bucket."""
        return [*self.x, *(x for x, _ in self._bucket)], [*self.y, *(y for _, y in self._bucket)]

    def _add(self, x: float, y: float) -> None:
        self.x.append(x)
        self.y.append(y)

    def _halve(self) -> None:
        """Merges buckets in pairs: four kept points become two."""
        points = list(zip(self.x, self.y, strict=True))
        kept = [point for start in range(0, len(points), 4) for point in _extremes(points[start : start + 4])]
        self.x = [x for x, _ in kept]
        self.y = [y for _, y in kept]
        # The first merger turns 4 raw points into 2, later ones 4 kept (of 2 buckets) into 2.
        self.stride = 4 if self.stride == 1 else self.stride * 2
        self.generation += 1


def _extremes(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points of smallest and largest y, in the order of x; one point when they are the same."""
    low = min(range(len(points)), key=lambda place: points[place][1])
    high = max(range(len(points)), key=lambda place: points[place][1])
    return [points[place] for place in sorted({low, high})]
