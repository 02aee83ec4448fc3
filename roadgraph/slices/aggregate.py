"""The five measured features of a segment in a slice.

All sums are of whole numbers (nanoseconds, 0.0001 km/h), so they are exact: in whatever order an
engine adds, on however many cores, the same rows give the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from roadgraph.schema import SLICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from narwhals.typing import IntoFrameT

    Frame = nw.DataFrame[Any] | nw.LazyFrame[Any]

LEAST_CONFIDENCE = 0.01  # a cell of doubtful traversals alone still has a mean
LARGEST_LEAD = 2  # times all others together that one traversal's time may count
SPREAD_KPH = 100.0  # a spread of speeds at which quality is halved

PER_S = 1_000_000_000  # times are added up in nanoseconds,
PER_SHARE = 1_000_000  # shares in millionths,
PER_KPH = 10_000  # speeds finer than any receiver, so that their squares fit into 64 bits
US_PER_S = 1_000_000


def slices_from_traversals(traversals: IntoFrameT, slice_minutes: int) -> IntoFrameT:
    """Aggregate traversals to slices, on whatever engine the frame belongs to.

    A traversal counts in the slice in which it begins, with its time ``t`` (at most twice that of
    all others in the cell, so that one vehicle that waits at the kerb cannot fill a slice) and its
    confidence ``c``, ``w = t c``:

    * ``mean_speed = sum(w v) / sum(w)``. As ``v t`` is the distance, this is the whole distance
      over the whole time, the space-mean speed (Edie 1963, "Discussion of traffic stream
      measurements and definitions"); put otherwise, the harmonic mean of the traversals' speeds,
      each weighted by its share of the segment. ``median_speed`` and ``speed_std`` (0 for one
      traversal) are the plain median and standard deviation of ``v``;
    * ``count_probes``: the number ``n`` of different vehicles;
    * ``quality_score = n / (n + 1) * sqrt(min(1, sum(share))) * sum(w) / sum(t) *
      1 / (1 + speed_std / 100 km/h)``: 0 for nothing seen, 0.5 for one vehicle that was surely
      seen on the whole segment, towards 1 with many that agree.

    Args:
        traversals: the columns of ``schema.TRAVERSALS``.
        slice_minutes: length of a slice in minutes; divides an hour.

    Returns:
        The columns of ``schema.SLICES`` of the same kind of frame, sorted by its key.
    """
    native: Any = traversals
    frame: Frame = nw.from_native(native)
    on_spark = frame.implementation.is_spark_like()
    entered = nw.col("entered_at")
    if on_spark:  # narwhals has no dt.timestamp there; a cast gives whole seconds
        entered_us = entered.cast(nw.Int64) * US_PER_S + entered.dt.microsecond()
    else:
        entered_us = entered.dt.timestamp("us")
    width_us = slice_minutes * 60 * US_PER_S
    # Whole-number division of microseconds, because not every engine can truncate times.
    rows = frame.with_columns(slice_us=entered_us - entered_us % width_us)
    cells = cells_of_traversals(rows, ("segment_id", "slice_us"))
    start = nw.col("slice_us") // US_PER_S if on_spark else nw.col("slice_us")
    slices = cells.with_columns(slice_start=start.cast(nw.Datetime("us", "UTC")))
    made: Any = slices.select(SLICES.columns).sort(list(SLICES.key)).to_native()
    return made


def cells_of_traversals(rows: Frame, keys: Sequence[str]) -> Frame:
    """Return the features of every cell, as :func:`slices_from_traversals` has them.

    Args:
        rows: ``vehicle_id`` (of any type), ``speed_kph``, ``share``, ``confidence`` and
            ``duration_s`` of each traversal, and ``keys``.
        keys: the columns that name a cell. One column of whole numbers is much faster than a text
            and a time.

    Returns:
        ``keys``, ``rows`` (how many a cell has) and ``schema.MEASURED_FEATURES``.
    """
    rows = rows.with_columns(time=whole(nw.col("duration_s") * PER_S))
    others = nw.col("time").sum().over(*keys) - nw.col("time")
    most = nw.when(others > 0).then(LARGEST_LEAD * others).otherwise(nw.col("time"))
    rows = rows.with_columns(time=nw.min_horizontal(nw.col("time"), most))
    confidence = nw.max_horizontal(nw.col("confidence"), nw.lit(LEAST_CONFIDENCE))
    rows = rows.with_columns(
        weight=whole(nw.col("time") * confidence),
        share=whole(nw.col("share") * PER_SHARE),
        speed=whole(nw.col("speed_kph") * PER_KPH),
    )
    rows = rows.with_columns(
        weighted=whole(nw.col("weight") * nw.col("speed_kph")),
        square=nw.col("speed") * nw.col("speed"),
    )
    sums = rows.group_by(*keys).agg(
        nw.len().alias("rows"),
        nw.col("time", "weight", "weighted", "share", "speed", "square").sum(),
        nw.col("speed_kph").median().alias("median_speed"),
        nw.col("vehicle_id").n_unique().alias("count_probes"),
    )
    # The casts stay out of the aggregation, where pandas would run them group by group.
    cells = sums.with_columns(
        mean_speed=nw.col("weighted") / nw.col("weight"),
        speed_std=spread_kph(nw.col("rows").cast(nw.Int64), nw.col("speed"), nw.col("square")),
        count_probes=nw.col("count_probes").cast(nw.Int32),
    )
    # Never a column over a plain number: Polars would multiply by its inverse.
    seen = nw.min_horizontal(nw.col("share"), nw.lit(PER_SHARE)).cast(nw.Float64).sqrt()
    sure = nw.col("weight") / (nw.col("time") * round(PER_SHARE**0.5))
    return cells.with_columns(quality_score=quality(seen * sure))


def whole(value: nw.Expr) -> nw.Expr:
    """Return the whole number nearest to ``value``, the same one on every engine."""
    return (value + 0.5).floor().cast(nw.Int64)


def spread_kph(count: nw.Expr, total: nw.Expr, squares: nw.Expr) -> nw.Expr:
    """Return the standard deviation of speeds from their sums in ``1 / PER_KPH`` km/h.

    The squares are moved to the whole number nearest to the mean before anything is rounded, so
    that equal speeds have a spread of exactly 0.
    """
    middle = whole(total / count)
    around = squares - 2 * middle * total + count * middle * middle
    away_kph = (total - count * middle) / (count * PER_KPH)
    variance = around / (count * PER_KPH**2) - away_kph * away_kph
    return nw.max_horizontal(variance, nw.lit(0.0)).sqrt()


def quality(evidence: nw.Expr) -> nw.Expr:
    """Return ``quality_score`` from ``sqrt(min(1, sum(share))) * sum(w) / sum(t)``."""
    vehicles = nw.col("count_probes").cast(nw.Float64)
    agreement = SPREAD_KPH / (nw.col("speed_std") + SPREAD_KPH)
    return vehicles / (vehicles + 1.0) * evidence * agreement
