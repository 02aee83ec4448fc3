"""What was known slice by slice: a short checksum of each, whatever the order of its rows.

A forecast rests on the slices before its time. The checksums tell whether one of these has got
other rows since, which the fingerprint of the day does not: it changes with every later fix too.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from roadgraph.storage import fingerprint

if TYPE_CHECKING:
    from roadgraph.slices.planning import DayPlan

PER_DEGREE = 10_000_000  # positions finer than any receiver
PER_KPH = 10_000
MIX = 1_048_573  # a prime; what is added up is mixed, so that values cannot swap their rows


def clock_of_fixes(plan: DayPlan, slice_minutes: int) -> dict[str, str]:
    """Return the checksum of the fixes of a day in each slice, by its start (ISO 8601, UTC).

    Fixes count where they are, not where the trip begins that they belong to.
    """
    frames = [pl.scan_parquet(path) for path in plan.own_parts]
    rows = pl.concat(frames) if frames else pl.LazyFrame(schema={"timestamp": pl.Datetime("us")})
    time_us = pl.col("timestamp").dt.epoch("us")
    width_us = slice_minutes * 60_000_000
    speed = pl.col("speed_kph").fill_null(-1.0).fill_nan(-1.0)
    values = rows.filter(
        pl.col("timestamp").is_between(plan.begin, plan.end, closed="left")
    ).select(
        slice_us=time_us - time_us % width_us,
        mix=time_us % MIX,
        a=time_us % width_us,
        b=(pl.col("lat") * PER_DEGREE).round().cast(pl.Int64),
        c=(pl.col("lon") * PER_DEGREE).round().cast(pl.Int64),
        d=(speed * PER_KPH).round().cast(pl.Int64),
    )
    return _checksums(values)


def clock_of_slices(slices: pa.Table) -> dict[str, str]:
    """Return the checksum of the rows of each slice, by its start (ISO 8601, UTC).

    Args:
        slices: the columns of ``schema.SLICES``.
    """
    rows = pl.DataFrame(slices)
    names = rows["segment_id"].unique().to_list()
    marks = pl.Series([zlib.crc32(name.encode()) for name in names], dtype=pl.Int64)
    mark = pl.col("segment_id").replace_strict(names, marks, return_dtype=pl.Int64)
    speeds = ("mean_speed", "median_speed", "speed_std")
    a, b, c = ((pl.col(name) * PER_KPH).round().cast(pl.Int64) for name in speeds)
    quality = (pl.col("quality_score") * PER_KPH).round().cast(pl.Int64)
    values = rows.lazy().select(
        slice_us=pl.col("slice_start").dt.epoch("us"),
        mix=mark % MIX,
        a=a,
        b=b,
        c=c,
        d=quality * MIX + pl.col("count_probes").cast(pl.Int64),
    )
    return _checksums(values)


def _checksums(values: pl.LazyFrame) -> dict[str, str]:
    """Add up ``mix`` and the values ``a`` to ``d`` of each slice; whole numbers wrap around."""
    names = ("a", "b", "c", "d")
    sums = values.group_by("slice_us").agg(
        pl.len(),
        pl.col("mix", *names).sum(),
        *((pl.col(name) * pl.col("mix")).sum().alias(f"mixed {name}") for name in names),
    )
    table = sums.sort("slice_us").collect(engine="streaming")
    starts = pl.from_epoch(table["slice_us"], "us").dt.to_string("%Y-%m-%dT%H:%M:%SZ")
    rows = table.drop("slice_us").iter_rows()
    return {
        start: fingerprint([",".join(map(str, row))])[:16]
        for start, row in zip(starts, rows, strict=True)
    }
