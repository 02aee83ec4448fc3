from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from roadgraph.calendar import city_zone, span_of_day
from roadgraph.schema import SLICES
from roadgraph.slices.clock import clock_of_fixes, clock_of_slices
from roadgraph.slices.planning import DayPlan
from tests.toy import MONDAY_7, drive, fix, fixes_table

MONDAY = date(2026, 1, 5)
FIRST, SECOND = "2026-01-05T00:00:00Z", "2026-01-05T00:15:00Z"


def clock(folder: Path, *tables: pl.DataFrame) -> dict[str, str]:
    """Return the clock of a day whose fixes lie in a file a table."""
    parts = folder / "2026-01-05"
    parts.mkdir(parents=True, exist_ok=True)
    paths = [parts / f"{number}.parquet" for number in range(len(tables))]
    for table, path in zip(tables, paths, strict=True):
        table.write_parquet(path)
    begin, end = span_of_day(MONDAY, city_zone("Asia/Bangkok"), 15)
    return clock_of_fixes(DayPlan(MONDAY, begin, end, tuple(paths), {}, {}), 15)


def later(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col("timestamp") + pl.duration(minutes=15))


FIXES = pl.concat([drive("a"), later(drive("b"))])


def test_each_slice_with_fixes_has_a_checksum_whatever_their_order_and_files(
    tmp_path: Path,
) -> None:
    found = clock(tmp_path / "one", FIXES)
    assert list(found) == [FIRST, SECOND]
    assert found[FIRST] != found[SECOND]
    assert found == clock(tmp_path / "two", FIXES[5:].reverse(), FIXES[:5])


@pytest.mark.parametrize("change", ["time", "lat", "lon", "speed", "no speed", "gone", "twice"])
def test_a_change_shows_in_its_own_slice_alone(change: str, tmp_path: Path) -> None:
    first = drive("a")
    changed = {
        "time": first.with_columns(pl.col("timestamp") + pl.duration(microseconds=1)),
        "lat": first.with_columns(pl.col("lat") + 1e-6),
        "lon": first.with_columns(pl.col("lon") + 1e-6),
        "speed": first.with_columns(pl.col("speed_kph") + 0.001),
        "no speed": first.with_columns(pl.lit(None, pl.Float64).alias("speed_kph")),
        "gone": first[1:],
        "twice": pl.concat([first, first[:1]]),
    }[change]
    before = clock(tmp_path / "before", FIXES)
    after = clock(tmp_path / "after", pl.concat([changed, later(drive("b"))]))
    assert after[FIRST] != before[FIRST]
    assert after[SECOND] == before[SECOND]


def test_two_fixes_that_swap_their_positions_are_others(tmp_path: Path) -> None:
    here, there = fix("a", 0, east_m=10), fix("b", 60, east_m=90)
    swapped = [fix("a", 0, east_m=90), fix("b", 60, east_m=10)]
    assert clock(tmp_path / "x", fixes_table([here, there])) != clock(
        tmp_path / "y", fixes_table(swapped)
    )


def test_fixes_of_other_days_do_not_count(tmp_path: Path) -> None:
    night = drive("n").with_columns(pl.col("timestamp") - pl.duration(hours=8))
    assert clock(tmp_path, night) == {}


def slices(speed_kph: float = 30.0, segments: tuple[str, str] = ("A", "B")) -> pa.Table:
    rows = [
        {"segment_id": name, "slice_start": MONDAY_7.tz_convert("UTC"), "mean_speed": speed,
         "median_speed": speed, "speed_std": 0.0, "count_probes": 2, "quality_score": 0.5}
        for name, speed in zip(segments, (speed_kph, 50.0), strict=True)
    ]  # fmt: skip
    return SLICES.conform(pa.Table.from_pylist(rows, SLICES.schema))


def test_rows_of_slices_have_a_checksum_of_values_and_segments() -> None:
    found = clock_of_slices(slices())
    assert list(found) == [FIRST]
    assert clock_of_slices(slices()) == found
    assert clock_of_slices(slices(31.0)) != found
    assert clock_of_slices(slices(segments=("A", "C"))) != found
    assert clock_of_slices(slices().slice(0, 0)) == {}
