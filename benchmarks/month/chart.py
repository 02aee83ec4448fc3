"""A line a forecaster over the days, as places in an SVG picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby

from matplotlib.ticker import MaxNLocator

WIDTH, HEIGHT = 760, 300  # pixels of the picture
LEFT, RIGHT, TOP, BOTTOM = 70, 14, 14, 46  # pixels around the plot


@dataclass(frozen=True)
class Line:
    """A forecaster in a chart.

    Attributes:
        name: for people.
        kind: class of the page's style.
        values: one a day; None where there is none, which is a gap.
    """

    name: str
    kind: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Chart:
    """A figure by day.

    Attributes:
        title: above it.
        unit: of the figure, beside the axis.
        days: below the axis.
        lines: with a value a day each.
        better: which way is better, for people.
    """

    title: str
    unit: str
    days: tuple[str, ...]
    lines: tuple[Line, ...]
    better: str

    @property
    def ticks(self) -> list[float]:
        """Round values on the axis of the figure, around all values."""
        known = [value for line in self.lines for value in line.values if value is not None]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        return [float(tick) for tick in MaxNLocator(5).tick_values(low, high)]

    def x(self, place: int) -> float:
        """Return where a day is, in pixels from the left."""
        step = (WIDTH - LEFT - RIGHT) / max(len(self.days), 1)
        return round(LEFT + (place + 0.5) * step, 1)

    def y(self, value: float) -> float:
        """Return where a value is, in pixels from the top."""
        low, high = self.ticks[0], self.ticks[-1]
        share = (value - low) / (high - low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def points(self, line: Line) -> list[tuple[float, float, str]]:
        """Return where the values of a line are, and what each says."""
        return [
            (self.x(place), self.y(value), f"{line.name}, {self.days[place]}: {value:.3g}")
            for place, value in enumerate(line.values)
            if value is not None
        ]

    def strokes(self, line: Line) -> list[str]:
        """Return the runs of neighbouring days with values, as SVG takes the points of a line."""
        known = [(place, value) for place, value in enumerate(line.values) if value is not None]
        runs = groupby(enumerate(known), key=lambda each: each[0] - each[1][0])
        return [
            " ".join(f"{self.x(place)},{self.y(value)}" for _, (place, value) in run)
            for _, run in runs
        ]


def known_or_none(value: float) -> float | None:
    """Return a value, or None for one that is no number."""
    return None if math.isnan(value) else value
