"""The partitions of a city's assets: its local days and the times its forecasts are issued at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg
import pandas as pd

from roadgraph.calendar import city_zone
from roadgraph.errors import SettingsError
from roadgraph.settings import Settings
from roadgraph.slices.store import stored_days
from roadgraph.workspace import Workspace

ISSUED = "roadgraph/issued_at"
"""Tag of the runs of a slice: the time that they make forecasts for."""


@dataclass(frozen=True)
class Partitions:
    """What a city's assets are divided by, on its clock.

    Attributes:
        days: local days, the one that is not over yet among them.
        times: ends of slices, up to the newest one.
        slice_minutes: length of a slice.
        shift_min: how many minutes after a local hour the first slice of it begins.
    """

    days: dg.TimeWindowPartitionsDefinition
    times: dg.TimeWindowPartitionsDefinition
    slice_minutes: int
    shift_min: int

    def day_key(self, newest: pd.Timestamp) -> str:
        """Return the day of the slice that ends at ``newest``."""
        begun = newest - pd.Timedelta(minutes=self.slice_minutes)
        return self.days.get_partition_key_for_timestamp(begun.timestamp())

    def time_key(self, newest: pd.Timestamp) -> str:
        """Return the time of issue that is ``newest``."""
        return self.times.get_partition_key_for_timestamp(newest.timestamp())


def partitions_of(settings: Settings, now: pd.Timestamp) -> Partitions:
    """Return the partitions of the city from ``pipeline.start`` on.

    Args:
        settings: of the city.
        now: the moment; without a start and without slices it is from some days before it on.

    Raises:
        SettingsError: ``pipeline.start`` is no day.
    """
    first = _first_day(settings, now)
    zone, minutes = settings.city.timezone, settings.slices.minutes
    shift = shift_min(minutes, zone, now)
    # One window more than are over: today, and the slice that has just begun when one has ended.
    return Partitions(
        days=dg.DailyPartitionsDefinition(
            start_date=first.isoformat(), timezone=zone, end_offset=1
        ),
        times=dg.TimeWindowPartitionsDefinition(
            cron_schedule=cron_of(minutes, shift),
            start=f"{first}T00:{shift:02d}",
            fmt="%Y-%m-%dT%H:%M",
            timezone=zone,
            end_offset=1,
        ),
        slice_minutes=minutes,
        shift_min=shift,
    )


def shift_min(slice_minutes: int, zone: str, now: pd.Timestamp) -> int:
    """Return how many minutes after a local hour the first slice of it begins.

    Slices begin at whole multiples of their length in UTC, and some zones are half an hour off.
    """
    offset = now.tz_convert(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds() // 60) % slice_minutes


def cron_of(slice_minutes: int, after_min: int) -> str:
    """Return the minutes that lie ``after_min`` after whole multiples of a slice's length."""
    minutes = sorted((end + after_min) % 60 for end in range(0, 60, slice_minutes))
    return f"{','.join(str(minute) for minute in minutes)} * * * *"


def _first_day(settings: Settings, now: pd.Timestamp) -> date:
    start = settings.pipeline.start
    if start:
        try:
            return date.fromisoformat(start)
        except ValueError as error:
            raise SettingsError(
                f"pipeline.start: '{start}' is no day; write it as 2026-01-05"
            ) from error
    stored = stored_days(Workspace.of(settings).slices)
    if stored:
        return stored[0]
    today = now.tz_convert(city_zone(settings.city.timezone)).date()
    return today - timedelta(days=settings.pipeline.catch_up_days)
