"""The slices of a store that a forecast looks at, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roadgraph.errors import DataError
from roadgraph.predict.observations import LOOK_BACK
from roadgraph.schema import SLICES, read_whole
from roadgraph.slices.store import DayFolder, read_slices, stored_days

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path
    from zoneinfo import ZoneInfo


def newest_slices(
    folder: Path,
    zone: ZoneInfo,
    slice_minutes: int,
    slices: int,
    at: pd.Timestamp | None = None,
    last: pd.Timestamp | None = None,
) -> pa.Table:
    """Read the slices that a forecast at a time looks at, or all forecasts from then to another.

    These are the slices of the ``LOOK_BACK`` before it, for the ages, and those up to the newest
    with an observation, for the model, however long ago that was.

    Args:
        folder: the store.
        zone: the city's time zone.
        slice_minutes: length of the slices.
        slices: how many of the newest slices the model looks at, such as
            :attr:`~roadgraph.predict.forecaster.Forecaster.slices`.
        at: a time that knows its zone; by default the end of the newest slice.
        last: of the times of many forecasts, of which ``at`` is the first; by default ``at``.

    Returns:
        The columns of ``schema.SLICES``, as :func:`slices_between` has them; none ends later than
        the last time.

    Raises:
        DataError: the store is missing or empty, or has no slice that ended by ``at``; the message
            says from when on there is one.
    """
    width = pd.Timedelta(minutes=slice_minutes)
    newest = _newest_start(folder, zone, None if at is None else at - width)
    if newest is None:
        days = stored_days(folder)
        if not days:
            return read_slices(folder)  # says what to do
        first_start = _first_start(folder)
        if at is None or first_start is None:
            raise DataError(
                f"{folder} holds no slice: no vehicle was seen on any segment from {days[0]} to "
                f"{days[-1]}; add other fixes: roadgraph slices"
            )
        raise no_history(at, first_start + width, zone, folder)
    end = newest + width
    first = min((at or end) - LOOK_BACK, end - slices * width)
    return slices_between(folder, zone, first, (last or at or end) - width)


def no_history(
    at: pd.Timestamp, first_end: pd.Timestamp, zone: ZoneInfo, source: Path
) -> DataError:
    """Return the error that there is no slice that ended by a time to forecast from.

    Args:
        at: the time, which knows its zone.
        first_end: the end of the first slice that there is, likewise.
        zone: the city's time zone, in which both are told.
        source: where the slices lie, or the fixes that they were made from.
    """
    asked, first = (time.tz_convert(zone).isoformat(timespec="minutes") for time in (at, first_end))
    return DataError(
        f"no history before {asked}: the first slice of {source} ends at {first}; predict from "
        f"then on (--at {first}), or add the data before"
    )


def slices_between(
    folder: Path, zone: ZoneInfo, first: pd.Timestamp, last: pd.Timestamp
) -> pa.Table:
    """Read the slices that begin from ``first`` to ``last``, both among them.

    Args:
        folder: the store.
        zone: the city's time zone.
        first: a time that knows its zone.
        last: a time that knows its zone.

    Returns:
        The columns of ``schema.SLICES``, a day after the other, each sorted by segment and time;
        no row where nothing was observed.

    Raises:
        DataError: the slices of a day are damaged.
    """
    tables = [SLICES.schema.empty_table()]
    for day in stored_days(folder):
        if _day_of(first, zone) <= day <= _day_of(last, zone):
            start = pc.field("slice_start")
            inside = (start >= _utc(first)) & (start <= _utc(last))
            tables.append(SLICES.typed(read_whole(_file(folder, day), SLICES.columns, inside)))
    return pa.concat_tables(tables)


def _newest_start(folder: Path, zone: ZoneInfo, latest: pd.Timestamp | None) -> pd.Timestamp | None:
    """Return when the newest slice begins that does so at ``latest`` or before."""
    inside = None if latest is None else pc.field("slice_start") <= _utc(latest)
    for day in reversed(stored_days(folder)):
        if latest is not None and day > _day_of(latest, zone):
            continue
        starts = read_whole(_file(folder, day), ["slice_start"], inside)["slice_start"]
        if len(starts):
            return pd.Timestamp(pc.max(starts).as_py())
    return None


def _first_start(folder: Path) -> pd.Timestamp | None:
    """Return when the first slice begins, None where there is none."""
    for day in stored_days(folder):
        starts = read_whole(_file(folder, day), ["slice_start"])["slice_start"]
        if len(starts):
            return pd.Timestamp(pc.min(starts).as_py())
    return None


def _file(folder: Path, day: date) -> Path:
    return DayFolder(folder / day.isoformat()).slices


def _day_of(time: pd.Timestamp, zone: ZoneInfo) -> date:
    return time.tz_convert(zone).date()


def _utc(time: pd.Timestamp) -> pa.Scalar:
    return pa.scalar(time.tz_convert("UTC"), SLICES.schema.field("slice_start").type)
