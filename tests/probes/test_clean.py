from datetime import timedelta

import polars as pl
import pytest

from roadgraph.errors import DataError
from roadgraph.probes.clean import Box, judge_rows, refuse_swapped
from roadgraph.settings import ProbesSettings
from tests.toy import LAT, LON, MONDAY_7, fix, fixes_table

BOX = Box(LON, LAT, LON + 0.003, LAT + 0.001)
SETTINGS = ProbesSettings(max_speed_kph=120.0, network_margin_m=500.0)


def judged(*rows: dict[str, object]) -> pl.DataFrame:
    table = fixes_table(rows).with_columns(row=pl.int_range(2, len(rows) + 2, dtype=pl.Int64))
    return judge_rows(table, BOX, SETTINGS)


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({}, None),
        ({"speed_kph": None}, None),
        ({"speed_kph": float("nan")}, None),
        ({"speed_kph": 0.0}, None),
        ({"speed_kph": 120.0}, None),
        ({"speed_kph": 120.1}, "bad_speed"),
        ({"speed_kph": -0.1}, "bad_speed"),
        ({"lat": None}, "bad_position"),
        ({"lon": float("nan")}, "bad_position"),
        ({"lat": 90.1}, "bad_position"),
        ({"lon": -180.1}, "bad_position"),
        ({"lat": 0.0, "lon": 0.0}, "bad_position"),
        ({"north_m": -490}, None),
        ({"north_m": -510}, "outside_network"),
        ({"lat": 0.0, "lon": 0.0, "speed_kph": -1.0}, "bad_position"),
        ({"north_m": -510, "speed_kph": -1.0}, "bad_speed"),
    ],
)
def test_each_row_breaks_the_first_rule_that_it_breaks(
    row: dict[str, float], rule: str | None
) -> None:
    assert judged(fix(**row))["rule"].to_list() == [rule]  # type: ignore[arg-type]


def test_a_heading_that_no_compass_shows_and_a_speed_of_nan_become_missing() -> None:
    rows = [fix(heading_deg=511.0), fix(heading_deg=-1.0), fix(heading_deg=360.0)]
    table = judged(*rows, fix(speed_kph=float("nan")))
    assert table["heading_deg"].to_list() == [None, None, 360.0, 90.0]
    assert table["speed_kph"].to_list() == [36.0, 36.0, 36.0, None]
    assert table["rule"].null_count() == 4


def test_a_clock_years_away_from_the_others_is_stray() -> None:
    reset = fix(start=MONDAY_7 - timedelta(days=401))
    late = fix(start=MONDAY_7 - timedelta(days=399))
    rules = judged(fix(), fix(after_s=30), fix(after_s=60), reset, late)["rule"].to_list()
    assert rules == [None, None, None, "stray_clock", None]


def swapped(count: int) -> list[dict[str, object]]:
    return [fix(after_s=i, lat=LON, lon=LAT) for i in range(count)]


def test_swapped_positions_are_named_with_file_and_row() -> None:
    table = judged(*swapped(11), *[fix(after_s=i) for i in range(9)])
    with pytest.raises(DataError, match=r"a\.csv: latitude and longitude look swapped \(row 2: "):
        refuse_swapped(table, BOX, "a.csv", SETTINGS)


@pytest.mark.parametrize(("wrong", "right"), [(10, 10), (19, 0), (0, 30)])
def test_a_few_swapped_positions_are_no_swapped_file(wrong: int, right: int) -> None:
    table = judged(*swapped(wrong), *[fix(after_s=i) for i in range(right)])
    refuse_swapped(table, BOX, "a.csv", SETTINGS)


def test_a_box_grows_by_metres_on_every_side() -> None:
    grown = Box(100.0, 60.0, 101.0, 61.0).grown(1000)
    assert (60.0 - grown.south) * 111_195 == pytest.approx(1000, rel=1e-3)
    # A degree of longitude is about half as long at 60.5 degrees north.
    assert (100.0 - grown.west) * 111_195 * 0.4924 == pytest.approx(1000, rel=1e-3)
