from dataclasses import replace
from datetime import date
from typing import Literal

import pandas as pd
import pytest

from roadgraph.batch.asked import NOW, Asked
from roadgraph.batch.observed import Observed
from roadgraph.batch.span import Span, span_of
from roadgraph.errors import SettingsError
from roadgraph.settings import CitySettings, PipelineSettings, Settings

SETTINGS = replace(
    Settings(),
    city=CitySettings(timezone="Asia/Bangkok"),  # seven hours ahead of UTC
    pipeline=PipelineSettings(catch_up_days=3, wait_min=2),
)
MONDAY, SUNDAY = date(2026, 1, 5), date(2026, 1, 11)
OLDEST = date(2025, 12, 1)


def utc(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def span(first: date | None, last: date | Literal["now"] | None, newest: str, now: str) -> Span:
    observed = Observed(OLDEST, utc(newest)) if newest else None
    return span_of(SETTINGS, Asked(first, last), observed, utc(now))


def test_days_that_are_named_are_taken_whole_whatever_the_newest_data_are() -> None:
    found = span(MONDAY, SUNDAY, "", "2026-02-01T00:00")
    assert found.days[0] == MONDAY
    assert found.days[-1] == SUNDAY
    assert len(found.days) == 7
    assert found.over == found.days
    assert found.end == utc("2026-01-11T17:00")  # local midnight
    assert not found.catching_up


def test_the_times_of_a_day_are_the_ends_of_slices_in_it() -> None:
    found = span(MONDAY, MONDAY, "", "2026-02-01T00:00")
    times = found.times(MONDAY)
    assert len(times) == 96
    assert times[0] == utc("2026-01-04T17:00")
    assert times[-1] == utc("2026-01-05T16:45")


def test_without_a_last_day_it_ends_with_the_newest_data() -> None:
    found = span(None, None, "2026-01-11T05:15", "2026-02-01T00:00")
    assert found.days == [date(2026, 1, 9), date(2026, 1, 10), SUNDAY]
    assert found.end == utc("2026-01-11T05:15")
    assert found.over == found.days[:2]
    assert found.times(SUNDAY)[-1] == utc("2026-01-11T05:15")
    assert found.catching_up


def test_a_slice_that_is_still_filling_up_is_not_forecast_from() -> None:
    # At 05:16 the slice from 05:00 is over, but its fixes are waited for until 05:17.
    assert span(None, None, "2026-01-11T05:30", "2026-01-11T05:16").end == utc("2026-01-11T05:00")
    assert span(None, None, "2026-01-11T05:30", "2026-01-11T05:17").end == utc("2026-01-11T05:15")


def test_up_to_now_the_clock_counts_and_not_the_data() -> None:
    found = span(None, NOW, "2026-01-05T00:00", "2026-01-11T05:20")
    assert found.end == utc("2026-01-11T05:15")
    assert found.last == SUNDAY
    assert span(None, NOW, "", "2026-01-11T05:20") == found


def test_a_slice_before_local_midnight_belongs_to_the_day_before() -> None:
    found = span(None, None, "2026-01-10T17:00", "2026-02-01T00:00")
    assert found.last == date(2026, 1, 10)
    assert found.over[-1] == date(2026, 1, 10)


def test_a_day_of_today_ends_with_the_newest_slice_that_is_over() -> None:
    found = span(SUNDAY, SUNDAY, "", "2026-01-11T05:20")
    assert found.end == utc("2026-01-11T05:15")
    assert found.over == []


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (SUNDAY, MONDAY, "--from 2026-01-11 is after --to 2026-01-05"),
        (None, date(2026, 2, 2), "--to 2026-02-02: this day is still to come"),
        (None, None, "sample has no slices yet"),
    ],
)
def test_days_that_make_no_sense_are_refused(
    first: date | None, last: date | None, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        span(first, last, "", "2026-02-01T00:00")


def test_a_day_when_the_clock_changes_has_its_own_number_of_times() -> None:
    zone = replace(SETTINGS, city=CitySettings(timezone="Europe/Berlin"))
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    for day, slices in ((spring, 92), (autumn, 100)):
        found = span_of(zone, Asked(day, day), None, utc("2027-01-01T00:00"))
        assert len(found.times(day)) == slices


def test_without_a_first_day_nothing_is_made_up_for_the_time_before_the_first_observation() -> None:
    observed = Observed(date(2026, 1, 10), utc("2026-01-11T05:15"))
    found = span_of(SETTINGS, Asked(), observed, utc("2026-02-01T00:00"))
    assert found.days == [date(2026, 1, 10), SUNDAY]
    asked = span_of(SETTINGS, Asked(MONDAY), observed, utc("2026-02-01T00:00"))
    assert asked.days[0] == MONDAY
