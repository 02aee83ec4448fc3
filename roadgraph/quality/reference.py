"""The days before that a local day is held against."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SATURDAY = 5


@dataclass(frozen=True)
class Reference:
    """Days before, and what they have in common with the day.

    Attributes:
        days: in their order; none where nothing before the day can be compared with it.
        kind: such as ``Monday`` or ``workday``.
    """

    days: tuple[date, ...]
    kind: str

    def __str__(self) -> str:
        """Return such as ``2026-01-05 (Monday)`` or ``2 days from 2026-01-05 on (workday)``."""
        if len(self.days) == 1:
            return f"{self.days[0]} ({self.kind})"
        return f"{len(self.days)} days from {self.days[0]} to {self.days[-1]} ({self.kind})"


def reference_days(day: date, stored: Iterable[date], weeks: int) -> Reference:
    """Return the days before that ``day`` is like.

    The same weekday of the weeks before; where there is none, the days of the same kind, workdays
    (Monday to Friday) or those of the weekend. A Saturday is never held against a Friday: the
    difference between the two is the week's and not the data's.

    Args:
        day: to be held against them.
        stored: days of which there are slices.
        weeks: how far to look back.
    """
    first = day - timedelta(weeks=weeks)
    before = sorted(other for other in stored if first <= other < day)
    same = tuple(other for other in before if other.weekday() == day.weekday())
    if same:
        return Reference(same, f"{day:%A}")
    return Reference(
        tuple(other for other in before if is_weekend(other) == is_weekend(day)), kind_of(day)
    )


def none_like(day: date) -> str:
    """Return why a day without a reference cannot be judged, as a clause."""
    return f"there is no {kind_of(day)} before {day} to compare it with"


def is_weekend(day: date) -> bool:
    """Return whether ``day`` is a Saturday or a Sunday."""
    return day.weekday() >= SATURDAY


def kind_of(day: date) -> str:
    """Return ``workday`` or ``weekend day``."""
    return "weekend day" if is_weekend(day) else "workday"
