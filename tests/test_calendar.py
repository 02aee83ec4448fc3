from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from roadgraph.calendar import (
    asked_day,
    city_zone,
    clock_features,
    clock_from,
    local_days,
    local_hours,
    local_weekdays,
    span_of_day,
    time_of_day,
)
from roadgraph.errors import SettingsError

BANGKOK = ZoneInfo("Asia/Bangkok")
BERLIN = ZoneInfo("Europe/Berlin")
HOUR_SIN, HOUR_COS, DOW_SIN, DOW_COS, IS_WEEKEND = range(5)


def local(zone: ZoneInfo, *times: str) -> pd.DatetimeIndex:
    """Return local times as the slices carry them: in UTC."""
    return pd.DatetimeIndex([pd.Timestamp(time, tz=zone).tz_convert("UTC") for time in times])


@pytest.mark.parametrize("name", ["", "Nowhere", "Asia", "../etc/localtime", "/etc/localtime"])
def test_a_time_zone_that_is_none_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=r"city\.timezone: no time zone") as error:
        city_zone(name)
    assert f"'{name}'" in str(error.value)


def test_a_time_zone_that_is_none_is_named_with_its_setting() -> None:
    with pytest.raises(SettingsError, match=r"^probes\.timezone: no time zone 'Mars'; use an IANA"):
        city_zone("Mars", "probes.timezone")


def test_a_time_zone_is_found_by_its_iana_name() -> None:
    assert city_zone("Asia/Bangkok") == BANGKOK


def test_clock_goes_on_without_a_gap() -> None:
    start = pd.Timestamp("2026-01-05T23:45", tz="UTC")
    expected = [start, start + pd.Timedelta("15min"), start + pd.Timedelta("30min")]
    assert list(clock_from(start, 3, 15)) == expected


def test_local_hours_carry_their_fraction_in_the_citys_zone() -> None:
    starts = pd.DatetimeIndex(["2026-01-05T00:00Z", "2026-01-05T10:45Z", "2026-01-05T16:59:06Z"])
    np.testing.assert_allclose(local_hours(starts, BANGKOK), [7, 17.75, 23.985], atol=1e-12)


def test_the_weekday_is_the_local_one() -> None:
    # Sunday 18:00 in UTC is Monday 01:00 in Bangkok.
    starts = pd.DatetimeIndex(["2026-01-04T18:00Z", "2026-01-04T16:59Z"])
    assert local_weekdays(starts, BANGKOK).tolist() == [0, 6]
    assert local_weekdays(starts, ZoneInfo("UTC")).tolist() == [6, 6]


def test_hour_features_at_the_four_corners_of_the_day() -> None:
    times = [f"2026-01-05T{hour}:00" for hour in ("00", "06", "12", "18")]
    features = clock_features(local(BANGKOK, *times), BANGKOK)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features[:, HOUR_SIN], [0, 1, 0, -1], atol=1e-6)
    np.testing.assert_allclose(features[:, HOUR_COS], [1, 0, -1, 0], atol=1e-6)


def test_quarter_to_midnight_lies_as_near_to_midnight_as_quarter_past() -> None:
    times = ("2026-01-05T23:45", "2026-01-06T00:00", "2026-01-06T00:15", "2026-01-05T12:00")
    before, midnight, after, noon = clock_features(local(BANGKOK, *times), BANGKOK)[:, :2]
    # A chord of 15 minutes on the unit circle: 2 sin(pi / 96).
    step = 2 * np.sin(np.pi / 96)
    assert np.linalg.norm(midnight - before) == pytest.approx(step, abs=1e-6)
    assert np.linalg.norm(after - midnight) == pytest.approx(step, abs=1e-6)
    assert np.linalg.norm(noon - midnight) == pytest.approx(2, abs=1e-6)


def test_sunday_lies_as_near_to_monday_as_tuesday_does() -> None:
    times = ("2026-01-04T12:00", "2026-01-05T12:00", "2026-01-06T12:00", "2026-01-08T12:00")
    features = clock_features(local(BANGKOK, *times), BANGKOK)[:, [DOW_SIN, DOW_COS]]
    sunday, monday, tuesday, thursday = features
    np.testing.assert_allclose(monday, [0, 1], atol=1e-6)
    step = 2 * np.sin(np.pi / 7)
    assert np.linalg.norm(monday - sunday) == pytest.approx(step, abs=1e-6)
    assert np.linalg.norm(tuesday - monday) == pytest.approx(step, abs=1e-6)
    assert np.linalg.norm(thursday - monday) == pytest.approx(2 * np.sin(3 * np.pi / 7), abs=1e-6)


def test_the_weekend_is_local_saturday_and_sunday_from_midnight_to_midnight() -> None:
    times = (
        "2026-01-09T23:45", "2026-01-10T00:00", "2026-01-10T12:00",
        "2026-01-11T23:45", "2026-01-12T00:00",
    )  # fmt: skip
    features = clock_features(local(BANGKOK, *times), BANGKOK)
    assert features[:, IS_WEEKEND].tolist() == [0, 1, 1, 1, 0]


def test_local_hours_follow_the_clock_through_both_changes_in_berlin() -> None:
    # 2026-03-29: 02:00 is skipped. 2026-10-25: 02:00 comes twice.
    spring = clock_from(pd.Timestamp("2026-03-29T00:00Z"), 3, 60)
    autumn = clock_from(pd.Timestamp("2026-10-24T23:00Z"), 4, 60)
    assert local_hours(spring, BERLIN).tolist() == [1, 3, 4]
    assert local_hours(autumn, BERLIN).tolist() == [1, 2, 2, 3]


@pytest.mark.parametrize(
    ("day", "hours", "first"),
    [
        (date(2026, 3, 28), 24, "2026-03-27T23:00Z"),
        (date(2026, 3, 29), 23, "2026-03-28T23:00Z"),
        (date(2026, 10, 25), 25, "2026-10-24T22:00Z"),
        (date(2026, 10, 26), 24, "2026-10-25T23:00Z"),
    ],
)
def test_local_days_in_berlin_have_23_24_or_25_hours(day: date, hours: int, first: str) -> None:
    quarters = clock_from(pd.Timestamp(first) - pd.Timedelta("15min"), 4 * hours + 2, 15)
    inside = local_days(quarters, BERLIN) == day
    assert inside.tolist() == [False] + [True] * (4 * hours) + [False]


def test_the_local_day_is_not_the_day_in_utc() -> None:
    starts = pd.DatetimeIndex(["2026-01-04T16:45Z", "2026-01-04T17:00Z"])
    assert local_days(starts, BANGKOK).tolist() == [date(2026, 1, 4), date(2026, 1, 5)]


@pytest.mark.parametrize(
    ("day", "zone", "minutes", "begin", "hours"),
    [
        ("2026-01-05", "Asia/Bangkok", 15, "2026-01-04T17:00Z", 24),
        ("2026-03-29", "Europe/Berlin", 15, "2026-03-28T23:00Z", 23),
        ("2026-10-25", "Europe/Berlin", 15, "2026-10-24T22:00Z", 25),
        ("2026-01-05", "Asia/Kolkata", 60, "2026-01-04T19:00Z", 24),
        ("2026-01-05", "Asia/Kolkata", 30, "2026-01-04T18:30Z", 24),
    ],
)
def test_the_span_of_a_day_is_that_of_the_slices_that_begin_in_it(
    day: str, zone: str, minutes: int, begin: str, hours: int
) -> None:
    first, last = span_of_day(date.fromisoformat(day), ZoneInfo(zone), minutes)
    assert first == pd.Timestamp(begin)
    assert last - first == pd.Timedelta(hours=hours)
    starts = pd.date_range(first, last, freq=f"{minutes}min", inclusive="left")
    assert {str(item) for item in local_days(starts, ZoneInfo(zone))} == {day}


def test_a_day_of_the_command_line_is_one_or_is_refused() -> None:
    assert asked_day("--day", None) is None
    assert asked_day("--day", "2026-01-05") == date(2026, 1, 5)
    with pytest.raises(SettingsError, match=r"--to tomorrow: is no day; .*2026-01-05 or 'now'"):
        asked_day("--to", "tomorrow", " or 'now'")


def test_a_time_of_day_is_local_and_tells_the_hour_that_comes_twice_apart() -> None:
    """In Berlin the clock went back from 03:00 to 02:00 on 25 October 2026, at 01:00 UTC."""
    told = [
        time_of_day(pd.Timestamp(f"2026-10-{time}Z"), BERLIN)
        for time in ("24T23:59", "25T00:00", "25T00:59", "25T01:00", "25T01:59", "25T02:00")
    ]
    assert told == ["01:59", "02:00 CEST", "02:59 CEST", "02:00 CET", "02:59 CET", "03:00"]
    after_the_gap = [
        time_of_day(pd.Timestamp(f"2026-03-29T{time}Z"), BERLIN) for time in ("00:59", "01:00")
    ]
    assert after_the_gap == ["01:59", "03:00"]
