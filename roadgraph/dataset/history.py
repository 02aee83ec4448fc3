"""What is typical of a segment at a time of the week."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.calendar import local_days, local_hours, local_weekdays

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    import pandas as pd

LEAST_OBSERVATIONS = 3  # a mean of fewer is left for one over a wider class of times
LEAST_SEGMENTS = 5  # observed ones of a road class, for what is typical of an unobserved one


@dataclass(frozen=True)
class History:
    """Typical values of ``N`` columns through the week.

    Attributes:
        week: ``[7 * slots, N]`` float32, from Monday 00:00 local time on.
        slice_minutes: length of a slice.
    """

    week: np.ndarray
    slice_minutes: int

    def at(self, slice_starts: pd.DatetimeIndex, zone: ZoneInfo) -> np.ndarray:
        """Return the typical values at ``slice_starts``, ``[T, N]``."""
        weekday, slot = _weekday_and_slot(slice_starts, zone, self.slice_minutes)
        return self.week[weekday * _slots(self.slice_minutes) + slot]


def fit_history(
    values: np.ndarray, slice_starts: pd.DatetimeIndex, zone: ZoneInfo, slice_minutes: int
) -> tuple[History, np.ndarray]:
    """Average ``values`` by time of the week, over wider classes of times where few are known.

    The classes: the time of the week; the time of day on all weekdays, or on both days of the
    weekend; the same by the hour; all times; all columns. The first with at least three known
    values counts (the last two need one).

    Args:
        values: ``[T, N]`` of the **training span alone**, NaN where unknown.
        slice_starts: ``[T]`` in UTC.
        zone: the city's time zone.
        slice_minutes: length of a slice.

    Returns:
        The history, and ``[T, N]`` what it would say of each of these cells had its column's
        whole local day not been known: a model that is trained on the plain history, or on one
        that leaves the cell alone out, can work its own label out from the difference.
    """
    values = values.astype(np.float64)
    known = ~np.isnan(values)
    own = np.where(known, values, 0.0)
    slots = _slots(slice_minutes)
    week_day, week_slot = np.divmod(np.arange(7 * slots), slots)
    weekday, slot = _weekday_and_slot(slice_starts, zone, slice_minutes)
    _, day = np.unique(local_days(slice_starts, zone), return_inverse=True)
    days = int(day.max()) + 1 if len(day) else 0
    overall = own.sum() / max(int(known.sum()), 1)
    week = np.full((7 * slots, values.shape[1]), overall)
    left_out = np.full(values.shape, overall)
    for classes in reversed(_classes(slots)):
        key, least = classes(weekday, slot)
        week_key, _ = classes(week_day, week_slot)
        total = np.zeros((int(max(key.max(), week_key.max())) + 1, values.shape[1]))
        count = np.zeros_like(total)
        np.add.at(total, key, own)
        np.add.at(count, key, known)
        # The part of each class that this day brought in.
        _, daily_key = np.unique(key * days + day, return_inverse=True)
        daily_total = np.zeros((int(daily_key.max()) + 1, values.shape[1]))
        daily_count = np.zeros_like(daily_total)
        np.add.at(daily_total, daily_key, own)
        np.add.at(daily_count, daily_key, known)
        for result, sums, counts in (
            (week, total[week_key], count[week_key]),
            (
                left_out,
                total[key] - daily_total[daily_key],
                count[key] - daily_count[daily_key],
            ),
        ):
            enough = counts >= least
            result[enough] = sums[enough] / counts[enough]
    return History(week.astype(np.float32), slice_minutes), left_out.astype(np.float32)


def typical_at(
    asked: pd.DatetimeIndex,
    blocks: Iterable[tuple[np.ndarray, pd.DatetimeIndex]],
    columns: int,
    zone: ZoneInfo,
    slice_minutes: int,
) -> np.ndarray:
    """Return what :func:`fit_history` would say of some times, from values block by block.

    Only sums by the classes of the times that are asked for are kept in memory.

    Args:
        asked: ``[A]`` in UTC.
        blocks: the values in the order of time, such as a day at a time: ``[T, N]``, NaN where
            unknown, and their ``slice_starts`` ``[T]`` in UTC.
        columns: ``N``.
        zone: the city's time zone.
        slice_minutes: length of a slice.

    Returns:
        ``[A, N]`` float32.
    """
    classes = _classes(_slots(slice_minutes))
    of_asked = [each(*_weekday_and_slot(asked, zone, slice_minutes)) for each in classes]
    totals = [{int(key): np.zeros(columns) for key in keys} for keys, _ in of_asked]
    counts = [{key: np.zeros(columns, dtype=np.int32) for key in total} for total in totals]
    for values, slice_starts in blocks:
        weekday, slot = _weekday_and_slot(slice_starts, zone, slice_minutes)
        known = ~np.isnan(values)
        own = np.where(known, values, 0.0).astype(np.float64)
        for keys_of, total, count in zip(classes, totals, counts, strict=True):
            for row, key in enumerate(keys_of(weekday, slot)[0]):
                if key in total:
                    total[key] += own[row]
                    count[key] += known[row]
    # The widest class is that of all times.
    (sum_of_all,), (known_of_all,) = totals[-1].values(), counts[-1].values()
    overall = sum_of_all.sum() / max(int(known_of_all.sum()), 1)
    typical = np.full((len(asked), columns), overall)
    for (keys, least), total, count in zip(of_asked[::-1], totals[::-1], counts[::-1], strict=True):
        for row, key in enumerate(keys):
            enough = count[key] >= least
            typical[row, enough] = total[key][enough] / count[key][enough]
    return typical.astype(np.float32)


def fit_unseen_history(
    speed_kph: np.ndarray,
    slice_starts: pd.DatetimeIndex,
    zone: ZoneInfo,
    slice_minutes: int,
    speed_limit_kph: np.ndarray,
    road_class: np.ndarray,
) -> tuple[History, np.ndarray]:
    """Return what is typical of each segment as if it had never been observed.

    The mean of speed over limit of the observed segments of its road class, by time of the week,
    times its own limit. Of all classes where fewer than ``LEAST_SEGMENTS`` of its own were
    observed: in a class of few, a segment that is but treated as unobserved would meet its own
    observations again. (To leave each one's own out would be worse: it could be worked out from
    how far each mean lies from the others.) Where limits are unknown their median stands for them;
    where none is known, speeds themselves are averaged.

    Args:
        speed_kph: ``[T, N]`` of the **training span alone**, NaN where unknown.
        slice_starts: ``[T]`` in UTC.
        zone: the city's time zone.
        slice_minutes: length of a slice.
        speed_limit_kph: ``[N]``, NaN where unknown.
        road_class: ``[N]`` text.

    Returns:
        The history and, as with :func:`fit_history`, what it says without each cell's own day:
        without that day's observations of the whole class.
    """
    known = speed_limit_kph[~np.isnan(speed_limit_kph)]
    usual = float(np.median(known)) if len(known) else 1.0
    limit = np.where(np.isnan(speed_limit_kph), usual, speed_limit_kph)
    names, place = np.unique(road_class, return_inverse=True)
    share = speed_kph / limit
    observed = ~np.isnan(share)
    total = np.zeros((len(share), len(names)))
    count = np.zeros_like(total)
    np.add.at(total.T, place, np.where(observed, share, 0.0).T)
    np.add.at(count.T, place, observed.T)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    overall = total.sum(axis=1) / np.maximum(count.sum(axis=1), 1)
    few = np.bincount(place[observed.any(axis=0)], minlength=len(names)) < LEAST_SEGMENTS
    mean[:, few] = np.where(count.sum(axis=1) > 0, overall, np.nan)[:, None]
    history, left_out = fit_history(mean, slice_starts, zone, slice_minutes)
    week = (history.week[:, place] * limit).astype(np.float32)
    return History(week, slice_minutes), (left_out[:, place] * limit).astype(np.float32)


def _slots(slice_minutes: int) -> int:
    return 24 * 60 // slice_minutes


def _classes(slots: int) -> list:
    """Return the classes of times from narrow to wide: their key and how many values they need."""
    an_hour = slots // 24
    return [
        lambda weekday, slot: (weekday * slots + slot, LEAST_OBSERVATIONS),
        lambda weekday, slot: ((weekday >= 5) * slots + slot, LEAST_OBSERVATIONS),
        lambda weekday, slot: ((weekday >= 5) * 24 + slot // an_hour, LEAST_OBSERVATIONS),
        lambda weekday, slot: (0 * slot, 1),
    ]


def _weekday_and_slot(
    slice_starts: pd.DatetimeIndex, zone: ZoneInfo, slice_minutes: int
) -> tuple[np.ndarray, np.ndarray]:
    minute = np.round(local_hours(slice_starts, zone) * 60).astype(np.int64)
    return local_weekdays(slice_starts, zone), minute // slice_minutes
