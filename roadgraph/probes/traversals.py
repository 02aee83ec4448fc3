"""From matched steps to traversals: how fast each vehicle drove on each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from roadgraph.schema import TRAVERSALS

if TYPE_CHECKING:
    from roadgraph.network.network import Network

SHORTEST_STAY_S = 0.5  # a shorter touch of a segment's end measures no speed


def traversals_from_steps(
    steps: pl.DataFrame, network: Network, slice_minutes: int, gps_error_m: float
) -> pl.DataFrame:
    """Join the steps that follow each other on one segment into traversals.

    The speed is the distance along the road over the time on it. A stay that lasts over the end
    of a slice is cut there and makes a row on either side: what a vehicle did later must not reach
    a slice that was already complete. The confidence is ``exp(-(deviation / gps_error)^2 / 2)``.

    Args:
        steps: as in :class:`~roadgraph.probes.matching.MatchedSteps`; no step is longer than a
            slice.
        network: gives ids and lengths.
        slice_minutes: length of a slice in minutes.
        gps_error_m: standard deviation of a fix in metres.

    Returns:
        The columns of ``schema.TRAVERSALS``, sorted by its key.
    """
    slice_s = 60 * slice_minutes
    boundary_s = (pl.col("left_s") / slice_s).ceil() * slice_s - slice_s
    crosses = pl.col("entered_s") < boundary_s
    share_before = (boundary_s - pl.col("entered_s")) / (pl.col("left_s") - pl.col("entered_s"))
    numbered = steps.with_row_index("order")
    before = numbered.filter(crosses).with_columns(
        boundary_s.alias("left_s"), (pl.col("distance_m") * share_before).alias("distance_m")
    )
    after = numbered.with_columns(
        pl.when(crosses).then(boundary_s).otherwise("entered_s").alias("entered_s"),
        pl.when(crosses)
        .then(pl.col("distance_m") * (1 - share_before))
        .otherwise("distance_m")
        .alias("distance_m"),
    )
    pieces = pl.concat([before, after]).sort("order", "entered_s")
    place = pl.struct("vehicle_id", "trip", "part", "segment")
    slice_of = (pl.col("left_s") / slice_s).ceil()
    changes = (place != place.shift(1)) | (slice_of != slice_of.shift(1))
    lengths = pl.DataFrame(
        {
            "segment": range(len(network.segments)),
            "segment_id": network.segment_ids,
            "length_m": network.segments["length_m"].to_numpy(),
        },
        schema_overrides={"segment": pl.Int64},
    )
    stays = (
        pieces.with_columns(changes.fill_null(True).cum_sum().alias("stay"))
        .group_by("stay", maintain_order=True)
        .agg(
            pl.col("vehicle_id", "segment").first(),
            pl.col("entered_s").min(),
            pl.col("left_s").max(),
            pl.col("distance_m").sum().clip(lower_bound=0),
            (-((pl.col("deviation_m") / gps_error_m) ** 2) / 2).exp().mean().alias("confidence"),
        )
        .with_columns((pl.col("left_s") - pl.col("entered_s")).alias("seconds"))
        .filter(pl.col("seconds") >= SHORTEST_STAY_S)
        .join(lengths, on="segment", maintain_order="left")
    )
    entered_at = (pl.col("entered_s") * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    return stays.select(
        "vehicle_id",
        "segment_id",
        entered_at.alias("entered_at"),
        (3.6 * pl.col("distance_m") / pl.col("seconds")).alias("speed_kph"),
        (pl.col("distance_m") / pl.col("length_m")).clip(0, 1).alias("share"),
        "confidence",
    ).sort(TRAVERSALS.key)
