from datetime import timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from roadgraph.probes.edges import edges_of
from tests.toy import drive, fix, fixes_table

BEGIN = pd.Timestamp("2026-01-04T17:00", tz="UTC")  # Monday in Bangkok
END = BEGIN + timedelta(days=1)


def edges(folder: Path, *tables: pl.DataFrame) -> dict[str, str]:
    """Return the edges of a day with the rows of ``tables``, one behind the other."""
    rows = pl.concat(tables)
    path = folder / "part.parquet"
    rows.with_columns(row=pl.int_range(len(rows), dtype=pl.Int64)).write_parquet(path)
    return edges_of(path, BEGIN, END)


def at(time: pd.Timestamp, vehicle: str = "v") -> pl.DataFrame:
    return fixes_table([fix(vehicle, start=time)])


@pytest.mark.parametrize(
    ("time", "ends"),
    [
        (BEGIN, {"first"}),
        (BEGIN + timedelta(minutes=10, microseconds=-1), {"first"}),
        (BEGIN + timedelta(minutes=10), set()),
        (END - timedelta(minutes=60, microseconds=1), set()),
        (END - timedelta(minutes=60), {"last"}),
        (END - timedelta(microseconds=1), {"last"}),
    ],
)
def test_the_first_ten_minutes_of_a_day_and_its_last_hour_are_looked_at(
    time: pd.Timestamp, ends: set[str], tmp_path: Path
) -> None:
    assert set(edges(tmp_path, at(time))) == ends


NIGHT = drive("n", BEGIN)


def test_fixes_of_other_times_and_other_vehicles_between_them_change_nothing(
    tmp_path: Path,
) -> None:
    other = drive("a", BEGIN)
    found = edges(tmp_path, NIGHT, other)
    assert edges(tmp_path, other, NIGHT) == found
    noon = drive("n", BEGIN + timedelta(hours=12))
    assert edges(tmp_path, noon, NIGHT[:2], other, noon, NIGHT[2:]) == found


@pytest.mark.parametrize(
    "changed",
    [
        NIGHT.with_columns(pl.col("timestamp") + pl.duration(microseconds=1)),
        NIGHT.with_columns(pl.col("lat") + 1e-9),
        NIGHT.with_columns(pl.col("lon") + 1e-9),
        NIGHT.with_columns(pl.col("speed_kph") + 1e-9),
        NIGHT.with_columns(pl.lit(None, pl.Float64).alias("heading_deg")),
        NIGHT.with_columns(pl.lit("m").alias("vehicle_id")),
        NIGHT[1:],
        pl.concat([NIGHT, NIGHT[:1]]),
        NIGHT.reverse(),  # a clock that goes backwards is judged by the order of arrival
    ],
)
def test_every_change_of_them_shows(changed: pl.DataFrame, tmp_path: Path) -> None:
    assert edges(tmp_path, changed) != edges(tmp_path, NIGHT)


def test_where_one_name_ends_is_no_matter_of_the_next(tmp_path: Path) -> None:
    one = pl.concat([at(BEGIN, "a"), at(BEGIN, "bc")])
    other = pl.concat([at(BEGIN, "ab"), at(BEGIN, "c")])
    assert edges(tmp_path, one) != edges(tmp_path, other)
