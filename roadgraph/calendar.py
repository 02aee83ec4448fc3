"""The city's clock: local time, local days and the five clock features."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from roadgraph.errors import SettingsError


@dataclass(frozen=True)
class Days:
    """Local days from the first to the last, both among them; None is no bound."""

    first: date | None = None
    last: date | None = None

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and (self.first or day) <= day <= (self.last or day)


ALL_DAYS = Days()


def city_zone(name: str, setting: str = "city.timezone") -> ZoneInfo:
    """Return the IANA time zone ``name``.

    Args:
        name: such as ``Asia/Bangkok``.
        setting: where the name stands, for the message.

    Raises:
        SettingsError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError) as error:
        raise SettingsError(
            f"{setting}: no time zone '{name}'; use an IANA name such as 'Asia/Bangkok'"
        ) from error


def asked_day(option: str, text: str | None, or_else: str = "") -> date | None:
    """Return the local day that an option of the command line names; None where it was not given.

    Args:
        option: such as ``--day``, for the message.
        text: what was given, such as ``2026-01-05``.
        or_else: what else the option takes, for the message.

    Raises:
        SettingsError: it is no day.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(
            f"{option} {text}: is no day; write it as 2026-01-05{or_else}"
        ) from error


def clock_from(start: pd.Timestamp, slices: int, slice_minutes: int) -> pd.DatetimeIndex:
    """Return ``slices`` starts of slices from ``start`` on, without a gap."""
    return pd.date_range(start, periods=slices, freq=pd.Timedelta(minutes=slice_minutes))


def local_hours(slice_starts: pd.DatetimeIndex, zone: ZoneInfo) -> np.ndarray:
    """Return the local hour with its fraction, ``[T]`` in [0, 24), daylight saving included."""
    local = slice_starts.tz_convert(zone)
    return np.asarray(local.hour + local.minute / 60 + local.second / 3600, dtype=np.float64)


def local_weekdays(slice_starts: pd.DatetimeIndex, zone: ZoneInfo) -> np.ndarray:
    """Return the local day of the week, ``[T]``, 0 on Monday."""
    return np.asarray(slice_starts.tz_convert(zone).day_of_week, dtype=np.int64)


def clock_features(slice_starts: pd.DatetimeIndex, zone: ZoneInfo) -> np.ndarray:
    """Return ``hour_sin, hour_cos, dow_sin, dow_cos, is_weekend`` as ``[T, 5]`` float32.

    The hour goes once round the circle a day, the weekday once a week, so that 23:45 lies beside
    00:00 and Sunday beside Monday.
    """
    hour_angle = 2 * np.pi * local_hours(slice_starts, zone) / 24
    weekdays = local_weekdays(slice_starts, zone)
    day_angle = 2 * np.pi * weekdays / 7
    columns = [
        np.sin(hour_angle),
        np.cos(hour_angle),
        np.sin(day_angle),
        np.cos(day_angle),
        (weekdays >= 5).astype(np.float64),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def local_days(slice_starts: pd.DatetimeIndex, zone: ZoneInfo) -> np.ndarray:
    """Return the local calendar date of each slice, ``[T]`` of ``datetime.date``."""
    return np.asarray(slice_starts.tz_convert(zone).date)


def time_of_day(time: pd.Timestamp, zone: ZoneInfo) -> str:
    """Return the local time of day for people, such as ``01:30``.

    In the hour that comes twice, where the clock is set back, the zone's name of then stands with
    it: ``01:30 BST`` is an hour before ``01:30 GMT``.
    """
    local = time.tz_convert(zone).to_pydatetime()
    comes_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{local:%H:%M %Z}" if comes_twice else f"{local:%H:%M}"


def span_of_day(day: date, zone: ZoneInfo, slice_minutes: int) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the first moment (UTC) of a local day's slices and the first moment after them.

    Slices begin at whole multiples of their length in UTC; a slice belongs to the local day in
    which it begins, so in a zone of +05:30 the day of one-hour slices begins at half past.
    """
    width = pd.Timedelta(minutes=slice_minutes)
    midnights = (
        pd.Timestamp(day + timedelta(days=ahead)).tz_localize(
            zone, ambiguous=True, nonexistent="shift_forward"
        )
        for ahead in (0, 1)
    )
    begin, end = (midnight.tz_convert("UTC").ceil(width) for midnight in midnights)
    return begin, end
