"""Rows that are on segments already into slices, beside the bare group-by of two engines.

    python benchmarks/slicing.py [millions of rows]

All read the same Parquet file of one day (5,000 segments, 10,000 vehicles) and give a row a
segment and quarter of an hour. The group-bys do mean, median, standard deviation and number of
vehicles, and trust every row; roadgraph judges every row, weights by time and confidence, keeps
one vehicle from ruling a slice, adds the quality, and accounts for every row. The limit is the bare
group-by of the same engine.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
from measuring import in_turn, machine, times_table
from shapely.geometry import LineString

from roadgraph.network.links import links_at_nodes
from roadgraph.network.network import Network
from roadgraph.probes.feed_files import feed_files
from roadgraph.schema import SEGMENTS
from roadgraph.settings import CitySettings, MeasuredSettings, Settings
from roadgraph.slices.measured_cells import usual_span
from roadgraph.slices.measured_days import slices_of_cells, with_days
from roadgraph.slices.measured_files import Opening
from roadgraph.slices.measured_reading import Reading, RunFiles, cells_by_day, count_files
from roadgraph.slices.run import make_slices
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from measuring import Times

SEGMENTS_COUNT, VEHICLES, SLICE_MINUTES = 5_000, 10_000, 15
DAY_US = 86_400_000_000
MIDNIGHT_US = 1_767_571_200_000_000  # 2026-01-05, UTC
REPEATS = 5
CHUNK = 1_000_000
BARE = "limit: Polars' bare group-by (streaming)"
NEEDED = ["segment_id", "entered_at", "speed_kph", "vehicle_id"]


def write_rows(path: Path, count: int) -> Path:
    """Write ``count`` traversals of one day, in the order of time."""
    rng = np.random.default_rng(0)
    segments = np.array([f"s{i:05d}" for i in range(SEGMENTS_COUNT)])
    vehicles = np.array([f"v{i:05d}" for i in range(VEHICLES)])
    writer = None
    for begin in range(0, count, CHUNK):
        rows = min(CHUNK, count - begin)
        share_of_day = (begin + np.sort(rng.random(rows)) * rows) / count
        times_us = MIDNIGHT_US + (share_of_day * DAY_US).astype(np.int64)
        table = pl.DataFrame(
            {
                "vehicle_id": vehicles[rng.integers(0, VEHICLES, rows)],
                "segment_id": segments[rng.integers(0, SEGMENTS_COUNT, rows)],
                "entered_at": pl.Series(times_us).cast(pl.Datetime("us", "UTC")),
                "speed_kph": np.clip(rng.gamma(4, 10, rows), 0, 199),
                "share": rng.random(rows),
                "confidence": rng.random(rows),
                "duration_s": 1 + rng.gamma(2, 20, rows),
            }
        ).to_arrow()
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=CHUNK // 8)
    if writer is not None:
        writer.close()
    return path


def toy_network() -> Network:
    """Return a road of as many segments."""
    ids = [f"s{i:05d}" for i in range(SEGMENTS_COUNT)]
    segments = gpd.GeoDataFrame(
        {
            "segment_id": ids,
            "from_node": [f"n{i}" for i in range(SEGMENTS_COUNT)],
            "to_node": [f"n{i + 1}" for i in range(SEGMENTS_COUNT)],
            "length_m": 100.0,
            "road_class": "residential",
            "name": None,
            "lanes": 1,
            "speed_limit_kph": 50.0,
            "free_flow_kph": 50.0,
        },
        geometry=[LineString([(i / 1000, 0), ((i + 1) / 1000, 0)]) for i in range(SEGMENTS_COUNT)],
        crs="EPSG:4326",
    )[SEGMENTS.columns]
    return Network(segments, links_at_nodes(segments, 170.0))


def group_by_pandas(path: Path) -> pd.DataFrame:
    """Return what a notebook does."""
    rows = pd.read_parquet(path, columns=NEEDED)
    rows["slice_start"] = rows["entered_at"].dt.floor(f"{SLICE_MINUTES}min")
    groups = rows.groupby(["segment_id", "slice_start"], sort=False)
    speeds = groups["speed_kph"].agg(["mean", "median", "std"])
    return speeds.assign(vehicles=groups["vehicle_id"].nunique())


def group_by_polars(path: Path) -> pl.DataFrame:
    """Return the bare group-by of the engine."""
    width_us = SLICE_MINUTES * 60_000_000
    speed = pl.col("speed_kph")
    return (
        pl.scan_parquet(path)
        .with_columns(slice_us=pl.col("entered_at").dt.epoch("us") // width_us * width_us)
        .group_by("segment_id", "slice_us")
        .agg(
            speed.mean().alias("mean"),
            speed.median().alias("median"),
            speed.std().alias("std"),
            pl.col("vehicle_id").n_unique().alias("vehicles"),
        )
        .collect(engine="streaming")
    )


def slice_rows(path: Path, network: Network, settings: Settings, scratch: Path) -> pl.DataFrame:
    """Return the slices of every day, read, judged and aggregated."""
    ids = sorted(network.segment_ids)
    opening = Opening(ids, SLICE_MINUTES, settings.measured, scratch)
    files = feed_files(path)
    sources = RunFiles(files, opening, str(path)).sources([file.name for file in files])
    found = count_files(sources, None, alone=True)
    usual = usual_span(found.counts, SLICE_MINUTES)
    reading = Reading(sources, with_days(found.counts, settings), found.cells, usual)
    return pl.concat(
        slices_of_cells(cells, ids, SLICE_MINUTES) for _, cells in cells_by_day(reading)
    )


def write_slices(network: Network, settings: Settings) -> None:
    """Read, aggregate and write the slices into a workspace that is empty before."""
    workspace = Workspace.of(settings)
    shutil.rmtree(workspace.root, ignore_errors=True)
    make_slices(settings, network, workspace)


def main() -> None:
    """Measure and print a Markdown table."""
    count = int(1_000_000 * float(sys.argv[1])) if len(sys.argv) > 1 else 10_000_000
    network = toy_network()
    city = CitySettings(source="measured", timezone="UTC")
    print(
        f"{count:,} rows, {SEGMENTS_COUNT:,} segments, {VEHICLES:,} vehicles, {SLICE_MINUTES} "
        f"minutes; {REPEATS} runs each, in turn; {machine('polars', 'pandas', 'pyarrow')}\n"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = write_rows(folder / "whole.parquet", count)
        few = folder / "few.parquet"
        pl.scan_parquet(whole).select(NEEDED).sink_parquet(few)
        for path, columns in ((whole, "7 columns"), (few, "4 columns")):
            settings = Settings(
                city=replace(city, fixes=str(path)),
                measured=MeasuredSettings(replace=True),
                workspace=str(folder / "work"),
            )
            ours = slice_rows(path, network, settings, folder)
            assert len(ours) == len(group_by_polars(path))
            steps: dict[str, Callable[[], object]] = {
                "pandas' group-by": lambda path=path: group_by_pandas(path),  # type: ignore[misc]
                BARE: lambda path=path: group_by_polars(path),  # type: ignore[misc]
                "roadgraph: read, judged, sliced": lambda path=path, settings=settings: slice_rows(  # type: ignore[misc]
                    path, network, settings, folder
                ),
                "roadgraph: the same, checksummed and written": lambda settings=settings: (  # type: ignore[misc]
                    write_slices(network, settings)
                ),
            }
            print_times(in_turn(steps, REPEATS), columns)


def print_times(times: dict[str, Times], columns: str) -> None:
    """Print the times for a file of so many columns, beside the limit."""
    more = {
        "processor, s": {
            name: f"{statistics.median(own.processor):.2f}" for name, own in times.items()
        },
        "times the limit": {
            name: f"{own.median / times[BARE].median:.2f}" for name, own in times.items()
        },
    }
    print(times_table(f"a day from Parquet, {columns}", times, more=more), flush=True)


if __name__ == "__main__":
    main()
