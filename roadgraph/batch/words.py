"""How people are told of reasons and days."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

MANY = 5  # reasons that are named; the others are counted


def told(reasons: Sequence[str]) -> str:
    """Return reasons as one text: the first of many, and how many more there are."""
    more = len(reasons) - MANY
    text = "; ".join(reasons[:MANY])
    return f"{text}; and {more} more" if more > 0 else text


def shown_days(days: Collection[date]) -> str:
    """Return how people are told of days: ``2026-01-05 to 2026-01-07, 2026-01-09``."""
    runs: list[list[date]] = []
    for day in sorted(days):
        if runs and (day - runs[-1][-1]).days == 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    texts = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]
    return ", ".join(texts)
