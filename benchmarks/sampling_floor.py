"""How exact slices can be at all: the fleet's own seconds from the simulator, as slices.

    python data/sample/make_sample.py --days 1 --jobs 1 --out OUT --work WORK
    python benchmarks/sampling_floor.py WORK/day00

A slice of three taxis says how fast three taxis were. However well they are matched, the mean over
all vehicles of the quarter of an hour differs from theirs, above all because of traffic lights.
This takes every second of every taxi of the first day as SUMO wrote it (`make sample` needs SUMO),
forms distance over time by segment and slice, and compares it with all vehicles, as
`benchmarks/matching.py` does for matched fixes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
WARM_UP_S = 900  # data/sample/simulation/parameters.py
SLICE_S = 900
MIDNIGHT = pl.datetime(2026, 1, 5, time_zone="Asia/Bangkok").dt.convert_time_zone("UTC")


def fleet_slices(fleet_csv: Path) -> pl.DataFrame:
    """Return the true mean speed of the taxis by segment and slice; a crossing counts ahead."""
    seconds = pl.read_csv(fleet_csv, separator=";", infer_schema=False).drop_nulls("vehicle_lane")
    lane = pl.col("vehicle_lane")
    segment = pl.when(~lane.str.starts_with(":")).then(lane.str.replace(r"_\d+$", ""))
    time_s = pl.col("timestep_time").cast(pl.Float64) - WARM_UP_S
    rows = seconds.select(
        "vehicle_id",
        time_s.alias("time_s"),
        segment.alias("segment_id"),
        pl.col("vehicle_speed").cast(pl.Float64).alias("speed_mps"),
    ).sort("vehicle_id", "time_s")
    rows = rows.with_columns(pl.col("segment_id").backward_fill().over("vehicle_id"))
    start = MIDNIGHT + pl.duration(seconds=(pl.col("time_s") // SLICE_S * SLICE_S).cast(pl.Int64))
    return (
        rows.filter(pl.col("time_s") >= 0)
        .drop_nulls("segment_id")
        .group_by("segment_id", start.dt.cast_time_unit("us").alias("slice_start"))
        .agg(
            mean_speed=3.6 * pl.col("speed_mps").mean(),
            count_probes=pl.col("vehicle_id").n_unique(),
        )
    )


def main() -> None:
    """Print the error of a fleet that is known to the second."""
    slices = fleet_slices(Path(sys.argv[1]) / "fleet.csv")
    truth = pl.read_parquet(SAMPLE / "truth.parquet").select(
        "segment_id",
        pl.col("slice_start").dt.cast_time_unit("us"),
        pl.col("mean_speed").cast(pl.Float64).alias("truth"),
    )
    both = slices.join(truth, on=["segment_id", "slice_start"])
    error = (both["mean_speed"] - both["truth"]).abs()
    print("| vehicles in the slice | slices | mean absolute error, km/h |")
    print("| --- | --- | --- |")
    for name, rows in (
        ("1", both["count_probes"] == 1),
        ("2", both["count_probes"] == 2),
        ("3 or more", both["count_probes"] >= 3),
        ("all", both["count_probes"] >= 1),
    ):
        print(f"| {name} | {rows.sum():,} | {error.filter(rows).to_numpy().mean():.2f} |")


if __name__ == "__main__":
    main()
