"""Speeds in LibCity's long table (``.dyna``): one row a detector and time.

Source of the format: https://bigscity-libcity-docs.readthedocs.io, "Atomic Files".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl

from roadgraph.calendar import city_zone
from roadgraph.errors import DataError
from roadgraph.network.atomic_files import LINE, atomic_columns, numbers, read_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.settings import CitySettings

KEYS = ("dyna_id", "type", "time", "entity_id")
USUAL_COLUMN = "traffic_speed"


def read_dyna_speeds(path: Path, city: CitySettings, slice_minutes: int) -> pd.DataFrame:
    """Read the speeds of a ``.dyna`` table as they stand in it.

    LibCity's own data sets write the local time of their city with a ``Z`` behind it, so a time is
    one of the city's clock, with ``Z`` or without; ``city.speeds_timezone`` names another zone,
    such as ``UTC`` where the ``Z`` is meant.

    Args:
        path: the file.
        city: ``timezone``, ``speeds_timezone`` and ``speeds_column`` are used.
        slice_minutes: how far apart the times of two slices are at least.

    Returns:
        ``segment_id``, ``slice_start`` (UTC), ``speed`` (the file's unit, above or equal to 0) and
        ``line``; rows without a speed are left out.

    Raises:
        DataError: the file is missing, empty or no such table; a row has no detector, no time that
            the zone knows, a time off the clock of the slices, a speed that cannot be, or stands
            there twice.
    """
    column = _speed_column(path, city.speeds_column)
    table = read_atomic(path, ["type", "time", "entity_id", column], only=True)
    table = table.filter(pl.col("type").eq("state"))
    if table.is_empty():
        raise DataError(f"{path}: no row of type state in it; are these trajectories?")
    nameless = table["entity_id"].is_null() | table["time"].is_null()
    if nameless.any():
        row = table[LINE].filter(nameless)[0]
        raise DataError(f"{path}: row {row} has no entity_id or no time; mend or remove it")
    speeds = numbers(table, column, path)
    if (speeds < 0).any():
        below = (speeds < 0).fill_null(False)
        raise DataError(f"{path}: row {table[LINE].filter(below)[0]}, {column} is below 0")
    rows = pd.DataFrame(
        {
            "segment_id": table["entity_id"].to_numpy(),
            "slice_start": _starts(table, path, city, slice_minutes),
            "speed": speeds.to_numpy(),
            LINE: table[LINE].to_numpy(),
        }
    )
    twice = rows.duplicated(["segment_id", "slice_start"])
    if twice.any():
        row = rows[twice].iloc[0]
        raise DataError(
            f"{path}: row {row[LINE]} is a second one of '{row['segment_id']}' at that time "
            f"({int(twice.sum())} such rows); keep one of them"
        )
    return rows.dropna(subset="speed")


def _speed_column(path: Path, wanted: str) -> str:
    columns = [name for name in atomic_columns(path) if name not in KEYS]
    if wanted or USUAL_COLUMN in columns or len(columns) == 1:
        column = wanted or (USUAL_COLUMN if USUAL_COLUMN in columns else columns[0])
        if column in columns:
            return column
    raise DataError(
        f"{path}: which column holds the speeds? Set city.speeds_column to one of "
        f"{', '.join(columns) or 'them; there is none'} (found '{wanted}')"
    )


def _starts(
    table: pl.DataFrame, path: Path, city: CitySettings, slice_minutes: int
) -> pd.DatetimeIndex:
    """Return the time of every row in UTC."""
    different = table.unique("time", maintain_order=True).select("time", LINE)
    texts, lines = different["time"].to_list(), different[LINE].to_list()

    def refuse(wrong: np.ndarray, fault: str) -> None:
        if wrong.any():
            place = int(wrong.argmax())
            raise DataError(f"{path}: row {lines[place]}, time '{texts[place]}' {fault}")

    plain = pd.Series([text.strip().removesuffix("Z") for text in texts])
    local = pd.DatetimeIndex(pd.to_datetime(plain, format="%Y-%m-%dT%H:%M:%S", errors="coerce"))
    refuse(np.asarray(local.isna()), "is no time; write 2012-03-01T00:05:00Z")
    setting = "city.speeds_timezone" if city.speeds_timezone else "city.timezone"
    zone = city_zone(city.speeds_timezone or city.timezone, setting)
    placed = local.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    refuse(
        np.asarray(placed.isna()),
        f"comes twice or never in {zone.key}, where the clock is changed; set "
        "city.speeds_timezone to the zone of the file's clock, such as UTC, or Etc/GMT+8 for 8 "
        "hours behind UTC all year",
    )
    times = placed.tz_convert("UTC").as_unit("us")
    step = pd.Timedelta(minutes=slice_minutes)
    refuse(
        np.asarray((times - times.min()) % step != pd.Timedelta(0)),
        f"is off the clock of {slice_minutes}-minute slices; set slices.minutes to the file's step",
    )
    place = {text: place for place, text in enumerate(texts)}
    return times[table["time"].replace_strict(place, return_dtype=pl.Int64).to_numpy()]
