"""Rows that are on the straight road already."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from roadgraph.settings import Settings
from tests.slices.toy import settings_of
from tests.toy import MONDAY_7

START = MONDAY_7.tz_convert("UTC").to_pydatetime()
TRAVERSAL_KINDS: dict[str, Any] = {
    "vehicle_id": pl.String,
    "segment_id": pl.String,
    "entered_at": pl.Datetime("us", "UTC"),
    "speed_kph": pl.Float64,
    "share": pl.Float64,
    "confidence": pl.Float64,
    "duration_s": pl.Float64,
}
AGGREGATE_KINDS: dict[str, Any] = {
    "segment_id": pl.String,
    "time": pl.Datetime("us", "UTC"),
    "speed_kph": pl.Float64,
    "count": pl.Int64,
    "std_kph": pl.Float64,
    "median_kph": pl.Float64,
}


def at(after_s: float) -> datetime:
    """Return a moment so many seconds after Monday, 07:00 in Bangkok."""
    return START + timedelta(seconds=after_s)


def traversal(
    speed_kph: float | None = 36.0,
    after_s: float | None = 0.0,
    segment_id: str | None = "A",
    vehicle_id: str | None = "v1",
    share: float | None = 1.0,
    confidence: float | None = 1.0,
    duration_s: float | None = 10.0,
) -> tuple[Any, ...]:
    """Return a row of ``TRAVERSAL_KINDS``."""
    time = None if after_s is None else at(after_s)
    return (vehicle_id, segment_id, time, speed_kph, share, confidence, duration_s)


def aggregate(
    speed_kph: float | None = 36.0,
    count: int | None = 1,
    after_s: float = 0.0,
    segment_id: str = "A",
    std_kph: float | None = None,
    median_kph: float | None = None,
) -> tuple[Any, ...]:
    """Return a row of ``AGGREGATE_KINDS``."""
    return (segment_id, at(after_s), speed_kph, count, std_kph, median_kph)


def traversals(*rows: tuple[Any, ...]) -> pl.DataFrame:
    """Return a table of ``traversal`` rows."""
    return pl.DataFrame(list(rows), schema=TRAVERSAL_KINDS, orient="row")


def aggregates(*rows: tuple[Any, ...]) -> pl.DataFrame:
    """Return a table of ``aggregate`` rows."""
    return pl.DataFrame(list(rows), schema=AGGREGATE_KINDS, orient="row")


def write(table: pl.DataFrame, path: Path, separator: str = ",") -> Path:
    """Write a table as Parquet or CSV, by the name's suffix; times as ISO 8601."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        table.write_parquet(path)
    else:
        table.write_csv(path, separator=separator, datetime_format="%Y-%m-%dT%H:%M:%S%.6f%:z")
    return path


def measured(folder: Path, data: Path, **groups: dict[str, Any]) -> Settings:
    """Return settings of a toy city whose data is on segments already."""
    city = {"source": "measured", **groups.pop("city", {})}
    return settings_of(folder, data, city=city, **groups)
