"""How much of the forecasts, the history and the lines a map page of some size can hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LARGE = 20_000
"""Segments from which lines are simplified before anything is measured."""
FINE_M, COARSE_M = 1.0, 5.0
FURTHER_M = (5.0, 10.0, 20.0, 50.0)
HISTORY_EVERY_MIN = (0, 30, 60)


@dataclass(frozen=True)
class Detail:
    """How exactly a page shows lines and history.

    Attributes:
        tolerance_m: what lines may be off by.
        history_every_min: of the slices that no forecast is for, one in so many minutes stays; 0:
            all of them.
    """

    tolerance_m: float
    history_every_min: int

    def history_every(self, slice_minutes: int) -> int:
        """Return that one slice in how many stays."""
        return max(1, self.history_every_min // slice_minutes)


def details(segments: int) -> list[Detail]:
    """Return what a page of a network shows, and what it may show less of, step by step."""
    first_m = COARSE_M if segments > LARGE else FINE_M
    steps = [Detail(first_m, minutes) for minutes in HISTORY_EVERY_MIN]
    coarser_m = (further_m for further_m in FURTHER_M if further_m > first_m)
    return steps + [Detail(further_m, HISTORY_EVERY_MIN[-1]) for further_m in coarser_m]


def kept_places(count: int, every: int) -> tuple[int, ...]:
    """Return which of ``count`` times stay: every so many back from the newest, and the first."""
    return tuple(sorted({0, *range(count - 1, -1, -every)}))


def most_that_fit(
    count: int, size_of: Callable[[tuple[int, ...]], int], budget: int
) -> tuple[int, ...]:
    """Return the places of as many times of issue as fit, evenly spread; at least the newest.

    What a time adds is measured, first with the one in the middle, then with all that seem to fit.

    Args:
        count: of the times that there are.
        size_of: gives the size in bytes of a page of the times at some places.
        budget: in bytes, what the page must stay below.
    """
    if count == 1:
        return (0,)
    ends = (0, count - 1)
    base = size_of(ends)
    if base >= budget:
        return ends[1:]
    if count == 2:
        return ends
    each = size_of((0, count // 2, count - 1)) - base
    fitting, tried = count - 1, set[int]()  # of such steps only the ends stay
    every = _every(count, base, each, budget)
    while every < fitting and every not in tried:
        tried.add(every)
        places = kept_places(count, every)
        size = size_of(places)
        each = math.ceil((size - base) / (len(places) - len(ends)))
        if size < budget:
            fitting = every
            every = _every(count, base, each, budget)
        else:
            every = max(every + 1, _every(count, base, each, budget))
    return kept_places(count, fitting)


def _every(count: int, base: int, each: int, budget: int) -> int:
    """Return the smallest step between times with which a page seems to stay below ``budget``."""
    fits = (
        every
        for every in range(1, count - 1)
        if base + each * (len(kept_places(count, every)) - 2) < budget
    )
    return next(fits, count - 1)
