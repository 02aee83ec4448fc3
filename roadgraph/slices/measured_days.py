"""Cells of measured data into the days of the store of slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow.parquet as pq

from roadgraph.calendar import city_zone, local_days
from roadgraph.errors import DataError
from roadgraph.schema import MEASURED_FEATURES, SLICES, read_whole
from roadgraph.slices.measured_values import SEGMENT_STEP
from roadgraph.slices.store import DayFolder, find_manifests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from roadgraph.settings import Settings


def with_days(counts: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Add the local ``day`` to counts that have ``slice``, slices since 1970."""
    numbers = counts["slice"].unique().sort()
    starts = (numbers * settings.slices.minutes * 60_000_000).cast(pl.Datetime("us", "UTC"))
    days = local_days(pd.DatetimeIndex(starts.to_pandas()), city_zone(settings.city.timezone))
    known = pl.DataFrame({"slice": numbers, "day": pl.Series(list(days), dtype=pl.Date)})
    return counts.join(known, on="slice", maintain_order="left")


def slices_of_cells(
    cells: pl.DataFrame, segment_ids: Sequence[str], slice_minutes: int
) -> pl.DataFrame:
    """Return the columns of ``schema.SLICES``.

    Args:
        cells: what ``measured_cells.aggregate`` returns; in its order, the key's.
        segment_ids: of the network, sorted.
        slice_minutes: length of a slice.
    """
    number = pl.col("cell") % SEGMENT_STEP
    names = pl.lit(pl.Series(segment_ids, dtype=pl.String))
    return cells.select(
        names.gather(pl.col("cell") // SEGMENT_STEP).alias("segment_id"),
        (number * slice_minutes * 60_000_000).cast(pl.Datetime("us", "UTC")).alias("slice_start"),
        *MEASURED_FEATURES,
    )


def write_day(slices: pl.DataFrame, path: Path) -> None:
    """Write the slices of a day, which are sorted by the key."""
    table = slices.to_arrow().cast(SLICES.schema)
    pq.write_table(table, path, compression="zstd")


@dataclass(frozen=True)
class StoredDays:
    """The days that are in the store of slices before a run.

    Attributes:
        folder: the store.
        manifests: of the days in it; an empty one of a day that is damaged.
    """

    folder: Path
    manifests: Mapping[date, dict[str, Any]]

    @classmethod
    def of(cls, folder: Path) -> StoredDays:
        """Return the days of a store."""
        return cls(folder, find_manifests(folder))

    def refuse_loss(self, day: date, slices: pl.DataFrame, rows: int) -> None:
        """Make sure that a day is not replaced by much less than it rests on.

        Args:
            day: to replace.
            slices: new ones.
            rows: that they rest on.

        Raises:
            DataError: the stored day rests on more than twice as many rows, has more than twice
                as many slices, or more than half of its slices are at times that have none now.
        """
        manifest = self.manifests.get(day)
        if not manifest:  # of a damaged day there is nothing to lose
            return
        stored = read_whole(DayFolder(self.folder / day.isoformat()).slices)
        old = pl.DataFrame(stored.select(["slice_start"]))
        lost = old.join(slices, on="slice_start", how="anti")
        before = rows_of_day(manifest)
        if 2 * rows < before or 2 * len(slices) < len(old) or 2 * len(lost) > len(old):
            rests = f", of {before:,} rows" if before else ""
            raise DataError(
                f"the store has {len(old):,} slices of {day}{rests}; these files give "
                f"{len(slices):,}, of {rows:,} rows, and nothing at the times of {len(lost):,} of "
                "the old ones. Are all files of the day there? (city.fixes may be a folder.) To "
                "replace the day all the same, set measured.replace=true"
            )


def rows_of_day(manifest: dict[str, Any]) -> int:
    """Return the rows that a day made by ``city.source=measured`` rests on, else 0."""
    if manifest.get("city", {}).get("source") != "measured":
        return 0
    return sum(int(account.get("rows_of_day", 0)) for account in manifest["inputs"].values())
