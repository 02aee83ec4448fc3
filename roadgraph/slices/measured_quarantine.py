"""The refused rows of a file of measured data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow.parquet as pq

from roadgraph.probes.fix_store import QuarantineWriter
from roadgraph.slices.measured_files import REFUSED_SCHEMA, naming
from roadgraph.slices.measured_values import SEGMENT_STEP

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from roadgraph.slices.measured_files import Source, Span


def write_refused(source: Source, stray: pl.LazyFrame, path: Path) -> dict[str, int]:
    """Write the rows of a file that no slice rests on; they stream from disk to disk.

    Args:
        source: the file.
        stray: rows that could be used if it were not for their time, as :func:`stray_rows` has
            them.
        path: a file with the columns of ``schema.QUARANTINE``, sorted by row.

    Returns:
        How many rows each rule refuses.

    Raises:
        DataError: the file is damaged.
    """
    refused = pl.concat([source.refused, stray]).sort("row")
    writer = QuarantineWriter(path)
    streamed = path.with_suffix(".rows")
    try:
        with naming(source.name):
            refused.sink_parquet(streamed)
        with pq.ParquetFile(streamed) as rows:
            for batch in rows.iter_batches():
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                writer.add(frame.with_columns(pl.lit(source.name).alias("file")))
    finally:
        streamed.unlink(missing_ok=True)
        writer.close()
    return dict(sorted(writer.refused.items()))


def write_none(path: Path) -> dict[str, int]:
    """Write that nothing was refused."""
    QuarantineWriter(path).close()
    return {}


def stray_rows(source: Source, usual: Span, segment_ids: Sequence[str]) -> pl.LazyFrame:
    """Return the rows of a file whose time is far from all others.

    Args:
        source: the file.
        usual: the slices that are not.
        segment_ids: of the network, sorted.

    Returns:
        The columns of ``measured_files.REFUSED_SCHEMA``.
    """
    number = pl.col("cell") % SEGMENT_STEP
    place = pl.col("cell") // SEGMENT_STEP
    time = pl.from_epoch("us", "us").dt.replace_time_zone("UTC")
    row = pl.struct(
        place.replace_strict(range(len(segment_ids)), segment_ids).alias("segment_id"),
        time.dt.to_string("iso:strict").alias("time"),
        "speed_kph",
    )
    values = {
        "row": pl.col("row"),
        "rule": pl.lit("stray_clock"),
        "vehicle_id": pl.lit(None),
        "timestamp": time,
        "speed_kph": pl.col("speed_kph"),
        "raw": row.struct.json_encode(),
    }
    return (
        source.good(None)
        .filter(~number.is_between(usual.first, usual.stop, closed="left"))
        .select(values[name].cast(kind).alias(name) for name, kind in REFUSED_SCHEMA.items())
    )
