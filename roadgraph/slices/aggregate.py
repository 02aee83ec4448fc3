"""The five measured features of a segment in a slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from roadgraph.schema import SLICES

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrameT

LEAST_WEIGHT = 0.05  # a vehicle that is stuck covers no share of the segment, yet it counts


def slices_from_traversals(traversals: IntoDataFrameT, slice_minutes: int) -> IntoDataFrameT:
    """Aggregate traversals to slices, on whatever engine the frame belongs to.

    A traversal counts in the slice in which it begins, with its share of the segment as weight
    ``w`` (at least 0.05):

    * ``mean_speed = sum(w v) / sum(w)``, ``speed_std`` the square root of
      ``sum(w v^2) / sum(w) - mean_speed^2``, ``median_speed`` the plain median of ``v``;
    * ``count_probes``: the number ``n`` of different vehicles;
    * ``quality_score = n / (n + 1) * min(1, sum(share)) * mean(confidence) *
      1 / (1 + speed_std / max(mean_speed, 1))``: 0 for nothing seen, 0.5 for one vehicle that was
      seen on the whole segment, towards 1 with many that agree.

    Args:
        traversals: the columns of ``schema.TRAVERSALS``.
        slice_minutes: length of a slice in minutes; divides an hour.

    Returns:
        The columns of ``schema.SLICES`` of the same kind of frame, sorted by its key.
    """
    width_us = slice_minutes * 60 * 1_000_000
    entered_us = nw.col("entered_at").dt.timestamp("us")
    weight = nw.max_horizontal(nw.col("share"), nw.lit(LEAST_WEIGHT))
    # Whole-number division of microseconds, because not every engine can truncate times.
    rows = nw.from_native(traversals).with_columns(
        slice_us=entered_us - entered_us % width_us,
        weight=weight,
        weighted=weight * nw.col("speed_kph"),
        squared=weight * nw.col("speed_kph") * nw.col("speed_kph"),
    )
    sums = rows.group_by("segment_id", "slice_us").agg(
        nw.col("weight").sum(),
        nw.col("weighted").sum(),
        nw.col("squared").sum(),
        nw.col("speed_kph").median().alias("median_speed"),
        nw.col("vehicle_id").n_unique().alias("count_probes"),
        nw.col("share").sum(),
        nw.col("confidence").mean(),
    )
    # The cast stays out of the aggregation, where pandas would run it group by group.
    moments = sums.with_columns(
        mean_speed=nw.col("weighted") / nw.col("weight"),
        count_probes=nw.col("count_probes").cast(nw.Int32),
    )
    variance = nw.col("squared") / nw.col("weight") - nw.col("mean_speed") * nw.col("mean_speed")
    # Rounding can leave the variance of equal speeds a hair below zero.
    moments = moments.with_columns(
        speed_std=nw.max_horizontal(variance, nw.lit(0.0)) ** 0.5,
        vehicles=nw.col("count_probes").cast(nw.Float64),
    )
    quality = (
        nw.col("vehicles")
        / (nw.col("vehicles") + 1.0)
        * nw.min_horizontal(nw.col("share"), nw.lit(1.0))
        * nw.col("confidence")
        / (1.0 + nw.col("speed_std") / nw.max_horizontal(nw.col("mean_speed"), nw.lit(1.0)))
    )
    return (
        moments.with_columns(
            quality_score=quality,
            slice_start=nw.col("slice_us").cast(nw.Datetime("us", "UTC")),
        )
        .select(SLICES.columns)
        .sort(list(SLICES.key))
        .to_native()
    )
