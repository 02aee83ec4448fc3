"""What came into the store of slices, what became of it, and what would."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from roadgraph.probes.match_report import MatchReport
    from roadgraph.probes.news import Fault


@dataclass(frozen=True)
class SlicesReport:
    """What came in and what became of it.

    Attributes:
        inputs: the files of this run.
        rows_in: rows of them.
        rows_used: rows that slices rest on.
        refused: the other rows by the rule that refused them; they lie in the quarantine.
        built: the local days that were written.
        kept: the local days of these files that were in the store already, and are as new.
        slices: rows of all these days.
        matching: how well the fixes of these days fit the roads; None where none were matched.
        faults: files and days that were left out.
        waiting: rows of days that are stale, and were not asked for.
    """

    inputs: tuple[str, ...]
    rows_in: int
    rows_used: int
    refused: dict[str, int]
    built: tuple[date, ...]
    kept: tuple[date, ...]
    slices: int
    matching: MatchReport | None
    faults: tuple[Fault, ...] = ()
    waiting: int = 0


@dataclass(frozen=True)
class StaleSlices:
    """What a run would read and build, and why; a new file may bring days that are not known yet.

    Attributes:
        files: that would be read, such as ``fixes a.parquet is new``.
        days: why each stale day would be built, as far as is known before the files are read.
    """

    files: tuple[str, ...] = ()
    days: dict[date, tuple[str, ...]] = field(default_factory=dict)


def add_counts(accounts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sums of counts by rule, sorted by the rule."""
    sums: dict[str, int] = {}
    for account in accounts:
        for rule, count in account.items():
            sums[rule] = sums.get(rule, 0) + count
    return dict(sorted(sums.items()))
