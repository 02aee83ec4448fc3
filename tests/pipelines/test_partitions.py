from pathlib import Path

import pandas as pd
import pytest

from roadgraph.errors import SettingsError
from roadgraph.workspace import Workspace
from tests.pipelines.toy import NOW, toy_settings

dg = pytest.importorskip("dagster", reason="the extra 'pipelines' is not installed")


def utc(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def test_days_and_times_begin_with_the_start_on_the_citys_clock(tmp_path: Path) -> None:
    from pipelines.partitions import partitions_of

    partitions = partitions_of(toy_settings(tmp_path), NOW)
    now = NOW.to_pydatetime()
    assert partitions.days.get_partition_keys(now) == [
        "2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08",
    ]  # fmt: skip
    times = partitions.times.get_partition_keys(now)
    assert times[:2] == ["2026-01-05T00:00", "2026-01-05T00:15"]
    # What ended just now can be forecast from; what ends in a quarter of an hour cannot.
    assert times[-1] == "2026-01-08T03:00"
    assert len(times) == 3 * 96 + 3 * 4 + 1


def test_the_first_slice_of_a_day_is_over_after_midnight_and_the_last_one_at_the_next(
    tmp_path: Path,
) -> None:
    from pipelines.partitions import partitions_of

    partitions = partitions_of(toy_settings(tmp_path), NOW)
    assert partitions.day_key(utc("2026-01-06T17:15")) == "2026-01-07"
    assert partitions.time_key(utc("2026-01-06T17:15")) == "2026-01-07T00:15"
    assert partitions.day_key(utc("2026-01-06T17:00")) == "2026-01-06"
    assert partitions.time_key(utc("2026-01-06T17:00")) == "2026-01-07T00:00"


def test_an_hour_that_comes_twice_has_its_times_twice(tmp_path: Path) -> None:
    from dataclasses import replace

    from pipelines.partitions import partitions_of

    settings = toy_settings(tmp_path)
    berlin = replace(settings, city=replace(settings.city, timezone="Europe/Berlin"))
    partitions = partitions_of(berlin, NOW)
    keys = [partitions.time_key(utc(f"2026-10-25T0{hour}:15")) for hour in (0, 1)]
    assert len(set(keys)) == 2
    windows = [partitions.times.time_window_for_partition_key(key) for key in keys]
    assert [window.start.timestamp() for window in windows] == [
        utc("2026-10-25T00:15").timestamp(),
        utc("2026-10-25T01:15").timestamp(),
    ]


def test_without_a_start_the_first_stored_day_is_the_first(tmp_path: Path) -> None:
    from pipelines.partitions import partitions_of

    settings = toy_settings(tmp_path, start="", catch_up_days=3)
    # Nothing is stored yet: the days that a run would catch up with.
    assert partitions_of(settings, NOW).days.get_first_partition_key() == "2026-01-05"
    for day in ("2026-01-02", "2026-01-06"):
        (Workspace.of(settings).slices / day).mkdir(parents=True)
        (Workspace.of(settings).slices / day / "manifest.json").write_text("{}", "utf-8")
    assert partitions_of(settings, NOW).days.get_first_partition_key() == "2026-01-02"


def test_a_start_that_is_no_day_is_refused(tmp_path: Path) -> None:
    from pipelines.partitions import partitions_of

    with pytest.raises(SettingsError, match=r"pipeline.start: 'monday' is no day; write it as"):
        partitions_of(toy_settings(tmp_path, start="monday"), NOW)


@pytest.mark.parametrize(
    ("slice_minutes", "wait_min", "cron"),
    [
        (15, 0, "0,15,30,45 * * * *"),
        (15, 1, "1,16,31,46 * * * *"),
        (15, 20, "5,20,35,50 * * * *"),
        (60, 59, "59 * * * *"),
        (30, 7, "7,37 * * * *"),
    ],
)
def test_a_cron_line_names_the_minutes_after_the_ends_of_slices(
    slice_minutes: int, wait_min: int, cron: str
) -> None:
    from pipelines.partitions import cron_of

    assert cron_of(slice_minutes, wait_min) == cron


def test_in_a_zone_half_an_hour_off_slices_end_at_half_past() -> None:
    from pipelines.partitions import shift_min

    now = pd.Timestamp("2026-01-05T00:00Z")
    assert shift_min(60, "Asia/Kolkata", now) == 30
    assert shift_min(15, "Asia/Kolkata", now) == 0
    assert shift_min(30, "Asia/Kathmandu", now) == 15
    assert shift_min(60, "Asia/Bangkok", now) == 0
