"""The local days and times of issue that a scheduled run is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.batch.asked import NOW
from roadgraph.calendar import city_zone, span_of_day
from roadgraph.errors import SettingsError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from roadgraph.batch.asked import Asked
    from roadgraph.batch.observed import Observed
    from roadgraph.settings import Settings


@dataclass(frozen=True)
class Span:
    """Local days to bring up to date.

    Attributes:
        first, last: the days.
        end: the moment (UTC) after which nothing is looked at or forecast from.
        catching_up: whether the first day was not asked for, so that forecasts that were never
            issued are not made up for it.
        zone: the city's time zone.
        slice_minutes: length of a slice.
    """

    first: date
    last: date
    end: pd.Timestamp
    catching_up: bool
    zone: ZoneInfo
    slice_minutes: int

    @property
    def days(self) -> list[date]:
        """All days, in their order."""
        return [
            self.first + timedelta(days=ahead) for ahead in range((self.last - self.first).days + 1)
        ]

    @property
    def over(self) -> list[date]:
        """The days that are over: no slice of them is still to come."""
        return [day for day in self.days if self.bounds(day)[1] <= self.end]

    def bounds(self, day: date) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Return the first moment (UTC) of a day's slices and the moment after them."""
        return span_of_day(day, self.zone, self.slice_minutes)

    def times(self, day: date) -> pd.DatetimeIndex:
        """Return the times of issue of a day: every end of a slice in it, up to ``end``."""
        begin, after = self.bounds(day)
        step = pd.Timedelta(minutes=self.slice_minutes)
        times = pd.date_range(begin, after, freq=step, inclusive="left")
        return times[times <= self.end]


def refuse_days(settings: Settings, asked: Asked, now: pd.Timestamp) -> None:
    """Refuse days that make no sense, whatever the data are.

    Raises:
        SettingsError: they are in the wrong order, or the last one is still to come.
    """
    last = asked.last
    if not isinstance(last, date):
        return
    zone = city_zone(settings.city.timezone)
    if span_of_day(last, zone, settings.slices.minutes)[0] >= now:
        raise SettingsError(f"--to {last}: this day is still to come")
    if asked.first is not None and asked.first > last:
        raise SettingsError(
            f"--from {asked.first} is after --to {last}; give the earlier day first"
        )


def span_of(settings: Settings, asked: Asked, observed: Observed | None, now: pd.Timestamp) -> Span:
    """Return the span that a run is asked for.

    Args:
        settings: ``city.timezone``, ``slices.minutes``, ``pipeline.catch_up_days`` and
            ``pipeline.wait_min`` are used.
        asked: the days; where the first was not named it is so many days back as the settings
            say, and not before the first observation.
        observed: from when to when there are observations, or None without any.
        now: the moment.

    Raises:
        SettingsError: the days are in the wrong order or still to come, or there is neither data
            nor a day to end with.
    """
    zone, minutes = city_zone(settings.city.timezone), settings.slices.minutes
    step = pd.Timedelta(minutes=minutes)
    over = (now - pd.Timedelta(minutes=settings.pipeline.wait_min)).floor(step)
    if isinstance(asked.last, date):
        refuse_days(settings, asked, now)
        _, after = span_of_day(asked.last, zone, minutes)
        end, last = min(after, over), asked.last
    else:
        if asked.last is None and observed is None:
            raise SettingsError(
                f"{settings.city.name} has no slices yet, so there is no newest day; name one: "
                "--from 2026-01-05 --to 2026-01-11, or --to now"
            )
        # The newest slice may still be filling up.
        end = over if observed is None or asked.last == NOW else min(observed.until, over)
        last = (end - step).tz_convert(zone).date()
    first = asked.first
    if first is None:
        first = last - timedelta(days=settings.pipeline.catch_up_days - 1)
        if observed is not None:
            first = min(max(first, observed.first), last)
    if first > last:
        raise SettingsError(f"--from {first} is after --to {last}; give the earlier day first")
    return Span(first, last, end, asked.first is None, zone, minutes)
