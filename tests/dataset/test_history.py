from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from roadgraph.dataset.history import fit_history, typical_at

UTC = ZoneInfo("UTC")
NAN = np.nan


def days(count: int, start: str = "2026-01-05") -> pd.DatetimeIndex:
    """Return hourly slices of ``count`` days from a Monday on."""
    return pd.date_range(start, periods=24 * count, freq="60min", tz="UTC")


def test_three_values_of_the_time_of_the_week_are_enough() -> None:
    values = np.full((24 * 28, 1), NAN)  # four weeks
    values[[8, 8 + 168, 8 + 336], 0] = [10, 20, 60]  # three Mondays at 08:00
    values[8 + 24, 0] = 100  # a Tuesday at 08:00
    history, _ = fit_history(values, days(28), UTC, 60)
    typical = history.at(pd.DatetimeIndex(["2026-03-02T08:00Z", "2026-03-03T08:00Z"]), UTC)
    assert typical[0, 0] == 30  # a Monday: its own time of the week
    assert typical[1, 0] == 47.5  # a Tuesday has one value: that of all weekdays at 08:00


def test_weekends_and_weekdays_are_kept_apart() -> None:
    values = np.full((24 * 14, 1), NAN)
    for day in range(14):
        values[24 * day + 8] = 50 if day % 7 >= 5 else 20
    history, _ = fit_history(values, days(14), UTC, 60)
    week = history.at(days(7), UTC)[8::24, 0]
    np.testing.assert_array_equal(week, [20, 20, 20, 20, 20, 50, 50])


def test_a_time_never_seen_has_the_segments_mean_and_a_segment_never_seen_the_networks() -> None:
    values = np.full((24, 3), NAN)
    values[8] = [10, 30, NAN]
    values[9] = [20, 30, NAN]
    history, _ = fit_history(values, days(1), UTC, 60)
    np.testing.assert_array_equal(history.at(days(1), UTC)[3], [15, 30, 22.5])


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Europe/Berlin")])
def test_block_by_block_the_typical_values_are_the_same(zone: ZoneInfo) -> None:
    rng = np.random.default_rng(0)
    starts = days(21, "2026-03-23")  # Berlin's clocks go forward within
    values = rng.uniform(5, 60, (len(starts), 6)).astype(np.float32)
    shares = np.array([0.05, 0.2, 0.5, 0.9, 1.0, 0.0])  # observed; the last one never
    values[rng.random(values.shape) >= shares] = NAN
    kept = np.r_[0:48, 96 : len(starts)]  # two days are missing
    blocks = [(values[rows], starts[rows]) for rows in np.array_split(kept, 17)]
    asked = days(8, "2026-04-13")
    expected = fit_history(values[kept], starts[kept], zone, 60)[0].at(asked, zone)
    found = typical_at(asked, blocks, 6, zone, 60)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_left_out_says_what_the_cell_would_have_had_without_itself() -> None:
    values = np.full((24 * 4, 1), NAN)
    values[8::24, 0] = [10, 20, 30, 40]  # Monday to Thursday at 08:00
    history, left_out = fit_history(values, days(4), UTC, 60)
    assert history.at(days(1), UTC)[8, 0] == 25
    np.testing.assert_allclose(left_out[8::24, 0], [30, 80 / 3, 70 / 3, 20])


def test_left_out_is_not_moved_by_any_value_of_its_own_day() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(5, 60, (24 * 7, 3))
    values[rng.random(values.shape) < 0.4] = NAN
    changed = values.copy()
    changed[24:48, 1] = rng.uniform(5, 60, 24)  # all of Tuesday, the pattern of gaps too
    before = fit_history(values, days(7), UTC, 60)[1]
    after = fit_history(changed, days(7), UTC, 60)[1]
    np.testing.assert_allclose(before[24:48, 1], after[24:48, 1], rtol=1e-6)
    assert not np.allclose(before[:24, 1], after[:24, 1]), "other days must be moved"


def test_left_out_of_the_only_day_is_the_mean_of_all() -> None:
    values = np.full((24, 2), NAN)
    values[[3, 9], [0, 1]] = [10, 30]
    _, left_out = fit_history(values, days(1), UTC, 60)
    np.testing.assert_array_equal(left_out, np.full((24, 2), 20.0))


def test_the_week_is_that_of_the_citys_clock() -> None:
    zone = ZoneInfo("Asia/Bangkok")
    values = np.full((24 * 21, 1), NAN)
    values[1::168, 0] = 33.0  # Mondays 01:00 UTC are 08:00 in Bangkok
    history, _ = fit_history(values, days(21), zone, 60)
    assert history.week[8, 0] == 33
