"""Matching and slices of the sample city against its truth, beside the plain way.

    python benchmarks/matching.py

The plain way is what a notebook does: the nearest segment by shapely, then pandas' mean of the
reported speeds by segment and quarter of an hour. Both see the same cleaned fixes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # what one core does

import numpy as np
import pandas as pd
import polars as pl
import shapely
from measuring import in_turn, machine, times_table

from roadgraph.config import load_settings
from roadgraph.network.importing import import_network
from roadgraph.probes.clean import judge_rows
from roadgraph.probes.drives import Driver
from roadgraph.probes.feeds import feed_files, read_feed
from roadgraph.probes.geometry import SegmentGeometry
from roadgraph.probes.matching import TripMatcher
from roadgraph.probes.news import box_of
from roadgraph.probes.sequence import judge_sequence
from roadgraph.slices.aggregate import slices_from_traversals

if TYPE_CHECKING:
    from roadgraph.network.network import Network
    from roadgraph.settings import Settings

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
REPEATS = 3
SLICE_MINUTES = 15
MANY_VEHICLES = 3


def raw_fixes(settings: Settings, network: Network) -> pl.DataFrame:
    """Return the sample's fixes that can be used row by row."""
    box = box_of(network)
    frames = [
        judge_rows(batch.fixes, box, settings.probes).with_columns(file=pl.lit(file.name))
        for file in feed_files(SAMPLE / "fixes")
        for batch in read_feed(file, settings.probes)
    ]
    return pl.concat(frames).filter(pl.col("rule").is_null()).drop("rule")


def nearest_plain(geometry: SegmentGeometry, fixes: pl.DataFrame) -> np.ndarray:
    """Return the nearest segment of each fix, whatever its direction."""
    tree = shapely.STRtree(geometry.lines)
    points = shapely.points(*geometry.to_metres(fixes["lat"].to_numpy(), fixes["lon"].to_numpy()))
    return np.asarray(tree.nearest(points))


def right_share(fixes: pl.DataFrame, segment: np.ndarray, ids: list[str]) -> float:
    """Return the share of fixes on the segment that they were truly on."""
    truth = pl.read_parquet(SAMPLE / "truth_fixes.parquet").with_columns(
        pl.col("timestamp").dt.cast_time_unit("us")
    )
    said = fixes.with_columns(said=pl.Series(np.array([*ids, None], dtype=object)[segment]))
    both = said.join(truth, on=["vehicle_id", "timestamp"], how="inner")
    return float((both["said"] == both["segment_id"]).drop_nulls().to_numpy().mean())


def errors(slices: pl.DataFrame) -> pl.DataFrame:
    """Return the absolute error of the mean speed of every slice that has a true one, km/h."""
    truth = pl.read_parquet(SAMPLE / "truth.parquet").select(
        "segment_id",
        pl.col("slice_start").dt.cast_time_unit("us"),
        pl.col("mean_speed").cast(pl.Float64).alias("truth"),
    )
    both = slices.join(truth, on=["segment_id", "slice_start"])
    return both.with_columns(error=(pl.col("mean_speed") - pl.col("truth")).abs())


def mean_error(slices: pl.DataFrame) -> str:
    """Return the mean of :func:`errors`."""
    return f"{slices['error'].to_numpy().mean():.2f}"


def plain_slices(fixes: pl.DataFrame, segment: np.ndarray, ids: list[str]) -> pl.DataFrame:
    """Return pandas' mean of the reported speeds by nearest segment and quarter of an hour."""
    frame = fixes.select("vehicle_id", "timestamp", "speed_kph").to_pandas()
    frame["segment_id"] = np.array(ids, dtype=object)[segment]
    frame["slice_start"] = frame["timestamp"].dt.floor(f"{SLICE_MINUTES}min")
    groups = frame.groupby(["segment_id", "slice_start"], sort=False)
    table = groups.agg(
        mean_speed=("speed_kph", "mean"), count_probes=("vehicle_id", "nunique")
    ).reset_index()
    table["slice_start"] = pd.to_datetime(table["slice_start"]).dt.as_unit("us")
    return pl.from_pandas(table).drop_nulls("mean_speed")


def thirds(table: pl.DataFrame) -> list[float]:
    """Return the mean error of the slices with the lowest, middle and highest quality."""
    ordered = table.sort("quality_score", "segment_id", "slice_start")["error"].to_numpy()
    return [float(part.mean()) for part in np.array_split(ordered, 3)]


def main() -> None:
    """Measure and print Markdown tables."""
    settings = load_settings(["city=sample"])
    network = import_network(settings).network
    ids = network.segment_ids
    driver = Driver(network, settings.probes, SLICE_MINUTES)
    matcher = TripMatcher(network, settings.probes)
    geometry = SegmentGeometry(network)
    raw = raw_fixes(settings, network)
    driven = driver.drive(raw)
    used = driven.fixes.filter(pl.col("rule").is_null()).sort("vehicle_id", "timestamp")
    turn = pl.int_range(pl.len()).over("vehicle_id") % 2
    thin = driver.drive(raw.sort("vehicle_id", "timestamp").filter(turn == 0)).fixes
    thin = thin.filter(pl.col("rule").is_null())
    plain = nearest_plain(geometry, used)
    ours = errors(slices_from_traversals(driven.traversals, SLICE_MINUTES))
    theirs = errors(plain_slices(used, plain, ids))
    few = pl.col("count_probes") >= MANY_VEHICLES

    print(
        f"sample city, {len(raw):,} fixes, {len(ids)} segments; {REPEATS} runs each, in turn; "
        f"{machine('fastmm', 'shapely', 'polars', 'pandas')}\n"
    )
    print("| against the simulator's truth | roadgraph | nearest segment, pandas |")
    print("| --- | --- | --- |")
    rows = [
        (
            "fixes on the right directed segment, every 30 s",
            f"{right_share(used, used['segment'].to_numpy(), ids):.1%}",
            f"{right_share(used, plain, ids):.1%}",
        ),
        (
            "the same, every 60 s",
            f"{right_share(thin, thin['segment'].to_numpy(), ids):.1%}",
            f"{right_share(thin, nearest_plain(geometry, thin), ids):.1%}",
        ),
        (
            f"mean speed of slices, {MANY_VEHICLES} vehicles or more: mean absolute error, km/h",
            mean_error(ours.filter(few)),
            mean_error(theirs.filter(few)),
        ),
        (
            "the same, all slices",
            mean_error(ours),
            mean_error(theirs),
        ),
        (
            "the same by thirds of quality_score, lowest to highest",
            " / ".join(f"{value:.2f}" for value in thirds(ours)),
            "-",
        ),
    ]
    for row in rows:
        print("| " + " | ".join(row) + " |")

    judged = judge_sequence(raw, SLICE_MINUTES, settings.probes)
    fixes = judged.filter(pl.col("rule").is_null())
    lat, lon = fixes["lat"].to_numpy(), fixes["lon"].to_numpy()
    begins = fixes["breaks"].to_numpy()
    times = in_turn(
        {
            "matching along trips (fastmm)": lambda: matcher.match(lat, lon, begins),
            "cleaning, matching, timing, traversals": lambda: driver.drive(raw),
            "nearest segment by shapely": lambda: nearest_plain(geometry, fixes),
        },
        REPEATS,
    )
    rates = {name: f"{len(fixes) / own.median:,.0f}" for name, own in times.items()}
    print(f"\n{times_table('one core', times, more={'fixes a second, median': rates})}")


if __name__ == "__main__":
    main()
