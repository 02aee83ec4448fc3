"""Measured rows of any number into cells, never more of them at a time than fit into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from roadgraph.errors import DataError
from roadgraph.probes.clean import STRAY_DAYS
from roadgraph.schema import MEASURED_FEATURES
from roadgraph.slices.aggregate import cells_of_traversals
from roadgraph.slices.aggregates import cells_of_aggregates
from roadgraph.slices.measured_columns import TRAVERSAL_ROWS
from roadgraph.slices.measured_files import FAULTS, Source, Span, naming
from roadgraph.slices.measured_values import SEGMENT_STEP

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH_ROWS = 12_000_000  # aggregated at a time, which takes about 1.5 GB, unless a slice has more
MINUTES_A_DAY = 24 * 60

TRAVERSAL_VALUES = ("vehicle_id", "speed_kph", "share", "confidence", "duration_s")
AGGREGATE_VALUES = ("speed_kph", "count", "std_kph", "median_kph")


def aggregate(sources: Sequence[Source], span: Span | None = None) -> pl.DataFrame:
    """Return ``cell``, ``rows`` and ``schema.MEASURED_FEATURES`` of the rows of some slices.

    Args:
        sources: files of one kind.
        span: the slices; ``None`` for all.

    Returns:
        Sorted by ``cell``.

    Raises:
        DataError: a file is damaged.
    """
    of_vehicles = sources[0].kind is TRAVERSAL_ROWS
    values = TRAVERSAL_VALUES if of_vehicles else AGGREGATE_VALUES
    rows = pl.concat([source.good(span).select("cell", *values) for source in sources])
    features = cells_of_traversals if of_vehicles else cells_of_aggregates
    cells = features(nw.from_native(rows), ("cell",)).to_native()
    return _collected(cells.select("cell", "rows", *MEASURED_FEATURES).sort("cell"), sources)


def count_slices(sources: Sequence[Source]) -> pl.DataFrame:
    """Return how many ``rows`` each ``slice`` has from each ``file`` (its place).

    Raises:
        DataError: a file is damaged.
    """
    counts = [
        _collected(counted(source.good(None).select("cell", rows=1), place), [source])
        for place, source in enumerate(sources)
    ]
    return pl.concat(counts).sort("file", "slice")


def counted(cells: pl.LazyFrame, place: int = 0) -> pl.LazyFrame:
    """Return ``file``, ``slice`` and ``rows`` of cells with their ``rows``."""
    slices = cells.select((pl.col("cell") % SEGMENT_STEP).alias("slice"), "rows")
    sums = slices.group_by("slice").agg(pl.col("rows").cast(pl.Int64).sum())
    return sums.select(pl.lit(place).alias("file"), "slice", "rows").sort("slice")


def usual_span(counts: pl.DataFrame, slice_minutes: int) -> Span:
    """Return the slices around the middle row, up to a gap of ``STRAY_DAYS`` days.

    What lies behind such a gap comes from clocks that were reset; data of many years has none.
    """
    if counts.is_empty():
        return Span(0, 0)
    stray = STRAY_DAYS * MINUTES_A_DAY // slice_minutes
    slices = counts.group_by("slice").agg(pl.col("rows").sum()).sort("slice")
    behind = slices["rows"].cum_sum()
    middle = slices["slice"][int((2 * behind < behind[-1]).sum())]
    parts = slices.with_columns(part=(pl.col("slice").diff() > stray).fill_null(False).cum_sum())
    own = parts.filter(pl.col("part") == pl.col("part").filter(pl.col("slice") == middle).first())
    return Span(own["slice"][0], own["slice"][-1] + 1)


def spans_of(counts: pl.DataFrame) -> list[Span]:
    """Cut the slices into spans of at most ``BATCH_ROWS`` rows, where no slice has more alone."""
    spans: list[Span] = []
    first = stop = rows = 0
    slices = counts.group_by("slice").agg(pl.col("rows").sum()).sort("slice")
    for number, count in slices.iter_rows():
        if rows and rows + count > BATCH_ROWS:
            spans.append(Span(first, stop))
            rows = 0
        if not rows:
            first = number
        stop = number + 1
        rows += count
    return [*spans, Span(first, stop)] if rows else spans


def _collected(frame: pl.LazyFrame, sources: Sequence[Source]) -> pl.DataFrame:
    try:
        return frame.collect(engine="streaming")
    except FAULTS as error:
        for source in sources:
            with naming(source.name):
                source.good(None).select(pl.all().max()).collect(engine="streaming")
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{sources[0].name} and others cannot be aggregated: {reason}") from error
