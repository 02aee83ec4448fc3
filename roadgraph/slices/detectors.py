"""Detectors that measure speeds themselves: one column a detector, one row a slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from roadgraph.calendar import city_zone
from roadgraph.errors import DataError
from roadgraph.schema import SLICES, utc_times

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.settings import CitySettings

KPH_PER_MPH = 1.609344  # international mile, exact


def read_detector_speeds(path: Path, city: CitySettings, slice_minutes: int) -> pa.Table:
    """Read a table of speeds into the columns of ``schema.SLICES``.

    A detector counts as one probe of quality 1 with no spread. Empty cells are not observed.

    Raises:
        DataError: the file is missing, empty or holds other things than speeds, or
            ``city.speeds_start`` is no local time.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; set city.speeds")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    try:
        speeds = pd.read_csv(path)
    except ValueError as error:  # pandas' own errors for broken tables are ValueErrors
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} cannot be read as a table of speeds: {reason}") from error
    if speeds.empty:
        raise DataError(f"{path}: no row of speeds in it")
    for name, kind in speeds.dtypes.items():
        if not pd.api.types.is_numeric_dtype(kind):
            raise DataError(f"{path}: column '{name}' holds other things than speeds")
    negative = speeds.lt(0).to_numpy()
    if negative.any():
        row, column = np.argwhere(negative)[0]
        raise DataError(f"{path}: row {row + 2}, column '{speeds.columns[column]}' is below 0")
    try:
        local = pd.Timestamp(city.speeds_start)
        if pd.isna(local):
            raise ValueError("empty")
        start = local.tz_localize(city_zone(city.timezone))
    except (ValueError, TypeError) as error:
        raise DataError(
            f"city.speeds_start: no local time '{city.speeds_start}'; write 2012-03-01T00:00"
        ) from error
    factor = KPH_PER_MPH if city.speed_unit == "mph" else 1.0
    # Steps are counted in absolute time, so a change to summer time moves no row.
    times = pd.date_range(start.tz_convert("UTC"), periods=len(speeds), freq=f"{slice_minutes}min")
    values = speeds.to_numpy(dtype=np.float64) * factor
    rows = np.isfinite(values).T.ravel()
    flat = values.T.ravel()[rows]
    table = {
        "segment_id": np.repeat([str(name) for name in speeds.columns], len(speeds))[rows],
        "slice_start": utc_times(times).take(np.tile(np.arange(len(times)), speeds.shape[1])[rows]),
        "mean_speed": flat,
        "median_speed": flat,
        "speed_std": np.zeros(len(flat)),
        "count_probes": np.ones(len(flat), dtype=np.int32),
        "quality_score": np.ones(len(flat)),
    }
    return SLICES.conform(pa.table(table))
