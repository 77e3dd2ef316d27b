"""A population: its fitness over births, and who is alive."""

from __future__ import annotations

from typing import NamedTuple

from nbnas.charts.figure import Figure, Points, axis, empty, figure, points, scatter, whole_axis
from nbnas.charts.palette import BLUE, GREEN, SKY, VERMILLION
from nbnas.state import RunState

__all__ = ["AliveData", "PopulationData", "alive", "data", "draw", "draw_alive"]


class PopulationData(NamedTuple):
    """Best, quartiles and median of the living members, each over births."""

    best: Points
    upper: Points
    median: Points
    lower: Points


class AliveData(NamedTuple):
    """The living members by trial, the oldest first."""

    trials: tuple[int, ...]
    fitness: tuple[float, ...]


def data(state: RunState) -> PopulationData:
    """The fitness of a population."""
    return PopulationData(*(points(state.fitness.get(name)) for name in PopulationData._fields))


def alive(state: RunState) -> AliveData:
    """Who is alive now."""
    trials = sorted(state.alive)
    return AliveData(tuple(trials), tuple(state.alive[trial] for trial in trials))


def draw(data: PopulationData) -> Figure:
    """A line for the best, a dashed one for the median, a band between the quartiles."""
    if not data.best.x:
        return empty("Population", "The fitness of the population will appear here.")
    edge = {"color": BLUE, "width": 0.5}
    traces = [
        scatter("lower", "lower quartile", data.lower, mode="lines", line=edge, showlegend=False, hoverinfo="skip"),
        scatter(
            "upper", "quartiles", data.upper, mode="lines", line=edge, fill="tonexty", fillcolor="rgba(0,114,178,0.22)",
            hoverinfo="skip",
        ),
        scatter(
            "median", "median", data.median, mode="lines", line={"color": BLUE, "width": 2, "dash": "dash"},
            hovertemplate="median %{y:.4f}",
        ),
        scatter(
            "fittest", "best alive", data.best, mode="lines", line={"color": VERMILLION, "width": 2.2, "shape": "hv"},
            hovertemplate="best %{y:.4f}",
        ),
    ]  # fmt: skip
    return figure("Population: fitness of the living", traces, axis("births"), axis("fitness"))


def draw_alive(data: AliveData) -> Figure:
    """One marker a living member; the further left, the older. The oldest and the fittest have their own signs."""
    if not data.trials:
        return empty("Who is alive", "The living members of the population will appear here.")
    oldest, fittest = 0, max(range(len(data.trials)), key=lambda place: data.fitness[place])
    kinds = {
        "member": ("circle", 8, SKY, [p for p in range(len(data.trials)) if p not in (oldest, fittest)]),
        "oldest": ("x", 9, GREEN, [oldest]),
        "fittest": ("star", 13, VERMILLION, [fittest]),
    }
    traces = []
    for name, (symbol, size, colour, places) in kinds.items():
        x, y = tuple(float(data.trials[p]) for p in places), tuple(data.fitness[p] for p in places)
        # Members leave, so nothing is merely added: a generation of its own for each state of the population.
        trace = scatter(f"alive:{name}", name, Points(x, y), mode="markers", hovertemplate="trial %{x}: %{y:.4f}")
        del trace["meta"]
        traces.append({**trace, "marker": {"symbol": symbol, "size": size, "color": colour}})
    count = len(data.trials)
    title = f"Alive: {count} member{'' if count == 1 else 's'}, the oldest is trial {data.trials[0]}"
    return figure(title, traces, whole_axis("trial, at which it was born", traces), axis("fitness"))
