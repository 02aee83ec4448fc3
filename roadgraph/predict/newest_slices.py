"""The days of the store of slices that a forecast looks at, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roadgraph.errors import DataError
from roadgraph.predict.observations import LOOK_BACK
from roadgraph.slices.store import read_slices, stored_days

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path
    from zoneinfo import ZoneInfo


def newest_slices(
    folder: Path, zone: ZoneInfo, slice_minutes: int, at: pd.Timestamp | None = None
) -> pa.Table:
    """Read the slices of the ``LOOK_BACK`` before a time.

    Where nothing was observed in these, the newest day before on which something was.

    Args:
        folder: the store.
        zone: the city's time zone.
        slice_minutes: length of the slices.
        at: a time that knows its zone; by default after the newest slice.

    Returns:
        The columns of ``schema.SLICES``, sorted by its key; none ends later than ``at``.

    Raises:
        DataError: the store is missing or empty, or has no slice that ended by then.
    """
    days = stored_days(folder)
    last = days[-1] if at is None and days else _day_of(at, zone)
    before = [day for day in days if last is None or day <= last]
    while before:
        newest = before[-1]
        # A day more, because the newest slice may be in the first hours of its day.
        first = (pd.Timestamp(newest) - LOOK_BACK - pd.Timedelta(days=1)).date()
        table = _ended_by(read_slices(folder, first, last), slice_minutes, at)
        if len(table):
            return table
        before = [day for day in before if day < first]
    if not days:
        return read_slices(folder)  # says what to do
    raise DataError(
        f"no history before {at if at is not None else 'now'}: {folder} has slices from {days[0]} "
        f"to {days[-1]}; predict from a later time (--at), or add the data before"
    )


def _day_of(at: pd.Timestamp | None, zone: ZoneInfo) -> date | None:
    return None if at is None else at.tz_convert(zone).date()


def _ended_by(slices: pa.Table, slice_minutes: int, at: pd.Timestamp | None) -> pa.Table:
    if at is None:
        return slices
    latest = at.tz_convert("UTC") - pd.Timedelta(minutes=slice_minutes)
    return slices.filter(pc.less_equal(slices["slice_start"], pa.scalar(latest)))
